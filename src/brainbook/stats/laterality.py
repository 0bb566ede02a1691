"""Left against right over participants: indices of scores and of amplitudes, with intervals.

The laterality index (left - right) / (|left| + |right|) is a ratio. Where both scores are near zero its denominator is
noise and the index takes any value between -1 and 1, whatever the truth; clipping scores at zero or keeping only the
high ones biases it upward. So the index is taken of means over many targets, or of means over participants, with an
interval that knows about the denominator (Fieller's), and single targets are compared by their difference
(`paired_interval`).

An index of fitted scores leans outward. With y a response of unit variance in which a model with known weights would
reach the correlation rho, and the prediction p made with weights fitted on other scans,

    cov(y, p) = f rho^2                      f <= 1, by what the penalty shrinks and what the features do not hold
    r(y, p)   = cov(y, p) / sd(p)            sd(p) grows by the noise of the fitted weights (`score_after_fitting`)

Noise in the weights is independent of the scans that are predicted, so it leaves the covariance alone; but it is a
larger part of sd(p) where the response is weaker. So of two scores r the weaker one lost more, and their index leans
outward, up to twice the index of rho. With one and the same penalty and the same features on both sides f cancels, and
the index of the roots of two covariances (`brainbook.encoding.prediction_covariance`) is the index of rho
(`index_of_amplitudes`).
"""

import numpy as np
from scipy import stats

from brainbook.stats.intervals import Interval


def laterality_index(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compute (left - right) / (|left| + |right|): 1 all left, -1 all right, 0 alike; NaN where both are 0.

    Parameters
    ----------
    left, right : arrays of the same shape, scores of a region in each hemisphere.

    Where scores are near zero the index jumps between -1 and 1, and clipping or thresholding scores first biases it
    upward: take it from means over regions or participants, or use left - right.

    Examples
    --------
    >>> laterality_index(np.array([0.3, 0.1]), np.array([0.1, 0.1]))
    array([0.5, 0. ])
    """
    left, right = np.asarray(left, float), np.asarray(right, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (left - right) / (np.abs(left) + np.abs(right))


def amplitude_index(index: np.ndarray) -> np.ndarray:
    """Return the laterality index of two square roots from that of the numbers themselves: array -> array, -1 to 1.

    If (a^2 - b^2) / (a^2 + b^2) is `index`, this is (a - b) / (a + b). It rises with the index, so that the ends of an
    interval become the ends of an interval. For covariances (`prediction_covariance`) or shares of variance, whose
    roots are correlations and amplitudes.

    Examples
    --------
    >>> amplitude_index((0.3**2 - 0.1**2) / (0.3**2 + 0.1**2)).round(2)  # of 0.3 and 0.1
    np.float64(0.5)
    """
    index = np.asarray(index, float)
    return laterality_index(np.sqrt(1 + index), np.sqrt(1 - index))


def score_after_fitting(r: np.ndarray, n_parameters: float, n_scans: int) -> np.ndarray:
    """Return the correlation that a right model with fitted weights reaches on new scans.

    Parameters
    ----------
    r : array, correlations that the model would reach if its weights were known.
    n_parameters : weights fitted (units times delays), or a ridge's effective degrees of freedom.
    n_scans : training scans.

    Returns
    -------
    r^2 / sqrt(r^2 + (1 - r^2) n_parameters / n_scans), array. Noise in the weights adds n_parameters / n_scans of the
    residual variance to the prediction. It costs a weak response more than a strong one (near zero the score falls with
    the square of r). So the index of two fitted scores leans outward, up to twice the index of the correlations
    themselves; more scans or fewer weights lean less. The index of `prediction_covariance` does not lean.

    Examples
    --------
    >>> score_after_fitting(np.array([0.1, 0.3]), n_parameters=200, n_scans=2000).round(2)
    array([0.03, 0.21])
    """
    r = np.asarray(r, float)
    return r**2 / np.sqrt(r**2 + (1 - r**2) * n_parameters / n_scans)


def index_of_means(left: np.ndarray, right: np.ndarray, level: float = 0.95) -> Interval:
    """Compute the laterality index of the means over participants, with Fieller's interval.

    Parameters
    ----------
    left, right : arrays [participants, ...], paired by participant: scores, better means over several targets.
    level : of the interval.

    Returns
    -------
    Interval of the shape [...]. With x = left - right and y = left + right, the interval holds every index t for which
    x - t y has a mean that may be 0. Where left + right cannot be distinguished from 0, every index is possible:
    (-1, 1). The index of negative means makes no sense and is NaN.

    Source: Fieller (1954), JRSS B 16, 175-185.

    Examples
    --------
    >>> interval = index_of_means(np.array([0.3, 0.31, 0.29]), np.array([0.1, 0.11, 0.1]))
    >>> [round(float(value), 2) for value in (interval.lower, interval.estimate, interval.upper)]
    [0.46, 0.49, 0.52]
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
    index = laterality_index(left.mean(0), right.mean(0))
    sensible = (left.mean(0) > 0) & (right.mean(0) > 0)
    return Interval(*(np.where(sensible, value, np.nan) for value in (index, lower, upper)))


def index_of_amplitudes(left: np.ndarray, right: np.ndarray, level: float = 0.95) -> Interval:
    """Compute by how much the response to the story is stronger on one side, in amplitude, over participants.

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

    Examples
    --------
    >>> interval = index_of_amplitudes(np.array([0.09, 0.1, 0.08]), np.array([0.01, 0.012, 0.008]))
    >>> interval.estimate.round(2)  # amplitudes of 0.3 and 0.1
    np.float64(0.5)
    """
    index = index_of_means(left, right, level)
    return Interval(*(amplitude_index(value) for value in (index.estimate, index.lower, index.upper)))
