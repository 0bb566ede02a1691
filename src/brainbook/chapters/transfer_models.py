"""What the chapter `transfer_models` needs: the transfers of a whole study side by side, and beside what is published.

Every run of the chapters `transfer` and `transfer_to_brains` leaves its tables; here they are put together, one row for
each model, loss, languages of training ("FR", "CN" or "FR+CN") and seed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainbook.chapters.participants.group import unique_rows
from brainbook.errors import ConfigurationError
from brainbook.stats import mean_interval
from brainbook.workflow import ROOT, results

SETTING = ["model", "loss", "trained", "seed"]
HEAD = "transfer, head"
TABLES = {  # table: its chapter, its number
    "accuracy": ("transfer", "accuracy"),
    "change_by_group": ("transfer_to_brains", "change"),
    "change_by_participant": ("transfer_to_brains", "value"),
}


@dataclass(frozen=True)
class Transfers:
    """The tables of all transfers of a study; each has the columns `SETTING`.

    Attributes
    ----------
    accuracy : of the matching head on the test part, rows as from `matching_table` (language of the second sentence,
        mismatch, n, correct, accuracy, lower, upper, p).
    changes : rows as from `Change.groups` (language of the participants, group, trained_on "translations" or
        "shuffled").
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
    """Gather the tables of all transfers of a study, each setting once.

    Raises ConfigurationError when there are none, and when two runs have the same model, loss, languages and seed but
    other numbers (by more than 0.001): their remaining parameters differ, give them studies of their own.
    """
    if not study:
        raise ConfigurationError("this page gathers the runs of a study: give its name, as `study: demo`")
    seeds = results(study, root=root).set_index("run").seed
    tables = [_gather(study, name, seeds, root) for name in TABLES]
    tables[0] = tables[0].query("classifier == @HEAD").drop(columns="classifier").reset_index(drop=True)
    return Transfers(*tables)


def _gather(study: str, name: str, seeds: pd.Series, root: str | Path) -> pd.DataFrame:
    chapter, value = TABLES[name]
    rows = results(study, name, root).query("chapter == @chapter").rename(columns={"model": "trained_on"})
    if rows.empty:
        raise ConfigurationError(f"no {chapter} run of study {study!r} has the table {name!r}")
    trained = rows.parameter_second.map(json.loads).str.join("+")
    rows = rows.assign(model=rows.parameter_model, loss=rows.parameter_loss, trained=trained, seed=rows.run.map(seeds))
    rows = rows.drop(columns=["run", "chapter", *(it for it in rows if it.startswith("parameter_"))])
    key = [*SETTING, "classifier", "mismatch", "trained_on", "group", "participant", "language"]
    key = [column for column in key if column in rows]
    rows = unique_rows(rows, key, value, f"study {study!r}, {chapter}, table {name!r}")
    return rows.replace({"trained_on": {"after": "translations"}}) if "trained_on" in rows else rows


def percent_by_model(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return `Transfers.accuracy` with random mismatches as `scores_by_group` and `panels` draw it (per cent).

    Columns: panel (which pairs), group (model), condition (loss, and what was trained with it), value, lower, upper.
    """
    rows = accuracy[accuracy.mismatch == "random"]
    percent = (100 * rows[["accuracy", "lower", "upper"]]).rename(columns={"accuracy": "value"})
    return percent.assign(panel="English and " + rows.language, group=rows.model, condition=_condition(rows))


def change_by_model(changes: pd.DataFrame) -> pd.DataFrame:
    """Return `Transfers.changes` over the whole cortex as `scores_by_group` and `panels` draw it."""
    rows = changes[changes.group == "cortex"]
    condition = _condition(rows).where(rows.trained_on == "translations", "shuffled translations")
    panel = "participants " + rows.language
    return rows[["lower", "upper"]].assign(panel=panel, group=rows.model, condition=condition, value=rows.change)


def _condition(rows: pd.DataFrame) -> pd.Series:
    return rows.loss.where(rows.trained.str.contains("+", regex=False), rows.loss + ", apart")


def best_of_many(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the best accuracy by kind of mismatch, with its p-value corrected for being the best (Bonferroni).

    Columns: mismatch, tried, `SETTING`, language, accuracy, lower, upper, n, p_corrected, above_chance.
    """
    best = accuracy.loc[accuracy.groupby("mismatch", sort=False).accuracy.idxmax()]
    tried = best.mismatch.map(accuracy.mismatch.value_counts())
    p = (best.p * tried).clip(upper=1)
    best = best.assign(tried=tried, p_corrected=p, above_chance=(p < 0.05) & (best.accuracy > 0.5))
    columns = ["mismatch", "tried", *SETTING, "language", "accuracy", "lower", "upper", "n", "p_corrected"]
    return best[[*columns, "above_chance"]].reset_index(drop=True)


def count_gains(changes: pd.DataFrame) -> pd.DataFrame:
    """Count the transfers that change the whole cortex beyond their interval: trained_on, n, gain, lose."""
    cortex = changes[changes.group == "cortex"]
    flags = cortex[["trained_on"]].assign(n=1, gain=cortex.lower > 0, lose=cortex.upper < 0)
    return flags.groupby("trained_on", sort=False).sum().reset_index()


def brain_against_controls(participants: pd.DataFrame, brains: list[str]) -> pd.DataFrame:
    """Compare what a model that has read brains gains from transfer with one that has not, over the whole cortex.

    Parameters
    ----------
    participants : of `Transfers`.
    brains : the models that have read brains.

    Returns
    -------
    One row for each of them, control, loss, languages of training and language of the participants: difference of the
    changes of r with its interval (Student's t, paired by participant, seeds averaged) and p, n participants.
    """
    rows = participants[(participants.group == "cortex") & (participants.trained_on == "translations")]
    where = ["loss", "trained", "language"]
    wide = rows.pivot_table(index=[*where, "participant"], columns="model", values="value")
    tables = [pd.DataFrame(columns=["model", "control", *where, "difference", "lower", "upper", "p", "n"])]
    for brain in brains:
        for control in wide.columns.drop(brains):
            for setting, values in (wide[brain] - wide[control]).dropna().groupby(where, sort=False):
                if len(values) > 1:
                    labels = {"model": brain, "control": control, **dict(zip(where, setting, strict=True))}
                    interval = mean_interval(values.to_numpy()).to_frame(**{key: [it] for key, it in labels.items()})
                    tables.append(interval.rename(columns={"value": "difference"}).assign(n=len(values)))
    return pd.concat(tables[1:] or tables, ignore_index=True)
