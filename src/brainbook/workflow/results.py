"""A run's parameters, its tables of results and where they came from.

A chapter begins with `start_run` and hands every table to `Run.save`. What a run leaves behind is a folder:

    results/<study>/<run>/
        <table>.parquet      tidy rows, one observation a row
        provenance.json      parameters, versions, commit, seed, data fingerprint, wall time, peak memory

`results` reads one table of all runs of a study back, with a column for every parameter that differs.

Some studies take too long for every reader. Their small tables are archived (see `brainbook.workflow.archive`); `archive_results`
archives those of a study, and `latest_table` prefers results that were made here.
"""

import json
import os
import platform
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.store import atomic_write, fingerprint, read_json, write_json
from brainbook.workflow.archive import (
    ARCHIVE,
    CONSULTED,
    ArchivedTable,
    archived_table,
    commit,
    consulted,
    consulted_key,
    keep,
    read_archived,
)

__all__ = ["ARCHIVE", "ROOT", "ArchivedTable", "Run", "commit", "keep", "archive_results", "archived_table", "latest_table",
           "results", "schema", "start_run", "write_overview"]  # fmt: skip
ROOT = Path("results")
RESULTS_OF_A_STUDY = "BRAINBOOK_RESULTS"  # the workflow sets it to the folder that its run may write to
MAY_LACK_DATA = "BRAINBOOK_MAY_LACK_DATA"  # and this to "1" where the study file says so of the run
PACKAGES = (
    *("brainbook", "numpy", "scipy", "pandas", "scikit-learn", "torch", "transformers", "accelerate"),
    *("nilearn", "nibabel", "statsmodels", "papermill"),
)


RECORD = {  # what a provenance.json has to say
    **{"chapter": str, "parameters": dict, "tables": dict, "commit": str, "finished": str, "seed": int | list | None},
    **{"wall_time_s": float | int, "peak_memory_gb": float | int, "data": str | None, "data_fingerprint": str | None},
}


