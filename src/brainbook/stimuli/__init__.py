"""What people heard and what models read."""

from brainbook.stimuli.annotation import changed_words, read_textgrid, read_word_information
from brainbook.stimuli.files import MissingFileError, check_content
from brainbook.stimuli.sentence_pairs import make_pairs, shuffle_pairs
from brainbook.stimuli.word_checks import check_clock
from brainbook.stimuli.xnli import read_xnli, xnli_from_hub

__all__ = [
    "MissingFileError",
    "changed_words",
    "check_clock",
    "check_content",
    "make_pairs",
    "read_textgrid",
    "read_word_information",
    "read_xnli",
    "shuffle_pairs",
    "xnli_from_hub",
]
