"""One run of a study: executed once, and never taken for complete when it is not.

A run's folder `results/<study>/<run>/` holds, beside the tables and provenance that the chapter writes:

    notebook.ipynb        the executed chapter, only when every cell succeeded
    notebook.part.ipynb   what ran so far, while it runs and after it failed
    state.json            running, done or failed (and why), with keys of what the run was made from and of what it left
    .done                 what Snakemake looks for; it is removed when the run has to be made again
    .lock                 held while a process works on the run
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import Timeout

from brainbook.errors import ConfigurationError
from brainbook.store import atomic_write, file_lock, write_json
from brainbook.workflow.content import (
    is_ready,
    outputs_of,
    prerequisites,
    read_state,
    run_folder,
    run_key,
    why_not_current,
)
from brainbook.workflow.gpus import reserved
from brainbook.workflow.notebooks import execute
from brainbook.workflow.run import MAY_LACK_DATA, RESULTS_OF_A_STUDY, cpu_seconds, peak_memory
from brainbook.workflow.study_file import PlannedRun, Study

DONE = ".done"
ORPHAN_SECONDS = 2  # a kernel looks every second whether the process that began it is still there, and else ends


def is_locked(folder: Path) -> bool:
    """Return whether a living process works on the run in `folder`."""
    if not (folder / ".lock").exists():
        return False
    try:
        with file_lock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True


def execute_run(study: Study, run: PlannedRun) -> str:
    """Execute one run, unless its result is there already; waits for another process that works on the same run.

    Returns "done", "kept" (nothing had to be computed) or "failed". Whatever goes wrong is written to `state.json`,
    as one line, and to stderr.
    """
    folder = run_folder(study, run)
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / ".lock"):  # a process of an earlier session that was killed may still work on it
        if not why_not_current(study, run):
            (folder / DONE).touch()
            return "kept"
        earlier = read_state(folder)
        if earlier.get("state") == "running":  # it was killed
            time.sleep(ORPHAN_SECONDS)
        for pattern in ("*.parquet", "*.ipynb", "provenance.json", ".writing-*", DONE):
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        state = {
            "state": "running",
            "made_from": run_key(study, run),
            "parameters": run.parameters,
            "began": _now(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "took_s": earlier.get("wall_s") if earlier.get("state") == "done" else earlier.get("took_s"),
        }
        write_json(folder / "state.json", state)
        began = time.perf_counter()
        try:
            with reserved(run.gpus, share=run.share_gpu) as gpus:
                state["gpus"] = gpus
                if run.parameters.get("device") == "cuda" and not gpus:
                    raise ConfigurationError("device is cuda and this machine shows no GPU: say device: auto or cpu")
                notebook, output = study.notebooks / f"{run.chapter}.md", folder / "notebook.ipynb"
                execute(notebook, output, run.parameters, threads=run.threads, environment=_environment(run, gpus))
            state |= {"state": "done", "outputs": outputs_of(folder)}
        except BaseException as error:
            state |= {"state": "failed", "error": one_line(error)}
            print(f"{run.name} failed: {state['error']}", file=sys.stderr)
            if not isinstance(error, Exception):
                raise
        finally:
            state |= {"finished": _now(), "wall_s": round(time.perf_counter() - began, 1)}
            state |= {"cpu_s": cpu_seconds(), "peak_memory_mb": peak_memory(children=True) // 1_000_000}
            write_json(folder / "state.json", state)
            if state["state"] == "done":
                (folder / DONE).touch()
        return str(state["state"])


def _environment(run: PlannedRun, gpus: list[str]) -> dict[str, str]:
    return {
        RESULTS_OF_A_STUDY: str(run.parameters["results"]),
        MAY_LACK_DATA: "1" if run.may_lack_data else "",
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
    }


def prepare(study: Study, *names: str) -> int:
    """Make the study's phantom, or some of its models, each stamped with a key of what makes it; 0 if they are there.

    Models that are asked for together are made by one process: those that come with the package take no time but its
    start.
    """
    made = prerequisites(study)
    if unknown := [name for name in names if name not in made]:
        raise ConfigurationError(
            f"study {study.name!r} makes no {unknown[0]!r}; it makes {', '.join(made) or 'nothing'}"
        )
    with ExitStack() as locks:  # another study may want the same ones now
        for name in sorted(names):
            stamp = made[name][0]
            place = stamp.parent if name == "phantom" else stamp
            place.parent.mkdir(parents=True, exist_ok=True)
            locks.enter_context(file_lock(place.with_name(f".{place.name}.lock")))
        missing = [name for name in names if not is_ready(*made[name])]
        if not missing:
            return 0
        began, clock = _now(), time.perf_counter()
        code = subprocess.run(_command_of(study, missing)).returncode
        times = {"wall_s": round(time.perf_counter() - clock, 1), "cpu_s": cpu_seconds()}
        if code == 0:
            record = "phantom" if missing == ["phantom"] else "models"
            write_json(Path("logs", study.name, f"{record}.json"), {"began": began, "finished": _now(), **times})
            for stamp, key in (made[name] for name in missing):
                with atomic_write(stamp) as temporary:
                    temporary.write_text(key + "\n", encoding="utf-8")
    return code


def _command_of(study: Study, names: list[str]) -> list[str]:
    """Return the command that makes the study's phantom or models."""
    if names != ["phantom"]:
        return [sys.executable, "-m", "brainbook.language_models", "tiny", *names, "--cache", study.cache]
    phantom = study.phantom or {}
    made_by = "brainbook.chapters.story" if "story" in phantom else "brainbook.phantom"
    command = [sys.executable, "-m", made_by, study.data]
    for name, value in phantom.items():
        values = value if isinstance(value, list) else [value]
        if value is not False:
            command += [f"--{name.replace('_', '-')}", *([] if value is True else map(str, values))]
    return command


def one_line(error: Any) -> str:
    """Describe why a run failed in one line: of a cell its number and its exception."""
    if type(error).__name__ == "PapermillExecutionError":  # papermill takes a second to import
        text = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
    elif isinstance(error, KeyboardInterrupt):
        text = "stopped by the user"
    else:
        text = f"{type(error).__name__}: {error}"
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:297] + "..."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
