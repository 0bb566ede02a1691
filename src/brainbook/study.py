"""A run's parameters, its tables of results and where they came from.

A chapter begins with `start_run` and hands every table to `Run.save`. What a run leaves behind is a folder:

    results/<study>/<run>/
        <table>.parquet      tidy rows, one observation a row
        provenance.json      parameters, versions, commit, seed, data fingerprint, wall time, peak memory

`results` reads one table of all runs of a study back, with a column for every parameter that differs.

Some studies take too long for every reader. Their small tables are kept in the repository, `book/kept/<study>/
<table>.csv`, under a line that says when, by which command and at which commit they were made: `keep` writes them,
`kept_table` reads them, `latest_table` prefers results that were made here.
"""

import json
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.store import fingerprint, whole_file, write_json

ROOT = Path("results")
KEPT = Path("book/kept")
PACKAGES = (
    *("brainbook", "numpy", "scipy", "pandas", "scikit-learn", "torch", "transformers", "accelerate"),
    *("nilearn", "nibabel", "statsmodels", "papermill"),
)


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
        path = self.results / f"{name}.parquet"
        with whole_file(path) as temporary:
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
    """
    return Run(
        chapter=chapter,
        results=Path(results),
        parameters=dict(parameters or {}),
        data=None if data is None else str(data),
        data_fingerprint=None if data is None else folder_fingerprint(data),
        seed=seed,
    )


def results(study: str, table: str | None = None, root: str | Path = ROOT) -> pd.DataFrame:
    """All rows of `table` over all runs of `study`, with the columns `run` and `chapter` first.

    Without `table`: one row a run, its provenance. Parameters of the run become columns named `parameter_<name>`; what
    is no number, text or truth value becomes JSON, and so does a parameter that is text in one chapter and a number in
    another. A run that failed or was killed half-way counts as not there.
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
            rows = pd.read_parquet(run_folder / f"{table}.parquet")
            extra = {key: value for key, value in (about | parameters).items() if key not in rows.columns}
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
        if not state.exists() or json.loads(state.read_text()).get("state") == "done":
            records[path.parent] = json.loads(path.read_text())
    if not records:
        raise ConfigurationError(f"no results in {folder}: run `make study STUDY={study}` first")
    return records


@dataclass(frozen=True)
class KeptTable:
    """A table and where it came from: `rows`, the `date` (ISO), the `command` that makes it anew, and the `commit`.

    here : whether it was made in this checkout's results folder rather than read from the repository.
    """

    rows: pd.DataFrame
    date: str
    command: str
    commit: str
    here: bool = False

    def told(self) -> str:
        """One sentence in Markdown: when, by what and at which commit."""
        return f"Run on {self.date[:10]} by `{self.command}`, commit `{self.commit}`."


def keep(
    study: str,
    table: str,
    rows: pd.DataFrame,
    command: str,
    *,
    date: str | None = None,
    commit_of: str | None = None,
    digits: int = 4,
    root: str | Path = KEPT,
) -> Path:
    """Write a small table of results to `book/kept/<study>/<table>.csv`, to be committed; returns the path.

    Parameters
    ----------
    rows : any table; numbers are written with `digits` significant digits.
    command : what makes the results anew, in one line. date, commit_of : when and at which commit they were made, as a
        run's provenance has them; now, and the present commit, by default.
    """
    if "\n" in command:
        raise ConfigurationError(f"the command of the kept table {table!r} has to be one line: {command!r}")
    about = {
        "date": date or datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "commit": commit_of or commit(),
    }
    path = Path(root) / study / f"{table}.csv"
    with whole_file(path) as temporary:
        text = rows.to_csv(index=False, float_format=f"%.{digits}g", lineterminator="\n")
        temporary.write_text(f"# {json.dumps(about)}\n{text}", encoding="utf-8")
    return path


def keep_results(study: str, table: str, root: str | Path = ROOT, kept: str | Path = KEPT) -> Path:
    """Keep a table of all runs of `study` as it lies in the results folder, with the last run's date and commit."""
    made = _made_here(study, table, root)
    return keep(study, table, made.rows, made.command, date=made.date, commit_of=made.commit, root=kept)


def kept_table(study: str, table: str, root: str | Path = KEPT) -> KeptTable:
    """Read what `keep` wrote. ConfigurationError when it is not there, or its first line does not say whence it is."""
    path = Path(root) / study / f"{table}.csv"
    if not path.is_file():
        raise ConfigurationError(f"{path} is not there: run `make book STUDY={study}` and keep its tables")
    first = path.open(encoding="utf-8").readline()
    try:
        about = json.loads(first.removeprefix("#"))
        about = {key: str(about[key]) for key in ("date", "command", "commit")}
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"{path}: the first line should be '# ' and JSON with date, command and commit, not {first[:60]!r}"
        ) from error
    return KeptTable(pd.read_csv(path, skiprows=1), **about)


def latest_table(study: str, table: str, root: str | Path = ROOT, kept: str | Path = KEPT) -> KeptTable | None:
    """A table of another study: of its results here or, if it was not run here, the kept one; None if neither."""
    try:
        return _made_here(study, table, root)
    except ConfigurationError:
        return kept_table(study, table, kept) if (Path(kept) / study / f"{table}.csv").is_file() else None


def _made_here(study: str, table: str, root: str | Path) -> KeptTable:
    """`table` of all runs of `study` without what they share, dated by the last of them."""
    rows, runs = results(study, table, root), results(study, root=root)
    runs = runs[runs.run.isin(set(rows.run))]
    last = runs.sort_values("finished").iloc[-1]
    same = ["chapter", *(name for name in rows if name.startswith("parameter_") and rows[name].nunique(False) == 1)]
    rows = rows.drop(columns=[*same, *(["run"] if len(runs) == 1 else [])])
    return KeptTable(rows, last.finished, f"make book STUDY={study}", last.commit, here=True)


def schema(study: str, root: str | Path = ROOT) -> pd.DataFrame:
    """What tables a study left: one row a column, with table, column, type (as Arrow names it), rows and runs."""
    import pyarrow.parquet

    found: dict[tuple[str, str, str], list[int]] = {}
    for folder, record in _records(study, root).items():
        for table in record["tables"]:
            kept = pyarrow.parquet.read_schema(folder / f"{table}.parquet")
            for name, kind in zip(kept.names, kept.types, strict=True):
                found.setdefault((table, name, str(kind)), []).append(record["tables"][table]["rows"])
    rows = [(*key, sum(counts), len(counts)) for key, counts in found.items()]
    return pd.DataFrame(rows, columns=["table", "column", "type", "rows", "runs"])


def write_overview(study: str, root: str | Path = ROOT) -> Path:
    """Write `results/<study>/runs.parquet`: one row a run with its parameters, to join the tables of all runs with."""
    path = Path(root) / study / "runs.parquet"
    with whole_file(path) as temporary:
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


def commit() -> str:
    """The commit of the code that runs, with '+' when files were changed since; 'unknown' outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
        dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True)
    except OSError:
        return "unknown"
    if head.returncode:
        return "unknown"
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def versions() -> dict[str, str]:
    """The versions of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_memory() -> int:
    """The most memory this process ever held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
