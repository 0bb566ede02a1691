"""Predict recordings from features: alignment, delays, ridge, cross-validation, scores and nulls. Arrays only."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.encoding.alignment import fixed_length, interval_weighted, lanczos, variable_length
    from brainbook.encoding.banded import BandedRidge, split_scores
    from brainbook.encoding.banded_scores import BandedScores, cross_validate_bands
    from brainbook.encoding.cross_validation import ALPHAS, CrossValidation, cross_validate
    from brainbook.encoding.delays import Delayer, delay, delays_in_scans, run_slices
    from brainbook.encoding.encoding_design import ConstantFeatures, EncodingDesign
    from brainbook.encoding.haemodynamics import haemodynamic_response, lag_check
    from brainbook.encoding.null_refits import Permutations
    from brainbook.encoding.permutation import (
        PermutationScores,
        SequentialTest,
        permutation_p,
        permutation_scores,
        permutation_test,
        sequential_permutation_test,
    )
    from brainbook.encoding.protocol_checks import Finding, ProtocolWarning, check_protocol
    from brainbook.encoding.response_shapes import ResponseShape, response_shape
    from brainbook.encoding.ridge import RidgeEncoder
    from brainbook.encoding.ridge_design import find_device
    from brainbook.encoding.splits import (
        LeaveOneRunOut,
        blocks_with_gaps,
        fold_weights,
        leave_one_run_out,
        leave_runs_out,
        published_split,
        used_scans,
    )
    from brainbook.encoding.targets import BorderWarning
    from brainbook.encoding.variance import VariancePartition, prediction_covariance, variance_partitioning
    from brainbook.stats.scores import correlation, explained_variance, fisher_mean

__all__ = [
    "ALPHAS",
    "BandedRidge",
    "BandedScores",
    "BorderWarning",
    "ConstantFeatures",
    "CrossValidation",
    "Delayer",
    "EncodingDesign",
    "Finding",
    "LeaveOneRunOut",
    "PermutationScores",
    "Permutations",
    "ProtocolWarning",
    "ResponseShape",
    "RidgeEncoder",
    "SequentialTest",
    "VariancePartition",
    "blocks_with_gaps",
    "check_protocol",
    "correlation",
    "cross_validate",
    "cross_validate_bands",
    "delay",
    "delays_in_scans",
    "explained_variance",
    "find_device",
    "fisher_mean",
    "fixed_length",
    "fold_weights",
    "haemodynamic_response",
    "interval_weighted",
    "lag_check",
    "lanczos",
    "leave_one_run_out",
    "leave_runs_out",
    "permutation_p",
    "permutation_scores",
    "permutation_test",
    "prediction_covariance",
    "published_split",
    "response_shape",
    "run_slices",
    "sequential_permutation_test",
    "split_scores",
    "used_scans",
    "variable_length",
    "variance_partitioning",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
