"""Sentences of the chapter `alignment`."""

import pandas as pd

from brainbook.chapters import published
from brainbook.chapters.shared import TRIM
from brainbook.datasets import functional_groups

REGIONS = 74  # of a hemisphere
GROUPS = {"cerebral_cortex": "cortex", "visual": "visual", "auditory": "auditory", "linguistic": "linguistic"}


def describe_trim(table: pd.DataFrame, group: str, trim: int = TRIM, near: float = 0.01) -> str:
    """What `scores_by_trim` found in one group of regions, in words.

    near : a score, or a change of score, that is called nothing.
    """
    value = table[table.group == group].pivot_table(index="features", columns="trim", values="value", sort=False)
    first, last = value.columns.min(), value.columns.max()
    kept = "; ".join(f"{name} {row[first]:.3f} to {row[trim]:.3f}" for name, row in value.iterrows())
    lost = [name for name, row in value.iterrows() if row[first] > near and row[trim] <= near]
    gone = f"Nothing is left of {', '.join(lost)}: all of it was the edges. " if lost else ""
    later = (value[last] - value[trim]).abs()
    rest = (
        f"Leaving out {last} scans instead changes no score by more than {near}."
        if later.max() <= near
        else f"Leaving out {last} scans instead still changes {later.idxmax()} by {later.max():.3f}."
    )
    rest = "" if last == trim else rest
    return f"In the {group} group, from {first} to {trim} scans left out: {kept}. {gone}{rest}"


def describe_controls(scores: pd.Series, model: str, untrained: str, group: str, near: float = 0.01) -> str:
    """What a model scores in one group beside its controls, in words.

    Parameters
    ----------
    scores : r by (model, alignment), with "word count" and "speech or silence" among the models.
    near : a difference, or a score, that is called nothing.
    """
    names = (model, untrained, "word count", "speech or silence")
    mine, twin, count, bit = (scores[name, "VLA"] for name in names)
    gap = mine - count
    beyond = f"{gap:.3f} more than the count" if gap > near else "as much as the count" if gap > -near else ""
    beyond = beyond or f"{-gap:.3f} less than the count"
    needed = "" if gap > near else ": nothing in it needs a language model"
    left = scores[model, "FLA"]
    fixed = f"Under FLA {left:.3f} is left" if left > near else f"Under FLA nothing is left ({left:.3f})"
    return (
        f"In the {group} group, one bit (speech or silence) scores {bit:.3f}, the number of words {count:.3f}. The "
        f"model scores {mine:.3f}, {beyond}{needed}. Its untrained twin scores {twin:.3f}, so training adds "
        f"{mine - twin:+.3f}. {fixed}."
    )


def describe_drivers(scores: pd.Series, model: str, near: float = 0.01) -> str:
    """What a model, word count and the true drivers score in a phantom's regions, in words.

    scores : r by (model, alignment, group); "word count" and "true drivers" are among the models, "none" among the groups.
    """
    wide = scores.unstack()  # a row for each model and alignment
    mine, count, best = (wide.loc[name, "VLA"] for name in (model, "word count", "true drivers"))
    groups = [group for group in scores.index.unique(-1) if group != "none"]
    text = "; ".join(f"**{group}**: {mine[group]:.3f} of {best[group]:.3f}" for group in groups)
    counted = [group for group in groups if count[group] > mine[group] + near]
    missed = [group for group in groups if mine[group] < best[group] / 10]
    text = f"The model under VLA, of what the true drivers score: {text}."
    if counted:
        text += f" The number of words predicts the regions of {', '.join(counted)} better than the model does."
    if missed:
        text += f" Of {', '.join(missed)} the model finds less than a tenth."
    undriven = wide["none"].abs()
    name, value = " under ".join(undriven.idxmax()), undriven.max()
    return text + (
        f" Regions that nothing drives stay within {value:.3f} of zero, whatever predicts them."
        if value <= 2 * near
        else f" Regions that nothing drives do not stay at zero: {name} is {value:.3f} away."
    )


def describe_published(table: pd.DataFrame | None = None) -> str:
    """What the published table says, and where it contradicts itself or the text around it, in words.

    table : as `published.alignment()`, which it is by default.
    """
    table = (published.alignment() if table is None else table).rename(columns=GROUPS)
    spread = table.pivot(index="model", columns="alignment", values="cortex")
    gain = spread["VLA"] - spread["FLA"]
    below = [f"{model} ({spread.VLA[model]:.2f} against {spread.FLA[model]:.2f})" for model in gain.index[gain <= 0]]
    claim = f"in their own table it is not: {', '.join(below)}" if below else "so it is in their table, for every model"
    text = f"The authors conclude that VLA is above FLA throughout; over the cortex {claim}. "
    regions = functional_groups().region.nunique() / REGIONS
    least = regions * table[["visual", "auditory", "linguistic"]].min(axis=1)
    odd = table[table.cortex < least]
    for row, bound in zip(odd.itertuples(), least[odd.index], strict=True):
        text += (
            f"The entry {row.cortex:.2f} ({row.model}, {row.alignment}) is not consistent with its parts: the three "
            f"groups hold {regions:.0%} of the regions and score {row.visual:.2f}, {row.auditory:.2f} and "
            f"{row.linguistic:.2f}, so the cortex would have at least {bound:.1f} if all other regions scored nothing "
            "(negative scores were set to zero). "
        )
    rest = gain.drop(odd.model.unique())
    text += f"VLA's mean gain over the cortex is {gain.mean():+.1f}"
    return text + (f"; without {', '.join(odd.model.unique())} it is {rest.mean():+.1f}." if len(odd) else ".")


def describe_sources(scores: pd.DataFrame) -> str:
    """Whose scores stand on either side of the table, in words; `scores` as for `compare_with_published`."""
    languages = scores.groupby("language").participant.nunique()
    who = ", ".join(f"{n} {language}" for language, n in languages.items())
    number = f"{languages.sum()} participant{'s' if languages.sum() > 1 else ''}"
    return (
        "Published: **one** English-speaking participant, mean over 250,000 to 300,000 points of the cortical surface. "
        f"Ours: mean over {number} ({who}) and the mean responses of 148 regions, so that much of the noise is "
        "averaged away before anything is scored."
        + (" `ours_first` is the first of ours who heard English." if "EN" in languages else "")
    )
