"""Number sense at convergence: studies that take too long for a page, and the tables of them that are archived.

python -m brainbook.chapters.number_sense digits       # trains and measures what is not cached, writes the tables
"""

import argparse
import os
from pathlib import Path

import pandas as pd

from brainbook.number_sense.claims import decide_criteria, verdicts
from brainbook.number_sense.evaluation import summarise
from brainbook.number_sense.presets import make_study
from brainbook.number_sense.runs import run_study
from brainbook.workflow import archive_table, archived_table

# The archived studies: preset, and what it is called on the page.
ARCHIVED = {
    "digits": "digits",
    "digits_longer": "digits, twice as long",
    "digits_dreg": "digits, DReG",
    "digits_cnn": "digits, CNN",
    "mnist": "MNIST",
    "mnist_longer": "MNIST, twice as long",
}
TABLES = ("criteria", "claims", "scores", "confusion", "number_line", "learning")
CURVE = ["design", "arm", "source", "seed"]  # what has a learning curve of its own
N_POINTS = 60  # of an archived learning curve, at most


def tables(evaluation, confusion, number_line, learning) -> dict[str, pd.DataFrame]:
    """Return the tables to archive of a study's tables, from `run_study`.

    criteria, claims : of `decide_criteria` and `verdicts`. scores : all measures, mean and interval over seeds.
    confusion, number_line : means over seeds. learning : the bound on validation pairs by arm, seed and step.
    """
    criteria = decide_criteria(evaluation)
    measures = ["arm", "design", "measure", "source", "target", "factor", "condition"]
    pairs = ["design", "arm", "source", "target", "number", "read"]
    confusion = confusion[confusion.design == "published"]  # noise-free
    curves = learning.sort_values("step", kind="stable").groupby(CURVE)
    thin = curves.cumcount() % (curves.step.transform("size") // N_POINTS + 1) == 0
    last = curves.cumcount(ascending=False) == 0
    return {
        "criteria": criteria,
        "claims": verdicts(criteria),
        "scores": summarise(evaluation, *measures),
        "confusion": confusion.groupby(pairs, sort=False).share.mean().reset_index(),
        "number_line": number_line.groupby(["design", "arm", "source", "number"], sort=False)[["mean", "sd"]].mean()
        .reset_index(),
        "learning": learning.loc[thin | last, [*CURVE, "step", "validation"]],
    }  # fmt: skip


def archived(table: str, *studies: str) -> pd.DataFrame:
    """Read an archived table of several studies as one, the column `study` first, with their names on the page."""
    rows = {ARCHIVED[name]: archived_table(name, table).rows for name in studies or ARCHIVED}
    return pd.concat(rows, names=["study"]).reset_index("study").reset_index(drop=True)


def chapter_tables(made: dict[str, pd.DataFrame], seeds: int) -> tuple[dict[str, pd.DataFrame], bool]:
    """Return the tables that the chapter shows and whether they are its own: those of the archived study of digits, or
    those `made` here where several seeds were trained, so that there are intervals.
    """
    own = seeds > 1
    return (tables(**made) if own else {name: archived_table("digits", name).rows for name in TABLES}), own


def gain_of_longer(until_flat: pd.DataFrame, longer: pd.DataFrame) -> pd.DataFrame:
    """Compare the bound at the end of training with that after a further round, from the tables "learning".

    Returns one row per design, arm and source: steps, bound and longer (nats per pair, means over seeds), gain (their
    difference), share (of the rise from the first look to the end of the first round).
    """
    key, order = ["design", "arm", "source"], ["seed", "step"]
    first, last = (until_flat.sort_values(order).groupby([*key, "seed"]).nth(k) for k in (0, -1))
    ends = [part.groupby(key, sort=False).validation.mean() for part in (first, last)]
    after = longer.sort_values(order).groupby([*key, "seed"]).nth(-1).groupby(key, sort=False).validation.mean()
    table = pd.DataFrame({"steps": last.groupby(key).step.mean().round(), "bound": ends[1], "longer": after}).dropna()
    table["gain"] = table.longer - table.bound
    return table.assign(share=table.gain / (ends[1] - ends[0])).reset_index()


def compare_studies() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the verdicts of all archived studies side by side, and how each study was made.

    The first has a column claim and one per study ("not run" where its parts were not); the second one row per study:
    network, bound, seeds (of the multimodal arm), steps (its mean), minutes (of one core, all arms).
    """
    claims = archived("claims").pivot(index="claim", columns="study", values="verdict")
    claims = claims.reindex(columns=list(ARCHIVED.values())).fillna("not run").reset_index()
    rows = []
    for preset, name in ARCHIVED.items():
        study, learning = make_study(preset), archived_table(preset, "learning")
        both = learning.rows.query("design == 'published' and arm == 'multimodal'").groupby("seed").step.max()
        model, bound = study.model, f"{study.objective.bound}, K = {study.objective.samples}"
        layers = f"{model.layers} x {model.width}" if model.architecture == "mlp" else f"{model.channels} channels"
        about = {"study": name, "network": f"{model.architecture}, {layers}", "bound": bound, "seeds": study.seeds}
        rows.append(about | {"steps": round(both.mean()), "batch": study.training.batch, "minutes": learning.minutes})
    return claims.rename_axis(columns=None), pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run a study and archive its tables; the minutes are those of training, measured when it was trained."""
    parser = argparse.ArgumentParser(prog="python -m brainbook.chapters.number_sense", description=__doc__)
    parser.add_argument("preset", choices=list(ARCHIVED))
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
