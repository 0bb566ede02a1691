"""Planted faults: a power cut, a full disk, folders that are read only, disks without locks, clocks that are set back.

Whatever happens, nothing half-written is taken for whole, and what is refused is refused in one line. The kills that
go with them are in `test_kill.py`, and at length in `kills.py`.
"""

import errno
import fcntl
import gc
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainbook.__main__ import main
from brainbook.errors import ConfigurationError
from brainbook.language_models.model_folders import cached_model
from brainbook.phantom.files import written_whole
from brainbook.store import atomic_write, cached_array, file_lock, sync
from brainbook.workflow import content, execution, start_run
from brainbook.workflow.content import folder_key, run_folder
from brainbook.workflow.execution import execute_run, prepare
from brainbook.workflow.status import run_statuses, status_lines
from brainbook.workflow.study_file import read_study

from .conftest import HEAD

CHAPTER = HEAD + '```{code-cell} ipython3\n:tags: [parameters]\nresults = "r"\ncache = "c"\nseed = 0\n```\n'
STUDY = "data: nowhere\nruns: [{chapter: one, sweep: {seed: [1, 2, 3]}}]"


@pytest.fixture
def study(project, monkeypatch):
    """Three runs, whose notebooks "run" without a kernel: each caches an array and saves a table."""
    monkeypatch.chdir(project.folder)
    project.write("notebooks/one.md", CHAPTER)
    project.write("studies/mine.yaml", STUDY)

    def execute(source, output, parameters, threads, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        seed = parameters["seed"]
        drawn = cached_array(
            parameters["cache"], "drawn", {"seed": seed}, lambda: np.random.default_rng(seed).random(9)
        )
        run = start_run(source.stem, results=parameters["results"], seed=seed)
        run.save(pd.DataFrame({"value": drawn}), "scores")
        output.write_text(source.read_text())

    monkeypatch.setattr(execution, "execute", execute)
    monkeypatch.setattr(execution, "ORPHAN_SECONDS", 0)
    return read_study("mine")


def make(study) -> dict[Path, bytes]:
    assert {execute_run(study, run) for run in study.runs.values()} <= {"done", "kept"}
    return {path: path.read_bytes() for path in sorted(Path("results/mine").rglob("*.parquet"))}


@pytest.mark.integration
def test_files_cut_at_any_length_are_made_again_and_are_what_they_were(study):
    """A power cut may leave any file of any length: 20 draws."""
    whole = make(study)
    for seed in range(20):
        chance = random.Random(seed)
        files = [path for name in ("results", "cache") for path in sorted(Path(name).rglob("*")) if path.is_file()]
        for path in chance.sample(files, chance.randint(1, 6)):
            if path.stat().st_size:
                os.truncate(path, chance.randrange(path.stat().st_size))
        for row in run_statuses(study):
            folder = run_folder(study, study.runs[row.run])
            assert row.state != "done" or (folder / "scores.parquet").read_bytes() == whole[folder / "scores.parquet"]
        assert make(study) == whole
    assert [row.state for row in run_statuses(study)] == ["done"] * 3


def test_what_an_earlier_version_of_a_chapter_left_is_removed(study):
    make(study)
    run = next(iter(study.runs.values()))
    folder = run_folder(study, run)
    (folder / "state.json").unlink()
    for name in ("of_old.parquet", "notebook.part.ipynb", ".writing-x-scores.parquet"):
        (folder / name).write_bytes(b"old")
    assert execute_run(study, run) == "done"
    names = {path.name for path in folder.iterdir()}
    assert names == {"scores.parquet", "provenance.json", "notebook.ipynb", "state.json", ".done", ".lock"}


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    """ENOSPC at each step of a write."""
    path = tmp_path / "table.csv"
    path.write_text("old")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    elif step == "rename":
        monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"), atomic_write(path) as temporary:
        temporary.write_text("new")
        if step == "write":
            refuse()
    assert path.read_text() == "old" and [file.name for file in tmp_path.iterdir()] == ["table.csv"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 300 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0 and sys.platform == "linux"
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder]).returncode:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_an_array_that_does_not_fit_on_the_disk_is_named_as_such(small_disk):
    with pytest.raises(OSError, match="No space left on device"):
        cached_array(small_disk, "a", {}, lambda: np.zeros(100_000))
    assert {path.suffix for path in small_disk.iterdir()} == {".lock"}
    np.testing.assert_array_equal(cached_array(small_disk, "a", {"n": 1}, lambda: np.zeros(10)), np.zeros(10))


