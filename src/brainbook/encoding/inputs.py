"""Arguments as users give them: what would be misread is refused, by the argument's name."""

from collections.abc import Collection, Iterable, Sequence
from numbers import Integral

import numpy as np
import pandas as pd

Splits = list[tuple[np.ndarray, np.ndarray]]  # (training scans, test scans) of every fold
Alphas = np.ndarray | Sequence[float] | float


def as_delays(delays: Sequence[int]) -> tuple[int, ...]:
    """Return delays as a tuple of at least one whole number; ValueError for anything else."""
    if np.ndim(delays) != 1 or not len(delays):
        raise ValueError(f"delays are one or more whole numbers of scans, such as (1, 2, 3, 4), not {delays!r}")
    if any(int(shift) != shift for shift in delays):
        raise ValueError(f"delays are whole numbers of scans, not {tuple(delays)}")
    return tuple(int(shift) for shift in delays)


def as_runs(runs: np.ndarray | Sequence | None) -> np.ndarray:
    """Return runs as an array [scans]; ValueError for more than one dimension, or scans without a run."""
    if isinstance(runs, np.ma.MaskedArray) and np.ma.count_masked(runs):
        raise ValueError(f"runs: {np.ma.count_masked(runs)} scans are masked: give every scan its run")
    runs = np.asarray(runs)
    if runs.ndim != 1:
        raise ValueError(f"runs must name one run for each scan (one dimension); it has shape {runs.shape}")
    missing = np.flatnonzero(pd.isna(runs))
    if len(missing):
        raise ValueError(f"runs: scan {missing[0]} (and {len(missing) - 1} more) has no run: give every scan its run")
    return runs


def as_splits(splits: Iterable[tuple[np.ndarray, np.ndarray]], n_scans: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return splits as a list of (training scans, test scans), integer arrays.

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
                    f"splits: fold {fold} {does} on an array of shape {scans.shape} and type {scans.dtype}; it needs "
                    "one or more scan numbers (np.flatnonzero makes them of a mask)"
                )
            if scans.min() < 0 or scans.max() >= n_scans:
                raise ValueError(
                    f"splits: fold {fold} {does} on scans {scans.min()} to {scans.max()}; there are 0 to {n_scans - 1}"
                )
    return splits


def as_count(value: object, name: str, least: int = 1) -> int:
    """Return a whole number of `least` or more; ValueError for anything else."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, not {value!r}")
    return int(value)


def check_choice(value: object, name: str, choices: Collection[str]) -> None:
    """Raise ValueError for what is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {' or '.join(map(repr, choices))}, not {value!r}".replace("'", '"'))


def as_alphas(alphas: Alphas) -> np.ndarray:
    """Return alphas as a sorted array of one or more positive numbers; ValueError for anything else."""
    alphas = np.unique(np.asarray(alphas, float))
    if not len(alphas):
        raise ValueError("alphas must hold at least one number")
    wrong = alphas[~(alphas > 0) | ~np.isfinite(alphas)]
    if len(wrong):
        raise ValueError(f"alphas must be positive and finite: {wrong.tolist()}")
    return alphas
