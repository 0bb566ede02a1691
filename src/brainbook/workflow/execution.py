"""One run of a study: executed once, kept, and never taken for whole when it is not.

A run's folder `results/<study>/<run>/` holds, beside the tables and provenance that the chapter writes:

    notebook.ipynb        the executed chapter, only when every cell succeeded
    notebook.part.ipynb   what ran so far, while it runs and after it failed
    state.json            running, done or failed (and why), with keys of what the run was made from and of what it left
    .done                 what Snakemake looks for; it is taken away when the run has to be made again
    .lock                 held while a process works on the run
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from papermill.exceptions import PapermillExecutionError

from brainbook.errors import ConfigurationError
from brainbook.store import atomic_write, write_json
from brainbook.workflow.content import outputs_of, prerequisites, run_folder, run_key, why_not_current
from brainbook.workflow.gpus import reserved
from brainbook.workflow.notebooks import execute
from brainbook.workflow.run import MAY_LACK_DATA, RESULTS_OF_A_STUDY, peak_memory
from brainbook.workflow.study_file import PlannedRun, Study

SESSION = "BRAINBOOK_SESSION"
DONE = ".done"


def is_locked(folder: Path) -> bool:
    """Whether a living process works on this run."""
    if not (folder / ".lock").exists():
        return False
    try:
        with FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock; waits for a process of an earlier session that still works on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # where the file system has no locks, a file that names its process stands for one
        yield


def execute_run(study: Study, run: PlannedRun) -> str:
    """Execute one run, or bring back its result when the same was computed before.

    Returns "done", "kept" (nothing had to be computed) or "failed". Whatever goes wrong is written to `state.json`,
    as one line, and to stderr.
    """
    folder = run_folder(study, run)
    follow_session()
    with locked(folder):
        if not why_not_current(study, run):
            (folder / DONE).touch()
            return "kept"
        _clear(folder)
        state = {
            "state": "running",
            "made_from": run_key(study, run),
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
                os.environ[RESULTS_OF_A_STUDY] = run.parameters["results"]
                os.environ[MAY_LACK_DATA] = "1" if run.may_lack_data else ""
                notebook = study.notebooks / f"{run.chapter}.md"
                execute(notebook, folder / "notebook.ipynb", run.parameters, threads=run.threads)
            state |= {"state": "done", "outputs": outputs_of(folder)}
        except BaseException as error:
            state |= {"state": "failed", "error": one_line(error)}
            print(f"{run.name} failed: {state['error']}", file=sys.stderr)
            if not isinstance(error, Exception):
                raise
        finally:
            state |= {"finished": _now(), "wall_s": round(time.perf_counter() - began, 1)}
            state["peak_memory_mb"] = peak_memory(children=True) // 1_000_000
            write_json(folder / "state.json", state)
            if state["state"] == "done":
                (folder / DONE).touch()
        return state["state"]


def prepare(study: Study, what: str) -> int:
    """Make the study's phantom or a model, and stamp it with a key of what makes it; returns 0 if it was made."""
    made = prerequisites(study)
    if what not in made:
        raise ConfigurationError(f"study {study.name!r} makes no {what!r}; it makes {', '.join(made) or 'nothing'}")
    stamp, key = made[what]
    if what == "phantom":
        command = ["brainbook.phantom", study.data]
        for name, value in (study.phantom or {}).items():
            values = value if isinstance(value, list) else [value]
            if value is not False:
                command += [f"--{name.replace('_', '-')}", *([] if value is True else map(str, values))]
    else:
        command = ["brainbook.language_models.tiny.models", what, "--cache", study.cache]
    code = subprocess.run([sys.executable, "-m", *command]).returncode
    if code == 0:
        with atomic_write(stamp) as temporary:
            temporary.write_text(key + "\n", encoding="utf-8")
    return code


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
    for pattern in ("*.parquet", "*.ipynb", "provenance.json", ".writing-*", DONE):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


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
