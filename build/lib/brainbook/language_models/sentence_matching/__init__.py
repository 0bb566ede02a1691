"""Do two sentences of two languages mean the same? Heads, losses, fine-tuning, evaluation."""
