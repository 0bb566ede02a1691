"""How deep in a model does a region look? Layers chosen without test scores, and tests of what is said about layers.

`cross_validate` with several layers gives what these functions take: `fold_scores` [layers, folds, targets], and
`chosen_layer()` [folds, targets], the layer that each fold's training runs prefer. Choosing the layer by the scores
that are then reported picks the luckiest of many and calls it the best.

Participants are the unit of every test: folds share training scans, so that tests over folds call too much significant.
"""

import itertools

import numpy as np

from brainbook.stats.intervals import Interval, mean_interval, paired_interval
from brainbook.stats.significance import MOST_FLIPS, sign_flip_test


def most_frequent_layer(chosen: np.ndarray, n_layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the layer that most folds choose for a target, and the share of them that do.

    chosen : int array [..., targets], layers chosen inside training runs, over folds and perhaps participants.
    Returns two arrays [targets]; of layers chosen equally often, the lowest. For saying which layer a target prefers,
    not for scoring it: a score takes each fold's own choice.
    """
    chosen = np.asarray(chosen)
    counts = (chosen.reshape(-1, chosen.shape[-1])[None] == np.arange(n_layers)[:, None, None]).mean(axis=1)
    return counts.argmax(axis=0), counts.max(axis=0)


def choice_stability(chosen: np.ndarray) -> np.ndarray:
    """Compute how likely two different folds choose the same layer: array [..., folds, targets] -> [..., targets].

    1 is perfect agreement. Folds share most of their training scans, so that even a choice of pure noise agrees more
    often than 1 / layers: compare with targets that nothing drives.
    """
    folds = np.moveaxis(np.asarray(chosen), -2, 0)
    if len(folds) < 2:
        raise ValueError("stability needs two folds or more")
    return np.mean([first == second for first, second in itertools.combinations(folds, 2)], axis=0)


def centre_of_mass(scores: np.ndarray, axis: int = 0) -> np.ndarray:
    """Compute depth as a number: the mean layer, each weighted by how far its score exceeds the lowest layer's.

    scores : array with layers along `axis`, the embedding first. Returns values between 0 and layers - 1, NaN where all
    layers score alike. It says where the profile is high without choosing one layer. Noise pulls it to the middle: a
    target that no layer predicts has a depth near (layers - 1) / 2, with an interval to show it.
    """
    scores = np.moveaxis(np.asarray(scores, float), axis, -1)
    weights = scores - scores.min(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights @ np.arange(scores.shape[-1]) / weights.sum(axis=-1)


def depth_interval(scores: np.ndarray, level: float = 0.95) -> Interval:
    """Compute the depth of the profile that participants share, with a jackknife interval over participants.

    scores : array [participants, layers, ...]. The depth is taken of the mean profile, because those of single noisy
    profiles all lie near the middle; leaving out one participant at a time says how sure it is.
    """
    scores = np.asarray(scores, float)
    n = len(scores)
    if n < 2:
        raise ValueError("an interval over participants needs two or more of them")
    depth = centre_of_mass(scores.mean(axis=0))
    without = np.stack([centre_of_mass(np.delete(scores, i, axis=0).mean(axis=0)) for i in range(n)])
    pseudo = mean_interval(n * depth - (n - 1) * without, level)
    half = (pseudo.upper - pseudo.lower) / 2
    last = scores.shape[1] - 1
    return Interval(depth, np.clip(depth - half, 0, last), np.clip(depth + half, 0, last))


def layers_alike_test(scores: np.ndarray, n_flips: int = MOST_FLIPS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Test whether all layers predict a target equally well.

    Parameters
    ----------
    scores : array [participants, layers, targets]: mean over runs of every layer, none chosen.
    n_flips, seed : see `sign_flip_test`.

    Returns
    -------
    statistic : array [targets], variance over layers of the mean profile.
    p : array [targets]. If all layers are alike, a participant's profile around its own mean is as likely as its mirror
        image; so the signs of whole profiles are flipped, participant by participant. Neighbouring layers, which score
        nearly alike, stay together (shuffling the layers would not keep that). The smallest p is
        1 / 2^(participants - 1): six participants are needed for p < .05.
    """
    scores = np.asarray(scores, float)
    profiles = scores - scores.mean(axis=1, keepdims=True)

    def variance(values: np.ndarray, axis: int) -> np.ndarray:  # values [..., layers, targets, participants]
        return (values.mean(axis=axis) ** 2).mean(axis=-2)

    p = sign_flip_test(profiles, variance, alternative="greater", n_flips=n_flips, seed=seed)
    statistic = (profiles.mean(axis=0) ** 2).mean(axis=0)
    return statistic, np.where(np.isfinite(statistic), p, np.nan)


def edge_preference(chosen: np.ndarray, n_layers: int, first: int = 0) -> np.ndarray:
    """Return 1 where a chosen layer is the first or the last, else 0, as floats of the shape of `chosen`.

    first : the layer that counts as the first (1 leaves the embedding, layer 0, out of the count of edges).
    """
    chosen = np.asarray(chosen, float)
    return np.where(np.isnan(chosen), np.nan, (chosen == first) | (chosen == n_layers - 1))


def edge_distance(depth: np.ndarray, n_layers: int) -> np.ndarray:
    """Return how far a layer or a depth lies from the middle: 0 in the middle, 1 at the first or the last layer."""
    middle = (n_layers - 1) / 2
    return np.abs(np.asarray(depth, float) - middle) / middle


def edge_advantage(scores: np.ndarray, first: int = 0, axis: int = 1) -> np.ndarray:
    """Compute how much better the first and the last layer predict than the layers between, in units of the scores.

    Parameters
    ----------
    scores : array with layers along `axis`, such as [participants, layers, targets]; three layers or more.
    first : the layer that counts as the first (1 leaves the embedding, layer 0, out).

    Returns
    -------
    The array without that axis: mean of the first and the last layer less the mean of those between. Unlike a count of
    preferred layers it chooses nothing: where all layers are alike it is 0 and not a lot drawn among them.
    """
    scores = np.moveaxis(np.asarray(scores, float), axis, 0)[first:]
    if len(scores) < 3:
        raise ValueError("between the first and the last layer there must be another one: give three layers or more")
    return (scores[0] + scores[-1]) / 2 - scores[1:-1].mean(axis=0)


def moved_to_edges(
    before: np.ndarray, after: np.ndarray, n_layers: int, first: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Test whether preference moves to the first and the last layers, the sentence of Luo & Kobayashi.

    Parameters
    ----------
    before, after : arrays [participants, folds, targets] of layers that training runs chose, with the same
        participants, folds and targets under two models of the same number of layers.
    n_layers : of either model, the embedding counted.

    Returns
    -------
    {"share": ..., "distance": ...} : after - before, over participants, of the share of choices that are the first or
    last layer, and of the mean distance from the middle layer (0 to 1). Positive values agree with the sentence.
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape or before.ndim != 3:
        raise ValueError(f"before {before.shape} and after {after.shape} must both be [participants, folds, targets]")
    shares = [np.nanmean(edge_preference(chosen, n_layers, first), axis=(1, 2)) for chosen in (after, before)]
    distances = [np.nanmean(edge_distance(chosen, n_layers), axis=(1, 2)) for chosen in (after, before)]
    pairs = {"share": shares, "distance": distances}
    return {name: paired_interval(later, earlier, level) for name, (later, earlier) in pairs.items()}
