"""A session: Snakemake runs what a study still needs; one line shows how far it is; a killed one is simply begun again.

Three things go beyond what Snakemake does by itself. What has to be made again is decided by content, before it starts
(`workflow.content`): it only sees what lacks its stamp, and no date. A lock that the operating system drops with the
process stands for its own, which survives a kill and must then be removed by hand. And runs that outlive their session,
because it was killed or on a cluster, are waited for (`execution.execute_run`), and their results kept.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import Timeout

from brainbook.errors import ConfigurationError
from brainbook.store import atomic_write, file_lock, read_json, write_json
from brainbook.workflow.content import is_ready, prerequisites, run_folder, why_not_current
from brainbook.workflow.execution import DONE
from brainbook.workflow.gpus import visible_gpus
from brainbook.workflow.status import run_statuses, status_lines, summary
from brainbook.workflow.study_file import Study
from brainbook.workflow.tables import write_overview
from brainbook.workflow.times import Plan, time_left

PROFILES = Path("profiles")
SESSION_FILE = ".session.json"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
MEMORY_MB = 6000  # what a laptop can spare


def run_study(
    study: Study, data: str | None = None, jobs: int = 2, memory_mb: int = MEMORY_MB, profile: str = "local"
) -> int:
    """Run everything that the study still needs; returns 0 when all of it is there at the end.

    Parameters
    ----------
    data : what ${DATA} of the study file stands for; noted in the results folder, where Snakemake's runs find it.
    jobs : CPU cores that are used at a time (local), or runs that wait in the queue at a time (a cluster).
    memory_mb : memory that all local runs together may take; a run starts when its share is free.
    profile : a folder of `profiles/`: "local" or "slurm".
    """
    if not (PROFILES / profile / "config.yaml").exists():
        known = ", ".join(sorted(path.parent.name for path in PROFILES.glob("*/config.yaml")))
        raise ConfigurationError(f"no profile {profile!r} in {PROFILES.resolve()}; there are {known}")
    if jobs < 1 or memory_mb < 1:
        raise ConfigurationError(f"--jobs {jobs} --memory {memory_mb}: nothing can run; both are numbers from 1 on")
    large = [run.name for run in study.runs.values() if profile == "local" and run.memory_mb > memory_mb]
    if large:
        raise ConfigurationError(
            f"{len(large)} run(s) need more than the {memory_mb} MB that all runs may take together: "
            f"{', '.join(large[:5])}. Say MEMORY=<MB> if the machine has more"
        )
    folder = Path("results") / study.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(folder / ".session.lock", timeout=0):
            write_json(folder / SESSION_FILE, {"process": os.getpid(), "data": data})
            return _run_session(study, jobs, memory_mb, profile)
    except Timeout:
        raise ConfigurationError(
            f"study {study.name!r} is being run already, by process {last_session(study.name).get('process')}: "
            f"`make status STUDY={study.name}` shows how far it is"
        ) from None


def last_session(study: str) -> dict:
    """Return what the study's present or last session noted: its "process", and the "data" that it was given."""
    try:
        return read_json(Path("results") / study / SESSION_FILE)
    except ConfigurationError:
        return {}


def _remove_stale_stamps(study: Study) -> bool:
    """Remove the stamps of what has to be made (again), and of what rests on that; return whether there is anything.

    Snakemake then asks every such run; one whose recordings and earlier tables came out as they were is kept.
    """
    ready = {stamp: is_ready(stamp, key) for stamp, key in prerequisites(study).values()}
    stale = {name for name, run in study.runs.items() if not all(ready.values()) or why_not_current(study, run)}
    before = {name: {earlier.name for earlier in study.before(run)} for name, run in study.runs.items()}
    while resting_on_stale := {name for name in before if before[name] & stale} - stale:
        stale |= resting_on_stale
    for stamp in (stamp for stamp in ready if not ready[stamp]):
        stamp.unlink(missing_ok=True)
    for name, run in study.runs.items():
        stamp = run_folder(study, run) / DONE
        if name in stale:
            stamp.unlink(missing_ok=True)
        else:
            stamp.touch()  # also where it was finished unseen
    return bool(stale)


