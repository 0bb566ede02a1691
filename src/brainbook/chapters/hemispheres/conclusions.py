"""What the chapter `hemispheres_and_layers` concludes, in sentences that follow its tables."""

import numpy as np
import pandas as pd

from brainbook.chapters.hemispheres.group_scores import says_nothing, told, verdict
from brainbook.stats import Interval


def read_gain(everywhere: Interval, there: Interval | None, n: int, n_regions: int) -> str:
    """By how much r changes from before to after, over all regions and over the significant ones, in words.

    there : None where no region is significant. n : participants.
    """
    text = (
        f"From *before* to *after* the mean r over all {n_regions} regions changes by {told(everywhere)} (mean and 95% "
        f"interval over {n} participants)"
    )
    if there is not None:
        text += (
            f"; over the regions that are significant in some language by {told(there)}. These regions were found with "
            "the model *after*, so that the second figure leans towards a gain"
        )
    return text + ". Grey regions are the same in all maps of a row: those that the model *after* does not predict."


def read_sides(differences: pd.DataFrame, apart: pd.DataFrame, per_language: int, n: int) -> str:
    """Left less right, published and ours, in words.

    differences : from `sides_by_language`. apart : rows of `sides_by_group` that differ: group, value, lower, upper, q.
    """
    paper = differences.dropna(subset="published")
    ways = paper.groupby("language", sort=False).published.mean()
    signs = set(np.sign(ways))
    lead = "go both ways" if {-1, 1} <= signs else "all go to the left" if signs == {1} else "go to the right"
    ours = ", ".join(f"{row.group} ({told(row)}, q = {row.q:.2g})" for row in apart.itertuples())
    return (
        f"The published differences {lead}: {', '.join(f'{name} {value:+.3f}' for name, value in ways.items())} on "
        "average over the groups. With one listener a language nobody can say how much another listener would differ; "
        f"here the intervals over {per_language} listeners a language are {(paper.upper - paper.lower).median():.2f} "
        f"wide. Over all {n} listeners "
        + (f"left and right differ in {ours}." if ours else "no group differs between left and right (q above .05).")
    )


def conclude(
    anywhere: np.ndarray, by_region: pd.DataFrame, claim: pd.DataFrame, paper: pd.DataFrame, apart: pd.DataFrame, n: int
) -> str:
    """The chapter's conclusions that need no truth, a line each.

    Parameters
    ----------
    anywhere : bool array [regions], significant in some language.
    by_region : from `depth_by_region`.
    claim : from `edges_change`, by measure.
    paper : the published best regions (`compare_with_published`, its part `paper`).
    apart : rows of `sides_by_group` whose left and right differ: group, value, lower, upper.
    n : participants.
    """
    predicted = by_region[by_region.predicted]
    alike = (
        f"that all layers are alike can be rejected in {(predicted.q_alike < 0.05).mean():.0%} of the predicted "
        'regions; in the others a "preferred layer" is a name without a thing'
        if len(predicted)
        else "no region is predicted, so no layer is preferred"
    )
    sides = (
        ", ".join(f"{row.group} ({told(row)})" for row in apart.itertuples()) + " differ between left and right"
        if len(apart)
        else "no group of regions differs between left and right beyond chance"
    )
    over = int((paper.r > paper.participant).sum())
    return "\n".join([
        f"- **Where.** {anywhere.sum()} of {len(anywhere)} regions are significant in some language. {over} of the "
        f"{len(paper)} published best values lie above what one participant shares with the group.",
        f"- **How deep.** With {n} participants {alike}.",
        f"- **The sentence about first and last layers.** What is seen here {verdict(claim.loc['share'])} it, counted "
        f"by choices, and {verdict(claim.loc['advantage'])} it, measured by scores. The paper's own figure shows five "
        "layers of one participant a language, without the variation between folds or people that this would need.",
        f"- **Which side.** Over all participants {sides}. An index of a single region of a single participant takes "
        "any value between -1 and 1.",
    ])  # fmt: skip


def conclude_with_truth(
    regions: pd.DataFrame,
    anywhere: np.ndarray,
    driven: np.ndarray,
    right: float,
    added: pd.DataFrame,
    step: Interval,
    recovery: pd.DataFrame,
) -> str:
    """What a phantom's truth says of the chapter's conclusions, a line each.

    Parameters
    ----------
    regions : the truth's. anywhere, driven : bool arrays [regions], significant and truly driven.
    right : per cent of driven regions whose driver is found with perfect layers.
    added : what depth adds by driver (`what_depth_adds`), step : from driver to driver (`depth_order`).
    recovery : classes of `laterality_recovered` by series.
    """
    driver = added.drop("none").value
    held = recovery[(recovery.lower <= recovery.truth) & (recovery.truth <= recovery.upper)].series.value_counts()
    held = [held.get(name, 0) for name in ("language model", "perfect model", "scores of the perfect model")]
    vague = int(says_nothing(recovery[recovery.series == "language model"]).sum())
    unsure = f" {vague} of the language model's intervals reach from -1 to 1, which says nothing." if vague else ""
    reach = [
        f"{regions.ceiling[driven & rows].mean():.2f} in the driven regions that were {word}"
        for rows, word in ((anywhere, "found"), (~anywhere, "missed"))
        if (driven & rows).any()
    ]
    return "\n".join([
        f"- **Where, in truth.** Of {driven.sum()} regions that the phantom drives {anywhere[driven].sum()} are found, "
        f"of {(~driven).sum()} others {anywhere[~driven].sum()}. A perfect model would reach {' and '.join(reach)}.",
        f"- **How deep, in truth.** With perfect layers a region's own is found in {right:.0f}%. With the language "
        f"model depth adds between {driver.min():+.3f} ({driver.idxmin()}) and {driver.max():+.3f} "
        f"({driver.idxmax()}); from driver to driver, in the true order, it adds {told(step)} more.",
        f"- **Which side, in truth.** The index from covariances covers the true value in {held[0]} of three classes "
        f"of regions with the language model and in {held[1]} with the perfect one; that from the perfect model's "
        f"scores, which lean outward, in {held[2]}.{unsure}",
    ])  # fmt: skip
