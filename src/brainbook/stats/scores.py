"""How well predictions follow responses: correlation, explained variance, and Fisher's z."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_BLOCK = 2**22  # elements taken at once: scores of 300,000 targets need no copy of all of them
LARGEST_R = 0.999999  # correlations beyond it count as this one, so that Fisher's z is finite


def as_array(values: Any, name: str) -> np.ndarray:
    """Return numbers as an array; an array stays as it is, memory-mapped ones too.

    Parameters
    ----------
    values : array, DataFrame or Series. name : the argument's name, for messages.

    Raises
    ------
    ValueError : values hidden by a mask, imaginary parts, pandas.NA or text.
    """
    values = np.asanyarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if isinstance(values, np.ma.MaskedArray):
        if hidden := int(np.ma.count_masked(values)):
            raise ValueError(f"{name}: {hidden} values are masked: give {name}.filled(np.nan), or leave them out")
        values = values.data
    if values.dtype.kind == "c":
        raise ValueError(f"{name}: complex numbers would lose their imaginary part: give {name}.real or abs({name})")
    if values.dtype.kind not in "fiub":
        try:
            values = values.astype(float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must hold numbers only (use NaN in place of pandas.NA): {error}") from error
    return values


def correlation(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Compute Pearson's r over scans for each target, as `numpy.corrcoef` of each pair of columns.

    Parameters
    ----------
    predicted, observed : arrays [scans, targets].

    Returns
    -------
    array [targets], float64. A prediction that never changes predicts nothing: 0. A target that is constant or has a
    value that is not finite has no correlation: NaN.

    Examples
    --------
    >>> correlation(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [4.0], [6.0]]))
    array([1.])
    """
    return _by_target(_pearson, predicted, observed)


def explained_variance(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Compute R2 over scans for each target: 1 - squared error / squared distance of the target from its mean.

    Parameters
    ----------
    predicted, observed : arrays [scans, targets].

    Returns
    -------
    array [targets], float64, at most 1; NaN where `correlation` has NaN.

    Examples
    --------
    >>> explained_variance(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [6.0]])).round(2)
    array([0.36])
    """
    return _by_target(_r2, predicted, observed)


def fisher_z(scores: ArrayLike) -> np.ndarray:
    """Return Fisher's z of `scores`, finite for correlations of 1 too; NaN stays NaN.

    Examples
    --------
    >>> fisher_z(np.array([0.0, 0.5])).round(2)
    array([0.  , 0.55])
    """
    return np.arctanh(np.clip(np.asarray(scores, float), -LARGEST_R, LARGEST_R))


def fisher_mean(scores: ArrayLike, axis: int = 0, weights: np.ndarray | None = None) -> np.ndarray:
    """Average correlations on Fisher's z scale and return to r; scores that are NaN are left out.

    Parameters
    ----------
    scores : array of correlations, for example [folds, targets].
    axis : the axis that is averaged.
    weights : array of the length of that axis (for example, scans of each run, minus three); None counts all alike.

    Examples
    --------
    >>> fisher_mean(np.array([[0.1], [0.9]])).round(2)
    array([0.66])
    """
    z = np.moveaxis(fisher_z(scores), axis, -1)
    known = np.isfinite(z)
    share = known * (1.0 if weights is None else np.asarray(weights, float))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.tanh(np.where(known, z * share, 0).sum(-1) / share.sum(-1))


def _by_target(measure: Callable, predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Apply `measure` to blocks of targets; constant targets and values that are not finite give NaN."""
    predicted, observed = as_array(predicted, "predicted"), as_array(observed, "observed")
    if predicted.ndim == 1 and observed.ndim == 1:
        predicted, observed = predicted[:, None], observed[:, None]
    if predicted.shape != observed.shape or predicted.ndim != 2:
        raise ValueError(f"both must be [scans, targets]: predicted {predicted.shape}, observed {observed.shape}")
    n_scans, n_targets = observed.shape
    scores = np.empty(n_targets)
    step = max(1, _BLOCK // max(1, n_scans))
    for block in (slice(start, start + step) for start in range(0, n_targets, step)):
        p, o = np.asarray(predicted[:, block], float), np.asarray(observed[:, block], float)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores[block] = np.where(_constant(o), np.nan, measure(p, o))
    scores[np.isinf(scores)] = np.nan
    return scores


def _pearson(p: np.ndarray, o: np.ndarray) -> np.ndarray:
    constant = _constant(p)
    p, o = p - p.mean(0), o - o.mean(0)
    r = (p * o).sum(0) / (np.linalg.norm(p, axis=0) * np.linalg.norm(o, axis=0))
    return np.clip(np.where(constant & np.isfinite(o).all(0), 0.0, r), -1, 1)


def _r2(p: np.ndarray, o: np.ndarray) -> np.ndarray:
    return 1 - ((o - p) ** 2).sum(0) / ((o - o.mean(0)) ** 2).sum(0)


def _constant(x: np.ndarray) -> np.ndarray:
    """Return which columns vary by no more than rounding."""
    return np.linalg.norm(x - x.mean(0), axis=0) <= 1e-12 * len(x) * np.abs(x).max(0)
