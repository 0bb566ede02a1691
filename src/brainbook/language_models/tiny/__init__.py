"""Tiny language models, trained on the phantom's stories."""
