"""Helpers of the chapter `hemispheres_and_layers`: listeners, regions beside published ones, two sides."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters import published
from brainbook.chapters.shared import TRIM, Features, ParticipantScores, average_by
from brainbook.encoding import permutation_scores, prediction_covariance
from brainbook.stats import (
    Interval,
    amplitude_index,
    fdr,
    index_of_amplitudes,
    index_of_means,
    laterality_index,
    paired_interval,
    score_after_fitting,
)

DELAYS = (1, 2, 3, 4)
SIDES = ("lh", "rh")


@dataclass(frozen=True)
class GroupScores:
    """Participants of all languages under one model. Stories differ, the model's layers are the same.

    Attributes
    ----------
    scores : array [participants, regions], r of left-out runs with the layer that training runs chose, mean over runs.
    profiles : array [participants, layers, regions], mean r over runs of every layer.
    chosen : int array [participants, runs, regions], the layer that training runs chose.
    language : array [participants] of str.
    first : number of the first layer: 0 where it is the embedding, 1 where the embedding was left out. The places in
        `profiles` and `chosen` count from it.
    """

    scores: np.ndarray
    profiles: np.ndarray
    chosen: np.ndarray
    language: np.ndarray
    first: int = 0

    @classmethod
    def of(cls, scores: Mapping[str, ParticipantScores], first: int = 0) -> "GroupScores":
        """Put the languages one after the other. `scores` : language -> scores of its participants."""
        parts = list(scores.values())
        return cls(
            np.concatenate([part.fold_scores.mean(axis=1) for part in parts]),
            np.concatenate([part.layer_scores.swapaxes(0, 1) for part in parts]),
            np.concatenate([part.chosen_layers for part in parts]),
            np.repeat(list(scores), [len(part.participants) for part in parts]),
            first,
        )

    @property
    def n_layers(self) -> int:
        """How many layers there are to choose from."""
        return self.profiles.shape[1]

    @property
    def layers(self) -> range:
        """Their numbers in the model; 0 is the embedding."""
        return range(self.first, self.first + self.n_layers)

    def mean(self, language: str) -> np.ndarray:
        """Mean score [regions] over the participants of a language."""
        return self.scores[self.language == language].mean(axis=0)

    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the left and of the right hemisphere, [participants, regions of one hemisphere] each."""
        left, right = np.split(self.scores, 2, axis=1)
        return left, right


def significance_of_regions(
    features: Features,
    layer: int,
    responses: np.ndarray,
    alpha: float = 1e3,
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
    trim: int = TRIM,
) -> np.ndarray:
    """Is each region of the average listener predicted better than when its scans are shifted in time?

    One layer and one penalty serve all regions and all shifts. The test is right if both were chosen without these
    responses: the layer by other participants (`layer_of_others`), the penalty beforehand.

    Parameters
    ----------
    layer : the layer of `features` that is tested.
    responses : array [participants, scans, regions].
    alpha : the penalty, on the scale of z-scored features.
    n_permutations : refitted shifts. Their standardised scores are pooled over regions, which resolves p-values of
        1 / (permutations x regions).
    trim : scans at each edge of every section that are left out, of the null as of the score.

    Returns
    -------
    p [regions].
    """
    found = permutation_scores(
        features.values[layer], responses.mean(axis=0), features.run_of_scan, alpha, delays=DELAYS,
        n_permutations=n_permutations, seed=seed, device=device, trim=trim,
    )  # fmt: skip
    return found.p(pooled=True)


def layer_of_others(scores: Mapping[str, ParticipantScores], language: str) -> int:
    """The layer that the participants of all OTHER languages choose most often: nothing of whom is tested.

    Where no other language was recorded it is the middle layer, chosen by nobody.
    """
    others = [part for name, part in scores.items() if name != language]
    if not others:
        return (len(scores[language].layer_scores) - 1) // 2
    return int(np.bincount(np.concatenate([part.chosen_layers.ravel() for part in others])).argmax())


def sides_by_group(listeners: GroupScores, members: Mapping[str, np.ndarray], covariances: np.ndarray) -> pd.DataFrame:
    """Left less right, group of regions by group, paired over all participants.

    `members` names a boolean array [regions of both hemispheres] a group, alike on both sides; `covariances` [the same
    participants, regions] are those of `participants_covariance`. Columns: group, left, right, value (left - right of
    the scores), lower, upper, p, q (false discovery rate over groups), index with index_lower and index_upper: by how
    much the response is stronger on the left, in amplitude (`index_of_amplitudes` of the covariances).
    """
    left, right = listeners.sides()
    left_part, right_part = np.split(covariances, 2, axis=1)
    rows = []
    for group, chosen in members.items():
        own = chosen[: left.shape[1]]
        one, two = left[:, own].mean(axis=1), right[:, own].mean(axis=1)
        index = index_of_amplitudes(left_part[:, own].mean(axis=1), right_part[:, own].mean(axis=1))
        rows.append(
            paired_interval(one, two).table(group=[group], left=one.mean(), right=two.mean())
            .assign(index=index.estimate, index_lower=index.lower, index_upper=index.upper)
        )  # fmt: skip
    table = pd.concat(rows, ignore_index=True)
    table.insert(list(table).index("p") + 1, "q", fdr(table.p.to_numpy()))
    return table


