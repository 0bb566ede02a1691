"""The errors that brainbook raises when what it was given cannot be used.

Every message names the file, row or value at fault and says what to do about it.
"""


class BrainbookError(ValueError):
    """What all errors of this package have in common."""


class DatasetError(BrainbookError):
    """A folder of recordings, annotations or images is missing something, or holds something that cannot be right."""


class AnnotationError(BrainbookError):
    """A table of words and times (CSV or TextGrid) cannot be read as one."""


class ModelError(BrainbookError):
    """A language model, checkpoint or tokenizer cannot be had or does not fit."""


class ConfigurationError(BrainbookError):
    """A parameter, study file or configuration has an unknown key or an impossible value."""
