"""How well do features predict recordings? Arrays only: no files, no model code."""

from brainbook.encoding.alignment import fixed_length, variable_length
from brainbook.encoding.cross_validation import ALPHAS, CrossValidation, cross_validate
from brainbook.encoding.delays import delay, haemodynamic_response, run_slices
from brainbook.encoding.ridge import RidgeEncoder
from brainbook.encoding.scores import correlation, explained_variance, fisher_mean
from brainbook.encoding.splits import blocks_with_gaps, leave_one_run_out, published_split

__all__ = [
    "ALPHAS",
    "CrossValidation",
    "RidgeEncoder",
    "blocks_with_gaps",
    "correlation",
    "cross_validate",
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
