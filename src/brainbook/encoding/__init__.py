"""Predict recordings from features: alignment, delays, ridge, cross-validation, scores and nulls. Arrays only."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.encoding.alignment import (
        fixed_length as fixed_length,
        interval_weighted as interval_weighted,
        lanczos as lanczos,
        variable_length as variable_length,
    )
    from brainbook.encoding.banded import BandedRidge as BandedRidge, split_scores as split_scores
    from brainbook.encoding.banded_scores import (
        BandedScores as BandedScores,
        cross_validate_bands as cross_validate_bands,
    )
    from brainbook.encoding.cross_validation import (
        ALPHAS as ALPHAS,
        CrossValidation as CrossValidation,
        cross_validate as cross_validate,
    )
    from brainbook.encoding.delays import (
        Delayer as Delayer,
        delay as delay,
        delays_in_scans as delays_in_scans,
        run_slices as run_slices,
    )
    from brainbook.encoding.encoding_design import (
        ConstantFeatures as ConstantFeatures,
        EncodingDesign as EncodingDesign,
    )
    from brainbook.encoding.haemodynamics import haemodynamic_response as haemodynamic_response, lag_check as lag_check
    from brainbook.encoding.null_refits import Permutations as Permutations
    from brainbook.encoding.permutation import (
        PermutationScores as PermutationScores,
        SequentialTest as SequentialTest,
        permutation_p as permutation_p,
        permutation_scores as permutation_scores,
        permutation_test as permutation_test,
        sequential_permutation_test as sequential_permutation_test,
    )
    from brainbook.encoding.protocol_checks import (
        Finding as Finding,
        ProtocolWarning as ProtocolWarning,
        check_protocol as check_protocol,
    )
    from brainbook.encoding.response_shapes import ResponseShape as ResponseShape, response_shape as response_shape
    from brainbook.encoding.ridge import RidgeEncoder as RidgeEncoder
    from brainbook.encoding.ridge_design import find_device as find_device
    from brainbook.encoding.splits import (
        LeaveOneRunOut as LeaveOneRunOut,
        blocks_with_gaps as blocks_with_gaps,
        fold_weights as fold_weights,
        leave_one_run_out as leave_one_run_out,
        leave_runs_out as leave_runs_out,
        published_split as published_split,
        used_scans as used_scans,
    )
    from brainbook.encoding.targets import BorderWarning as BorderWarning
    from brainbook.encoding.variance import (
        VariancePartition as VariancePartition,
        prediction_covariance as prediction_covariance,
        variance_partitioning as variance_partitioning,
    )
    from brainbook.stats.scores import (
        correlation as correlation,
        explained_variance as explained_variance,
        fisher_mean as fisher_mean,
    )

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
