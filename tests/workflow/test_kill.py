"""Killed at any moment, a study goes on where it was: nothing torn is taken for whole, nothing runs twice at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import kills
import pandas as pd
import psutil
import pytest
from kills import never_twice_at_once, processes_of

from brainbook.workflow.execution import execute_run, is_locked
from brainbook.workflow.status import run_statuses
from brainbook.workflow.study_file import read_study

from .conftest import COUNT, HEAD

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_it_had_never_been(project):
    """The short version of `kills.py`: each kind of kill, and a power cut, once."""
    ordeal = kills.Ordeal(project, seed=1, words=[], environment={}, longest=1.0)
    ordeal.longest = ordeal.undisturbed() / 2
    ordeal.run(len(kills.VICTIMS), cut_every=1)
    assert ordeal.counts["power cuts"] and ordeal.counts["studies brought to their end"]
    assert not {name: ordeal.counts[name] for name in kills.WRONG if ordeal.counts[name]}


@pytest.mark.parametrize(
    "number, made_by", [(signal.SIGTERM, "project"), (signal.SIGINT, "quick_project"), (signal.SIGHUP, "quick_project")]
)
def test_a_session_that_is_stopped_stops_its_runs_and_their_kernels(request, number, made_by):
    project = request.getfixturevalue(made_by)
    project.write("studies/mine.yaml", "data: nowhere\nruns: [{chapter: count, parameters: {seconds: 600}}]")
    heard = signal.getsignal(signal.SIGINT)
    if number == signal.SIGTERM:  # as of a script that started it with `&`: it ignores interrupts
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        session = project.start("study", "mine")
    finally:
        signal.signal(signal.SIGINT, heard)
    while not project.journal():
        assert session.poll() is None, session.communicate()[0]
        time.sleep(0.1)
    session.send_signal(number)
    said, _ = session.communicate(timeout=90)
    assert session.returncode not in (0, -number), said
    assert "stopping; what is done is kept" in said
    _, left = psutil.wait_procs(processes_of(project), timeout=10)
    assert not left, [process.cmdline() for process in left]
    assert "stopped by the user" in project.do("status", "mine")[1]


def test_the_journal_check_sees_two_at_once():
    assert never_twice_at_once(["begin a 1", "begin a 2", "end a 2"])
    assert not never_twice_at_once(["begin a 1", "begin a 2", "end a 1"])


def test_what_ended_unseen_is_kept_and_what_changed_is_not(project, without_kernel, monkeypatch):
    """A run on a cluster goes on when its session is killed; the next session finds its result."""

    monkeypatch.chdir(project.folder)
    project.write("studies/mine.yaml", "data: nowhere\nruns: [{chapter: count}]")
    study = read_study("mine")
    run = study.runs["count"]
    assert execute_run(study, run) == "done"
    notebook = project.folder / "results/mine/count/notebook.ipynb"
    stamp = notebook.with_name(".done")
    stamp.unlink()  # as Snakemake does before it starts what it thinks is incomplete
    assert execute_run(study, run) == "kept"
    assert project.begun() == ["count"] and stamp.exists()
    run.parameters["number"] = 4
    assert execute_run(study, run) == "done"
    assert project.begun() == ["count", "count"]
    assert pd.read_parquet(notebook.with_name("scores.parquet"))["number"].unique() == [4]


def test_what_a_power_cut_tore_is_made_again(project, without_kernel, monkeypatch):
    """Files cut in the middle, as a disk may leave them that lost its power: a state, a table, the kept notebook."""

    monkeypatch.chdir(project.folder)
    project.write("studies/mine.yaml", "data: nowhere\nruns: [{chapter: count}]")
    study = read_study("mine")
    folder = project.folder / "results/mine/count"
    assert execute_run(study, study.runs["count"]) == "done"
    whole = (folder / "scores.parquet").read_bytes()
    for name in ("state.json", "scores.parquet", "notebook.ipynb"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    assert run_statuses(study)[0].state == "waiting"
    assert execute_run(study, study.runs["count"]) == "done"
    assert (folder / "scores.parquet").read_bytes() == whole
    assert project.begun() == ["count", "count"]
    assert run_statuses(study)[0].state == "done"


def test_a_full_disk_leaves_no_half_a_table(quick_project):
    """No file may grow beyond 40 kB, as on a full disk that a kernel writes to; then there is room again."""
    project = quick_project
    project.write("studies/mine.yaml", "data: nowhere\nruns: [{chapter: count}]")
    project.write("notebooks/count.md", HEAD + COUNT.replace("size=5", "size=50_000"))
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY));"
        "from brainbook.__main__ import main; sys.exit(main(['run', 'mine', 'count']))"
    )
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(project.folder / "jupyter"), "OMP_NUM_THREADS": "1"}
    tried = subprocess.run([sys.executable, "-c", limited], cwd=project.folder, env=environment, capture_output=True)
    folder = project.folder / "results/mine/count"
    assert tried.returncode == 1
    assert "File too large" in (folder / "state.json").read_text()
    assert not list(folder.glob("*.parquet")) and not (folder / "notebook.ipynb").exists()
    assert not [path for path in folder.iterdir() if "writing" in path.name]
    assert project.do("run", "mine", "count")[0] == 0
    assert len(pd.read_parquet(folder / "scores.parquet")) == 50_000


def test_a_run_that_outlives_its_session_is_waited_for_and_a_killed_one_is_run_again(project):
    project.write("studies/mine.yaml", "data: nowhere\nruns: [{chapter: count, parameters: {seconds: 6}}]")
    folder = Path(project.folder, "results/mine/count")
    for victim in ("run", "session"):
        project.forget()
        run = project.start("run", "mine", "count")
        while not project.journal():
            assert run.poll() is None, run.communicate()[0]
            time.sleep(0.1)
        assert is_locked(folder)
        if victim == "run":
            for process in processes_of(project):
                process.kill()
            assert run.wait() == -signal.SIGKILL and not is_locked(folder)
            assert "interrupted  count" in project.do("status", "mine")[1]
    assert project.do("study", "mine")[0] == 0
    assert run.wait() == 0 and project.begun() == ["count"]
