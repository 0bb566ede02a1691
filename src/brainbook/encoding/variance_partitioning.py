"""What does one feature space explain that another does not?"""

from dataclasses import dataclass

import numpy as np

from brainbook.encoding.cross_validation import ALPHAS, CrossValidation, cross_validate, mean_of_folds


@dataclass(frozen=True)
class VariancePartition:
    """Cross-validated R2 of two feature spaces, alone and together; arrays [targets].

    Attributes
    ----------
    first, second : R2 of each alone.
    joint : R2 of both together.
    unique_first, unique_second : what joint has beyond the other alone.
    shared : what either explains by itself. unique_first + unique_second + shared = joint.
    fold_unique_second : array [folds, targets], unique_second in each fold: see `compare_runs` for an interval.
    """

    first: np.ndarray
    second: np.ndarray
    joint: np.ndarray
    unique_first: np.ndarray
    unique_second: np.ndarray
    shared: np.ndarray
    fold_unique_second: np.ndarray


def variance_partitioning(
    first: np.ndarray,
    second: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    delays=(1, 2, 3, 4),
    alphas: np.ndarray = ALPHAS,
    *,
    balances: tuple[float, ...] = (0.1, 0.5, 0.9),
    **options,
) -> VariancePartition:
    """Split what two feature spaces explain into each one's own part and the shared part.

    Parameters
    ----------
    first, second : arrays [scans, units], for example word rate and a language model's states; not yet delayed.
    responses : array [scans, targets].
    runs : array [scans].
    delays, alphas : as in `cross_validate`, which takes the `options` too.
    balances : how much of the joint features' variance is the first space's. Few features beside many would otherwise
        be penalised out of sight. For every target and fold the balance is chosen inside the training runs, among
        these and either space alone.

    All R2 are on test runs and may be negative; unique parts carry noise of either sign. Source: de Heer et al. (2017),
    J Neurosci 37, 6539-6557; the balance is banded ridge (Nunez-Elizalde et al. 2019) with two bands.
    """
    first, second = np.asarray(first), np.asarray(second)
    both = np.hstack([first, second])
    spaces, emphasis = [first, second], [np.ones(first.shape[1]), np.ones(second.shape[1])]
    for balance in balances:
        if not 0 < balance < 1:
            raise ValueError(f"balances lie between 0 and 1, not {balance}")
        parts = [(balance, first.shape[1]), (1 - balance, second.shape[1])]
        spaces.append(both)
        emphasis.append(np.concatenate([np.full(n, np.sqrt(share * both.shape[1] / n)) for share, n in parts]))
    found = cross_validate(spaces, responses, runs, delays, alphas, emphasis=emphasis, metric="r2", **options)
    joint = _chosen_r2(found)
    each = np.concatenate([found.fold_scores[:2], joint[None]])
    one, two, together = mean_of_folds(each, found.splits, "r2")
    return VariancePartition(
        first=one,
        second=two,
        joint=together,
        unique_first=together - two,
        unique_second=together - one,
        shared=one + two - together,
        fold_unique_second=joint - found.fold_scores[0],
    )


def _chosen_r2(found: CrossValidation) -> np.ndarray:
    return np.take_along_axis(found.fold_scores, found.chosen_layer()[None], axis=0)[0]
