"""Predict recordings from features: alignment, delays, ridge, cross-validation, scores and nulls. Arrays only."""

from brainbook.encoding.alignment import fixed_length, variable_length
from brainbook.encoding.cross_validation import ALPHAS, ConstantFeatures, CrossValidation, cross_validate
from brainbook.encoding.delays import delay, haemodynamic_response, run_slices
from brainbook.encoding.permutation import PermutationScores, permutation_scores, permutation_test
from brainbook.encoding.protocol_checks import Finding, ProtocolWarning, check_protocol
from brainbook.encoding.ridge import RidgeEncoder
from brainbook.encoding.sequential import SequentialTest, sequential_permutation_test
from brainbook.encoding.splits import blocks_with_gaps, fold_weights, leave_one_run_out, published_split
from brainbook.encoding.targets import BorderWarning
from brainbook.encoding.variance import VariancePartition, prediction_covariance, variance_partitioning
from brainbook.stats.scores import correlation, explained_variance, fisher_mean

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
    "correlation",
    "cross_validate",
    "delay",
    "explained_variance",
    "fisher_mean",
    "fixed_length",
    "fold_weights",
    "haemodynamic_response",
    "leave_one_run_out",
    "permutation_scores",
    "permutation_test",
    "prediction_covariance",
    "published_split",
    "run_slices",
    "sequential_permutation_test",
    "variable_length",
    "variance_partitioning",
]
