"""How sure is a mean, a score, and a difference of scores? Intervals whose coverage can be measured.

Participants are independent: a t-interval over one value for each is right (`mean_interval`, `paired_interval`). It
speaks of participants like these hearing THIS story, not of other stories.

Scores of leave-one-run-out folds of one participant are not independent: any two folds share most of their training
runs, and each trains the other. A plain t-test or a bootstrap over runs therefore calls too much significant. Two
remedies, whose levels and coverage `benchmarks/bench_calibration.py` measures: widen the t-interval over runs by the
overlap (`run_interval`, `compare_runs`), or take the spread of a refitted null (`null_interval`, `compare_nulls`),
whose intervals are somewhat narrower.

What intervals over runs cover: the mean score of THIS participant and THESE features over runs like the ones at hand.
Not other participants, not another training of the same model, not that the target was chosen for its score. Nor do
they ask whether there is anything: where nothing drives a target its mean score is still not 0 (leaving runs out lowers
it, voxels shared with a driven neighbour raise it), so that such intervals lie off 0 more often than once in twenty.
For that question take a permutation test.

Intervals of a single score are on the scale of r; those of a comparison are differences on Fisher's z scale (for small
r the same as differences of r).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.stats.scores import fisher_z


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval and, where it was tested, its p-value; arrays of one shape.

    Examples
    --------
    >>> mean_interval(np.array([0.1, 0.2, 0.3])).to_frame(region=["Heschl's gyrus"]).round(2)
               region  value  lower  upper     p
    0  Heschl's gyrus    0.2  -0.05   0.45  0.07
    """

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p: np.ndarray | None = None

    def to_frame(self, **columns: Any) -> pd.DataFrame:
        """Return one row per estimate: the given columns, then value, lower, upper and p (where it was tested)."""
        numbers = {"value": self.estimate, "lower": self.lower, "upper": self.upper, "p": self.p}
        numbers = {name: np.atleast_1d(array) for name, array in numbers.items() if array is not None}
        return pd.DataFrame({**columns, **numbers})


class _Nulls(Protocol):
    """What `brainbook.encoding.permutation_scores` returns."""

    @property
    def score(self) -> np.ndarray: ...

    @property
    def null(self) -> np.ndarray: ...


def mean_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Compute the mean over participants with Student's interval, and the p-value of a mean of 0.

    Parameters
    ----------
    values : array [participants, ...], one value per participant (a mean over runs, a difference between two models);
        two participants or more. Runs of one participant are no substitute: what they score is trained on each
        other's scans, and intervals over them are too narrow.
    level : share of intervals that shall cover the true mean.

    Examples
    --------
    >>> interval = mean_interval(np.array([0.1, 0.2, 0.3]))
    >>> [round(float(value), 2) for value in (interval.estimate, interval.lower, interval.upper, interval.p)]
    [0.2, -0.05, 0.45, 0.07]
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        raise ValueError("an interval over participants needs two or more of them")
    test = stats.ttest_1samp(values, 0.0, axis=0, nan_policy="propagate")
    interval = test.confidence_interval(level)
    return Interval(values.mean(axis=0), interval.low, interval.high, test.pvalue)