def _run_session(study: Study, jobs: int, memory_mb: int, profile: str) -> int:
    log = Path("logs") / study.name / "snakemake.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _cancel_queued(log)
    if not _remove_stale_stamps(study):
        print(f"{study.name}: everything is there and current", file=sys.stderr)
        return _finish(study, 0, log)
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(PROFILES / profile), "--nolock"]
    command += ["--config", f"study=studies/{study.name}.yaml"]
    if profile == "local":  # without a GPU no run waits for one: those on "auto" then use the CPU
        command += ["--cores", str(jobs), "--resources", f"mem_mb={memory_mb}", f"gpu={len(visible_gpus()) or 10**6}"]
    else:
        command += ["--jobs", str(jobs)]
    plan = Plan.of(study)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with log.open("w") as stream, TemporaryDirectory(prefix="brainbook-") as scratch:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=_home(scratch) | os.environ | {"PYTHONUNBUFFERED": "1"},
            preexec_fn=_prepare_child,
            start_new_session=True,  # so that all of it, and not Snakemake alone, can be stopped
        )
        try:
            _report_progress(process, plan, jobs, began)
        except KeyboardInterrupt:
            print("\nstopping; what is done is kept", file=sys.stderr)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)  # every run, too, shuts its kernel down
            process.wait()
    if process.returncode and not any(row.state == "failed" for row in run_statuses(study, since=began)):
        print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-25:]), file=sys.stderr)
    return _finish(study, process.returncode, log)


def _finish(study: Study, code: int, log: Path) -> int:
    """Write the pages and the table of runs; return 0 only if everything is there and current."""
    with suppress(ConfigurationError):  # no run has results yet
        write_overview(study.name)
    rows = run_statuses(study)
    write_pages(study, {row.run for row in rows if row.state == "done"})
    if code or any(row.state != "done" for row in rows):
        print("\n".join(line for line in status_lines(study) if not line.startswith("done")), file=sys.stderr)
        print(f"What happened: {log}. After a correction the same command does only what is left.", file=sys.stderr)
        return code or 1
    return 0


def _report_progress(process: subprocess.Popen, plan: Plan, jobs: int, began: str) -> None:
    """Print the progress line when a run began or ended (on a terminal: in place) until Snakemake ends."""
    terminal = sys.stderr.isatty()
    printed, ended = "", False
    while not ended:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(1.0, len(plan.study.runs) / 200))
        ended = process.poll() is not None
        rows = run_statuses(plan.study, since=began)
        line = summary(rows, plan.study, None if ended else time_left(rows, plan, jobs, began))
        if terminal:
            print(f"\r\x1b[K{line}", end="\n" if ended else "", file=sys.stderr, flush=True)
        elif line.partition(" · about")[0] != printed.partition(" · about")[0]:
            print(line, file=sys.stderr, flush=True)
            printed = line


def _home(scratch: str) -> dict[str, str]:
    """Return variables that stand for the home of a user who has none, or may not write to it; {} for all others.

    Snakemake and Jupyter write there. Models are looked for where they were before.
    """
    try:
        home = Path.home()
    except RuntimeError:  # a user without a name, as in containers
        return {"HOME": scratch}
    own = {"XDG_CACHE_HOME": scratch, "HF_HOME": str(home / ".cache/huggingface")}
    return {} if os.access(home, os.W_OK) else own


def _prepare_child() -> None:
    """Let Snakemake hear interrupts, and Linux kill it when this process dies, however it dies.

    What a script starts with `&` ignores interrupts, and so would all of its children.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":  # elsewhere it ends with its runs
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _cancel_queued(log: Path) -> None:
    """Take back from Slurm's queue what an earlier, killed session left waiting there (what runs may finish)."""
    if not log.exists() or shutil.which("scancel") is None:
        return
    for name in re.findall(r"SLURM run ID: (\S+)", log.read_text(errors="replace")):
        subprocess.run(["scancel", "--state", "PENDING", "--name", name], capture_output=True)


def write_pages(study: Study, done: set[str]) -> None:
    """Write the book's pages: each chapter's executed notebook, or a line that the study does not run it."""
    import nbformat
    from nbformat.v4 import new_markdown_cell, new_notebook

    toc = Path("_toc.yml")
    for chapter in re.findall(r"book/chapters/(\w+)", toc.read_text(encoding="utf-8")) if toc.exists() else []:
        page = Path("book/chapters", f"{chapter}.ipynb")
        run = study.page(chapter)
        if run is None:
            text = f"# {chapter.replace('_', ' ').capitalize()}\n\nThe study `{study.name}` does not run this chapter."
            notebook = new_notebook(cells=[new_markdown_cell(text, id="absent")], metadata={"kernelspec": KERNEL})
            content = nbformat.writes(notebook).encode()
        elif run.name in done:
            content = (run_folder(study, run) / "notebook.ipynb").read_bytes()
        else:
            continue
        if not page.is_file() or page.read_bytes() != content:  # else Sphinx would take it for changed
            with atomic_write(page) as temporary:
                temporary.write_bytes(content)
