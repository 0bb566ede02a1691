"""The checklist of the chapter `pitfalls` as a function: can the test scans be seen from the training side?"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainbook.encoding.delays import delay, run_slices
from brainbook.encoding.inputs import Splits

Result = tuple[bool | None, str]  # of a check: passed, message
RUNS_APART = "training and test scans come from different runs"


class ProtocolWarning(UserWarning):
    """A choice of the analysis lets test scans leak into training, or mixes runs."""


@dataclass(frozen=True)
class Finding:
    """One line of the checklist.

    Returned by `check_protocol`.

    Attributes
    ----------
    check : what was asked.
    passed : True, False, or None when the arguments do not tell.
    message : what is the case, and what to do.
    """

    check: str
    passed: bool | None
    message: str


def check_protocol(
    runs: np.ndarray,
    splits: Any,
    *,
    features: np.ndarray | None = None,
    delayed: np.ndarray | None = None,
    delays: Sequence[int] = (1, 2, 3, 4),
    scans: np.ndarray | None = None,
    gap: int = 4,
    warn: bool = True,
) -> list[Finding]:
    """Go through the checklist; each check that fails raises a `ProtocolWarning`.

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
    warn : raise the warnings.

    Returns
    -------
    list of Finding.

    Examples
    --------
    >>> rows = np.random.default_rng(0).permutation(120)  # shuffled scans of three runs
    >>> findings = check_protocol(np.repeat([1, 2, 3], 40), [(rows[:80], rows[80:])], warn=False)
    >>> [finding.check for finding in findings if finding.passed is False]
    ['training and test scans come from different runs', 'scans whose features reach before their run are not scored']
    """
    runs = np.asarray(runs)
    if len(splits) == 2 and np.ndim(splits[0]) == 1 and np.ndim(splits[1]) == 1 and np.ndim(splits[0][0]) == 0:
        splits = [(splits[0], splits[1])]
    splits = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    checks = {
        "no row both trains and tests": _overlap(splits),
        "no scan both trains and tests": _scans(scans, splits),
        RUNS_APART: _runs(runs, splits, gap),
        "delays stay within runs": _delays(runs, features, delayed, delays),
        "scans whose features reach before their run are not scored": _edges(runs, splits, delays),
        "scaling saw training scans only": _scaling(runs, features, splits),
    }
    findings = [Finding(check, *result) for check, result in checks.items()]
    for finding in findings:
        if warn and finding.passed is False:
            warnings.warn(f"{finding.check}: {finding.message}", ProtocolWarning, stacklevel=2)
    return findings


def warn_shared_runs(runs: np.ndarray, splits: Splits, stacklevel: int = 3) -> None:
    """Warn when folds train and test on neighbouring scans of the same run (used by the estimators themselves)."""
    passed, message = _runs(np.asarray(runs), splits, gap=1)
    if not passed:
        warnings.warn(f"{RUNS_APART}: {message}", ProtocolWarning, stacklevel=stacklevel)


def _overlap(splits: Splits) -> Result:
    shared = max(len(np.intersect1d(train, test)) for train, test in splits)
    if shared:
        return False, f"{shared} rows train and test in the same fold: their noise is memorised"
    return True, "training and test rows are apart"


def _scans(scans: np.ndarray | None, splits: Splits) -> Result:
    if scans is None:
        return None, "each row taken as its own scan (give scans= when echoes are stacked)"
    scans = np.asarray(scans)
    share = max(np.isin(scans[test], scans[train]).mean() for train, test in splits)
    if share:
        return (
            False,
            f"{share:.0%} of the test rows are other readings (echoes) of scans that train: they share its noise",
        )
    return True, "no scan is read on both sides"


def _runs(runs: np.ndarray, splits: Splits, gap: int) -> Result:
    share = max(np.isin(runs[test], runs[train]).mean() for train, test in splits)
    if not share:
        return True, "no fold shares a run"
    distance = min(_distance(runs, train, test) for train, test in splits)
    if len(np.unique(runs)) == 1 and distance > gap:
        return True, f"there is one run only; {distance - 1} scans lie between training and test scans"
    return False, (
        f"{share:.0%} of a fold's test scans share their run with training scans, the nearest {distance} scans "
        "away: slow noise leaks. Leave whole runs out (leave_one_run_out), or blocks of one run (blocks_with_gaps)"
    )


def _distance(runs: np.ndarray, train: np.ndarray, test: np.ndarray) -> int:
    """Return how many scans the nearest training scan of a test scan's run is away."""
    nearest = len(runs)
    for run in np.unique(runs[test]):
        inside, outside = np.sort(train[runs[train] == run]), test[runs[test] == run]
        if len(inside):
            after = np.searchsorted(inside, outside)
            around = inside[np.clip([after - 1, after], 0, len(inside) - 1)]
            nearest = min(nearest, int(np.abs(around - outside).min()))
    return nearest


