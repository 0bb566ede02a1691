"""What people heard and what models read."""

from brainbook.stimuli.annotation import read_textgrid, read_word_information
from brainbook.stimuli.files import MissingFileError, check_content

__all__ = ["MissingFileError", "check_content", "read_textgrid", "read_word_information"]