def hemisphere_means(listeners: GroupScores, members: Mapping[str, np.ndarray], columns: pd.DataFrame) -> pd.DataFrame:
    """Mean score by language, group and hemisphere beside the published one.

    Columns: language, group, hemisphere, participant, value, published (NaN where the paper has none).
    """
    halves = {
        (group, side): chosen & (columns.hemisphere == side).to_numpy()
        for group, chosen in members.items()
        for side in SIDES
    }
    table = average_by(listeners.scores, halves).rename(columns={"axis_0": "participant"})
    table[["group", "hemisphere"]] = table["group"].tolist()
    table["language"] = listeners.language[table.participant]
    theirs = published.hemisphere_means().rename(columns={"pearson_r": "published"})
    return table.merge(theirs, how="left")[["language", "group", "hemisphere", "participant", "value", "published"]]


def sides_by_language(means: pd.DataFrame) -> pd.DataFrame:
    """Left less right by language and group from `hemisphere_means`, beside the published difference.

    Columns: language, group, value, lower, upper, p (over the language's participants), published.
    """
    rows = []
    for (language, group), part in means.groupby(["language", "group"], sort=False):
        wide = part.pivot(index="participant", columns="hemisphere", values="value")
        paper = part.groupby("hemisphere").published.first()
        found = paired_interval(wide["lh"], wide["rh"])
        rows.append(found.table(language=[language], group=[group], published=paper["lh"] - paper["rh"]))
    return pd.concat(rows, ignore_index=True)


def participants_covariance(
    features: np.ndarray,
    responses: np.ndarray,
    run_of_scan: np.ndarray,
    alpha: float = 1e3,
    device: str = "auto",
    trim: int = TRIM,
) -> np.ndarray:
    """How much of each participant's responses the predictions of left-out runs carry (see `prediction_covariance`).

    Parameters
    ----------
    features : array [scans, units], one feature space for all regions; of several layers take one beforehand
        (`layer_of_others`), or put them side by side.
    responses : array [participants, scans, regions].
    alpha : one penalty for all regions.
    trim : scans at each edge of every section that neither train nor test.

    Returns
    -------
    array [participants, regions].
    """
    n_participants, n_scans, n_regions = responses.shape
    side_by_side = np.moveaxis(responses, 0, 1).reshape(n_scans, -1)
    found = prediction_covariance(features, side_by_side, run_of_scan, alpha, delays=DELAYS, trim=trim, device=device)
    return found.reshape(n_participants, n_regions)