def _delays(runs: np.ndarray, features: np.ndarray | None, delayed: np.ndarray | None, delays: Sequence[int]) -> Result:
    if delayed is None:
        return None, "no delayed features were given (delayed=)"
    delayed = np.asarray(delayed, float)
    if delayed.shape[1] % len(delays):
        raise ValueError(f"{delayed.shape[1]} delayed columns are no multiple of {len(delays)} delays")
    if features is not None and np.allclose(delayed, delay(np.asarray(features, float), delays, runs)):
        return True, "delayed features are those that `delay` makes within runs"
    blocks = np.split(delayed / (delayed.std(0) + 1e-300), len(delays), axis=1)
    for shift, block in zip(delays, blocks, strict=True):
        # Before a run's first scan there is nothing: one and the same value, whatever the columns' scaling.
        first = np.concatenate([block[part][: max(0, int(shift))] for part in run_slices(runs)])
        if np.abs(first - first[:1]).max(initial=0) > 1e-4:
            return (
                False,
                f"the first scans of a run hold other runs' features at delay {shift}: use delay(..., runs=runs)",
            )
    return True, "the first scans of each run hold nothing of another run"


def _edges(runs: np.ndarray, splits: Splits, delays: Sequence[int]) -> Result:
    reach = max(0, *(int(shift) for shift in delays))
    starts = np.concatenate([np.arange(len(runs))[part][:reach] for part in run_slices(runs)])
    count = len(np.intersect1d(starts, np.concatenate([test for _, test in splits])))
    if count:
        return False, (
            f"{count} test scans lie within {reach} scans of their run's start, where delays find padding and speech "
            "sets in: whatever tells speech from silence scores there. Trim the edges of runs"
        )
    return True, f"test scans lie {reach} scans or more behind their run's start"


def _scaling(runs: np.ndarray, features: np.ndarray | None, splits: Splits) -> Result:
    if features is None:
        return None, "no features were given (features=)"
    features = np.asarray(features, float)
    varying = features[:, features.std(0) > 0]
    if not varying.shape[1]:
        return None, "all features are constant"
    if not _z_scored(varying) and not _min_max_scaled(varying):
        return True, "features are not scaled over all scans together"
    if len(np.unique(runs)) > 1 and all(_z_scored(varying[part]) for part in run_slices(runs)):
        return True, "features are z-scored within each run by itself: no run saw another"
    train = np.unique(splits[0][0])
    if _z_scored(varying[train]) or len(train) == len(varying):
        return True, "features are scaled by the training scans"
    return False, (
        "features are z-scored or min-max scaled over all scans, test scans too: leave scaling to RidgeEncoder or "
        "cross_validate, which scale by the training scans of each fold (and undo this by doing so)"
    )


def _z_scored(x: np.ndarray) -> bool:
    """Return whether every column has mean 0 and standard deviation 1."""
    return np.abs(x.mean(0)).max() < 1e-3 and np.abs(x.std(0) - 1).max() < 5e-3


def _min_max_scaled(x: np.ndarray) -> bool:
    """Return whether all columns run from 0 to 1; a few of them might by chance, so it takes several."""
    return x.shape[1] >= 3 and np.abs(x.min(0)).max() < 1e-6 and np.abs(x.max(0) - 1).max() < 1e-6
