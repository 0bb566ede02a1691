"""Left against right."""

import numpy as np


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
    themselves; more scans or fewer weights lean less.
    """
    r = np.asarray(r, float)
    return r**2 / np.sqrt(r**2 + (1 - r**2) * n_parameters / n_scans)