def laterality_recovered(
    values: np.ndarray, truth_regions: pd.DataFrame, scores: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A phantom's laterality, found and true.

    Parameters
    ----------
    values : array [participants, regions of both hemispheres], from `participants_covariance`.
    scores : `values` are correlations of fitted predictions, whose index leans outward (`foretold_laterality`).

    Returns
    -------
    classes : label (stronger on the left, on the right, alike), value with lower and upper (over participants), truth.
    pairs : one row for each driven pair of regions whose index can be stated: region, driver, side, value, lower,
        upper, truth, covered, sign (right or wrong), difference (left - right).
    The truth is the index of the correlations that a perfect model of the story reaches in single participants; for a
    class of regions that of their root mean squares (of their means, with `scores`).
    """
    left, right = np.split(np.asarray(values, float), 2, axis=1)
    one, kinds, ceilings = _sided(truth_regions)
    estimate, true = (index_of_means, laterality_index) if scores else (index_of_amplitudes, _index_of_squares)
    ceilings = ceilings if scores else [side**2 for side in ceilings]
    classes = pd.concat(
        [
            estimate(left[:, rows].mean(axis=1), right[:, rows].mean(axis=1)).table(
                label=[name], truth=true(*[side[rows].mean() for side in ceilings])
            )
            for name, rows in kinds.items()
            if rows.any()
        ],
        ignore_index=True,
    )
    pairs = estimate(left, right).table(region=one.region, driver=one.driver, side=one.side)
    pairs["truth"] = true(*ceilings)
    pairs["difference"] = (left - right).mean(axis=0)
    pairs = pairs[pairs.driver != "none"].dropna(subset=["value", "lower", "upper"])
    pairs["covered"] = (pairs.lower <= pairs.truth) & (pairs.truth <= pairs.upper)
    pairs["sign"] = np.sign(pairs.difference) == np.sign(pairs.truth)
    return classes, pairs.reset_index(drop=True)


def _index_of_squares(left, right):
    return amplitude_index(laterality_index(left, right))


def foretold_laterality(truth_regions: pd.DataFrame, weights: Mapping[str, int], n_scans: int) -> pd.DataFrame:
    """What the indices of a perfect model's scores in `laterality_recovered` should be, fitted by least squares.

    Parameters
    ----------
    weights : driver -> how many are fitted (dimensions times delays).
    n_scans : training scans.

    Returns
    -------
    DataFrame: label, value (see `brainbook.stats.score_after_fitting`), truth. A ridge fits fewer weights
    than there are and leans a little less.
    """
    one, kinds, ceilings = _sided(truth_regions)
    n_parameters = one.driver.map(weights).fillna(1).to_numpy()
    fitted = [score_after_fitting(side, n_parameters, n_scans) for side in ceilings]
    rows = [
        (name, *(float(laterality_index(*[side[chosen].mean() for side in sides])) for sides in (fitted, ceilings)))
        for name, chosen in kinds.items()
        if chosen.any()
    ]
    return pd.DataFrame(rows, columns=["label", "value", "truth"])


def _sided(truth_regions: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray], list[np.ndarray]]:
    """Regions of one hemisphere, boolean arrays of the three classes, ceilings on the left and on the right."""
    one = truth_regions[truth_regions.hemisphere == "lh"].reset_index(drop=True)
    ceilings = [truth_regions.ceiling[truth_regions.hemisphere == side].to_numpy() for side in SIDES]
    kinds = {
        "stronger on the left": (one.side == "left").to_numpy(),
        "stronger on the right": (one.side == "right").to_numpy(),
        "alike": ((one.side == "none") & (one.driver != "none")).to_numpy(),
    }
    return one, kinds, ceilings


def quiet_regions(p: Mapping[str, np.ndarray], truth_regions: pd.DataFrame, level: float = 0.05) -> pd.DataFrame:
    """The regions that nothing drives: which are significant, and what do their neighbours leave in them?

    Parameters
    ----------
    p : language -> p-values [regions]; all regions of a language are corrected together.

    Returns
    -------
    DataFrame, one row a quiet region and language: language, region, hemisphere, p, significant (q below `level`),
    threshold (the largest p that was significant: the share of quiet regions that chance alone lets through), leak (the
    correlation that a perfect model of the story reaches there, through voxels shared with driven neighbours).
    """
    rows = []
    for language, values in p.items():
        significant = fdr(values) < level
        rows.append(
            truth_regions[["region", "hemisphere"]].assign(
                language=language, p=values, significant=significant, leak=truth_regions[f"ceiling_{language}"],
                threshold=values[significant].max() if significant.any() else 0.0,
            )[(truth_regions.driver == "none").to_numpy()]
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def leak_test(quiet: pd.DataFrame) -> tuple[float, float]:
    """Do small p-values of quiet regions go with what leaks into them? (Spearman's rho of leak and -p, one-sided p)."""
    found = stats.spearmanr(quiet.leak, -quiet.p, alternative="greater")
    return float(found.statistic), float(found.pvalue)


def told(found) -> str:
    """An Interval, or a row with value, lower and upper, in words: '+0.024 (+0.008 to +0.040)'."""
    value = found.estimate if isinstance(found, Interval) else found.value
    return f"{float(value):+.3f} ({float(found.lower):+.3f} to {float(found.upper):+.3f})"


def verdict(found: pd.Series) -> str:
    """What a change with its interval (lower, upper) says of the sentence that there is an increase."""
    if found.lower > 0:
        return "agrees with"
    return "contradicts" if found.upper < 0 else "neither supports nor contradicts"


def says_nothing(found: pd.DataFrame) -> pd.Series:
    """Where an index's interval (lower, upper) reaches from -1 to 1: the scores cannot be told from none."""
    return (found.lower <= -1) & (found.upper >= 1)


def laterality_told(classes: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """What `laterality_recovered` found for several models (column series of `classes`, model of `pairs`), in words."""
    lines = []
    for name, rows in pairs.groupby("model", sort=False):
        lopsided, own = rows[rows.side != "none"], classes[(classes.series == name) & (classes.label != "alike")]
        right = int((np.sign(own.value) == np.sign(own.truth)).sum())
        lean = (own.value / own.truth).mean(skipna=False)
        indices = f"whose indices are {lean:.2f} times the true ones" if np.isfinite(lean) else "not all of which score"
        covered, signs = 100 * rows.covered.mean(), 100 * lopsided.sign.mean()
        whole = classes[classes.series == name]
        held = int(((whole.lower <= whole.truth) & (whole.truth <= whole.upper)).sum())
        vague = says_nothing(whole).sum()
        aside = f" ({vague} of them by reaching from -1 to 1, which says nothing)" if vague else ""
        lines.append(
            f"**{name[0].upper() + name[1:]}:** the 95% intervals hold the truth in {held} of {len(whole)} "
            f"classes{aside} and in {covered:.0f}% of the {len(rows)} driven pairs of regions. The sign is right in "
            f"{signs:.0f}% of the {len(lopsided)} pairs that are truly lopsided, one region at a time, and in {right} "
            f"of {len(own)} lopsided classes, {indices}."
        )
    return "\n\n".join(lines)
