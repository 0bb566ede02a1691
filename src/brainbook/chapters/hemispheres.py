"""What the chapter `hemispheres` needs beyond the library: regions beside published ones, and two sides compared."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters import published
from brainbook.chapters.group_scores import GroupScores
from brainbook.chapters.shared import Features, ParticipantScores, average_by
from brainbook.datasets.little_prince import reliability_by_region
from brainbook.datasets.little_prince_runs import PARTICIPANTS
from brainbook.encoding import prediction_covariance
from brainbook.stats import (
    Interval,
    amplitude_index,
    fdr,
    index_of_amplitudes,
    index_of_means,
    largest_r,
    laterality_index,
    mean_interval,
    paired_interval,
    score_after_fitting,
)

SIDES = ("lh", "rh")
OCCIPITAL = "occipital|cuneus|calcarine|Lingual|S_oc_"


def scores_of_named(scores: Mapping[str, ParticipantScores], names: Sequence[str]) -> dict[tuple[str, str], np.ndarray]:
    """Return the mean r [regions] of named participants: {(language, name): r}; those not scored are left out."""
    return {
        (language, name): part.mean_scores[part.participants.index(name)]
        for language, part in scores.items()
        for name in names
        if name in part.participants
    }


def rank_regions(scores: Mapping[str, np.ndarray], columns: pd.DataFrame) -> pd.DataFrame:
    """Rank the regions of each language from the best to the worst.

    `scores` : language -> r [regions]. Columns: language, rank, region, hemisphere, pearson_r, and those of
    `possible_r`.
    """
    names = ["language", "rank", "region", "hemisphere", "pearson_r", "reliability", "group", "participant"]
    tables = []
    for language, r in scores.items():
        table = columns[["region", "hemisphere"]].assign(language=language, pearson_r=r)
        table = table.sort_values("pearson_r", ascending=False, kind="stable", ignore_index=True)
        tables.append(table.assign(rank=table.index + 1).merge(possible_r([language]), how="left")[names])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=names)


def possible_r(languages: Sequence[str]) -> pd.DataFrame:
    """Return what a perfect model of the story could reach in the REAL recordings, one row per region and language.

    Columns: region, hemisphere, language, reliability (R, how well the averages of two halves of the real participants
    agree), group (sqrt(2R / (1 + R)): the largest r with the average of all), participant (the largest r with one
    participant that rests on what that person shares with the group).
    """
    known = [name for name in languages if name in PARTICIPANTS]
    table = reliability_by_region().melt(["region", "hemisphere"], known, "language", "reliability")
    halves = table.language.map(PARTICIPANTS).to_numpy(float) / 2
    return table.assign(group=largest_r(table.reliability, 2), participant=largest_r(table.reliability, 1 / halves))


def compare_with_published(ranked: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """Put the `n` best regions of each language beside the paper's, indexed by language and rank.

    Columns: (ours | paper, region | side | r | reliability | group | participant).
    """
    paper = published.top_regions()
    paper = paper.merge(possible_r(sorted(set(paper.language))), how="left")
    parts = []
    for table in (ranked, paper):
        named = table[table["rank"] <= n].rename(columns={"hemisphere": "side", "pearson_r": "r"})
        named = named.set_index(["language", "rank"])
        parts.append(named[["region", "side", "r", "reliability", "group", "participant"]])
    return pd.concat(parts, axis=1, keys=["ours", "paper"]).loc[parts[0].index]


def occipital_advantage(group_scores: GroupScores, columns: pd.DataFrame) -> pd.DataFrame:
    """'Occipital regions are the strongest in all three languages': their mean r less that of all other regions.

    Columns: sentence, who (language), value, lower, upper, p: over the participants of each language.
    """
    mask = is_occipital(columns)
    difference = group_scores.scores[:, mask].mean(axis=1) - group_scores.scores[:, ~mask].mean(axis=1)
    tables = [
        mean_interval(difference[group_scores.language == name]).to_frame(who=[name])
        for name in pd.unique(group_scores.language)
    ]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "sentence", "occipital regions are the strongest")
    return table


def is_occipital(columns: pd.DataFrame) -> np.ndarray:
    """Return Destrieux's occipital lobe as a bool array [regions] (precuneus, of the parietal one, is not in it)."""
    names = columns.region
    return (names.str.contains(OCCIPITAL) & ~names.str.contains("precuneus|parieto_occipital")).to_numpy()


