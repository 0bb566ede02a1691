"""One run of a study: executed once, kept, and never taken for whole when it is not.

A run's folder `results/<study>/<run>/` holds, beside the tables and provenance that the chapter writes:

    notebook.ipynb        the executed chapter, only when every cell succeeded
    notebook.part.ipynb   what ran so far, while it runs and after it failed
    state.json            running, done or failed (and why), with the key of what the run was made from
    .notebook.ipynb       the same file as notebook.ipynb, kept when the workflow clears the way for a new run
    .lock                 held while a process works on the run
"""

import fcntl
import json
import os
import resource
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from papermill.exceptions import PapermillExecutionError

from brainbook.errors import ConfigurationError
from brainbook.notebooks import execute, sources
from brainbook.store import fingerprint, write_json
from brainbook.study_file import PlannedRun, Study
from brainbook.workflow.gpus import reserved

SMALL = 100_000  # bytes; of larger data files only the size enters a run's key
SESSION = "BRAINBOOK_SESSION"


def run_folder(study: Study, run: PlannedRun) -> Path:
    return Path("results") / study.name / run.name


def code_key(notebook: Path) -> str:
    """A key of a chapter's text and of every file of the package that it uses."""
    return fingerprint(notebook, [[path.name, path] for path in sources(notebook)])


def run_key(study: Study, run: PlannedRun) -> str:
    """A key of everything that the run's result depends on: text, code, parameters, data, results of earlier runs."""
    earlier = [run_folder(study, other) for other in study.before(run)]
    tables = sorted(path for folder in earlier for path in folder.glob("*.parquet"))
    return fingerprint(
        code_key(study.notebooks / f"{run.chapter}.md"),
        run.parameters,
        _data_key(run.parameters.get("data")),
        [[str(path), path] for path in tables],
    )


def _data_key(folder: object) -> str | None:
    if not isinstance(folder, str) or not Path(folder).is_dir():
        return None
    parts = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            size = path.stat().st_size
            parts[str(path.relative_to(folder))] = fingerprint(path) if size <= SMALL else size
    return fingerprint(parts)


def read_state(folder: Path) -> dict:
    """What `state.json` says; {} when there is none (or a torn one)."""
    try:
        return json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}


def is_locked(folder: Path) -> bool:
    """Whether a living process works on this run."""
    try:
        with (folder / ".lock").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock; waits for a process of an earlier session that still works on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def execute_run(study: Study, run: PlannedRun) -> str:
    """Execute one run, or bring back its result when the same was computed before.

    Returns "done", "kept" (nothing had to be computed) or "failed". Whatever goes wrong is written to `state.json`,
    as one line, and to stderr.
    """
    folder = run_folder(study, run)
    output, kept = folder / "notebook.ipynb", folder / ".notebook.ipynb"
    follow_session()
    with locked(folder):
        key = run_key(study, run)
        state = read_state(folder)
        if kept.exists() and state.get("state") == "done" and state.get("key") == key:
            _same_file(kept, output)
            return "kept"
        _clear(folder)
        state = {
            "state": "running",
            "key": key,
            "code": code_key(study.notebooks / f"{run.chapter}.md"),
            "parameters": run.parameters,
            "began": _now(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
        }
        write_json(folder / "state.json", state)
        began = time.perf_counter()
        try:
            with reserved(run.gpus, share=run.share_gpu) as gpus:
                state["gpus"] = gpus
                if run.parameters.get("device") == "cuda" and not gpus:
                    raise ConfigurationError("device is cuda and this machine shows no GPU: say device: auto or cpu")
                execute(study.notebooks / f"{run.chapter}.md", output, run.parameters, threads=run.threads)
            _same_file(output, kept)
            state["state"] = "done"
        except BaseException as error:
            state |= {"state": "failed", "error": one_line(error)}
            print(f"{run.name} failed: {state['error']}", file=sys.stderr)
            if not isinstance(error, Exception):
                raise
        finally:
            state |= {"finished": _now(), "wall_s": round(time.perf_counter() - began, 1)}
            state["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            write_json(folder / "state.json", state)
        return state["state"]


def one_line(error: BaseException) -> str:
    """Why a run failed, in one line: of a cell its number and its exception."""
    if isinstance(error, PapermillExecutionError):
        text = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
    elif isinstance(error, KeyboardInterrupt):
        text = "stopped by the user"
    else:
        text = f"{type(error).__name__}: {error}"
    first = " ".join(text.split())
    return first if len(first) <= 300 else first[:297] + "..."


def _clear(folder: Path) -> None:
    """Remove what an earlier attempt left in the run's own folder (never in the folders of other runs below it)."""
    for pattern in ("*.parquet", "*.ipynb", ".*.ipynb", "provenance.json", ".writing-*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def _same_file(source: Path, target: Path) -> None:
    """Make `target` the same file as `source` (a copy where links are impossible), dated now."""
    temporary = target.with_name(f".linking-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # renaming a link onto another link of the same file does nothing
    os.utime(target)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def session_name() -> str:
    """What a session hands to its runs so that they can see whether it still lives."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{os.environ.get('SLURM_JOB_ID', '')}"


def follow_session(every_s: float = 1.0) -> None:
    """End this process and its kernel when the session that started it is gone (killed, say).

    Else the run would go on beside the one that the next session starts. Runs on Slurm live on: their session runs
    on another machine, and the next one waits for them (`locked`) and keeps what they made.
    """
    host, process, started, job = (os.environ.get(SESSION, "") + ":::").split(":")[:4]
    if host != socket.gethostname() or job != os.environ.get("SLURM_JOB_ID", "") or not process.isdigit():
        return

    def watch() -> None:
        while _started(int(process)) == started:
            time.sleep(every_s)
        _end_children()
        os._exit(137)

    threading.Thread(target=watch, daemon=True).start()


def _started(process: int) -> str:
    """When a process began (so that a reused number is not taken for it); '' when there is none or it is a zombie."""
    import psutil

    with suppress(OSError, ValueError):  # Linux counts in ticks since it was started: no clock change moves it
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    with suppress(psutil.Error):
        found = psutil.Process(process)
        return "" if found.status() == psutil.STATUS_ZOMBIE else f"{found.create_time():.0f}"
    return ""


def _end_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
