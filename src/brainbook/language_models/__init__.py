"""Language models by name, and the hidden states of words in them; speech models, and those of sounds."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.language_models.brainlm.model import BrainLM as BrainLM
    from brainbook.language_models.hidden_states import word_pieces as word_pieces, word_states as word_states
    from brainbook.language_models.language_model import LanguageModel as LanguageModel
    from brainbook.language_models.names import HUB_NAMES as HUB_NAMES
    from brainbook.language_models.readout import phantom_targets as phantom_targets, read_out as read_out
    from brainbook.language_models.registry import load_language_model as load_language_model
    from brainbook.language_models.speech import (
        SpeechModel as SpeechModel,
        load_speech_model as load_speech_model,
        speech_states as speech_states,
    )
    from brainbook.language_models.tiny.settings import TINY_MODELS as TINY_MODELS

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
