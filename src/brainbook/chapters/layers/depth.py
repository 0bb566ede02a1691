"""Helpers of the chapter `hemispheres_and_layers`: how deep in the model, and what fine-tuning does to it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brainbook.chapters.hemispheres.group_scores import GroupScores, told, verdict
from brainbook.chapters.shared import Features
from brainbook.errors import ConfigurationError
from brainbook.stats import Interval, fdr, mean_interval
from brainbook.stats.layer_preference import (
    choice_stability,
    depth_interval,
    edge_advantage,
    layers_alike_test,
    most_frequent_layer,
    moved_to_edges,
)


def depth_by_region(
    listeners: GroupScores, columns: pd.DataFrame, predicted: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """What can be said of each region's layers.

    Columns: region, hemisphere, value (mean over participants and layers), layer (the one most training runs choose),
    stability (probability that two folds agree on it), depth with lower and upper (centre of mass and its interval, in
    layers), p_alike and q_alike (all layers predict it equally well; q corrected over predicted regions), predicted.
    """
    depth = depth_interval(listeners.profiles)
    p = layers_alike_test(listeners.profiles, seed=seed)[1]
    q = np.full(len(p), np.nan)
    q[predicted], q[~predicted] = fdr(p[predicted]), fdr(p[~predicted])
    return columns[["region", "hemisphere"]].assign(
        value=listeners.profiles.mean(axis=(0, 1)),
        layer=most_frequent_layer(listeners.chosen, listeners.n_layers)[0],
        stability=choice_stability(listeners.chosen).mean(axis=0),
        depth=depth.estimate, lower=depth.lower, upper=depth.upper, p_alike=p, q_alike=q, predicted=predicted,
    )  # fmt: skip


EDGES = {
    "share": "share of choices that are the first or last layer",
    "distance": "distance of the chosen layer from the middle (0 to 1)",
    "advantage": "r of the first and last layer less r of those between",
}


def edges_change(before: GroupScores, after: GroupScores, regions: np.ndarray) -> pd.DataFrame:
    """Does preference move to the first and the last layers? Three measures, after less before, over participants.

    Parameters
    ----------
    before, after : participants who chose among the same layers. The paper's first layer is the first one AFTER the
        embedding: listeners among whose layers the embedding is are refused (ConfigurationError).
    regions : bool array, those that count.

    Returns
    -------
    DataFrame: measure, before, after (means over participants), value (change), lower, upper, p.
    """
    if before.layers != after.layers or after.first != 1:
        raise ConfigurationError(
            f"the first layer is layer 1, the first after the embedding: before has {before.layers}, after "
            f"{after.layers}. Score the layers without the embedding: GroupScores.of(scores, first=1)"
        )
    n = after.n_layers
    moved = moved_to_edges(before.chosen[..., regions], after.chosen[..., regions], n)
    levels = {}
    for name, listeners in (("before", before), ("after", after)):
        chosen, middle = listeners.chosen[..., regions], (n - 1) / 2
        levels[name] = {
            "share": np.mean((chosen == 0) | (chosen == n - 1)),
            "distance": np.mean(np.abs(chosen - middle) / middle),
            "advantage": edge_advantage(listeners.profiles[..., regions]).mean(),
        }
    advantages = [edge_advantage(listeners.profiles[..., regions]).mean(axis=1) for listeners in (before, after)]
    moved["advantage"] = mean_interval(advantages[1] - advantages[0])
    rows = [
        interval.table(measure=[name], before=levels["before"][name], after=levels["after"][name])
        for name, interval in moved.items()
    ]
    return pd.concat(rows, ignore_index=True)


def read_edges(claim: pd.DataFrame, n_blocks: int, n_named: int) -> str:
    """What `edges_change` says of the sentence on first and last layers, in words.

    claim : its rows by measure. n_blocks : layers after the embedding. n_named : how many the paper looks at.
    """
    share, advantage = claim.loc["share"], claim.loc["advantage"]
    return (
        f"The first or the last layer is chosen in {share.before:.0%} of the cases before and {share.after:.0%} after "
        f"(drawing lots: {2 / n_blocks:.0%}). The share changes by {told(share)}, which {verdict(share)} the sentence; "
        f"the advantage of the edges changes by {told(advantage)}, which {verdict(advantage)} it. Two warnings go with "
        "any such figure. Where layers are nearly alike, noise picks the ends of a slope: a region whose scores rise "
        f"or fall ever so slightly over layers prefers an edge. And with {n_named} layers looked at, as in the paper, "
        f"two of {n_named} *are* the edges: {2 / n_named:.0%} by drawing lots."
    )


def without_embedding(features: Features) -> Features:
    """The same features without layer 0."""
    return Features(features.values[1:], features.run_of_scan)


PUBLISHED_LAYERS, PUBLISHED_DEPTH = (1, 4, 12, 16, 24), 24


def at_same_depth(named: Sequence[int], n_layers: int, of: int = PUBLISHED_DEPTH) -> list[int]:
    """Layers `named` of a model of `of` layers, in one of `n_layers` (the embedding not counted): [1 .. n_layers].

    A shallow model has fewer: layers 1, 4, 12, 16 and 24 of 24 are 1, 3, 4 and 6 of 6.
    """
    if not all(1 <= layer <= of for layer in named):
        raise ConfigurationError(f"layers {list(named)}: name those after the embedding, 1 to {of}")
    return sorted({max(1, int(layer * n_layers / of + 0.5)) for layer in named})


def choice_shares(listeners: GroupScores, regions: np.ndarray) -> pd.DataFrame:
    """Share of all participants' and runs' choices that fall on each layer: layer, value with lower and upper.

    The interval is over participants.
    """
    chosen = listeners.chosen[..., regions]
    share = np.stack([np.mean(chosen == layer, axis=(1, 2)) for layer in range(listeners.n_layers)], axis=1)
    return mean_interval(share).table(layer=listeners.layers).drop(columns="p")


def profile_table(profiles: np.ndarray, members: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Scores by layer of sets of regions, with intervals over participants: series, layer, value, lower, upper.

    `profiles` : array [participants, layers, regions].
    """
    rows = []
    for name, chosen in members.items():
        if chosen.any():
            found = mean_interval(np.nanmean(profiles[..., chosen], axis=-1))
            rows.append(found.table(series=name, layer=range(profiles.shape[1])).drop(columns="p"))
    return pd.concat(rows, ignore_index=True)


