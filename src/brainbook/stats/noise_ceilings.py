"""How well could any model do? The part of a response that others share, or that comes again.

Three numbers that are easily taken for one another. With s the share of ONE participant's variance that all
participants have in common, so that the average of n of them has the reliability R_n = n s / (1 + (n - 1) s):

    reliability of halves    R = R_n of two averages of n: how they correlate with each other   (`group_ceiling`)
    inter-subject correlation  sqrt(s R_(n-1)): one participant with the mean of n - 1 others   (`noise_ceiling`)
    a perfect model's r      sqrt(R_n) with an average of n, sqrt(s) with one participant    (`largest_r`, `perfect_r`)

Only the last is a bound on the r of a model of the stimulus, and only for what participants have in common: a model
trained on one participant may also predict a response to the stimulus that is that participant's alone.
"""

import numpy as np

from brainbook.encoding.delays import run_slices
from brainbook.encoding.scores import correlation, fisher_mean


def noise_ceiling(responses: np.ndarray, runs: np.ndarray | None = None, *, keep: str = "mean") -> np.ndarray:
    """Inter-subject correlation: each participant with the mean of the others.

    It is no bound: the others' mean is noisy too, so that a model that knows what all have in common does better, by a
    factor of 1 / sqrt(R_(n-1)) (`perfect_r`): where 35 participants have 1.9% in common, .137 against .086.

    Parameters
    ----------
    responses : array [participants, scans, targets], cleaned. NaN marks what a participant lacks.
    runs : array [scans]; given, r is taken in every run and averaged by Fisher's z, as encoding scores are.
    keep : "mean" for the mean over participants, "each" for every participant's own.

    Returns
    -------
    array [targets], or [participants, targets] with keep="each": correlations.

    Source: Hasson et al. (2004), Science 303, 1634-1640; Nastase et al. (2019), SCAN 14, 667-685.
    """
    responses = _participants(responses)
    known = np.isfinite(responses)
    total, count = np.where(known, responses, 0).sum(0, dtype=float), known.sum(0)
    each = []
    for one, present in zip(responses, known, strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            others = (total - np.where(present, one, 0)) / (count - present)
        each.append(_by_run(others, one, runs))
    each = np.stack(each)
    if keep not in ("mean", "each"):
        raise ValueError(f'keep is "mean" or "each", not {keep!r}')
    return each if keep == "each" else fisher_mean(each)


def group_ceiling(
    responses: np.ndarray, runs: np.ndarray | None = None, *, n_halvings: int = 20, seed: int = 0
) -> np.ndarray:
    """How well the mean of one half of the participants follows the mean of the other half, over random halvings.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    runs : array [scans] or None, as in `noise_ceiling`.
    n_halvings : random halvings averaged (Fisher's z).
    seed : of the halvings.

    Returns
    -------
    array [targets]: the reliability of a HALF group's mean. `stretch` turns it into that of the whole group, and
    `largest_r` into what a model can reach; it is no bound on r itself.
    """
    responses = _participants(responses)
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(n_halvings):
        order = rng.permutation(len(responses))
        half = len(order) // 2
        means = [np.nanmean(responses[part], axis=0) for part in (order[:half], order[half : 2 * half])]
        scores.append(_by_run(*means, runs))
    return fisher_mean(np.stack(scores))


def split_half(repeats: np.ndarray, runs: np.ndarray | None = None) -> np.ndarray:
    """One participant's ceiling where the SAME stimulus was heard several times.

    Echoes of a scan are no repetitions: they share the scan's noise, and this ceiling would take that noise for signal.

    Parameters
    ----------
    repeats : array [repetitions, scans, targets].
    runs : array [scans] or None.

    Returns
    -------
    array [targets]: the largest r that a model of the stimulus can have with a single repetition, which is the square
    root of the mean correlation between repetitions (Schoppe et al. 2016, Frontiers in Comp. Neuroscience 10:10).
    """
    repeats = _participants(repeats, "repetitions")
    pairs = [
        _by_run(repeats[one], repeats[two], runs) for one in range(len(repeats)) for two in range(one + 1, len(repeats))
    ]
    return np.sqrt(np.clip(fisher_mean(np.stack(pairs)), 0, None))


def stretch(reliability: np.ndarray, times: float) -> np.ndarray:
    """Reliability of a mean over `times` as many participants or repetitions (Spearman 1910, Brown 1910)."""
    reliability = np.asarray(reliability, float)
    return times * reliability / (1 + (times - 1) * reliability)


def largest_r(reliability: np.ndarray, times: float = 1.0) -> np.ndarray:
    """The r that a perfect model of what participants share reaches, from the reliability of an average.

    Parameters
    ----------
    reliability : array, correlation of two averages of n participants each (`group_ceiling`).
    times : of how many times n participants the average is that is predicted: 1 for such a half, 2 for both halves
        together, 1 / n for a single participant.

    Returns
    -------
    array: sqrt(R) with times=1, sqrt(2 R / (1 + R)) with times=2; 0 where the reliability is not above 0.
    """
    return np.sqrt(stretch(np.clip(reliability, 0, None), times))


def perfect_r(intersubject: np.ndarray, n_participants: int) -> np.ndarray:
    """The r that a perfect model of what participants share reaches in ONE of them, from the inter-subject correlation.

    Parameters
    ----------
    intersubject : array, mean correlation of a participant with the mean of all others (`noise_ceiling`). Average it
        over targets first where it is noisy: the root makes of noise around 0 something above 0.
    n_participants : the participant and the others, two or more.

    Returns
    -------
    array: sqrt(s), where s solves L^2 = s (n - 1) s / (1 + (n - 2) s); 0 where L is not above 0.
    """
    n = n_participants
    if n < 2:
        raise ValueError(f"an inter-subject correlation is of two participants or more, not {n}")
    square = np.clip(intersubject, 0, None) ** 2
    return np.sqrt((square * (n - 2) + np.sqrt((square * (n - 2)) ** 2 + 4 * (n - 1) * square)) / (2 * (n - 1)))


def _participants(responses, what="participants"):
    responses = np.asarray(responses)
    if responses.ndim != 3 or len(responses) < 2:
        raise ValueError(f"a ceiling needs [{what}, scans, targets] with two {what} or more, not {responses.shape}")
    return responses


def _by_run(one, two, runs):
    if runs is None:
        return correlation(one, two)
    return fisher_mean(np.stack([correlation(one[part], two[part]) for part in run_slices(runs)]))
