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
