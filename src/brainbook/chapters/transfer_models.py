"""Helpers of the chapter `transfer_models`: the transfers of a whole study side by side, and beside what is published.

Every run of the chapter `transfer` leaves its tables; here they are put together, one row for each model, loss,
languages of training ("FR", "CN" or "FR+CN") and seed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy.stats import binom

from brainbook.chapters.transfer.pairs import MISMATCHES
from brainbook.errors import ConfigurationError
from brainbook.stats import mean_interval
from brainbook.workflow import ROOT, results

SETTING = ["model", "loss", "trained", "seed"]
HEAD = "transfer, head"
SAME = 1e-3  # what two devices may make different


@dataclass(frozen=True)
class Transfers:
    """The tables of all `transfer` runs of a study; each has the columns `SETTING`.

    Attributes
    ----------
    accuracy : of the matching head on the test part, rows as from `matching_table` (language of the second sentence,
        mismatch, n, correct, accuracy, lower, upper, p).
    changes : rows as from `Change.groups` (language of the listeners, group, trained_on "translations" or "shuffled").
    participants : language, group, participant, trained_on, value (change of r).
    """

    accuracy: pd.DataFrame
    changes: pd.DataFrame
    participants: pd.DataFrame

    @property
    def brains(self) -> list[str]:
        """The models that have read brains."""
        return [name for name in self.accuracy.model.unique() if "brainlm" in name]


def gather_transfers(study: str, root: str | Path = ROOT) -> Transfers:
    """The tables of all `transfer` runs of a study, each setting once.

    Raises ConfigurationError when there are none, and when two runs have the same model, loss, languages and seed but
    other numbers (by more than `SAME`): their remaining parameters differ, give them studies of their own.
    """
    if not study:
        raise ConfigurationError("this page gathers the runs of a study: give its name, as `study: demo`")
    seeds = results(study, root=root).set_index("run").seed
    tables = {}
    for name, value in (("accuracy", "accuracy"), ("change_by_group", "change"), ("change_by_participant", "value")):
        rows = results(study, name, root)
        rows = rows[rows.chapter == "transfer"]
        if rows.empty:
            raise ConfigurationError(f"no transfer run of study {study!r} has the table {name!r}")
        about = {"loss": rows.parameter_loss, "trained": rows.parameter_second.map(json.loads).str.join("+"),
                 "seed": rows.run.map(seeds)}  # fmt: skip
        rows = rows.rename(columns={"model": "trained_on"}).assign(model=rows.parameter_model, **about)
        kept = [column for column in rows if not column.startswith("parameter_") and column not in ("run", "chapter")]
        key = [*SETTING, *(it for it in ("classifier", "mismatch", "trained_on", "group", "participant") if it in rows)]
        rows = rows[kept]
        ends = rows.groupby([*key, "language"], sort=False)[value].agg(["min", "max"])
        if (differ := ends["max"] - ends["min"] > SAME).any():
            row = ends[differ].reset_index().iloc[0]
            raise ConfigurationError(
                f"two transfer runs of study {study!r} have {', '.join(f'{it} {row[it]}' for it in SETTING)} and other "
                f"numbers in {name}: their remaining parameters differ, give them studies of their own"
            )
        rows = rows.drop_duplicates([*key, "language"])
        tables[name] = rows.replace({"trained_on": {"after": "translations"}})
    accuracy = tables["accuracy"].query("classifier == @HEAD").drop(columns="classifier")
    return Transfers(*(it.reset_index(drop=True) for it in (accuracy, *list(tables.values())[1:])))


def accuracy_wide(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Per cent right with random mismatches, mean over seeds: a row a model and languages of training, columns by loss.

    The interval of one seed stands in the rows of `Transfers.accuracy`.
    """
    rows = accuracy[accuracy.mismatch == MISMATCHES[0]].assign(percent=100 * accuracy.accuracy)
    return rows.pivot_table(index=["model", "trained"], columns=["loss", "language"], values="percent", sort=False)


def percent_by_model(accuracy: pd.DataFrame) -> pd.DataFrame:
    """`Transfers.accuracy` with random mismatches as `scores_by_group` and `panels` draw it (per cent).

    Columns: panel (which pairs), group (model), condition (loss, and what was trained with it), value, lower, upper.
    """
    rows = accuracy[accuracy.mismatch == MISMATCHES[0]]
    numbers = {"value": rows.accuracy, "lower": rows.lower, "upper": rows.upper}
    return pd.DataFrame({
        "panel": "English and " + rows.language, "group": rows.model, "condition": _condition(rows),
        **{name: 100 * values for name, values in numbers.items()},
    })  # fmt: skip


def change_by_model(changes: pd.DataFrame) -> pd.DataFrame:
    """`Transfers.changes` over the whole cortex as `scores_by_group` and `panels` draw it."""
    rows = changes[changes.group == "cortex"]
    condition = _condition(rows).where(rows.trained_on == "translations", "shuffled translations")
    rows = rows.assign(panel=rows.language + " listeners", condition=condition, value=rows.change)
    return rows.assign(group=rows.model)[["panel", "group", "condition", "value", "lower", "upper"]]


