"""What people heard and what models read."""

from brainbook.stimuli.annotation import read_textgrid, read_word_information
from brainbook.stimuli.files import MissingFileError, check_content
from brainbook.stimuli.sentence_pairs import make_pairs, read_xnli, shuffle_pairs, xnli_from_hub

__all__ = [
    "MissingFileError",
    "check_content",
    "make_pairs",
    "read_textgrid",
    "read_word_information",
    "read_xnli",
    "shuffle_pairs",
    "xnli_from_hub",
]
