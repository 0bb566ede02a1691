"""Delays between what is heard and what the scanner sees: finite impulse responses that never cross a run's border."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import gamma

from brainbook.encoding.inputs import as_delays, as_runs
from brainbook.stats.scores import as_array

_GLOVER_PEAK = 5.00533  # seconds at which the curve below is highest


def run_slices(runs: np.ndarray) -> list[slice]:
    """The scans of each run, in order of appearance.

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
    borders = np.flatnonzero(runs[1:] != runs[:-1]) + 1
    starts = np.concatenate([[0], borders])
    stops = np.concatenate([borders, [len(runs)]])
    names = runs[starts]
    if len(np.unique(names)) < len(names):
        again = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(
            f"run {again!r} appears in two places: put the scans of a run one after the other, in time order"
        )
    return [slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]


def delay(
    features: np.ndarray,
    delays: Sequence[int] = (1, 2, 3, 4),
    runs: np.ndarray | None = None,
    *,
    circular: bool = False,
) -> np.ndarray:
    """Copies of the features, each shifted by some scans, side by side: a finite impulse response design.

    A response in the scan t is then a weighted sum of the features in the scans t - 1, t - 2, ...: the weights draw the
    haemodynamic response instead of assuming it.

    Parameters
    ----------
    features : array [scans, features] or [layers, scans, features].
    delays : shifts in scans; positive ones look into the past, as responses follow stimuli.
    runs : array [scans], the run of every scan; None means that all scans are one run. Before a run's first scan there
        are zeros, never another run's scans. Zero says 'as always' of features whose mean is zero: `cross_validate` and
        `permutation_scores` see to that (`centred_delays`); centre features first where you delay them yourself.
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
    parts = [slice(0, n_scans)] if runs is None else run_slices(runs)
    delayed = np.zeros((*features.shape[:-1], len(delays) * n_features), features.dtype)
    for place, shift in enumerate(delays):
        block = delayed[..., place * n_features : (place + 1) * n_features]
        if circular:
            block[...] = np.roll(features, shift, axis=-2)
            continue
        for part in parts:
            length = part.stop - part.start
            if abs(shift) >= length:
                continue
            earlier, later = slice(part.start, part.stop - abs(shift)), slice(part.start + abs(shift), part.stop)
            source, goal = (earlier, later) if shift >= 0 else (later, earlier)
            block[..., goal, :] = features[..., source, :]
    return delayed


def centred_delays(features: np.ndarray, delays: Sequence[int], runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delayed features, and where nothing but padding stands in them, so that a constant added to them changes nothing.

    Returns
    -------
    array [scans, delays x features], the features less their mean over all scans, delayed.
    boolean array [scans, delays]: True before a run's first scan (or after its last). There every fold puts its own
    training mean (`solver.Space`), as scikit-learn's `SimpleImputer` would.
    """
    features = as_array(features, "features")
    features = features if features.dtype.kind == "f" else features.astype(float)
    mean = features.mean(0, dtype=float)
    centred = (features - mean).astype(features.dtype)
    centred[:, (features == features[:1]).all(0)] = 0  # the mean of a constant may be off by its last digit
    padded = delay(np.ones((len(features), 1), bool), delays, runs)
    return delay(centred, delays, runs), ~padded


def haemodynamic_response(times: np.ndarray, peak: float = 5.0) -> np.ndarray:
    """The blood-oxygen response to a brief event: Glover's double gamma, stretched so that it peaks at `peak`.

    Parameters
    ----------
    times : array of any shape, seconds since the event; before it the response is zero.
    peak : seconds from the event to the highest response.

    Returns
    -------
    array of the same shape: the response, 1 at its highest.

    Source: Glover (1999), NeuroImage 9, 416-429, with the parameters that nilearn uses (`nilearn.glms.first_level`).
    """
    if peak <= 0:
        raise ValueError(f"the response peaks after the event: peak must be positive, not {peak}")
    stretched = np.asarray(times, float) * (_GLOVER_PEAK / peak)
    return _glover(stretched) / _glover(_GLOVER_PEAK)


def _glover(times):
    return gamma.pdf(times, 6 / 0.9, scale=0.9) - 0.48 * gamma.pdf(times, 12 / 0.9, scale=0.9)
