"""Helpers of the chapter `alignment`: what the edges of sections are worth, and what its scores say, in words."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brainbook.chapters.features import TRIM, Features
from brainbook.chapters.scores import average_by
from brainbook.encoding import cross_validate
from brainbook.encoding.delays import run_slices
from brainbook.encoding.splits import FEWEST

TRIMS = (0, 2, 4, 8, 12, 16)


def scores_by_trim(
    spaces: Mapping[str, Features],
    responses: np.ndarray,
    members: dict[str, np.ndarray],
    trim: int = TRIM,
    trims: Sequence[int] = TRIMS,
    alpha: float = 1e3,
    device: str = "auto",
) -> pd.DataFrame:
    """Scores with more and more scans left out at both ends of every section.

    One penalty, and of several layers the last, so that nothing is chosen and the work stays small.

    Parameters
    ----------
    spaces : name -> features; those that differ in width by layer are taken together.
    responses : array [participants, scans, targets].
    members : boolean array [targets] a group.
    trim, trims : scans left out at each edge, those that the chapter leaves out and others to compare, as far as the
        shortest section has enough scans for a score.

    Returns
    -------
    DataFrame: features (the name), trim, group, value (mean r of the participants).
    """
    side_by_side = np.moveaxis(responses, 0, 1).reshape(responses.shape[1], -1)
    tables = []
    for name, space in spaces.items():
        values = np.hstack(space.values) if isinstance(space.values, list) else space.values[-1]
        shortest = min(part.stop - part.start for part in run_slices(space.run_of_scan))
        for out in sorted({trim, *(out for out in trims if shortest - 2 * out >= FEWEST)}):
            found = cross_validate(values, side_by_side, space.run_of_scan, alphas=alpha, trim=out, device=device)
            scores = np.nanmean(found.scores.reshape(len(responses), -1), axis=0)
            tables.append(average_by(scores, members).assign(features=name, trim=out))
    return pd.concat(tables, ignore_index=True)[["features", "trim", "group", "value"]]


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

    scores : r by (model, alignment, group); "word count" and "oracle" are among the models, "none" among the groups.
    """
    wide = scores.unstack()  # a row for each model and alignment
    mine, count, best = (wide.loc[name, "VLA"] for name in (model, "word count", "oracle"))
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
