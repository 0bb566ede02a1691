"""Predict recordings from features: alignment, delays, ridge, cross-validation, scores and nulls. Arrays only."""

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
from brainbook.encoding.response_shape import ResponseShape, response_shape
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