def chinese_advantage(group_scores: GroupScores) -> pd.DataFrame:
    """'Chinese is significantly higher': mean r over the cortex of CN less that of each other language.

    Other people heard another story, so the two means are independent: Welch's interval. Columns: sentence, who (CN
    less whom), value, lower, upper, p; no row where CN was not recorded.
    """
    cortex = pd.Series(group_scores.scores.mean(axis=1)).groupby(group_scores.language, sort=False)
    means = {name: values.to_numpy() for name, values in cortex}
    tables = [pd.DataFrame(columns=["sentence", "who", "value", "lower", "upper", "p"])]
    for name in means.keys() - {"CN"} if "CN" in means else ():
        test = stats.ttest_ind(means["CN"], means[name], equal_var=False)
        ends = test.confidence_interval()
        interval = Interval(means["CN"].mean() - means[name].mean(), ends.low, ends.high, test.pvalue)
        tables.append(interval.to_frame(sentence="Chinese is significantly higher", who=[f"CN less {name}"]))
    return pd.concat(tables[1:] or tables, ignore_index=True).sort_values("who", ignore_index=True)


def participants_covariance(
    features: Features,
    layer: int | None,
    responses: np.ndarray,
    alpha: float = 1e3,
    device: str = "auto",
    trim: int | None = None,
) -> np.ndarray:
    """Compute the covariance of each participant's responses with predictions of left-out runs.

    Parameters
    ----------
    layer : the layer that serves all regions, taken beforehand (`layer_of_others`); None puts all side by side.
    responses : array [participants, scans, regions].
    alpha : one penalty for all regions.
    trim : scans at each edge of every section that neither train nor test; None as the features say.

    Returns
    -------
    array [participants, regions] (see `prediction_covariance`).
    """
    n_participants, n_scans, n_regions = responses.shape
    side_by_side = np.moveaxis(responses, 0, 1).reshape(n_scans, -1)
    values = np.concatenate(features.values, axis=1) if layer is None else features.values[layer]
    options = {"delays": features.delays, "trim": features.trim if trim is None else trim, "device": device}
    covariance = prediction_covariance(values, side_by_side, features.run_of_scan, alpha, **options)
    return covariance.reshape(n_participants, n_regions)


def difference_by_group(
    group_scores: GroupScores, masks: Mapping[str, np.ndarray], covariances: np.ndarray
) -> pd.DataFrame:
    """Compare left and right by group of regions, paired over all participants.

    Parameters
    ----------
    masks : group -> bool array [regions of both hemispheres], alike on both sides.
    covariances : array [the same participants, regions], from `participants_covariance`.

    Returns
    -------
    DataFrame: group, left, right, value (left - right of the scores), lower, upper, p, q (false discovery rate over
    groups), index with index_lower and index_upper: by how much the response is stronger on the left, in amplitude
    (`index_of_amplitudes` of the covariances).
    """
    tables = []
    for group, mask in masks.items():
        scores, parts = (_sides_of_mask(values, mask) for values in (group_scores.scores, covariances))
        index = index_of_amplitudes(*parts)
        table = paired_interval(*scores).to_frame(group=[group], left=scores[0].mean(), right=scores[1].mean())
        tables.append(table.assign(index=index.estimate, index_lower=index.lower, index_upper=index.upper))
    table = pd.concat(tables, ignore_index=True)
    table.insert(list(table).index("p") + 1, "q", fdr(table.p.to_numpy()))
    return table