def test_a_study_on_a_full_disk_says_so_in_one_line_and_goes_on_when_there_is_room(study, small_disk, capsys):
    Path("results").symlink_to(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 290_000)
    with pytest.raises(OSError, match="No space left"):
        make(study)
    assert main(["run", "mine", "one/seed=1"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not list(small_disk.rglob(".writing-*"))
    assert "done" not in {row.state for row in run_statuses(study)}
    filler.unlink()
    assert len(make(study)) == 3


def test_of_a_failed_run_the_status_says_why_first_and_where_its_output_went(study, monkeypatch):
    last = list(study.runs.values())[-1]
    make(study)
    (run_folder(study, last) / "state.json").unlink()
    monkeypatch.setattr(execution, "execute", lambda *_, **__: 1 / 0)
    assert execute_run(study, last) == "failed"
    lines = status_lines(study)
    assert lines[0].startswith("failed") and last.name in lines[0] and "division by zero" in lines[0]
    assert f"see {Path('logs/mine', last.name)}.log" in lines[0] and not any("see logs" in line for line in lines[1:])


REFUSALS = {errno.ENOLCK: "No locks available", errno.ENOTSUP: "not supported", errno.ENOSYS: "not implemented"}


@pytest.mark.parametrize("number", REFUSALS)
def test_a_disk_that_cannot_lock_is_refused_where_a_lock_is_needed_and_only_there(study, monkeypatch, capsys, number):
    """As NFS without lockd and Lustre without -o flock answer."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    gc.collect()  # what earlier tests left open is not this one's
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for words in (["study", "mine"], ["run", "mine", "one/seed=1"]):
            assert main(words) == 2
            said = capsys.readouterr().err
            assert said.count("\n") == 1 and "cannot lock files" in said and REFUSALS[number] in said
        for _ in range(2):
            np.testing.assert_array_equal(cached_array("cache", "a", {}, lambda: np.arange(3)), np.arange(3))
    assert not list(Path("results").rglob("*.parquet"))


def test_other_errors_of_a_lock_are_not_taken_for_a_disk_without_locks(tmp_path):
    with pytest.raises(OSError) as caught, file_lock(tmp_path):
        pass
    assert caught.value.errno == errno.EISDIR
    with pytest.raises(OSError, match="mine"), file_lock(tmp_path / "lock"):
        raise OSError(errno.ENOLCK, "mine")


def test_a_clock_that_was_set_back_changes_nothing(study, monkeypatch):
    """Files then bear dates in the future, and a run began later than now."""
    whole = make(study)
    future = time.time() + 10 * 86400
    for path in Path().rglob("*"):
        os.utime(path, (future, future), follow_symlinks=False)
    assert [row.state for row in run_statuses(study)] == ["done"] * 3
    table = next(iter(whole))
    table.write_bytes(whole[table][:-1])
    os.utime(table, (1, 1))
    assert sorted(row.state for row in run_statuses(study)) == ["done", "done", "out of date"]
    assert make(study) == whole
    state = table.with_name("state.json")
    state.write_text('{"state": "running", "began": "2999-01-01T00:00:00+00:00"}')
    with file_lock(table.with_name(".lock")):
        assert any(line.startswith("running") and line.endswith("0 s") for line in status_lines(study))
        state.write_text('{"state": "running", "began": 3}')
        assert sorted(row.state for row in run_statuses(study)) == ["done", "done", "running"]


def test_a_recording_that_changes_while_the_clock_goes_back_is_seen(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    file = tmp_path / "data/a"
    file.write_text("1")
    first = folder_key(tmp_path / "data", tmp_path)
    for now in (2e9, 1e9, 4e9):
        monkeypatch.setattr(content.time, "time", lambda now=now: now)
        assert folder_key(tmp_path / "data", tmp_path) == first
    file.write_text("2")
    os.utime(file, (1, 1))
    assert folder_key(tmp_path / "data", tmp_path) != first


@pytest.mark.parametrize("name", ["results", "logs", "cache"])
def test_a_folder_that_may_not_be_written_to_is_named(study, monkeypatch, capsys, name):
    """The refusal is planted: root may write where the mode forbids it."""
    whole = make(study)
    mkdir = Path.mkdir

    def refuse(path, *options, **more):
        if path.parts[0] == name:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return mkdir(path, *options, **more)

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert [row.state for row in run_statuses(study)] == ["done"] * 3, "a status needs no writing"
    if name == "cache":
        with pytest.raises(OSError, match="Read-only file system"):
            cached_array("cache", "new", {}, lambda: np.zeros(2))
        assert make(study) == whole, "what is there is read"
    else:
        assert main(["study", "mine"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and said.startswith(name) and said.endswith(": Read-only file system\n")


def test_content_is_on_the_disk_before_a_folder_has_its_name(tmp_path, monkeypatch):
    """Models and phantoms: every file is synced, and then the folder is renamed."""
    steps = []
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda path, target: steps.append(("rename", path.name)) or rename(path, target)
    )

    def noted(*paths):
        steps.extend(("sync", path.name) for path in paths)
        sync(*paths)

    def write(folder):
        (folder / "deep").mkdir()
        (folder / "deep/weights").write_text("w")

    monkeypatch.setattr("brainbook.language_models.model_folders.sync", noted)
    monkeypatch.setattr("brainbook.phantom.files.sync", noted)
    cached_model(tmp_path, "tiny", {}, write)
    with written_whole(tmp_path / "phantom") as folder:
        write(folder)
    names = [name for _, name in steps]
    renames = [place for place, (step, _) in enumerate(steps) if step == "rename"]
    assert len(renames) == 2 and names[: renames[0]].count("weights") == 1 == names[renames[0] :].count("weights")


def wanted(folder: Path) -> None:
    os.chdir(folder)
    command = [sys.executable, "-c", "import os, time; os.write(os.open('made', 1025), b'x'); time.sleep(0.3)"]
    execution._command_of = lambda study, what: command
    assert prepare(read_study("mine"), "phantom") == 0


def test_of_two_sessions_that_want_one_phantom_one_makes_it(project):
    project.write("notebooks/one.md", CHAPTER)
    project.write("studies/mine.yaml", "data: p\nphantom: {participants: 1, scans: 30}\nruns: [{chapter: one}]")
    (project.folder / "p").mkdir()
    project.write("made", "")
    asking = [multiprocessing.get_context("fork").Process(target=wanted, args=(project.folder,)) for _ in range(3)]
    for process in asking:
        process.start()
    for process in asking:
        process.join(60)
    assert [process.exitcode for process in asking] == [0] * 3
    assert (project.folder / "made").read_text() == "x"


def test_what_is_there_is_not_prepared_again_and_a_failure_leaves_no_stamp(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    project.write("notebooks/one.md", CHAPTER)
    project.write("studies/mine.yaml", "data: p\nphantom: {participants: 1, scans: 30}\nruns: [{chapter: one}]")
    stamp, key = content.prerequisites(study := read_study("mine"))["phantom"]
    monkeypatch.setattr(execution, "_command_of", lambda *_: ["false"])
    assert prepare(study, "phantom") == 1 and not stamp.exists()
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(key)
    assert prepare(study, "phantom") == 0  # nothing was asked for


def test_models_are_made_by_one_process_and_only_those_that_are_missing(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    project.write("notebooks/one.md", CHAPTER)
    project.write("studies/mine.yaml", "data: p\nmodels: [tiny-bert, tiny-brainlm-1]\nruns: [{chapter: one}]")
    study = read_study("mine")
    names = list(content.prerequisites(study))
    assert names == ["tiny-bert", "tiny-brainlm-1"]
    asked = []
    monkeypatch.setattr(execution, "_command_of", lambda study, missing: asked.append(missing) or ["true"])
    assert prepare(study, "tiny-bert") == 0 and prepare(study, *names) == 0 and prepare(study, *names) == 0
    assert asked == [["tiny-bert"], ["tiny-brainlm-1"]]
    assert all(content.is_ready(*made) for made in content.prerequisites(study).values())
    monkeypatch.undo()
    command = execution._command_of(study, names)
    assert command[2:] == ["brainbook.language_models", "tiny", *names, "--cache", "cache"]
    with pytest.raises(ConfigurationError, match="makes no 'tiny-albert-v1'; it makes tiny-bert, tiny-brainlm-1"):
        prepare(study, "tiny-bert", "tiny-albert-v1")


def test_what_a_killed_process_left_in_the_cache_is_removed(tmp_path):
    (tmp_path / ".writing-abc-other.npy").touch()
    array = cached_array(tmp_path, "a", {}, lambda: np.zeros(2))
    name = next(tmp_path.glob("a-*.npy")).name
    (tmp_path / name).unlink()
    (tmp_path / f".writing-abc-{name}").touch()
    np.testing.assert_array_equal(cached_array(tmp_path, "a", {}, lambda: np.zeros(2)), array)
    assert [file.name for file in tmp_path.glob(".writing-*")] == [".writing-abc-other.npy"]
