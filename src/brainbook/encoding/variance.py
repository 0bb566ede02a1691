"""Shares of variance: what predictions carry, and what one feature space explains that another does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.encoding.cross_validation import ALPHAS, cross_validate, mean_of_folds
from brainbook.encoding.inputs import Alphas
from brainbook.stats.frames import TargetNames, target_frame


def prediction_covariance(
    features: np.ndarray, responses: np.ndarray, runs: np.ndarray, alpha: float, **options: Any
) -> np.ndarray:
    """Compute how much of a response's variance the predictions of left-out runs carry, by their covariance with it.

    `brainbook.stats.laterality` says why hemispheres are compared by this and not by scores.

    Parameters
    ----------
    features : array [scans, units], one feature space for all targets, not yet delayed.
    responses : array [scans, targets].
    runs : array [scans], the run of every scan.
    alpha : one penalty for all targets, on the scale of z-scored features. Were it chosen target by target, weak
        targets would be shrunk more.
    options : for `cross_validate` (delays, trim, device, ...).

    Returns
    -------
    array [targets], mean over runs of cov(response, prediction) / var(response): without penalty the share of variance
    that the features truly explain, on average over recordings (so it may be negative); with one, a part of that share
    which is the same for all targets if their weights have no preferred direction. NaN for targets that cannot be
    fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, runs = rng.standard_normal((3000, 2)), np.repeat([1, 2, 3], 1000)
    >>> y = x + rng.standard_normal((3000, 2))  # half of the variance is predictable
    >>> prediction_covariance(x, y, runs, alpha=0.1, delays=(0,)).round(1)
    array([0.5, 0.5])
    """
    responses = np.asarray(responses)
    fitted = cross_validate(features, responses, runs, alphas=alpha, predictions=True, **options)
    shares, predicted = [], np.asarray(fitted.predictions)
    for _, test in fitted.splits:
        observed = responses[test].astype(float)
        observed -= observed.mean(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares.append((observed * predicted[test]).sum(axis=0) / (observed**2).sum(axis=0))
    return np.where(np.isfinite(fitted.scores), np.mean(shares, axis=0), np.nan)


@dataclass(frozen=True)
class VariancePartition:
    """Cross-validated R2 of two feature spaces, alone and together; arrays [targets].

    Returned by `variance_partitioning`.

    Attributes
    ----------
    first, second : R2 of each alone.
    joint : R2 of both together.
    fold_unique_second : array [folds, targets], unique_second in each fold: see `compare_runs` for an interval.
    unique_first, unique_second : what joint has beyond the other alone.
    shared : what either explains by itself. unique_first + unique_second + shared = joint.
    """

    first: np.ndarray
    second: np.ndarray
    joint: np.ndarray
    fold_unique_second: np.ndarray

    @property
    def unique_first(self) -> np.ndarray:
        return self.joint - self.second

    @property
    def unique_second(self) -> np.ndarray:
        return self.joint - self.first

    @property
    def shared(self) -> np.ndarray:
        return self.first + self.second - self.joint

    def to_frame(self, targets: TargetNames = None) -> pd.DataFrame:
        """Return one row per target: its columns (as in `CrossValidation.to_frame`), then R2 in six columns.

        These are first, second, joint, unique_first, unique_second and shared.
        """
        parts = ("first", "second", "joint", "unique_first", "unique_second", "shared")
        return target_frame(targets, {}, **{part: getattr(self, part) for part in parts})


def variance_partitioning(
    first: np.ndarray,
    second: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    delays: Sequence[int] | None = (1, 2, 3, 4),
    alphas: Alphas = ALPHAS,
    *,
    balances: tuple[float, ...] = (0.1, 0.5, 0.9),
    **options: Any,
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

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 300)
    >>> rate, states = rng.standard_normal((900, 1)), rng.standard_normal((900, 3))
    >>> y = rate + states[:, :1] + rng.standard_normal((900, 1))  # a third of the variance each
    >>> parts = variance_partitioning(rate, states, y, runs, delays=(0,), alphas=[0.01, 1, 100])
    >>> parts.unique_first.round(1), parts.unique_second.round(1), parts.shared.round(1) + 0.0
    (array([0.3]), array([0.4]), array([0.]))
    """
    first, second = np.asarray(first), np.asarray(second)
    widths = first.shape[1], second.shape[1]
    spaces, scaling = [first, second], [np.ones(width) for width in widths]
    for balance in balances:
        if not 0 < balance < 1:
            raise ValueError(f"balances lie between 0 and 1, not {balance}")
        shares = np.array([balance, 1 - balance])
        spaces.append(np.hstack([first, second]))
        scaling.append(np.repeat(np.sqrt(shares * sum(widths) / widths), widths))
    fitted = cross_validate(spaces, responses, runs, delays, alphas, feature_scaling=scaling, metric="r2", **options)
    joint = fitted.fold_scores_of_chosen_layer()
    r2 = mean_of_folds(np.stack([*fitted.fold_scores[:2], joint]), fitted.splits, "r2")
    return VariancePartition(r2[0], r2[1], r2[2], joint - fitted.fold_scores[0])
