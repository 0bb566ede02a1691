"""Language models by name, and the hidden states of words in them; speech models, and those of sounds."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.language_models.brainlm.model import BrainLM
    from brainbook.language_models.hidden_states import word_pieces, word_states
    from brainbook.language_models.language_model import LanguageModel
    from brainbook.language_models.readout import phantom_targets, read_out
    from brainbook.language_models.registry import HUB_NAMES, load_language_model
    from brainbook.language_models.speech import SpeechModel, load_speech_model, speech_states
    from brainbook.language_models.tiny.settings import TINY_MODELS

__all__ = [
    "HUB_NAMES",
    "TINY_MODELS",
    "BrainLM",
    "LanguageModel",
    "SpeechModel",
    "load_language_model",
    "load_speech_model",
    "phantom_targets",
    "read_out",
    "speech_states",
    "word_pieces",
    "word_states",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
