"""Left against right: what an index of two hemispheres is taken of, and why an index of scores leans outward.

With y a response of unit variance in which a model with known weights would reach the correlation rho, and the
prediction p made with weights fitted on other scans,

    cov(y, p) = f rho^2                      f <= 1, by what the penalty shrinks and what the features do not hold
    r(y, p)   = cov(y, p) / sd(p)            sd(p) grows by the noise of the fitted weights (`score_after_fitting`)

Noise in the weights is independent of the scans that are predicted, so it leaves the covariance alone; but it is a
larger part of sd(p) where the response is weaker. So of two scores r the weaker one lost more, and their index leans
outward, up to twice the index of rho. With one and the same penalty and the same features on both sides f cancels, and
the index of the roots of two covariances is the index of rho (`amplitude_index`).
"""

from collections.abc import Sequence

import numpy as np

from brainbook.encoding.cross_validation import cross_validate


def laterality_index(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(left - right) / (|left| + |right|): 1 all left, -1 all right, 0 alike; NaN where both are 0.

    Parameters
    ----------
    left, right : arrays of the same shape, scores of a region in each hemisphere.

    Where scores are near zero the index jumps between -1 and 1, and clipping or thresholding scores first biases it
    upward: take it from means over regions or participants, or use left - right.
    """
    left, right = np.asarray(left, float), np.asarray(right, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (left - right) / (np.abs(left) + np.abs(right))


def score_after_fitting(r: np.ndarray, n_parameters: float, n_scans: int) -> np.ndarray:
    """Correlation that a right model with fitted weights reaches on new scans, of `r` with the true weights.

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
    """
    r = np.asarray(r, float)
    return r**2 / np.sqrt(r**2 + (1 - r**2) * n_parameters / n_scans)


def prediction_covariance(
    features: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    alpha: float,
    *,
    delays: Sequence[int] | None = (1, 2, 3, 4),
    trim: int = 0,
    device: str = "auto",
) -> np.ndarray:
    """How much of a response's variance the predictions of left-out runs carry, by their covariance with it.

    Parameters
    ----------
    features : array [scans, units], one feature space for all targets, not yet delayed.
    responses : array [scans, targets].
    runs : array [scans], the run of every scan.
    alpha : one penalty for all targets, on the scale of z-scored features. Were it chosen target by target, weak
        targets would be shrunk more.
    delays, trim, device : see `cross_validate`.

    Returns
    -------
    array [targets], mean over runs of cov(response, prediction) / var(response): without penalty the share of variance
    that the features truly explain, on average over recordings (so it may be negative); with one, a part of that share
    which is the same for all targets if their weights have no preferred direction. NaN for targets that cannot be
    fitted.
    """
    responses = np.asarray(responses)
    found = cross_validate(features, responses, runs, delays, alpha, predictions=True, trim=trim, device=device)
    shares = []
    for _, test in found.splits:
        observed = responses[test].astype(float)
        observed -= observed.mean(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares.append((observed * found.predictions[test]).sum(axis=0) / (observed**2).sum(axis=0))
    return np.where(np.isfinite(found.scores), np.mean(shares, axis=0), np.nan)


def amplitude_index(index: np.ndarray) -> np.ndarray:
    """The laterality index of two square roots from that of the numbers themselves: array -> array, -1 to 1.

    If (a^2 - b^2) / (a^2 + b^2) is `index`, this is (a - b) / (a + b). It rises with the index, so that the ends of an
    interval become the ends of an interval. For covariances (`prediction_covariance`) or shares of variance, whose
    roots are correlations and amplitudes.
    """
    index = np.asarray(index, float)
    left, right = np.sqrt(1 + index), np.sqrt(1 - index)
    return (left - right) / (left + right)
