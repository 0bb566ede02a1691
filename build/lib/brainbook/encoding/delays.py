"""Delays between what is heard and what the scanner sees: finite impulse responses that never cross a run's border."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from brainbook.encoding.inputs import as_delays, as_runs
from brainbook.stats.scores import as_array


def run_slices(runs: np.ndarray) -> list[slice]:
    """Return the scans of each run, in order of appearance.

    Parameters
    ----------
    runs : array [scans], the run of every scan. The scans of a run must follow one another.

    Raises
    ------
    ValueError : when a run appears, ends, and appears again, or a scan has no run.
    """
    runs = as_runs(runs)
    if not len(runs):
        return []
    borders = [0, *(np.flatnonzero(runs[1:] != runs[:-1]) + 1).tolist(), len(runs)]
    names, counts = np.unique(runs[borders[:-1]], return_counts=True)
    if len(names) < len(borders) - 1:
        again = names[counts > 1][0]
        raise ValueError(
            f"run {again!r} appears in two places: put the scans of a run one after the other, in time order"
        )
    return [slice(start, stop) for start, stop in pairwise(borders)]


def delays_in_scans(tr: float, seconds: Sequence[float] = (2, 4, 6, 8)) -> tuple[int, ...]:
    """Return the delays nearest to some seconds in whole scans, each once, in order.

    Parameters
    ----------
    tr : seconds from one scan to the next.
    seconds : delays between a stimulus and the response that it is to explain.

    Examples
    --------
    >>> delays_in_scans(2.0)
    (1, 2, 3, 4)
    >>> delays_in_scans(1.5)
    (1, 3, 4, 5)
    """
    if not tr > 0:
        raise ValueError(f"tr is {tr!r}: give the seconds from one scan to the next")
    return tuple(sorted({round(each / tr) for each in seconds}))


def delay(
    features: np.ndarray,
    delays: Sequence[int] = (1, 2, 3, 4),
    runs: np.ndarray | None = None,
    *,
    circular: bool = False,
) -> np.ndarray:
    """Shift copies of the features by some scans and put them side by side: a finite impulse response design.

    A response in the scan t is then a weighted sum of the features in the scans t - 1, t - 2, ...: the weights draw the
    haemodynamic response instead of assuming it.

    Parameters
    ----------
    features : array [scans, features] or [layers, scans, features].
    delays : shifts in scans; positive ones look into the past, as responses follow stimuli.
    runs : array [scans], the run of every scan; None means that all scans are one run. Before a run's first scan there
        are zeros, never another run's scans. Zero says 'as always' of features whose mean is zero: `EncodingDesign`
        sees to that (`centred_delays`); centre features first where you delay them yourself.
    circular : let the end of all scans flow into their beginning and across runs, as the published script does. For
        showing what that costs; never for an analysis.

    Returns
    -------
    array [..., scans, delays x features], the type of `features`; columns of the first delay first.
    """
    features, delays = as_array(features, "features"), as_delays(delays)
    if features.ndim < 2:
        raise ValueError(f"features must be [scans, features] or [layers, scans, features]; they have {features.shape}")
    n_scans, n_features = features.shape[-2:]
    if runs is not None and len(runs) != n_scans:
        raise ValueError(f"runs names {len(runs)} scans, features have {n_scans}")
    parts = [slice(0, n_scans)] if runs is None or circular else run_slices(runs)
    delayed = np.zeros((*features.shape[:-1], len(delays) * n_features), features.dtype)
    for place, shift in enumerate(delays):
        block = delayed[..., place * n_features : (place + 1) * n_features]
        for part in parts:
            scans = np.arange(part.start, part.stop)
            source = scans - shift
            inside = slice(None) if circular else (source >= part.start) & (source < part.stop)
            block[..., scans[inside], :] = features[..., source[inside] % max(1, n_scans), :]
    return delayed


class Delayer(TransformerMixin, BaseEstimator):
    """Delay features as a step of a scikit-learn pipeline, within runs (see `delay`).

    Parameters
    ----------
    delays : shifts in scans.
    runs : array [scans], the run of every scan that is transformed; None means that all are one run. `transform` takes
        those of other scans.
    """

    def __init__(self, delays: Sequence[int] = (1, 2, 3, 4), runs: np.ndarray | None = None):
        self.delays = delays
        self.runs = runs

    def fit(self, X, y=None):
        """Do nothing: delays learn nothing from data."""
        return self

    def transform(self, X, runs=None):
        """Return the delayed features [scans, delays x features]; `runs` stand in for those of the constructor."""
        return delay(X, self.delays, self.runs if runs is None else runs)

    def __sklearn_is_fitted__(self):
        return True


def centred_delays(features: np.ndarray, delays: Sequence[int], runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delay features so that a constant added to them changes nothing, and return where nothing but padding stands.

    Returns
    -------
    array [scans, delays x features], the features less their mean over all scans, delayed.
    boolean array [scans, delays]: True before a run's first scan (or after its last). There every fold puts its own
    training mean (`RidgeDesign`), as scikit-learn's `SimpleImputer` would.
    """
    features = features if features.dtype.kind == "f" else features.astype(float)
    centred = (features - features.mean(0, dtype=float)).astype(features.dtype)
    centred[:, (features == features[:1]).all(0)] = 0  # the mean of a constant may be off by its last digit
    padded = delay(np.ones((len(features), 1), bool), delays, runs)
    return delay(centred, delays, runs), ~padded
