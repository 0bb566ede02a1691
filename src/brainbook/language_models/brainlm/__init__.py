"""BrainLM: a language model that reads words and scans."""
