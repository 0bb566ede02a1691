"""The checklist of the chapter `pitfalls` as a function: can the test scans be seen from the training side?"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainbook.encoding.delays import delay, run_slices


class ProtocolWarning(UserWarning):
    """A choice of the analysis lets test scans leak into training, or mixes runs."""


@dataclass(frozen=True)
class Finding:
    """One line of the checklist.

    Attributes
    ----------
    check : what was asked.
    passed : True, False, or None when what was given does not let one tell.
    message : what was found, and what to do.
    """

    check: str
    passed: bool | None
    message: str


def check_protocol(
    runs: np.ndarray,
    splits: list,
    *,
    features: np.ndarray | None = None,
    delayed: np.ndarray | None = None,
    delays: Sequence[int] = (1, 2, 3, 4),
    scans: np.ndarray | None = None,
    gap: int = 4,
    warn: bool = True,
) -> list[Finding]:
    """Go through the checklist; what fails is also said in a `ProtocolWarning`, once each.

    Parameters
    ----------
    runs : array [rows], the run of every row of the design.
    splits : list of (training rows, test rows), or just two index arrays for a single split.
    features : array [rows, features] as they enter the regression before delays: were they scaled with the test rows in
        sight?
    delayed : array [rows, delays x features]: do the delays stay within the runs?
    delays : the delays of the design: before a run's first scan they find nothing but padding.
    scans : array [rows], which scan each row was read from, when rows are more than scans (echoes stacked below one
        another): the same scan must not train and test.
    gap : rows of one run that should lie between training and test rows, when there is only one run to split.
    warn : also raise the warnings.

    Returns
    -------
    list of Finding.
    """
    runs = np.asarray(runs)
    if len(splits) == 2 and np.ndim(splits[0]) == 1 and np.ndim(splits[1]) == 1 and np.ndim(splits[0][0]) == 0:
        splits = [tuple(splits)]
    splits = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    findings = [_overlap(splits), _scans(scans, splits), _runs(runs, splits, gap)]
    findings += [_delays(runs, features, delayed, delays), _edges(runs, splits, delays)]
    findings += [_scaling(runs, features, splits)]
    for finding in findings:
        if warn and finding.passed is False:
            warnings.warn(f"{finding.check}: {finding.message}", ProtocolWarning, stacklevel=2)
    return findings


def warn_shared_runs(runs: np.ndarray, splits: list, stacklevel: int = 3) -> None:
    """Warn when folds train and test on neighbouring scans of the same run (used by the estimators themselves)."""
    finding = _runs(np.asarray(runs), splits, gap=1)
    if finding.passed is False:
        warnings.warn(f"{finding.check}: {finding.message}", ProtocolWarning, stacklevel=stacklevel)


def _overlap(splits):
    check = "no row both trains and tests"
    shared = max(len(np.intersect1d(train, test)) for train, test in splits)
    if shared:
        return Finding(check, False, f"{shared} rows train and test in the same fold: their noise is memorised")
    return Finding(check, True, "training and test rows are apart")


def _scans(scans, splits):
    check = "no scan both trains and tests"
    if scans is None:
        return Finding(check, None, "each row taken as its own scan (give scans= when echoes are stacked)")
    scans = np.asarray(scans)
    share = max(np.isin(scans[test], scans[train]).mean() for train, test in splits)
    if share:
        message = f"{share:.0%} of the test rows are other readings (echoes) of scans that train: they share its noise"
        return Finding(check, False, message)
    return Finding(check, True, "no scan is read on both sides")


def _runs(runs, splits, gap):
    check = "training and test scans come from different runs"
    shares = [np.isin(runs[test], runs[train]).mean() for train, test in splits]
    if not max(shares):
        return Finding(check, True, "no fold shares a run")
    distance = min(_distance(runs, train, test) for train, test in splits)
    if len(np.unique(runs)) == 1 and distance > gap:
        return Finding(check, True, f"there is one run only; {distance - 1} scans lie between training and test scans")
    message = (
        f"{max(shares):.0%} of a fold's test scans share their run with training scans, the nearest {distance} scans "
        "away: slow noise leaks. Leave whole runs out (leave_one_run_out), or blocks of one run (blocks_with_gaps)"
    )
    return Finding(check, False, message)


def _distance(runs, train, test):
    smallest = len(runs)
    for run in np.unique(runs[test]):
        inside, outside = train[runs[train] == run], test[runs[test] == run]
        if len(inside):
            inside = np.sort(inside)
            place = np.clip(np.searchsorted(inside, outside), 1, len(inside) - 1) if len(inside) > 1 else None
            near = inside[:1][None] if place is None else np.stack([inside[place - 1], inside[place]])
            smallest = min(smallest, int(np.abs(near - outside).min()))
    return smallest


def _delays(runs, features, delayed, delays):
    check = "delays stay within runs"
    if delayed is None:
        return Finding(check, None, "no delayed features were given (delayed=)")
    delayed = np.asarray(delayed, float)
    if delayed.shape[1] % len(delays):
        raise ValueError(f"{delayed.shape[1]} delayed columns are no multiple of {len(delays)} delays")
    if features is not None and np.allclose(delayed, delay(np.asarray(features, float), delays, runs)):
        return Finding(check, True, "delayed features are those that `delay` makes within runs")
    width = delayed.shape[1] // len(delays)
    size = delayed.std(0) + 1e-300
    for place, shift in enumerate(delays):
        block = slice(place * width, (place + 1) * width)
        borders = []
        for part in run_slices(runs):
            # Before a run's first scan there is nothing: one and the same value, whatever the columns' scaling.
            length = min(abs(int(shift)), part.stop - part.start)
            borders.append(delayed[part.start : part.start + length, block] if shift > 0 else delayed[:0, block])
        rows = np.concatenate(borders)
        if len(rows) and (np.abs(rows - rows[0]) / size[block]).max() > 1e-4:
            message = f"the first scans of a run hold other runs' features at delay {shift}: use delay(..., runs=runs)"
            return Finding(check, False, message)
    return Finding(check, True, "the first scans of each run hold nothing of another run")


def _edges(runs, splits, delays):
    check = "scans whose features reach before their run are not scored"
    reach = max(0, *(int(shift) for shift in delays))
    starts = np.concatenate([np.arange(p.start, min(p.start + reach, p.stop)) for p in run_slices(runs)])
    count = len(np.intersect1d(starts, np.concatenate([test for _, test in splits])))
    if count:
        message = (
            f"{count} test scans lie within {reach} scans of their run's start, where delays find padding and speech "
            "sets in: whatever tells speech from silence scores there. Trim the edges of runs"
        )
        return Finding(check, False, message)
    return Finding(check, True, f"test scans lie {reach} scans or more behind their run's start")


def _scaling(runs, features, splits):
    check = "scaling saw training scans only"
    if features is None:
        return Finding(check, None, "no features were given (features=)")
    features = np.asarray(features, float)
    live = features[:, features.std(0) > 0]
    if not live.shape[1]:
        return Finding(check, None, "all features are constant")
    per_run = all(_standard(live[part]) for part in run_slices(runs))
    train = np.unique(splits[0][0])
    if not _standard(live) and not _stretched(live):
        return Finding(check, True, "features are not scaled over all scans together")
    if per_run and len(np.unique(runs)) > 1:
        return Finding(check, True, "features are z-scored within each run by itself: no run saw another")
    if _standard(live[train]) or len(train) == len(live):
        return Finding(check, True, "features are scaled by the training scans")
    message = (
        "features are z-scored or min-max scaled over all scans, test scans too: leave scaling to RidgeEncoder or "
        "cross_validate, which scale by the training scans of each fold (and undo this by doing so)"
    )
    return Finding(check, False, message)


def _standard(x):
    """Has every column mean 0 and standard deviation 1?"""
    return np.abs(x.mean(0)).max() < 1e-3 and np.abs(x.std(0) - 1).max() < 5e-3


def _stretched(x):
    """Do all columns run from 0 to 1? A few of them might by chance, so one needs several."""
    return x.shape[1] >= 3 and np.abs(x.min(0)).max() < 1e-6 and np.abs(x.max(0) - 1).max() < 1e-6
