"""How well could any model do? The part of a response that others share, or that comes again."""

import numpy as np

from brainbook.encoding.delays import run_slices
from brainbook.encoding.scores import correlation, fisher_mean


def noise_ceiling(responses: np.ndarray, runs: np.ndarray | None = None, *, keep: str = "mean") -> np.ndarray:
    """How well the other participants' mean response follows each participant's: leave one participant out.

    A stimulus model can only predict what the stimulus caused, which is what participants who heard the same share. (A
    participant's own way of responding to the stimulus could be predicted beyond this, so it is a ceiling for what is
    common, not for everything.)

    Parameters
    ----------
    responses : array [participants, scans, targets], cleaned. NaN marks what a participant lacks.
    runs : array [scans]; given, r is taken in every run and averaged by Fisher's z, as encoding scores are.
    keep : "mean" for the mean over participants, "each" for every participant's own.

    Returns
    -------
    array [targets], or [participants, targets] with keep="each": correlations. Compare an encoding score of one
    participant with that participant's own ceiling.

    Source: as the inter-subject correlation of Hasson et al. (2004); Nastase et al. (2019), SCAN 14, 667-685.
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
    array [targets]: the reliability of a HALF group's mean. `stretch` turns it into that of the whole group.
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


def _participants(responses, what="participants"):
    responses = np.asarray(responses)
    if responses.ndim != 3 or len(responses) < 2:
        raise ValueError(f"a ceiling needs [{what}, scans, targets] with two {what} or more, not {responses.shape}")
    return responses


def _by_run(one, two, runs):
    if runs is None:
        return correlation(one, two)
    return fisher_mean(np.stack([correlation(one[part], two[part]) for part in run_slices(runs)]))