@dataclass
class Run:
    """One execution of one chapter with one set of parameters."""

    chapter: str
    results: Path
    parameters: dict
    data: str | None = None
    data_fingerprint: str | None = None
    seed: int | None = None
    began: float = field(default_factory=time.perf_counter)
    tables: dict = field(default_factory=dict)

    def save(self, table: pd.DataFrame, name: str) -> Path:
        """Write `table` to `results/<name>.parquet` with the run's provenance beside it; returns the path."""
        if not isinstance(table, pd.DataFrame):
            raise ConfigurationError(f"results table {name!r} must be a pandas DataFrame, not {type(table).__name__}")
        if not re.fullmatch(r"\w[\w-]*", name):
            raise ConfigurationError(f"{name!r} cannot be the name of a table: letters, digits, _ and - only")
        path = self.results / f"{name}.parquet"
        with atomic_write(path) as temporary:
            table.reset_index(drop=True).to_parquet(temporary, index=False)
        self.tables[name] = {"rows": len(table), "columns": [str(column) for column in table.columns]}
        write_json(self.results / "provenance.json", self._provenance())
        return path

    def provenance(self) -> pd.DataFrame:
        """Write and return where the results came from, as a table with the columns `what` and `value`."""
        record = self._provenance()
        write_json(self.results / "provenance.json", record)
        rows = {
            **{key: record[key] for key in ("chapter", "finished", "commit", "data", "data_fingerprint", "seed")},
            **{f"parameter {key}": value for key, value in record["parameters"].items()},
            "wall time (s)": record["wall_time_s"],
            "peak memory (GB)": record["peak_memory_gb"],
            "tables": ", ".join(record["tables"]),
            "versions": ", ".join(f"{name} {number}" for name, number in record["versions"].items()),
        }
        return pd.DataFrame({"what": list(rows), "value": [str(value) for value in rows.values()]})

    def _provenance(self) -> dict:
        return {
            "chapter": self.chapter,
            "parameters": self.parameters,
            "data": self.data,
            "data_fingerprint": self.data_fingerprint,
            "seed": self.seed,
            "tables": self.tables,
            "commit": commit(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_time_s": round(time.perf_counter() - self.began, 1),
            "peak_memory_gb": round(peak_memory() / 1e9, 2),
            "python": platform.python_version(),
            "versions": versions(),
            "archived": [[*name, key] for name, key in CONSULTED.items()],
        }


def start_run(
    chapter: str,
    results: str | Path,
    data: str | Path | None = None,
    seed: int | None = None,
    parameters: dict | None = None,
) -> Run:
    """Begin a run: note the time, the parameters and a fingerprint of the data folder.

    Parameters
    ----------
    chapter : the notebook's name.
    results : the folder that this run's tables go to.
    data : the folder that was read; it may be absent (the fingerprint is then None).
    seed : the seed that drives everything random in the run.
    parameters : what else the notebook was given.

    Raises ConfigurationError when `results` is the folder of a study's run and the workflow did not start this one, and
    when a parameter is of another kind than its default (papermill's `-p` makes text of a list).
    """
    _check_folder(Path(results))
    _check_parameters(chapter, parameters or {})
    CONSULTED.clear()  # what this run reads of the archive counts
    return Run(
        chapter=chapter,
        results=Path(results),
        parameters=dict(parameters or {}),
        data=None if data is None else str(data),
        data_fingerprint=None if data is None else folder_fingerprint(data),
        seed=seed,
    )


def _check_folder(folder: Path) -> None:
    """Refuse the folder of a study's run, unless the workflow set it: its tables would be mixed with others."""
    if os.environ.get(RESULTS_OF_A_STUDY) and Path(os.environ[RESULTS_OF_A_STUDY]).resolve() == folder.resolve():
        return
    inside = folder.resolve().parts[len(ROOT.resolve().parts) :] if ROOT.resolve() in folder.resolve().parents else ()
    if (inside and Path("studies", f"{inside[0]}.yaml").exists()) or (folder / "state.json").exists():
        raise ConfigurationError(
            f"{folder} holds the results of a study, and this run is not part of it: give it a folder of its own, "
            'such as `-p results results/mine` (in a notebook: results = "results/mine")'
        )


def _check_parameters(chapter: str, parameters: dict) -> None:
    """Refuse text where the chapter's default is something else, and text that looks like a list or a dictionary."""
    defaults, cells = {}, {}
    if re.fullmatch(r"\w+", chapter) and (source := Path("notebooks", f"{chapter}.md")).is_file():
        from brainbook.workflow.notebooks import notebook_parameters

        defaults = notebook_parameters(source)
        if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
            cells = {name: shell.user_ns[name] for name in defaults if name in shell.user_ns}
    for name, value in {**parameters, **cells}.items():
        default = defaults.get(name)
        other = isinstance(default, list | dict | bool | int | float)
        if isinstance(value, str) and (other or re.fullmatch(r"\s*[\[{(].*[\])}]\s*", value, re.DOTALL)):
            example = re.sub("[\"']", "", value).strip()
            example = f"[{example}]" if isinstance(default, list) and example[:1] != "[" else example
            raise ConfigurationError(
                f"the parameter {name} came as the text {value!r}"
                + (f", and should be like {default!r}. " if other else ". ")
                + f"papermill makes text of what stands behind -p and -r: say -y '{{{name}: {example}}}'"
            )


def results(study: str, table: str | None = None, root: str | Path = ROOT) -> pd.DataFrame:
    """All rows of `table` over all runs of `study`; the columns `run` (its name) and `chapter` come first.

    Without `table`: one row a run, its provenance. Parameters of the run become columns named `parameter_<name>`; what
    is no number, text or truth value becomes JSON, and so does a parameter that is text in one chapter and a number in
    another. A column of the table that has one of these names is called `<name>_in_table`. A run that failed or was
    killed half-way counts as not there.
    Raises ConfigurationError when the study has no such results, and names those it has.
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
    """`values` as they are or, where they are of several types that no file could hold in one column, as text."""
    if pd.api.types.infer_dtype(values, skipna=True) not in ("mixed", "mixed-integer"):
        return values
    return values.map(lambda value: value if isinstance(value, str) or pd.isna(value) else json.dumps(value))


def _records(study: str, root: str | Path) -> dict[Path, dict]:
    """{folder of a run: its provenance} of all runs that came to their end (or were made by hand)."""
    folder = Path(root) / study
    records = {}
    for path in sorted(folder.glob("**/provenance.json")):
        state = path.with_name("state.json")
        try:
            if not state.exists() or read_json(state).get("state") == "done":
                record = read_json(path)
                if absent := [key for key, kind in RECORD.items() if not isinstance(record.get(key, RECORD), kind)]:
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


def archive_results(study: str, table: str, root: str | Path = ROOT, kept: str | Path = ARCHIVE) -> Path:
    """Archive a table of all runs of `study` as it lies in the results folder, with the last run's date and commit."""
    made = _made_here(study, table, root)
    about = {"date": made.date, "commit_of": made.commit, "minutes": made.minutes, "rests_on": made.rests_on}
    return keep(study, table, made.rows, made.command, root=kept, **about)


def latest_table(study: str, table: str, root: str | Path = ROOT, kept: str | Path = ARCHIVE) -> ArchivedTable | None:
    """A table of another study: of its results here or, if it was not run here, the archived one; None if neither."""
    return consulted(study, table, True, _latest(study, table, root, kept))


def _latest(study: str, table: str, root: str | Path, kept: str | Path) -> ArchivedTable | None:
    try:
        return _made_here(study, table, root)
    except ConfigurationError:
        return read_archived(study, table, kept) if (Path(kept) / study / f"{table}.csv").is_file() else None


def archive_changes(folder: Path) -> list[str]:
    """What a run's page shows of archived tables, or of other studies' results, and what is different today."""
    record = read_json(folder / "provenance.json") if (folder / "provenance.json").is_file() else {}
    changed = []
    for study, table, latest, key in record.get("archived", []):
        there = (Path(ARCHIVE) / study / f"{table}.csv").is_file()
        found = _latest(study, table, ROOT, ARCHIVE) if latest else read_archived(study, table) if there else None
        if key != consulted_key(found):
            changed.append(f"archived table {study}/{table}")
    return changed


def _made_here(study: str, table: str, root: str | Path) -> ArchivedTable:
    """`table` of all runs of `study` without what they share, dated by the last of them."""
    rows, runs = results(study, table, root), results(study, root=root)
    runs = runs[runs.run.isin(set(rows.run))]
    last = runs.sort_values("finished").iloc[-1]
    same = ["chapter", *(name for name in rows if name.startswith("parameter_") and rows[name].nunique(False) == 1)]
    rows = rows.drop(columns=[*same, *(["run"] if len(runs) == 1 else [])])
    minutes = round(float(runs.wall_time_s.sum()) / 60, 1)
    files = [*(f"notebooks/{chapter}.md" for chapter in sorted(set(runs.chapter))), f"studies/{study}.yaml"]
    command = f"make book STUDY={study}"
    return ArchivedTable(rows, last.finished, command, last.commit, here=True, minutes=minutes, rests_on=tuple(files))


def schema(study: str, root: str | Path = ROOT) -> pd.DataFrame:
    """What tables a study left: one row a column, with table, column, type (as Arrow names it), rows and runs."""
    import pyarrow.parquet

    found: dict[tuple[str, str, str], list[int]] = {}
    for folder, record in _records(study, root).items():
        for table in record["tables"]:
            _read_table(folder / f"{table}.parquet", study)
            kept = pyarrow.parquet.read_schema(folder / f"{table}.parquet")
            for name, kind in zip(kept.names, kept.types, strict=True):
                found.setdefault((table, name, str(kind)), []).append(record["tables"][table]["rows"])
    rows = [(*key, sum(counts), len(counts)) for key, counts in found.items()]
    return pd.DataFrame(rows, columns=["table", "column", "type", "rows", "runs"])


def write_overview(study: str, root: str | Path = ROOT) -> Path:
    """Write `results/<study>/runs.parquet`: one row a run with its parameters, to join the tables of all runs with."""
    path = Path(root) / study / "runs.parquet"
    with atomic_write(path) as temporary:
        results(study, root=root).to_parquet(temporary, index=False)
    return path


def _cell(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool, type(None))) else json.dumps(value)


def folder_fingerprint(folder: str | Path) -> str | None:
    """A key of the names and sizes of all files below `folder` (not of their content: recordings are large).

    None when there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return None
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    return fingerprint(sizes)


def versions() -> dict[str, str]:
    """The versions of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_memory(children: bool = False) -> int:
    """The most memory this process (or, of its ended children, the largest) ever held, in bytes; 0 on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
