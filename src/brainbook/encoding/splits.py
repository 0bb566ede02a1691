"""Which scans train and which test."""

from typing import NamedTuple

import numpy as np

from brainbook.encoding.delays import run_slices


def leave_one_run_out(runs: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """One fold a run: the run tests, all the others train.

    Parameters
    ----------
    runs : array [scans], the run of every scan.

    Returns
    -------
    list of (training scans, test scans), two integer arrays, in the order of the runs' first scans.

    Raises
    ------
    ValueError : with a single run, which leaves nothing to train on (see `blocks_with_gaps`).
    """
    parts = run_slices(runs)
    if len(parts) < 2:
        raise ValueError("leave one run out needs two runs or more; for a single run use blocks_with_gaps")
    scans = np.arange(len(runs))
    return [(np.concatenate([scans[: part.start], scans[part.stop :]]), scans[part]) for part in parts]


def blocks_with_gaps(n_scans: int, n_blocks: int = 5, gap: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    """Contiguous blocks of a single run take turns as test; scans near the block do not train.

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
    """
    if not 2 <= n_blocks <= n_scans:
        raise ValueError(f"n_blocks must be between 2 and the {n_scans} scans, not {n_blocks}")
    if gap < 0:
        raise ValueError(f"gap must be 0 scans or more, not {gap}")
    scans = np.arange(n_scans)
    folds = []
    for test in np.array_split(scans, n_blocks):
        train = scans[(scans < test[0] - gap) | (scans > test[-1] + gap)]
        if len(train) < 2:
            raise ValueError(f"a gap of {gap} scans leaves nothing to train on: {n_scans} scans in {n_blocks} blocks")
        folds.append((train, test))
    return folds


class PublishedSplit(NamedTuple):
    """Rows of echo 1, echo 2 and echo 3 stacked one below the other, [3 x scans]."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def published_split(
    n_scans: int, test_share: float = 0.1, validation_share: float = 0.2, seed: int = 0
) -> PublishedSplit:
    """The split of the seed paper: echoes 1 and 2 train and validate (4 to 1), a random tenth of echo 3 tests.

    The three echoes are three readings of the same scan, so every test scan's noise was seen in training: this is here
    to be measured (chapter `pitfalls`), not to be used.

    Parameters
    ----------
    n_scans : scans of one echo, over all runs.
    test_share : share of echo 3's scans that test.
    validation_share : share of the scans of echoes 1 and 2 that choose the alpha.
    seed : of the random draws.
    """
    if not (0 < test_share <= 1 and 0 < validation_share < 1):
        raise ValueError(f"shares are above 0 and at most 1: test {test_share}, validation {validation_share}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(2 * n_scans)
    n_validation = round(validation_share * 2 * n_scans)
    test = 2 * n_scans + rng.choice(n_scans, max(2, round(test_share * n_scans)), replace=False)
    return PublishedSplit(np.sort(order[n_validation:]), np.sort(order[:n_validation]), np.sort(test))
