"""How well do features predict recordings? Arrays only: no files, no model code."""

from brainbook.encoding.alignment import fixed_length, variable_length
from brainbook.encoding.delays import delay, haemodynamic_response, run_slices
from brainbook.encoding.scores import correlation, explained_variance, fisher_mean
from brainbook.encoding.splits import blocks_with_gaps, leave_one_run_out, published_split

__all__ = [
    "blocks_with_gaps",
    "correlation",
    "delay",
    "explained_variance",
    "fisher_mean",
    "fixed_length",
    "haemodynamic_response",
    "leave_one_run_out",
    "published_split",
    "run_slices",
    "variable_length",
]
