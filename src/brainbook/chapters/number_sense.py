"""Number sense at convergence: studies that take too long for a page, and the tables of them that are archived.

python -m brainbook.chapters.number_sense digits       # trains and measures what is not cached, writes the tables
"""

import argparse
import os
from pathlib import Path
from typing import Any

import pandas as pd

from brainbook.number_sense.claims import decide_criteria, verdicts
from brainbook.number_sense.evaluation import summarise
from brainbook.number_sense.presets import make_study
from brainbook.number_sense.runs import run_study
from brainbook.workflow import archive_table, latest_table

# The studies to be archived: preset, and what it is called on the page.
STUDIES = {
    "digits": "digits",
    "digits_longer": "digits, twice as long",
    "digits_controls": "digits, more controls",
    "digits_dreg": "digits, DReG",
    "digits_cnn": "digits, CNN",
    "mnist": "MNIST",
    "mnist_longer": "MNIST, twice as long",
}
TABLES = ("criteria", "claims", "scores", "confusion", "number_line", "learning")
CURVE = ["design", "arm", "source", "seed"]  # what has a learning curve of its own
N_POINTS = 60  # of an archived learning curve, at most


def tables(
    evaluation: pd.DataFrame, confusion: pd.DataFrame, number_line: pd.DataFrame, learning: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return the tables to archive of a study's tables, from `run_study`.

    criteria, claims : of `decide_criteria` and `verdicts`. scores : all measures, mean and interval over seeds.
    confusion, number_line : means over seeds. learning : the bound on validation pairs by arm, seed and step.
    """
    decided = decide_criteria(evaluation)
    measures = ["arm", "design", "measure", "source", "target", "factor", "condition"]
    pairs = ["design", "arm", "source", "target", "number", "read"]
    confusion = confusion[confusion.design == "published"]  # noise-free
    curves = learning.sort_values("step", kind="stable").groupby(CURVE)
    thin = curves.cumcount() % (curves.step.transform("size") // N_POINTS + 1) == 0
    last = curves.cumcount(ascending=False) == 0
    return {
        "criteria": decided,
        "claims": verdicts(decided),
        "scores": summarise(evaluation, *measures),
        "confusion": confusion.groupby(pairs, sort=False).share.mean().reset_index(),
        "number_line": number_line.groupby(["design", "arm", "source", "number"], sort=False)[["mean", "sd"]].mean()
        .reset_index(),
        "learning": learning.loc[thin | last, [*CURVE, "step", "validation"]],
    }  # fmt: skip


def chapter_tables(made: dict[str, pd.DataFrame], seeds: int) -> tuple[dict[str, pd.DataFrame], bool]:
    """Return the tables that the chapter shows and whether they are its own: those of the archived study of digits, or
    those `made` here where several seeds were trained, so that there are intervals, or where nothing is archived.
    """
    archived: dict[str, Any] = {name: latest_table("digits", name) for name in TABLES}
    own = seeds > 1 or archived["learning"] is None
    return (tables(**made) if own else {name: table.rows for name, table in archived.items()}), own


def origin_of_verdicts() -> str:
    """Return, for `glue`, where the archived networks of digits come from, or that they are not there."""
    table = latest_table("digits", "learning")
    if table:
        return f"They took {table.minutes:.0f} minutes of a core. {table.origin()}"
    command = "`python -m brainbook.chapters.number_sense digits`"
    return f"They are **not there yet** ({command} makes them): all below is of this page's network, and no verdict."


def ends_of_training(learning: pd.DataFrame, rule: Any, longer: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how the training of each arm ended, from the table "learning" of a study.

    Returns one row per design, arm and source, means over seeds: steps, stopped_by ("rule", the bound was flat, or
    "limit"; "plan" where no rule was set), bound (nats per pair at the end), gain (of the last third of the steps
    before the learning rate fell), share_of_rise (of all that was gained since the first look) and, with the table of a
    `longer` study, gain_of_twice.
    """
    rows = []
    for key, curves in learning.groupby(["design", "arm", "source"], sort=False):
        curve = curves.groupby("step").validation.mean()
        steps = curves.groupby("seed").step.max()
        level = curve[curve.index <= steps.min() / (1 + rule.decay if rule.patience else 1)]
        before = level[level.index <= max(level.index[-1] * 2 / 3, level.index[0])].iloc[-1]
        limited = (steps >= round(rule.steps * (1 + rule.decay))).any()
        ends = curves.sort_values("step").groupby("seed").validation.last()
        row = dict(zip(("design", "arm", "source"), key, strict=True)) | {"steps": round(steps.mean())}
        stopped = ("limit" if limited else "rule") if rule.patience else "plan"
        row |= {"stopped_by": stopped, "bound": ends.mean(), "gain": level.iloc[-1] - before}
        row["share_of_rise"] = row["gain"] / max(level.iloc[-1] - level.iloc[0], 1e-9)
        if longer is not None:
            same = longer[(longer[["design", "arm", "source"]] == list(key)).all(axis=1)]
            row["gain_of_twice"] = same.sort_values("step").groupby("seed").validation.last().mean() - row["bound"]
        rows.append(row)
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run a study and archive its tables; the minutes are those of training, measured when it was trained."""
    parser = argparse.ArgumentParser(prog="python -m brainbook.chapters.number_sense", description=__doc__)
    parser.add_argument("preset", choices=list(STUDIES))
    parser.add_argument("--digits", help="a folder of MNIST's idx files; else that of BRAINBOOK_DATA, or a download")
    parser.add_argument("--cache", default="cache", help="where trained models are cached")
    options = parser.parse_args(arguments)
    study = make_study(options.preset, digits=options.digits)
    local = Path(os.environ.get("BRAINBOOK_DATA", ""), "mnist")
    if study.digits == "mnist" and local.is_dir():
        study = study.replace(digits=str(local))
    made = run_study(study, options.cache, device="cpu")
    minutes = made["learning"].groupby(CURVE).seconds.max().sum() / 60
    for name, rows in tables(**made).items():
        command = f"python -m brainbook.chapters.number_sense {options.preset}"
        archive_table(options.preset, name, rows, command, minutes=minutes, rests_on=(RESTS_ON,))


RESTS_ON = "src/brainbook/chapters/number_sense.py"

if __name__ == "__main__":
    main()