def paired_interval(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Interval:
    """Compute the mean of first - second with Student's interval, paired by participant.

    Parameters
    ----------
    first, second : arrays [participants, ...] of two models, two hemispheres, ... (see `mean_interval`).
    level : share of intervals that shall cover the true difference.

    Examples
    --------
    >>> interval = paired_interval(np.array([0.2, 0.3, 0.4]), np.array([0.1, 0.1, 0.2]))
    >>> round(float(interval.estimate), 2), round(float(interval.p), 2)
    (0.17, 0.04)
    """
    return mean_interval(np.asarray(first, float) - np.asarray(second, float), level)


def run_interval(fold_scores: np.ndarray, level: float = 0.95) -> Interval:
    """Compute the interval of one participant's score from its leave-one-run-out folds.

    Parameters
    ----------
    fold_scores : array [folds, targets] of correlations, each run left out once; NaN ones are left out.
    level : share of intervals that shall cover the true score.

    Returns
    -------
    Interval on the scale of r. The variance over folds is multiplied by 1 / folds + test / train scans, here
    1 / n + 1 / (n - 1), in place of 1 / n: the corrected resampled t-test of Nadeau & Bengio (2003), Machine Learning
    52, 239-281.

    Examples
    --------
    >>> interval = run_interval(np.array([[0.1], [0.2], [0.3]]))
    >>> interval.lower.round(2), interval.upper.round(2)
    (array([-0.2]), array([0.55]))
    """
    return _on_r(_over_runs(fisher_z(fold_scores), level))


def compare_runs(first: np.ndarray, second: np.ndarray, level: float = 0.95, *, fisher: bool = True) -> Interval:
    """Compute the interval of the difference between two feature spaces for one participant, paired by run.

    Parameters
    ----------
    first, second : arrays [folds, targets], scores of the same folds.
    level : as in `run_interval`.
    fisher : take Fisher's z first; False for scores that are no correlations (R2, unique variance).

    Returns
    -------
    Interval of first - second.

    Examples
    --------
    >>> interval = compare_runs(np.array([[0.3], [0.5], [0.4]]), np.array([[0.1], [0.2], [0.2]]))
    >>> interval.estimate.round(2), interval.p.round(2)
    (array([0.26]), array([0.07]))
    """
    first, second = (fisher_z(scores) if fisher else np.asarray(scores, float) for scores in (first, second))
    return _over_runs(first - second, level)


def null_interval(scores: _Nulls, level: float = 0.95) -> Interval:
    """Compute the interval of one participant's score from the spread of its refitted null.

    Parameters
    ----------
    scores : what `brainbook.encoding.permutation_scores` returned: `.score` [targets], `.null` [permutations, targets].
    level : as in `run_interval`.

    Returns
    -------
    Interval on the scale of r; p is two-sided, by the normal distribution on Fisher's z.

    Examples
    --------
    >>> from brainbook.encoding import PermutationScores
    >>> null = 0.05 * np.random.default_rng(0).standard_normal((1000, 1))
    >>> interval = null_interval(PermutationScores(np.array([0.2]), null))
    >>> interval.lower.round(1), interval.upper.round(1)
    (array([0.1]), array([0.3]))
    """
    return _on_r(_by_null(fisher_z(scores.score), fisher_z(scores.null), level))


def compare_nulls(first: _Nulls, second: _Nulls, level: float = 0.95) -> Interval:
    """Compute the interval of the difference between two feature spaces for one participant, from refitted nulls.

    Parameters
    ----------
    first, second : from `brainbook.encoding.permutation_scores` with the same responses, null, seed and number of
        permutations, so that both were refitted on the same permutations and the null of their difference keeps what
        they share.
    level : as in `run_interval`.

    Returns
    -------
    Interval of first - second on Fisher's z scale.

    Examples
    --------
    >>> from brainbook.encoding import PermutationScores
    >>> null = 0.05 * np.random.default_rng(0).standard_normal((2, 1000, 1))
    >>> first, second = PermutationScores(np.array([0.3]), null[0]), PermutationScores(np.array([0.1]), null[1])
    >>> compare_nulls(first, second).estimate.round(2)
    array([0.21])
    """
    if first.null.shape != second.null.shape:
        raise ValueError(f"the nulls must match, permutation by permutation: {first.null.shape}, {second.null.shape}")
    null = fisher_z(first.null) - fisher_z(second.null)
    return _by_null(fisher_z(first.score) - fisher_z(second.score), null, level)


def _on_r(interval: Interval) -> Interval:
    estimate, lower, upper = np.tanh([interval.estimate, interval.lower, interval.upper])
    return Interval(estimate, lower, upper, interval.p)


def _over_runs(values: np.ndarray, level: float) -> Interval:
    """Compute the interval from [folds, targets]; the variance of the mean is s^2 (1 / n + 1 / (n - 1)).

    Folds without a score (NaN) are left out; a target of which fewer than two have one gets NaN.
    """
    if len(values) < 2:
        raise ValueError("an interval over runs needs two folds or more")
    known = np.isfinite(values)
    n = np.where(known.sum(0) > 1, known.sum(0), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(0) / n
        deviation = np.where(known, values - mean, 0)
        error = np.sqrt((deviation**2).sum(0) / (n - 1) * (1 / n + 1 / (n - 1)))
        p = 2 * stats.t.sf(np.abs(mean) / error, n - 1)
    half = stats.t.ppf((1 + level) / 2, n - 1) * error
    return Interval(mean, mean - half, mean + half, p)


def _by_null(value: np.ndarray, null: np.ndarray, level: float) -> Interval:
    center, spread = null.mean(0), null.std(0, ddof=1)
    value = value - center  # leaving runs out biases a null score a little below zero
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stats.norm.sf(np.abs(value) / spread)
    half = stats.norm.ppf((1 + level) / 2) * spread
    return Interval(value, value - half, value + half, p)
