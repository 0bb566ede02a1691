"""How well do features predict recordings? Arrays only: no files, no model code."""

from brainbook.encoding.alignment import fixed_length, variable_length
from brainbook.encoding.ceilings import group_ceiling, largest_r, noise_ceiling, perfect_r, split_half, stretch
from brainbook.encoding.checks import Finding, ProtocolWarning, check_protocol
from brainbook.encoding.cross_validation import ALPHAS, ConstantFeatures, CrossValidation, cross_validate
from brainbook.encoding.delays import delay, haemodynamic_response, run_slices
from brainbook.encoding.intervals import (
    compare_nulls,
    compare_participants,
    compare_runs,
    null_interval,
    participant_interval,
    run_interval,
)
from brainbook.encoding.laterality import laterality_index, prediction_covariance
from brainbook.encoding.ridge import RidgeEncoder
from brainbook.encoding.scores import correlation, explained_variance, fisher_mean
from brainbook.encoding.sequential import SequentialTest, sequential_permutation_test
from brainbook.encoding.significance import PermutationScores, fdr, permutation_scores, permutation_test
from brainbook.encoding.splits import blocks_with_gaps, fold_weights, leave_one_run_out, published_split
from brainbook.encoding.targets import BorderWarning
from brainbook.encoding.variance import VariancePartition, variance_partitioning

__all__ = [
    "ALPHAS",
    "BorderWarning",
    "ConstantFeatures",
    "CrossValidation",
    "Finding",
    "PermutationScores",
    "ProtocolWarning",
    "RidgeEncoder",
    "SequentialTest",
    "VariancePartition",
    "blocks_with_gaps",
    "check_protocol",
    "compare_nulls",
    "compare_participants",
    "compare_runs",
    "correlation",
    "cross_validate",
    "delay",
    "explained_variance",
    "fdr",
    "fisher_mean",
    "fixed_length",
    "fold_weights",
    "group_ceiling",
    "haemodynamic_response",
    "largest_r",
    "laterality_index",
    "leave_one_run_out",
    "noise_ceiling",
    "null_interval",
    "participant_interval",
    "perfect_r",
    "permutation_scores",
    "permutation_test",
    "prediction_covariance",
    "published_split",
    "run_interval",
    "run_slices",
    "sequential_permutation_test",
    "split_half",
    "stretch",
    "variable_length",
    "variance_partitioning",
]
