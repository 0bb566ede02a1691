"""How sure is a score, and a difference of scores? Intervals whose coverage can be measured.

Scores of leave-one-run-out folds are not independent: any two folds share most of their training runs, and each trains
the other. A plain t-test or a bootstrap over runs therefore calls too much significant. Two remedies, whose levels and
coverage `benchmarks/bench_calibration.py` measures:

- for one participant, widen the t-interval over runs by the overlap (`run_interval`, `compare_runs`), or take the
  spread of a refitted null (`null_interval`, `compare_nulls`), which gives somewhat narrower intervals;
- for several participants, one score each, a t-interval over participants (`participant_interval`,
  `compare_participants`). It speaks of participants like these hearing THIS story, not of other stories.

What intervals over runs cover: the mean score of THIS participant and THESE features over runs like the ones at hand.
Not other participants, not another training of the same model, not that the target was chosen for its score. Nor do
they ask whether there is anything: where nothing drives a target its mean score is still not 0 (leaving runs out lowers
it, voxels shared with a driven neighbour raise it), so that such intervals lie off 0 more often than once in twenty.
For that question take a permutation test.

Intervals of a single score are on the scale of r; those of a comparison are differences on Fisher's z scale (for small
r the same as differences of r).
"""

import numpy as np
from scipy import stats

from brainbook.encoding.permutation import PermutationScores
from brainbook.stats.hemispheres import Interval, mean_interval


def run_interval(fold_scores: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of one participant's score from its leave-one-run-out folds.

    Parameters
    ----------
    fold_scores : array [folds, targets] of correlations, each run left out once; NaN ones are left out.
    level : share of intervals that shall cover the true score.

    Returns
    -------
    Interval on the scale of r. The variance over folds is multiplied by 1 / folds + test / train scans, here
    1 / n + 1 / (n - 1), in place of 1 / n: the corrected resampled t-test of Nadeau & Bengio (2003), Machine Learning
    52, 239-281.
    """
    mean, half, p = _corrected(_z(fold_scores), level)
    return Interval(np.tanh(mean), np.tanh(mean - half), np.tanh(mean + half), p)


def compare_runs(first: np.ndarray, second: np.ndarray, level: float = 0.95, *, fisher: bool = True) -> Interval:
    """Interval of the difference between two feature spaces for one participant, paired by run.

    Parameters
    ----------
    first, second : arrays [folds, targets], scores of the same folds.
    level : as in `run_interval`.
    fisher : take Fisher's z first; False for scores that are no correlations (R2, unique variance).

    Returns
    -------
    Interval of first - second.
    """
    one, two = (_z(first), _z(second)) if fisher else (np.asarray(first, float), np.asarray(second, float))
    mean, half, p = _corrected(one - two, level)
    return Interval(mean, mean - half, mean + half, p)


def null_interval(scores: PermutationScores, level: float = 0.95) -> Interval:
    """Interval of one participant's score from the spread of its refitted null.

    Parameters
    ----------
    scores : what `permutation_scores` returned.

    Returns
    -------
    Interval on the scale of r; p is two-sided, by the normal distribution on Fisher's z.
    """
    value, half, p = _by_null(_z(scores.score), _z(scores.null), level)
    return Interval(np.tanh(value), np.tanh(value - half), np.tanh(value + half), p)


def compare_nulls(first: PermutationScores, second: PermutationScores, level: float = 0.95) -> Interval:
    """Interval of the difference between two feature spaces for one participant, from refitted nulls.

    Parameters
    ----------
    first, second : from `permutation_scores` with the same responses, null, seed and number of permutations, so that
        both were refitted on the same rearrangements and the null of their difference keeps what they share.

    Returns
    -------
    Interval of first - second on Fisher's z scale.
    """
    if first.null.shape != second.null.shape:
        raise ValueError(f"the nulls must match, permutation by permutation: {first.null.shape}, {second.null.shape}")
    value, half, p = _by_null(_z(first.score) - _z(second.score), _z(first.null) - _z(second.null), level)
    return Interval(value, value - half, value + half, p)


def participant_interval(scores: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of the mean score of participants, on the scale of r, by Student's t on Fisher's z.

    Parameters
    ----------
    scores : array [participants, targets], one correlation for each participant (its mean over runs).
    """
    found = mean_interval(_z(scores), level)
    return Interval(np.tanh(found.estimate), np.tanh(found.lower), np.tanh(found.upper), found.p)


def compare_participants(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of the mean difference (first - second, Fisher's z) of two feature spaces, paired by participant.

    Parameters
    ----------
    first, second : arrays [participants, targets], correlations.
    """
    return mean_interval(_z(first) - _z(second), level)


def _z(scores):
    return np.arctanh(np.clip(np.asarray(scores, float), -0.999999, 0.999999))


def _corrected(values, level):
    """Mean, half width and p from [folds, targets]; the variance of the mean is s^2 (1 / n + 1 / (n - 1)).

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
    return mean, stats.t.ppf((1 + level) / 2, n - 1) * error, p


def _by_null(value, null, level):
    center, spread = null.mean(0), null.std(0, ddof=1)
    value = value - center  # leaving runs out biases a null score a little below zero
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stats.norm.sf(np.abs(value) / spread)
    return value, stats.norm.ppf((1 + level) / 2) * spread, p
