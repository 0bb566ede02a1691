"""One run of a chapter: its parameters, its tables, and where they came from.

A chapter begins with `start_run` and hands every table to `ChapterRun.save`. What a run leaves behind is a folder:

    results/<study>/<run>/
        <table>.parquet      tidy rows, one observation per row
        provenance.json      parameters, versions, commit, seed, data fingerprint, wall time, peak memory
"""

import os
import platform
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.store import atomic_write, fingerprint, write_json
from brainbook.workflow.archive import CONSULTED, commit
from brainbook.workflow.notebooks import notebook_parameters

ROOT = Path("results")
RESULTS_OF_A_STUDY = "BRAINBOOK_RESULTS"  # the workflow sets it to the folder that its run may write to
MAY_LACK_DATA = "BRAINBOOK_MAY_LACK_DATA"  # and this to "1" where the study file says so of the run
PACKAGES = (
    *("brainbook", "numpy", "scipy", "pandas", "scikit-learn", "torch", "transformers", "accelerate"),
    *("nilearn", "nibabel", "statsmodels", "papermill"),
)


@dataclass
class ChapterRun:
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
            "versions": {name: version(name) for name in PACKAGES},
            "archived": [[*name, key] for name, key in CONSULTED.items()],
        }


def start_run(
    chapter: str,
    results: str | Path,
    data: str | Path | None = None,
    seed: int | None = None,
    parameters: dict | None = None,
) -> ChapterRun:
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
    key = None if data is None else folder_fingerprint(data)
    return ChapterRun(chapter, Path(results), dict(parameters or {}), None if data is None else str(data), key, seed)


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
    ipython = sys.modules.get("IPython")  # in a notebook it is there
    source, shell = Path("notebooks", f"{chapter}.md"), ipython and ipython.get_ipython()
    defaults = notebook_parameters(source) if re.fullmatch(r"\w+", chapter) and source.is_file() else {}
    cells = {name: shell.user_ns[name] for name in defaults if name in shell.user_ns} if shell else {}
    for name, value in {**parameters, **cells}.items():
        default = defaults.get(name)
        no_text = isinstance(default, list | dict | bool | int | float)
        if isinstance(value, str) and (no_text or re.fullmatch(r"\s*[\[{(].*[\])}]\s*", value, re.DOTALL)):
            example = re.sub("[\"']", "", value).strip()
            example = f"[{example}]" if isinstance(default, list) and example[:1] != "[" else example
            raise ConfigurationError(
                f"the parameter {name} came as the text {value!r}, and should be like {default!r}. papermill makes "
                f"text of what stands behind -p and -r: say -y '{{{name}: {example}}}'"
            )


def folder_fingerprint(folder: str | Path) -> str | None:
    """Return a key of the names and sizes of all files below `folder` (not of their content: recordings are large).

    None when there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return None
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    return fingerprint(sizes)


def cpu_seconds() -> float | None:
    """Return the CPU seconds that this process and its ended children have used; None on Windows."""
    times = os.times()
    return None if sys.platform == "win32" else round(sum(times[:4]), 1)


def peak_memory(children: bool = False) -> int:
    """Return the most memory this process (or the largest of its ended children) ever held, in bytes; 0 on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    processes = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    return resource.getrusage(processes).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
