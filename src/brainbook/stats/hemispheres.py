"""Hemispheres compared over participants: differences and indices of scores, with intervals.

The laterality index (left - right) / (|left| + |right|) is a ratio. Where both scores are near zero its denominator is
noise and the index takes any value between -1 and 1, whatever the truth; clipping scores at zero or keeping only the
high ones biases it upward. So the index is taken of means over many targets, or of means over participants, with an
interval that knows about the denominator (Fieller's), and single targets are compared by their difference.

The index of fitted scores leans outward (`brainbook.encoding.laterality` says why). To say by how much stronger a
response is on one side, take `index_of_amplitudes` of `prediction_covariance`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.encoding.laterality import amplitude_index, laterality_index


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval and, where it was tested, its p-value; arrays of one shape."""

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p: np.ndarray | None = None

    def table(self, **columns) -> pd.DataFrame:
        """One row an estimate: the given columns, then value, lower, upper and p."""
        found = {"value": self.estimate, "lower": self.lower, "upper": self.upper}
        found |= {} if self.p is None else {"p": self.p}
        return pd.DataFrame({**columns, **{name: np.atleast_1d(array) for name, array in found.items()}})


def mean_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Mean over participants with Student's interval, and the p-value of a mean of 0.

    Parameters
    ----------
    values : array [participants, ...], one value a participant (a mean over runs, a difference between two models);
        two participants or more. Runs of one participant are no substitute: what they score is trained on each
        other's scans, and intervals over them are too narrow.
    level : of the interval.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        raise ValueError("an interval over participants needs two or more of them")
    found = stats.ttest_1samp(values, 0.0, axis=0, nan_policy="propagate")
    interval = found.confidence_interval(level)
    return Interval(values.mean(axis=0), interval.low, interval.high, found.pvalue)


def hemisphere_difference(left: np.ndarray, right: np.ndarray, level: float = 0.95) -> Interval:
    """left - right, paired by participant: arrays [participants, ...] of scores (see `mean_interval`)."""
    return mean_interval(np.asarray(left, float) - np.asarray(right, float), level)


def index_of_means(left: np.ndarray, right: np.ndarray, level: float = 0.95) -> Interval:
    """The laterality index of the means over participants, with Fieller's interval.

    Parameters
    ----------
    left, right : arrays [participants, ...], paired by participant: scores, better means over several targets.
    level : of the interval.

    Returns
    -------
    Interval of the shape [...]. With x = left - right and y = left + right, the interval holds every index t for which
    x - t y has a mean that may be 0. Where left + right cannot be told from 0, every index is possible: (-1, 1). The
    index of negative means makes no sense and is NaN.

    Source: Fieller (1954), JRSS B 16, 175-185.
    """
    left, right = np.asarray(left, float), np.asarray(right, float)
    n = len(left)
    if n < 2:
        raise ValueError("an interval over participants needs two or more of them")
    x, y = left - right, left + right
    mean_x, mean_y = x.mean(0), y.mean(0)
    t2 = stats.t.ppf((1 + level) / 2, n - 1) ** 2
    xx, yy = x.var(0, ddof=1) * t2 / n, y.var(0, ddof=1) * t2 / n
    xy = ((x - mean_x) * (y - mean_y)).sum(0) / (n - 1) * t2 / n
    # (mean_x - t mean_y)^2 <= xx - 2 t xy + t^2 yy, a quadratic a t^2 - 2 b t + c <= 0
    a, b, c = mean_y**2 - yy, mean_x * mean_y - xy, mean_x**2 - xx
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.sqrt(np.maximum(b**2 - a * c, 0)) / a
        known = (a > 0) & (mean_y > 0)
        lower = np.where(known, np.clip(b / a - half, -1, 1), -1.0)
        upper = np.where(known, np.clip(b / a + half, -1, 1), 1.0)
    value = laterality_index(left.mean(0), right.mean(0))
    sensible = (left.mean(0) > 0) & (right.mean(0) > 0)
    return Interval(*(np.where(sensible, array, np.nan) for array in (value, lower, upper)))


def index_of_amplitudes(left: np.ndarray, right: np.ndarray, level: float = 0.95) -> Interval:
    """By how much the response to the story is stronger on one side, in amplitude, over participants.

    Parameters
    ----------
    left, right : arrays [participants, ...], paired by participant, from `prediction_covariance` with one feature space
        and one penalty for both sides; better means over several targets.
    level : of the interval.

    Returns
    -------
    Interval of the shape [...]: the index of the square roots of the means. It estimates the index of the correlations
    that a model with known weights reaches (the root mean square, where targets are averaged). Fieller's interval, see
    `index_of_means`; NaN where a mean is negative. It counts participants only: by how much the features may hold more
    of what one side follows is not in it.
    """
    found = index_of_means(left, right, level)
    return Interval(*(amplitude_index(value) for value in (found.estimate, found.lower, found.upper)))
