"""How well could any model do? The part of a response that others share, or that comes again.

Three numbers that are easily taken for one another. With s the share of ONE participant's variance that all
participants have in common, so that the average of n of them has the reliability R_n = n s / (1 + (n - 1) s):

    reliability of halves    R = R_n of two averages of n: how they correlate with each other   (`group_ceiling`)
    inter-subject correlation  sqrt(s R_(n-1)): one participant with the mean of n - 1 others   (`noise_ceiling`)
    a perfect model's r      sqrt(R_n) with an average of n, sqrt(s) with one participant    (`largest_r`, `perfect_r`)

Only the last is a bound on the r of a model of the stimulus, and only for what participants have in common: a model
trained on one participant may also predict a response to the stimulus that is that participant's alone.

Where one participant heard a story several times, repetitions stand in the place of participants and the bound is of
whatever comes again, that participant's own part included (`explainable_variance`, `split_half`, `repeat_ceiling`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainbook.stats.frames import TargetNames, target_frame
from brainbook.stats.scores import correlation, fisher_mean


def noise_ceiling(responses: np.ndarray, runs: np.ndarray | None = None, *, keep: str = "mean") -> np.ndarray:
    """Compute the inter-subject correlation: each participant with the mean of the others.

    It is no bound: the others' mean is noisy too, so that a model that knows what all have in common does better, by a
    factor of 1 / sqrt(R_(n-1)) (`perfect_r`): where 35 participants have 1.9% in common, .137 against .086.

    Parameters
    ----------
    responses : array [participants, scans, targets], cleaned. NaN marks responses that a participant lacks.
    runs : array [scans]; given, r is taken in every run and averaged by Fisher's z, as encoding scores are.
    keep : "mean" for the mean over participants, "each" for every participant's own.

    Returns
    -------
    array [targets], or [participants, targets] with keep="each": correlations.

    Source: Hasson et al. (2004), Science 303, 1634-1640; Nastase et al. (2019), SCAN 14, 667-685.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> responses = rng.standard_normal((2000, 1)) + rng.standard_normal((5, 2000, 1))  # half of the variance is shared
    >>> noise_ceiling(responses).round(1)
    array([0.6])
    """
    if keep not in ("mean", "each"):
        raise ValueError(f'keep is "mean" or "each", not {keep!r}')
    responses = _checked(responses)
    known = np.isfinite(responses)
    total, count = np.where(known, responses, 0).sum(0, dtype=float), known.sum(0)
    each = []
    for own, present in zip(responses, known, strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            others = (total - np.where(present, own, 0)) / (count - present)
        each.append(_by_run(others, own, runs))
    return np.stack(each) if keep == "each" else fisher_mean(np.stack(each))


def group_ceiling(
    responses: np.ndarray, runs: np.ndarray | None = None, *, n_halvings: int = 20, seed: int = 0
) -> np.ndarray:
    """Compute how well the mean of one half of the participants follows that of the other, over random halvings.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    runs : array [scans] or None, as in `noise_ceiling`.
    n_halvings : random halvings averaged (Fisher's z).
    seed : of the halvings.

    Returns
    -------
    array [targets]: the reliability of a HALF group's mean. `spearman_brown` turns it into that of the whole group, and
    `largest_r` into what a model can reach; it is no bound on r itself.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> responses = rng.standard_normal((2000, 1)) + rng.standard_normal((6, 2000, 1))
    >>> group_ceiling(responses).round(2)  # 3 / (3 + 1): halves of three
    array([0.75])
    """
    responses = _checked(responses)
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(n_halvings):
        order = rng.permutation(len(responses))
        half = len(order) // 2
        first, second = (np.nanmean(responses[rows], axis=0) for rows in (order[:half], order[half : 2 * half]))
        scores.append(_by_run(first, second, runs))
    return fisher_mean(np.stack(scores))


@dataclass(frozen=True)
class RepeatCeiling:
    """What `repeat_ceiling` returns; arrays [targets].

    Attributes
    ----------
    explainable_variance : share of ONE repetition's variance that comes again, bias corrected.
    split_half : reliability of the mean of all repetitions, from halves of them.
    single, mean : the r that a perfect model of what comes again reaches with one repetition, and with their mean.
    """

    explainable_variance: np.ndarray
    split_half: np.ndarray
    single: np.ndarray
    mean: np.ndarray

    def to_frame(self, targets: TargetNames = None) -> pd.DataFrame:
        """Return one row per target: its columns (see `name_targets`), then a column for each attribute."""
        return target_frame(targets, {}, **vars(self))


def repeat_ceiling(repeats: np.ndarray, *, seed: int = 0) -> RepeatCeiling:
    """Compute the noise ceilings of responses to a story that was heard several times.

    Parameters
    ----------
    repeats : array [repetitions, scans, targets], two repetitions or more.
    seed : of the halvings.

    Returns
    -------
    RepeatCeiling. `single` is the root of the explainable variance s, `mean` that of n s / (1 + (n - 1) s); 0 where s
    is not above 0. The root makes of noise around 0 something above 0: for a set of targets take the root of their
    mean s (`largest_r(s.mean(), n)`).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> repeats = rng.standard_normal((2000, 1)) + rng.standard_normal((5, 2000, 1))
    >>> ceiling = repeat_ceiling(repeats)
    >>> ceiling.single.round(2), ceiling.mean.round(2)
    (array([0.71]), array([0.91]))
    """
    share = explainable_variance(repeats)
    return RepeatCeiling(share, split_half(repeats, seed=seed), largest_r(share), largest_r(share, len(repeats)))


def explainable_variance(repeats: np.ndarray, *, corrected: bool = True) -> np.ndarray:
    """Compute the share of the variance of one repetition that comes again in the others.

    Parameters
    ----------
    repeats : array [repetitions, scans, targets]; each repetition is z-scored first. A target that is constant or has
        a value that is not finite in one of them gets NaN.
    corrected : take out what the mean of n repetitions keeps of the noise. Without, noise alone gives 1 / n.

    Returns
    -------
    array [targets]: 1 - var(repetition - mean) / var(repetition); corrected it is unbiased and may be below 0.

    Source: Sahani & Linden (2003), NIPS 15; Hsu, Borst & Theunissen (2004), Network 15, 91-109. The correction is that
    of the voxelwise tutorials (Dupré la Tour et al. 2025), V - (1 - V) / (n - 1).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> story = rng.standard_normal((2000, 1))
    >>> repeats = story + rng.standard_normal((5, 2000, 1))  # half of the variance is the story's
    >>> explainable_variance(repeats).round(1)
    array([0.5])
    """
    repeats = _checked(repeats, "repetitions")
    total = np.zeros(repeats.shape[1:])
    for repetition in repeats:  # one at a time: nothing of the size of all of them is copied
        values = np.asarray(repetition, float)
        with np.errstate(invalid="ignore", divide="ignore"):
            total += (values - values.mean(0)) / values.std(0)
    n = len(repeats)
    share = (total / n).var(0)
    return share - (1 - share) / (n - 1) if corrected else share


def split_half(repeats: np.ndarray, *, n_halvings: int = 20, seed: int = 0) -> np.ndarray:
    """Compute the reliability of the mean of all repetitions from the correlation of halves of them.

    Parameters
    ----------
    repeats : array [repetitions, scans, targets].
    n_halvings, seed : random halvings that are averaged. Of an odd number one repetition is left out of each.

    Returns
    -------
    array [targets]: the mean correlation of two halves, stepped up from the size of a half to all repetitions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> repeats = rng.standard_normal((2000, 1)) + rng.standard_normal((4, 2000, 1))
    >>> split_half(repeats).round(1)  # 4 / (4 + 1)
    array([0.8])
    """
    repeats = _checked(repeats, "repetitions")
    n = len(repeats)
    n_halvings = n_halvings if n > 2 else 1  # two repetitions have one halving only
    return spearman_brown(group_ceiling(repeats, n_halvings=n_halvings, seed=seed), n / (n // 2))


def spearman_brown(reliability: np.ndarray, times: float) -> np.ndarray:
    """Return the reliability of a mean over `times` as many participants or repetitions (Spearman 1910, Brown 1910).

    Examples
    --------
    >>> spearman_brown(np.array([0.5]), times=2).round(2)
    array([0.67])
    """
    reliability = np.asarray(reliability, float)
    return times * reliability / (1 + (times - 1) * reliability)


def largest_r(reliability: np.ndarray, times: float = 1.0) -> np.ndarray:
    """Return the r that a perfect model of what participants share reaches, from the reliability of an average.

    Parameters
    ----------
    reliability : array, correlation of two averages of n participants each (`group_ceiling`).
    times : of how many times n participants the average is that is predicted: 1 for such a half, 2 for both halves
        together, 1 / n for a single participant.

    Returns
    -------
    array: sqrt(R) with times=1, sqrt(2 R / (1 + R)) with times=2; 0 where the reliability is not above 0.

    Examples
    --------
    >>> largest_r(np.array([0.75]), times=2).round(2)
    array([0.93])
    """
    return np.sqrt(spearman_brown(np.clip(reliability, 0, None), times))


def perfect_r(intersubject: np.ndarray, n_participants: int) -> np.ndarray:
    """Return the r that a perfect model of what participants share reaches in ONE of them.

    Parameters
    ----------
    intersubject : array, mean correlation of a participant with the mean of all others (`noise_ceiling`). Average it
        over targets first where it is noisy: the root makes of noise around 0 something above 0.
    n_participants : the participant and the others, two or more.

    Returns
    -------
    array: sqrt(s), where s solves L^2 = s (n - 1) s / (1 + (n - 2) s); 0 where L is not above 0.

    Examples
    --------
    >>> perfect_r(np.array([0.2]), n_participants=10).round(2)
    array([0.29])
    """
    n = n_participants
    if n < 2:
        raise ValueError(f"an inter-subject correlation is of two participants or more, not {n}")
    square = np.clip(intersubject, 0, None) ** 2
    return np.sqrt((square * (n - 2) + np.sqrt((square * (n - 2)) ** 2 + 4 * (n - 1) * square)) / (2 * (n - 1)))


def _checked(responses: np.ndarray, of: str = "participants") -> np.ndarray:
    responses = np.asarray(responses)
    if responses.ndim != 3 or len(responses) < 2:
        raise ValueError(f"a ceiling needs [{of}, scans, targets] with two {of} or more, not {responses.shape}")
    return responses


def _by_run(first: np.ndarray, second: np.ndarray, runs: np.ndarray | None) -> np.ndarray:
    if runs is None:
        return correlation(first, second)
    by_run = [np.asarray(runs) == run for run in np.unique(runs)]
    return fisher_mean(np.stack([correlation(first[scans], second[scans]) for scans in by_run]))
