"""Tables of results: of all runs of a study as one table, of other studies, and those that are archived."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.store import atomic_write, read_json
from brainbook.workflow.archive import (
    ARCHIVE,
    ArchivedTable,
    archive_table,
    consulted,
    consulted_key,
    read_archived,
)
from brainbook.workflow.run import ROOT

RECORD = {  # what a provenance.json has to say
    **{"chapter": str, "parameters": dict, "tables": dict, "commit": str, "finished": str, "seed": int | list | None},
    **{"wall_time_s": float | int, "peak_memory_gb": float | int, "data": str | None, "data_fingerprint": str | None},
}


def results(study: str, table: str | None = None, root: str | Path = ROOT) -> pd.DataFrame:
    """Read all rows of `table` over all runs of `study`; the columns `run` (its name) and `chapter` come first.

    Studies are folders of `root`.

    Without `table`: one row per run, its provenance. Parameters of the run become columns named `parameter_<name>`;
    what is no number, text or truth value becomes JSON, and so does a parameter that is text in one chapter and a
    number in another. A column of the table that has one of these names is called `<name>_in_table`. A run that failed
    or was killed half-way counts as not there.
    Raises ConfigurationError when the study has no such results, and names those it has.

    Examples
    --------
    >>> from brainbook.workflow import start_run
    >>> run = start_run("alignment", "results/mine/alignment")
    >>> _ = run.save(pd.DataFrame({"region": ["Heschl's gyrus"], "value": [0.1]}), "scores")
    >>> _ = run.provenance()
    >>> results("mine", "scores")[["run", "region", "value"]]
             run          region  value
    0  alignment  Heschl's gyrus    0.1
    """
    folder = Path(root) / study
    records = _records(study, root)
    frames = []
    for run_folder, record in records.items():
        parameters = {f"parameter_{key}": _cell(value) for key, value in record["parameters"].items()}
        about = {"run": str(run_folder.relative_to(folder)), "chapter": record["chapter"]}
        if table is None:
            plain = ("seed", "commit", "finished", "wall_time_s", "peak_memory_gb", "data", "data_fingerprint")
            about |= {key: record[key] for key in plain}
            frames.append(pd.DataFrame([about | parameters]))
        elif table in record["tables"]:
            rows = _read_table(run_folder / f"{table}.parquet", study)
            extra = about | parameters
            rows = rows.rename(columns={name: f"{name}_in_table" for name in rows if name in extra})
            frames.append(pd.concat([pd.DataFrame(extra, index=rows.index), rows], axis=1))
    if not frames:
        known = sorted({name for record in records.values() for name in record["tables"]})
        raise ConfigurationError(f"study {study!r} has no table {table!r}; it has {', '.join(known)}")
    rows = pd.concat(frames, ignore_index=True)
    for name in [name for name in rows if name.startswith("parameter_")]:
        rows[name] = _one_type(rows[name])
    return rows


def _one_type(values: pd.Series) -> pd.Series:
    """Return `values` as they are or, where they are of several types that no column of a file can hold, as text."""
    if pd.api.types.infer_dtype(values, skipna=True) not in ("mixed", "mixed-integer"):
        return values
    return values.map(lambda value: value if isinstance(value, str) or pd.isna(value) else json.dumps(value))


def _records(study: str, root: str | Path) -> dict[Path, dict]:
    """Read {folder of a run: its provenance} of all runs that came to their end (or were made by hand)."""
    folder = Path(root) / study
    records = {}
    for path in sorted(folder.glob("**/provenance.json")):
        state = path.with_name("state.json")
        try:
            if not state.exists() or read_json(state).get("state") == "done":
                record = read_json(path)
                if absent := [key for key, kind in RECORD.items() if not isinstance(record.get(key, ...), kind)]:
                    raise ConfigurationError(f"{path} has no {', '.join(absent)}, as a run's provenance should")
                records[path.parent] = record
        except ConfigurationError as error:
            raise ConfigurationError(f"{error}. `make study STUDY={study}` makes the run again") from None
    if not records:
        raise ConfigurationError(f"no results in {folder}: run `make study STUDY={study}` first")
    return records


def _read_table(path: Path, study: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are both
        raise ConfigurationError(
            f"{path} is damaged or gone ({error}): `make study STUDY={study}` makes it again"
        ) from None


def archive_results(study: str, table: str, root: str | Path = ROOT, archive: str | Path = ARCHIVE) -> Path:
    """Archive a table of all runs of `study` as it lies in the results folder, with the last run's date and commit."""
    made = _made_here(study, table, root)
    about: dict[str, Any] = {"date": made.date, "commit_of": made.commit, "minutes": made.minutes}
    return archive_table(study, table, made.rows, made.command, rests_on=made.rests_on, root=archive, **about)


def latest_table(
    study: str, table: str, root: str | Path = ROOT, archive: str | Path = ARCHIVE
) -> ArchivedTable | None:
    """Read a table of another study: its results here, else the archived table; None if there is neither."""
    return consulted(study, table, True, _latest(study, table, root, archive))


def _latest(study: str, table: str, root: str | Path, archive: str | Path) -> ArchivedTable | None:
    try:
        return _made_here(study, table, root)
    except ConfigurationError:
        return _archived(study, table, archive)


def _archived(study: str, table: str, archive: str | Path) -> ArchivedTable | None:
    return read_archived(study, table, archive) if (Path(archive) / study / f"{table}.csv").is_file() else None


def archive_changes(folder: Path) -> list[str]:
    """Return which of the archived tables, or other studies' results, that a run's page shows are different today."""
    record = read_json(folder / "provenance.json") if (folder / "provenance.json").is_file() else {}
    changed = []
    for study, table, latest, key in record.get("archived", []):
        current = _latest(study, table, ROOT, ARCHIVE) if latest else _archived(study, table, ARCHIVE)
        if key != consulted_key(current):
            changed.append(f"archived table {study}/{table}")
    return changed


def _made_here(study: str, table: str, root: str | Path) -> ArchivedTable:
    """Read `table` of all runs of `study` without what they share, dated by the last of them."""
    rows, runs = results(study, table, root), results(study, root=root)
    runs = runs[runs.run.isin(set(rows.run))]
    last = runs.sort_values("finished").iloc[-1]
    same = ["chapter", *(name for name in rows if name.startswith("parameter_") and rows[name].nunique(False) == 1)]
    rows = rows.drop(columns=[*same, *(["run"] if len(runs) == 1 else [])])
    minutes = round(float(runs.wall_time_s.sum()) / 60, 1)
    files = [*(f"notebooks/{chapter}.md" for chapter in sorted(set(runs.chapter))), f"studies/{study}.yaml"]
    command = f"make book STUDY={study}"
    return ArchivedTable(rows, last.finished, command, last.commit, here=True, minutes=minutes, rests_on=tuple(files))


def write_overview(study: str, root: str | Path = ROOT) -> Path:
    """Write `results/<study>/runs.parquet`: one row per run with its parameters, to join all tables with."""
    path = Path(root) / study / "runs.parquet"
    with atomic_write(path) as temporary:
        results(study, root=root).to_parquet(temporary, index=False)
    return path


def _cell(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool, type(None))) else json.dumps(value)