def what_depth_adds(profiles: np.ndarray, members: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean score over the upper half of the layers less the embedding's, with an interval over participants.

    Columns: label, value, lower, upper, p.
    """
    upper = slice(profiles.shape[1] // 2, None)
    added = profiles[:, upper].mean(axis=1) - profiles[:, 0]
    rows = [mean_interval(added[:, chosen].mean(axis=1)).table(label=[name]) for name, chosen in members.items()]
    return pd.concat(rows, ignore_index=True)


def depth_order(profiles: np.ndarray, members: Mapping[str, np.ndarray]) -> Interval:
    """Does depth add more, the deeper the driver? Gain in r from one driver to the next, over participants.

    Parameters
    ----------
    profiles : array [participants, layers, regions].
    members : driver -> bool array [regions], in the order in which they should lie, from shallow to deep.

    Returns
    -------
    Interval of the slope of what depth adds (see `what_depth_adds`) over the drivers' places, a line a participant.
    """
    upper = slice(profiles.shape[1] // 2, None)
    added = profiles[:, upper].mean(axis=1) - profiles[:, 0]
    by_driver = np.stack([added[:, chosen].mean(axis=1) for chosen in members.values()])  # drivers, participants
    return mean_interval(np.polyfit(np.arange(len(by_driver)), by_driver, 1)[0])


def fine_tuned(model: str, transfer: Mapping, seed: int = 0, cache: str = "cache", device: str = "auto") -> str:
    """The folder of `model` after pair matching; the chapter on transfer keeps the same one under the same settings.

    `transfer` : {"pairs": number a language, "second": languages, "settings": of TransferSettings}, and "sentences" and
    "passage" as in `brainbook.chapters.transfer.pairs.sentence_pairs` (the phantom's when they are not there).
    """
    from brainbook.chapters.transfer.pairs import sentence_pairs
    from brainbook.language_models.sentence_matching.transfer import TransferSettings, transferred

    unknown = set(transfer) - {"pairs", "second", "settings", "sentences", "passage"}
    if unknown or not {"pairs", "second"} <= set(transfer):
        raise ConfigurationError(
            f"transfer={dict(transfer)!r}: give pairs and second, perhaps settings, sentences, passage, nothing else"
        )
    told = transfer.get("sentences", "phantom"), transfer["pairs"], list(transfer["second"]), seed
    pairs = sentence_pairs(*told, transfer.get("passage", 2))
    settings = TransferSettings(**{**transfer.get("settings", {}), "seed": seed})
    return str(transferred(model, pairs["random"], settings, cache, device))
