"""The tables of one study of number sense, and all studies side by side, for the page of its controls."""

from typing import Any

import pandas as pd

from brainbook.chapters.number_sense import STUDIES, TABLES
from brainbook.errors import ConfigurationError
from brainbook.number_sense.claims import criteria
from brainbook.number_sense.presets import make_study
from brainbook.workflow import latest_table


def read_study(study: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a study, its results on this machine or else what is archived: those named in `TABLES`.

    Raises ConfigurationError, which says what makes them, where one of them is in neither place.
    """
    tables: dict[str, Any] = {name: latest_table(study, name) for name in TABLES}
    if absent := [name for name, table in tables.items() if table is None]:
        raise ConfigurationError(
            f"the study {study!r} has no table {', '.join(absent)}, neither here nor in the archive: "
            f"`python -m brainbook.chapters.number_sense {study}` makes them"
        )
    return {name: table.rows for name, table in tables.items()}


def compare_studies() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the verdicts of all archived studies side by side, and how each study was made.

    The first has a column claim and one per study ("not run" where its parts were not); the second one row per study:
    network, bound, seeds (of the multimodal arm), steps (its mean), minutes (of one core, all arms). A study that is
    not archived is in neither.
    """
    found: dict[str, list[Any]] = {it: [latest_table(it, name) for name in ("claims", "learning")] for it in STUDIES}
    there = {preset: tables for preset, tables in found.items() if all(tables)}
    columns = {STUDIES[preset]: claims.rows.set_index("claim").verdict for preset, (claims, _) in there.items()}
    verdicts = pd.DataFrame(columns, index=pd.Index(criteria().claim.unique(), name="claim")).fillna("not run")
    rows: list[dict[str, Any]] = []
    for preset, (_, learning) in there.items():
        study = make_study(preset)
        both = learning.rows.query("design == 'published' and arm == 'multimodal'").groupby("seed").step.max()
        model, bound = study.model, f"{study.objective.bound}, K = {study.objective.samples}"
        layers = f"{model.layers} x {model.width}" if model.architecture == "mlp" else f"{model.channels} channels"
        about = {"study": STUDIES[preset], "network": f"{model.architecture}, {layers}", "bound": bound}
        counts = {"seeds": study.seeds, "steps": round(both.mean()), "batch": study.training.batch}
        rows.append(about | counts | {"minutes": learning.minutes})
    return verdicts.reset_index(), pd.DataFrame(rows)
