"""brainbook: comparing language models with brains, proved on phantoms first."""

__version__ = "0.1.0"
