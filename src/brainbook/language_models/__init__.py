"""What turns words into numbers: models by name, and the states of words in them."""

from importlib import import_module

from brainbook.language_models.hidden_states import tokenization, word_pieces, word_states
from brainbook.language_models.language_model import LanguageModel
from brainbook.language_models.readout import phantom_targets, read_out
from brainbook.language_models.registry import HUB_NAMES, load_language_model

# modules that also run as programs: imported when asked for, or `python -m` would find them imported already
_LATER = {"TINY_MODELS": "tiny.models", "training_curve": "tiny.models", "BrainLM": "brainlm.model"}

__all__ = [
    "HUB_NAMES",
    "LanguageModel",
    "load_language_model",
    "phantom_targets",
    "read_out",
    "tokenization",
    "word_pieces",
    "word_states",
    *_LATER,
]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
