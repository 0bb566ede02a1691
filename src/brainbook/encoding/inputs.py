"""Arguments as users give them: what would be misread without a word is refused, by the argument's name."""

from numbers import Integral

import numpy as np
import pandas as pd


def as_delays(delays) -> tuple[int, ...]:
    """Delays as a tuple of at least one whole number.

    Raises
    ------
    ValueError : a single number, none at all, or fractions of a scan.
    """
    if np.ndim(delays) != 1 or not len(delays):
        raise ValueError(f"delays are one or more whole numbers of scans, such as (1, 2, 3, 4), not {delays!r}")
    if any(int(shift) != shift for shift in delays):
        raise ValueError(f"delays are whole numbers of scans, not {tuple(delays)}")
    return tuple(int(shift) for shift in delays)


def as_runs(runs) -> np.ndarray:
    """Runs as an array [scans].

    Raises
    ------
    ValueError : more than one dimension, or scans without a run.
    """
    if isinstance(runs, np.ma.MaskedArray) and np.ma.count_masked(runs):
        raise ValueError(f"runs: {np.ma.count_masked(runs)} scans are masked: give every scan its run")
    runs = np.asarray(runs)
    if runs.ndim != 1:
        raise ValueError(f"runs must name one run for each scan (one dimension); it has shape {runs.shape}")
    missing = np.flatnonzero(pd.isna(runs))
    if len(missing):
        raise ValueError(f"runs: scan {missing[0]} (and {len(missing) - 1} more) has no run: give every scan its run")
    return runs


def as_splits(splits, n_scans: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits as a list of two integer arrays each.

    Raises
    ------
    ValueError : no fold; a fold without training or test scans, or with numbers that are no scans.
    """
    splits = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    if not splits:
        raise ValueError("splits must hold at least one fold: (training scans, test scans)")
    for fold, pair in enumerate(splits):
        for scans, does in zip(pair, ("trains", "tests"), strict=True):
            if scans.ndim != 1 or scans.dtype.kind not in "iu" or not len(scans):
                raise ValueError(
                    f"splits: fold {fold} {does} on {_shape(scans)}; it needs one or more scan numbers (np.flatnonzero "
                    "makes them of a mask)"
                )
            if scans.min() < 0 or scans.max() >= n_scans:
                raise ValueError(
                    f"splits: fold {fold} {does} on scans {scans.min()} to {scans.max()}; there are 0 to {n_scans - 1}"
                )
    return splits


def _shape(array):
    return f"an array of shape {array.shape} and type {array.dtype}"


def as_count(value, name: str) -> int:
    """A whole number of 1 or more.

    Raises
    ------
    ValueError : anything else.
    """
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more, not {value!r}")
    return int(value)
