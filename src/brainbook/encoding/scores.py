"""How well predictions follow recordings."""

import numpy as np

from brainbook.encoding.inputs import as_array

_BLOCK = 2**22  # elements taken at once: scores of 300,000 targets need no copy of all of them


def correlation(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Pearson's r over scans, for each target.

    Parameters
    ----------
    predicted, observed : arrays [scans, targets].

    Returns
    -------
    array [targets], float64. A prediction that never changes predicts nothing: 0. A target that is constant or has a
    value that is not finite has no correlation: NaN.
    """
    predicted, observed = _pair(predicted, observed)
    result = np.empty(observed.shape[1])
    for block in _blocks(observed.shape):
        p, o = np.asarray(predicted[:, block], float), np.asarray(observed[:, block], float)
        p_size, o_size = np.abs(p).max(0), np.abs(o).max(0)
        p, o = p - p.mean(0), o - o.mean(0)
        p_norm, o_norm = np.linalg.norm(p, axis=0), np.linalg.norm(o, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (p * o).sum(0) / (p_norm * o_norm)
        r[p_norm <= 1e-12 * len(p) * p_size] = 0.0
        r[o_norm <= 1e-12 * len(o) * o_size] = np.nan
        r[~np.isfinite(o_norm) | ~np.isfinite(p_norm)] = np.nan
        result[block] = np.clip(r, -1, 1)
    return result


def explained_variance(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """R2 over scans, for each target: 1 - squared error / squared distance of the target from its mean.

    Parameters
    ----------
    predicted, observed : arrays [scans, targets].

    Returns
    -------
    array [targets], float64, at most 1; NaN where `correlation` has NaN.
    """
    predicted, observed = _pair(predicted, observed)
    result = np.empty(observed.shape[1])
    for block in _blocks(observed.shape):
        p, o = np.asarray(predicted[:, block], float), np.asarray(observed[:, block], float)
        size = np.abs(o).max(0)
        total = ((o - o.mean(0)) ** 2).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            r2 = 1 - ((o - p) ** 2).sum(0) / total
        r2[np.sqrt(total) <= 1e-12 * len(o) * size] = np.nan
        r2[~np.isfinite(r2)] = np.nan
        result[block] = r2
    return result


def fisher_mean(scores: np.ndarray, axis: int = 0, weights: np.ndarray | None = None) -> np.ndarray:
    """The mean of correlations on Fisher's z scale, taken back to r; folds whose score is NaN are left out.

    Parameters
    ----------
    scores : array of correlations, for example [folds, targets].
    axis : the axis that is averaged.
    weights : array of the length of that axis (say, scans of each run, minus three); None counts all alike.
    """
    z = np.arctanh(np.clip(np.asarray(scores, float), -1 + 1e-12, 1 - 1e-12))
    z = np.moveaxis(z, axis, -1)
    known = np.isfinite(z)
    share = known * (1.0 if weights is None else np.asarray(weights, float))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.tanh(np.where(known, z * share, 0).sum(-1) / share.sum(-1))


def _pair(predicted, observed):
    predicted, observed = as_array(predicted, "predicted"), as_array(observed, "observed")
    if predicted.ndim == 1 and observed.ndim == 1:
        predicted, observed = predicted[:, None], observed[:, None]
    if predicted.shape != observed.shape or predicted.ndim != 2:
        raise ValueError(f"both must be [scans, targets]: predicted {predicted.shape}, observed {observed.shape}")
    return predicted, observed


def _blocks(shape):
    step = max(1, _BLOCK // max(1, shape[0]))
    return [slice(start, min(start + step, shape[1])) for start in range(0, shape[1], step)]