def _condition(rows: pd.DataFrame) -> pd.Series:
    return rows.loss.where(rows.trained.str.contains("+", regex=False), rows.loss + ", apart")


def accuracies_told(accuracy: pd.DataFrame, published: float) -> str:
    """The accuracies in words (Markdown): the best of them, corrected for being the best, beside the published one."""
    lines = []
    for kind, name in zip(MISMATCHES, ("random", "length-matched"), strict=True):
        rows = accuracy[accuracy.mismatch == kind]
        best = rows.loc[rows.accuracy.idxmax()]
        p = min(1.0, best.p * len(rows))
        beats = "above chance" if p < 0.05 and best.accuracy > 0.5 else "not to be distinguished from chance"
        means = rows.groupby("loss", sort=False).accuracy.mean()
        lines.append(
            f"- **{name} mismatches**: the best of {len(rows)} is {_setting(best)} with {100 * best.accuracy:.1f}% "
            f"({100 * best.lower:.1f} to {100 * best.upper:.1f}, {int(best.n):,} pairs), {beats} (p = {p:.2g} after "
            f"multiplication by {len(rows)}). Means by loss: "
            + "; ".join(f"{loss} {100 * mean:.1f}%" for loss, mean in means.items())
            + "."
        )
    rows = accuracy[accuracy.mismatch == MISMATCHES[0]]
    inside = int(((100 * rows.lower <= published) & (published <= 100 * rows.upper)).sum())
    lines.append(f"- The published {published}% lies within the interval of {inside} of {len(rows)}.")
    return "\n".join(lines)


def _setting(row: pd.Series) -> str:
    return f"{row.model} (EN-{row.trained.replace('+', ' and EN-')}, loss: {row.loss}, asked about {row.language})"


def gains_told(changes: pd.DataFrame, low: float, high: float) -> str:
    """The changes over the whole cortex in words (Markdown), beside the published gains of `low` to `high` per cent."""
    cortex = changes[changes.group == "cortex"]
    lines = []
    for trained_on, name in (("translations", "true translations"), ("shuffled", "shuffled translations")):
        rows = cortex[cortex.trained_on == trained_on]
        gain, loss = rows[rows.lower > 0], rows[rows.upper < 0]
        listeners = ", ".join(f"{row.model} with {row.language} listeners ({row.loss})" for row in gain.itertuples())
        lines.append(
            f"- Trained on **{name}**, {len(gain)} of {len(rows)} gain beyond their interval"
            + (f" ({listeners})" if 0 < len(gain) <= 6 else "")
            + f", {len(loss)} lose."
        )
    known = cortex[(cortex.trained_on == "translations") & cortex.percent.notna()]
    if len(known):
        inside = int(known.percent.between(low, high).sum())
        lines.append(
            f"- In per cent the changes run from {known.percent.min():+.0f} to {known.percent.max():+.0f}; {inside} of "
            f"{len(known)} lie in the published {low:g} to {high:g}%."
        )
    return "\n".join(lines)


def brain_against_controls(participants: pd.DataFrame, brains: list[str]) -> pd.DataFrame:
    """Whether a model that has read brains gains more from transfer than one that has not, over the whole cortex.

    Parameters
    ----------
    participants : of `Transfers`.
    brains : the models that have read brains.

    Returns
    -------
    One row for each of them, control, loss, languages of training and language of the listeners: difference of the
    changes of r with its interval (Student's t, paired by participant, seeds averaged) and p, n participants.
    """
    rows = participants[(participants.group == "cortex") & (participants.trained_on == "translations")]
    where = ["loss", "trained", "language"]
    wide = rows.pivot_table(index=[*where, "participant"], columns="model", values="value")
    found = []
    for brain in brains:
        for control in wide.columns.drop(brains):
            both = (wide[brain] - wide[control]).dropna()
            for place, values in both.groupby(where, sort=False):
                if len(values) < 2:
                    continue
                it = mean_interval(values.to_numpy())
                found.append({"model": brain, "control": control, **dict(zip(where, place, strict=True)),
                              "difference": it.estimate, "lower": it.lower, "upper": it.upper, "p": it.p,
                              "n": len(values)})  # fmt: skip
    return pd.DataFrame(found, columns=["model", "control", *where, "difference", "lower", "upper", "p", "n"])


def brains_told(table: pd.DataFrame) -> str:
    """`brain_against_controls` in words (Markdown)."""
    if table.empty:
        return "No model that has read brains and no control were trained alike and heard by two participants or more."
    more, less = int((table.lower > 0).sum()), int((table.upper < 0).sum())
    text = (
        f"Of {len(table)} comparisons, the model that has read brains gains more in {more} and less in {less}, beyond "
        f"the interval; by luck alone {0.025 * len(table):.1f} would on either side. "
    )
    luck = {name: binom.sf(count - 1, len(table), 0.025) for name, count in (("more", more), ("less", less))}
    for name, p in luck.items():
        if p <= 0.05:
            return text + f"That it gains {name} is more than luck, if the comparisons were independent."
    return text + "No difference between the two shows."
