"""Which scans train and which test."""

import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import BaseCrossValidator, KFold, check_cv

from brainbook.encoding.delays import run_slices
from brainbook.encoding.inputs import Splits, as_count, as_runs, as_splits
from brainbook.encoding.protocol_checks import warn_shared_runs

FEWEST = 10  # test scans that a score needs: over fewer, correlations of 1 come by luck


def leave_one_run_out(runs: np.ndarray, trim: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return one fold per run: the run tests, all the others train.

    Parameters
    ----------
    runs : array [scans], the run of every scan.
    trim : scans at each end of every run that neither train nor test. Where a run begins and ends with the stimulus,
        whatever says 'there is a stimulus' predicts the response to its start and its end; trimmed scans ask more.

    Returns
    -------
    list of (training scans, test scans), two integer arrays, in the order of the runs' first scans.

    Raises
    ------
    ValueError : with a single run, which leaves nothing to train on (see `blocks_with_gaps`); when trimming leaves a
        run no scan.

    Examples
    --------
    >>> leave_one_run_out(np.array([1, 1, 2, 2, 2]))
    [(array([2, 3, 4]), array([0, 1])), (array([0, 1]), array([2, 3, 4]))]
    """
    parts, trim = run_slices(runs), as_count(trim, "trim", least=0)
    if len(parts) < 2:
        raise ValueError("leave one run out needs two runs or more; for a single run use blocks_with_gaps")
    inner = [np.arange(part.start + trim, part.stop - trim) for part in parts]
    for part, scans in zip(parts, inner, strict=True):
        if not len(scans):
            raise ValueError(
                f"run {runs[part.start]} has {part.stop - part.start} scans: trim={trim} at each end leaves none"
            )
    return [(np.concatenate(inner[:place] + inner[place + 1 :]), test) for place, test in enumerate(inner)]


def leave_runs_out(runs: np.ndarray, n_folds: int = 3, trim: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds in which several runs test together: less work than leaving each out by itself.

    Parameters
    ----------
    runs, trim : as in `leave_one_run_out`. n_folds : 2 or more; the runs that test together follow one another.

    Examples
    --------
    >>> [test.tolist() for train, test in leave_runs_out(np.array([1, 2, 3, 4]), n_folds=2)]
    [[0, 1], [2, 3]]
    """
    by_run = [test for _, test in leave_one_run_out(runs, trim)]
    if not 2 <= n_folds <= len(by_run):
        raise ValueError(f"n_folds must be between 2 and the {len(by_run)} runs, not {n_folds}")
    tests = [np.concatenate(by_run[part[0] : part[-1] + 1]) for part in np.array_split(range(len(by_run)), n_folds)]
    return [(np.concatenate(tests[:place] + tests[place + 1 :]), test) for place, test in enumerate(tests)]


class LeaveOneRunOut(BaseCrossValidator):
    """Leave one run out, as a scikit-learn splitter whose `groups` are the run of every scan.

    Without `trim` it is `sklearn.model_selection.LeaveOneGroupOut`.

    Parameters
    ----------
    trim : scans at each end of every run that neither train nor test (see `leave_one_run_out`).

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_predict
    >>> x, runs = np.random.default_rng(0).standard_normal((60, 2)), np.repeat([1, 2, 3], 20)
    >>> cross_val_predict(Ridge(), x, x.sum(1), groups=runs, cv=LeaveOneRunOut()).shape
    (60,)
    """

    __metadata_request__split = {"groups": True}

    def __init__(self, trim: int = 0) -> None:
        self.trim = trim

    def split(
        self, X: object, y: object = None, groups: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (training scans, test scans) of every fold."""
        yield from leave_one_run_out(as_runs(groups), self.trim)

    def get_n_splits(self, X: object = None, y: object = None, groups: np.ndarray | None = None) -> int:
        """Return the number of runs."""
        return len(run_slices(groups))


def estimator_splits(
    cv: Any, X: np.ndarray, y: np.ndarray | None = None, groups: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds in which an estimator chooses penalties, by its parameter `cv` (see `RidgeEncoder`)."""
    n = len(X)
    if cv is None and groups is not None:
        return leave_one_run_out(groups)
    if cv is None or isinstance(cv, Integral):
        cv = KFold(min(5 if cv is None else cv, n))
    elif not hasattr(cv, "split") and not len(cv):
        raise ValueError("cv is an empty list: give (training scans, test scans) for each fold, or None")
    splits = as_splits(check_cv(cv).split(X, y, groups), n)
    if groups is not None:
        warn_shared_runs(groups, splits, stacklevel=4)
    return splits


def inner_splits(splits: Splits, outer: int, n_folds: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds in which one outer fold chooses: the other folds' test scans, inside its own training scans.

    Parameters
    ----------
    splits : list of (training scans, test scans). outer : the fold.
    n_folds : the other folds are put together to so many, neighbours with each other; None leaves each by itself.

    Returns
    -------
    list of (training scans, test scans), as places within the outer fold's training scans.

    Raises
    ------
    ValueError : nothing is left to train or test on.
    """
    train = splits[outer][0]
    others = [number for number in range(len(splits)) if number != outer]
    groups = np.array_split(others, min(len(others), n_folds or len(others)))
    folds = []
    for group in groups:
        inside = train
        for number in group:
            inside = np.intersect1d(inside, splits[number][0])
        test = np.intersect1d(train, np.concatenate([splits[number][1] for number in group]))
        if len(inside) >= 3 and len(test) > 3:
            folds.append((np.searchsorted(train, inside), np.searchsorted(train, test)))
    if not folds:
        raise ValueError(f"{len(splits)} folds leave no training scans to choose penalties on: give three runs or more")
    return folds


def fold_weights(splits: Splits, metric: str = "correlation") -> np.ndarray:
    """Return what each fold of `splits` counts in a mean over folds of a `metric`, array [folds].

    Correlations count by their test scans less three, the inverse of the variance of Fisher's z; R2 by its test scans.
    Folds too short for either (three scans, one scan) count nothing.

    Examples
    --------
    >>> fold_weights(leave_one_run_out(np.repeat([1, 2], [40, 60])))
    array([37., 57.])
    """
    n = np.array([len(test) for _, test in splits], float)
    return np.maximum(n - 3, 0) if metric == "correlation" else np.where(n > 1, n, 0)


def used_scans(splits: Splits) -> np.ndarray:
    """Return the scans that train or test in some fold of `splits`, ascending.

    Examples
    --------
    >>> used_scans(leave_one_run_out(np.repeat([1, 2], 5), trim=1))
    array([1, 2, 3, 6, 7, 8])
    """
    return np.unique(np.concatenate([scans for pair in splits for scans in pair]))


def short_folds(runs: np.ndarray, splits: Splits) -> np.ndarray:
    """Return which folds have too few test scans (`FEWEST`) for a score, boolean [folds]; a warning names them.

    Raises
    ------
    ValueError : when all of them have.
    """
    short = np.array([len(test) < FEWEST for _, test in splits])
    if short.all():
        raise ValueError(f"every fold has fewer than {FEWEST} test scans, over which no score can be trusted")
    if short.any():
        named = (f"{name_fold(runs, splits[fold][1])} ({len(splits[fold][1])})" for fold in np.flatnonzero(short))
        message = f"fewer than {FEWEST} test scans: {', '.join(named)}: these folds have no score and count in no mean"
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    return short


def name_fold(runs: np.ndarray, test: np.ndarray) -> str:
    """Return what to call a fold in a message: its run, or its scans where these are of several."""
    inside = np.unique(runs[test])
    return f"run {inside[0]}" if len(inside) == 1 else f"the fold of scans {test[0]} to {test[-1]}"


def blocks_with_gaps(n_scans: int, n_blocks: int = 5, gap: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds in which contiguous blocks of a single run take turns as test; scans near the block do not train.

    Neighbouring scans share noise and haemodynamics, so training scans right beside the test block would leak. `gap`
    should cover the longest delay and the noise's memory.

    Parameters
    ----------
    n_scans : scans of the run.
    n_blocks : folds.
    gap : scans on each side of the test block that neither train nor test.

    Returns
    -------
    list of (training scans, test scans).

    Examples
    --------
    >>> train, test = blocks_with_gaps(20, n_blocks=4, gap=2)[1]
    >>> test
    array([5, 6, 7, 8, 9])
    >>> train
    array([ 0,  1,  2, 12, 13, 14, 15, 16, 17, 18, 19])
    """
    if not 2 <= n_blocks <= n_scans:
        raise ValueError(f"n_blocks must be between 2 and the {n_scans} scans, not {n_blocks}")
    gap = as_count(gap, "gap", least=0)
    scans = np.arange(n_scans)
    blocks = np.array_split(scans, n_blocks)
    folds = [(scans[(scans < test[0] - gap) | (scans > test[-1] + gap)], test) for test in blocks]
    if min(len(train) for train, _ in folds) < 2:
        raise ValueError(f"a gap of {gap} scans leaves nothing to train on: {n_scans} scans in {n_blocks} blocks")
    return folds


class PublishedSplit(NamedTuple):
    """Rows of echo 1, echo 2 and echo 3 stacked one below the other, [3 x scans]."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def published_split(
    n_scans: int, test_share: float = 0.1, validation_share: float = 0.2, seed: int = 0
) -> PublishedSplit:
    """Return the split of the seed paper: echoes 1 and 2 train and validate (4 to 1), a random tenth of echo 3 tests.

    The three echoes are three readings of the same scan, so every test scan's noise was seen in training: this is here
    to be measured (chapter `pitfalls`), not to be used.

    Parameters
    ----------
    n_scans : scans of one echo, over all runs.
    test_share : share of echo 3's scans that test.
    validation_share : share of the scans of echoes 1 and 2 that choose the alpha.
    seed : of the random draws.

    Examples
    --------
    >>> split = published_split(100)
    >>> len(split.train), len(split.validation), len(split.test)
    (160, 40, 10)
    """
    if not (0 < test_share <= 1 and 0 < validation_share < 1):
        raise ValueError(f"shares are above 0 and at most 1: test {test_share}, validation {validation_share}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(2 * n_scans)
    n_validation = round(validation_share * 2 * n_scans)
    test = 2 * n_scans + rng.choice(n_scans, max(2, round(test_share * n_scans)), replace=False)
    return PublishedSplit(np.sort(order[n_validation:]), np.sort(order[:n_validation]), np.sort(test))
