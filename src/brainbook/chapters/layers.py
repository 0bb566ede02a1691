"""What the chapter `layers` needs beyond the library: how deep in the model, and what training does to it."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.group_scores import GroupScores
from brainbook.chapters.shared import Features
from brainbook.encoding import BorderWarning, CrossValidation, cross_validate
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

PUBLISHED_DEPTH = 24  # layers of the published models after the embedding
EDGES = {
    "share": "share of choices that are the first or last layer",
    "distance": "distance of the chosen layer from the middle (0 to 1)",
    "advantage": "r of the first and last layer less r of those between",
}
OWN, SHARED = "each its own", "shared by region"


def without_embedding(features: Features) -> Features:
    """Return the same features without layer 0."""
    return replace(features, values=features.values[1:])


def at_same_depth(named: Sequence[int], n_layers: int, of: int = PUBLISHED_DEPTH) -> list[int]:
    """Return the layers that lie as deep in a model of `n_layers` as `named` in one of `of`; the embedding not counted.

    A shallow model has fewer: layers 1, 4, 12, 16 and 24 of 24 are 1, 3, 4 and 6 of 6.
    """
    if not all(1 <= layer <= of for layer in named):
        raise ConfigurationError(f"layers {list(named)}: name those after the embedding, 1 to {of}")
    return sorted({max(1, int(layer * n_layers / of + 0.5)) for layer in named})


def profile_table(profiles: np.ndarray, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Average scores by layer over sets of regions, with intervals over participants.

    `profiles` : array [participants, layers, regions]. Columns: series, layer, value, lower, upper.
    """
    tables = [
        mean_interval(np.nanmean(profiles[..., mask], axis=-1)).to_frame(series=name, layer=range(profiles.shape[1]))
        for name, mask in masks.items()
        if mask.any()
    ]
    return pd.concat(tables, ignore_index=True).drop(columns="p")