def _sides_of_mask(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over a mask's regions on the left and on the right, [participants] each, from [participants, regions]."""
    (left, right), (left_mask, right_mask) = np.split(values, 2, axis=1), np.split(mask, 2)
    return left[:, left_mask].mean(axis=1), right[:, right_mask].mean(axis=1)


def hemisphere_means(group_scores: GroupScores, masks: Mapping[str, np.ndarray], columns: pd.DataFrame) -> pd.DataFrame:
    """Average scores by language, group and hemisphere, beside the published means.

    Columns: language, group, hemisphere, participant, value, published (NaN where the paper has none).
    """
    halves: dict[Any, np.ndarray] = {
        (group, side): mask & (columns.hemisphere == side).to_numpy() for group, mask in masks.items() for side in SIDES
    }
    table = average_by(group_scores.scores, halves).rename(columns={"axis_0": "participant"})
    table[["group", "hemisphere"]] = table["group"].tolist()
    table["language"] = group_scores.language[table.participant]
    paper = published.hemisphere_means().rename(columns={"pearson_r": "published"})
    return table.merge(paper, how="left")[["language", "group", "hemisphere", "participant", "value", "published"]]


def difference_by_language(means: pd.DataFrame) -> pd.DataFrame:
    """Compare left and right by language and group from `hemisphere_means`, beside the published difference.

    Columns: language, group, value, lower, upper, p (over the language's participants), published.
    """
    tables = []
    for (language, group), part in means.groupby(["language", "group"], sort=False):
        wide = part.pivot(index="participant", columns="hemisphere", values="value")
        paper = part.groupby("hemisphere").published.first()
        interval = paired_interval(wide["lh"], wide["rh"])
        tables.append(interval.to_frame(language=[language], group=[group], published=paper["lh"] - paper["rh"]))
    return pd.concat(tables, ignore_index=True)


def undriven_regions(p: Mapping[str, np.ndarray], truth_regions: pd.DataFrame) -> pd.DataFrame:
    """Describe a phantom's regions that nothing drives: which are significant, and what leaks into them.

    Parameters
    ----------
    p : language -> p-values [regions]; all regions of a language are corrected together.

    Returns
    -------
    DataFrame, one row per undriven region and language: language, region, hemisphere, p, significant (q below
    .05), threshold (the largest p that was significant: the share of undriven regions that chance alone lets
    through), leak (the correlation that a perfect model of the story reaches there, through voxels shared with driven
    neighbours).
    """
    tables = []
    for language, values in p.items():
        significant = fdr(values) < 0.05
        about = {"language": language, "p": values, "significant": significant}
        about |= {"leak": truth_regions[f"ceiling_{language}"], "threshold": values[significant].max(initial=0.0)}
        tables.append(truth_regions[["region", "hemisphere"]].assign(**about)[truth_regions.driver == "none"])
    return pd.concat(tables, ignore_index=True)


def laterality_recovered(
    values: np.ndarray, truth_regions: pd.DataFrame, scores: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate a phantom's laterality and compare it with the truth.

    Parameters
    ----------
    values : array [participants, regions of both hemispheres], from `participants_covariance`.
    scores : `values` are correlations of fitted predictions, whose index leans outward (`predicted_laterality`).

    Returns
    -------
    classes : label (stronger on the left, on the right, alike), value with lower and upper (over participants), truth,
        covered, uninformative (the interval reaches from -1 to 1).
    pairs : one row for each driven pair of regions whose index can be stated: region, driver, side, value, lower,
        upper, truth, covered, sign (right or wrong), difference (left - right).
    The truth is the index of the correlations that a perfect model of the story reaches in single participants; for a
    class of regions that of their root mean squares (of their means, with `scores`).
    """
    left, right = np.split(np.asarray(values, float), 2, axis=1)
    regions, masks, ceilings = _classes(truth_regions)
    ceilings = ceilings if scores else [side**2 for side in ceilings]
    estimate = index_of_means if scores else index_of_amplitudes
    tables = [
        estimate(left[:, mask].mean(axis=1), right[:, mask].mean(axis=1)).to_frame(
            label=[name], truth=_true_index(scores, *[side[mask].mean() for side in ceilings])
        )
        for name, mask in masks.items()
    ]
    classes = pd.concat(tables, ignore_index=True)
    classes["covered"] = classes.truth.between(classes.lower, classes.upper)
    classes["uninformative"] = (classes.lower <= -1) & (classes.upper >= 1)
    pairs = estimate(left, right).to_frame(region=regions.region, driver=regions.driver, side=regions.side)
    pairs = pairs.assign(truth=_true_index(scores, *ceilings), difference=(left - right).mean(axis=0))
    pairs = pairs[pairs.driver != "none"].dropna(subset=["value", "lower", "upper"]).reset_index(drop=True)
    covered = pairs.truth.between(pairs.lower, pairs.upper)
    return classes, pairs.assign(covered=covered, sign=np.sign(pairs.difference) == np.sign(pairs.truth))


def _true_index(scores: bool, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    index = laterality_index(left, right)
    return index if scores else amplitude_index(index)


def predicted_laterality(truth_regions: pd.DataFrame, weights: Mapping[str, int], n_scans: int) -> pd.DataFrame:
    """Predict the indices of a perfect model's scores in `laterality_recovered`, fitted by least squares.

    Parameters
    ----------
    weights : driver -> how many are fitted (dimensions times delays).
    n_scans : training scans.

    Returns
    -------
    DataFrame: label, value (see `brainbook.stats.score_after_fitting`), truth. A ridge fits fewer weights
    than there are and leans a little less.
    """
    regions, masks, ceilings = _classes(truth_regions)
    n_parameters = regions.driver.map(weights).fillna(1).to_numpy()
    fitted = [score_after_fitting(side, n_parameters, n_scans) for side in ceilings]
    rows = {
        name: [float(laterality_index(*[side[mask].mean() for side in sides])) for sides in (fitted, ceilings)]
        for name, mask in masks.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "truth"])
    return table.rename_axis("label").reset_index()


def _classes(truth_regions: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray], list[np.ndarray]]:
    """Regions of one hemisphere, masks of the classes that have any, ceilings on the left and on the right."""
    regions = truth_regions[truth_regions.hemisphere == "lh"].reset_index(drop=True)
    ceilings = [truth_regions.ceiling[truth_regions.hemisphere == side].to_numpy() for side in SIDES]
    masks = {
        "stronger on the left": (regions.side == "left").to_numpy(),
        "stronger on the right": (regions.side == "right").to_numpy(),
        "alike": ((regions.side == "none") & (regions.driver != "none")).to_numpy(),
    }
    return regions, {name: mask for name, mask in masks.items() if mask.any()}, ceilings
