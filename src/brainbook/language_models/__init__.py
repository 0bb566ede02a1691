"""Language models by name, and the hidden states of words in them."""

from brainbook.language_models.brainlm.model import BrainLM
from brainbook.language_models.hidden_states import word_pieces, word_states
from brainbook.language_models.language_model import LanguageModel
from brainbook.language_models.readout import phantom_targets, read_out
from brainbook.language_models.registry import HUB_NAMES, load_language_model
from brainbook.language_models.tiny.settings import TINY_MODELS

__all__ = [
    "HUB_NAMES",
    "TINY_MODELS",
    "BrainLM",
    "LanguageModel",
    "load_language_model",
    "phantom_targets",
    "read_out",
    "word_pieces",
    "word_states",
]