def depth_by_region(
    group_scores: GroupScores, columns: pd.DataFrame, predicted: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Describe each region's layers: preferred layer, stability, depth, and a test that all layers are alike.

    Columns: region, hemisphere, value (mean over participants and layers), layer (the one most training runs choose),
    stability (probability that two folds agree on it), depth with lower and upper (centre of mass and its interval, in
    layers), p_alike and q_alike (all layers predict it equally well; q corrected over predicted regions), predicted.
    """
    depth = depth_interval(group_scores.profiles)
    p = layers_alike_test(group_scores.profiles, seed=seed)[1]
    q = np.full(len(p), np.nan)
    q[predicted], q[~predicted] = fdr(p[predicted]), fdr(p[~predicted])
    return columns[["region", "hemisphere"]].assign(
        value=group_scores.profiles.mean(axis=(0, 1)),
        layer=most_frequent_layer(group_scores.chosen, group_scores.n_layers)[0],
        stability=choice_stability(group_scores.chosen).mean(axis=0),
        depth=depth.estimate,
        lower=depth.lower,
        upper=depth.upper,
        p_alike=p,
        q_alike=q,
        predicted=predicted,
    )


def choice_shares(group_scores: GroupScores, regions: np.ndarray) -> pd.DataFrame:
    """Compute the share of choices that fall on each layer: layer, value with lower and upper over participants."""
    return mean_interval(_shares(group_scores, regions)).to_frame(layer=group_scores.layers).drop(columns="p")


def _shares(group_scores: GroupScores, regions: np.ndarray) -> np.ndarray:
    """Each participant's shares of choices, over runs and regions: array [participants, layers]."""
    chosen = group_scores.chosen[..., regions]
    return np.stack([(chosen == layer).mean(axis=(1, 2)) for layer in range(group_scores.n_layers)], axis=1)


def edges_change(before: GroupScores, after: GroupScores, regions: np.ndarray) -> pd.DataFrame:
    """Test whether preference moves to the first and the last layers: three measures, after less before.

    Parameters
    ----------
    before, after : participants who chose among the same layers. The paper's first layer is the first one AFTER the
        embedding: scores among whose layers the embedding is are refused (ConfigurationError).
    regions : bool array, those that count.

    Returns
    -------
    DataFrame: measure (of `EDGES`), before, after (means over participants), value (change), lower, upper, p.
    """
    if before.layers != after.layers or after.first != 1:
        raise ConfigurationError(
            f"the first layer is layer 1, the first after the embedding: before has {before.layers}, after "
            f"{after.layers}. Score the layers without the embedding: GroupScores.of(scores, first=1)"
        )
    n, stages = after.n_layers, (before, after)
    chosen = [stage.chosen[..., regions] for stage in stages]
    advantage = [edge_advantage(stage.profiles[..., regions]).mean(axis=1) for stage in stages]
    levels = {
        "share": [np.mean((layer == 0) | (layer == n - 1)) for layer in chosen],
        "distance": [np.mean(np.abs(2 * layer / (n - 1) - 1)) for layer in chosen],
        "advantage": [values.mean() for values in advantage],
    }
    changes = moved_to_edges(chosen[0], chosen[1], n) | {"advantage": mean_interval(advantage[1] - advantage[0])}
    tables = [
        changes[name].to_frame(measure=[name], before=first, after=second) for name, (first, second) in levels.items()
    ]
    return pd.concat(tables, ignore_index=True)


def last_layer_advantage(group_scores: GroupScores, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """'Visual regions are tied to the last layer': r of the last layer less the mean of the others, by group.

    And the same in the visual group less all other regions, for a last layer that is good everywhere ties nobody.
    Columns: sentence, who, value, lower, upper, p.
    """
    profiles, visual = group_scores.profiles, masks["visual"]
    advantage = profiles[:, -1] - profiles[:, :-1].mean(axis=1)  # participants, regions
    inside, outside = (advantage[:, mask].mean(axis=1) for mask in (visual, ~visual))
    values = mean_interval(np.column_stack([inside, inside - outside]))
    who = ["visual group", "visual less other regions"]
    return values.to_frame(sentence="visual regions are tied to the last layer", who=who)


def diversity_change(before: GroupScores, after: GroupScores, regions: np.ndarray) -> pd.DataFrame:
    """'The diversity of layers becomes concentrated': how many layers' worth of choices there are, before less after.

    The number is exp(entropy) of each participant's shares of choices: 1 where all fall on one layer, the number of
    layers where all are chosen alike. Columns as of `last_layer_advantage`.
    """
    fewer = effective_layers(before, regions) - effective_layers(after, regions)
    return mean_interval(fewer).to_frame(sentence="the diversity of layers becomes concentrated", who=["all"])


def effective_layers(group_scores: GroupScores, regions: np.ndarray) -> np.ndarray:
    """Compute exp(entropy) of each participant's choices over layers, array [participants]."""
    return np.exp(stats.entropy(_shares(group_scores, regions), axis=1))


def depth_gain(profiles: np.ndarray, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Compute the mean score over the upper half of the layers less the embedding's, over participants.

    Columns: label, value, lower, upper, p.
    """
    return mean_interval(_gain_of_masks(profiles, masks)).to_frame(label=list(masks))


def depth_order(profiles: np.ndarray, masks: Mapping[str, np.ndarray]) -> Interval:
    """Test whether depth adds more, the deeper the driver: gain in r from one driver to the next, over participants.

    Parameters
    ----------
    profiles : array [participants, layers, regions].
    masks : driver -> bool array [regions], in the order in which they should lie, from shallow to deep.

    Returns
    -------
    Interval of the slope of what depth adds (see `depth_gain`) over the drivers' ranks, a line for each participant.
    """
    gain = _gain_of_masks(profiles, masks)
    return mean_interval(np.polyfit(np.arange(gain.shape[1]), gain.T, 1)[0])


def _gain_of_masks(profiles: np.ndarray, masks: Mapping[str, np.ndarray]) -> np.ndarray:
    gain = profiles[:, profiles.shape[1] // 2 :].mean(axis=1) - profiles[:, 0]
    return np.stack([gain[:, mask].mean(axis=1) for mask in masks.values()], axis=1)  # participants, masks


def encode_vertices(
    features: Features,
    responses: np.ndarray,
    layer: int | None = None,
    alpha_groups: np.ndarray | None = None,
    device: str = "auto",
) -> CrossValidation:
    """Fit every vertex of one participant by `cross_validate`; nothing warns that unpredicted ones take any penalty.

    `responses` : array [scans, vertices]. `layer` : the only one that is fitted; None for all.
    """
    values = features.values if layer is None else features.values[layer]
    options: dict[str, Any] = {"delays": features.delays, "trim": features.trim, "alpha_groups": alpha_groups}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BorderWarning)
        return cross_validate(values, responses, features.run_of_scan, device=device, **options)


def compare_penalties(fits: Mapping[str, CrossValidation], significant: np.ndarray) -> pd.DataFrame:
    """Compare scores of the same vertices under several ways of choosing penalties.

    Parameters
    ----------
    fits : name -> fit of one feature space to the same vertices.
    significant : bool array [vertices], those of regions that the features predict.

    Returns
    -------
    DataFrame, one row per fit: penalties (its name), vertices (how many have a score in all fits), mean_r over these,
    mean_r_significant (NaN where there are none), median_penalty.
    """
    scored = np.all([np.isfinite(fit.scores) for fit in fits.values()], axis=0)
    both = scored & significant
    return pd.DataFrame(
        {
            "penalties": name,
            "vertices": scored.sum(),
            "mean_r": fit.scores[scored].mean(),
            "mean_r_significant": fit.scores[both].mean() if both.any() else np.nan,
            "median_penalty": np.median(fit.best_alphas[:, scored]),
        }
        for name, fit in fits.items()
    )
