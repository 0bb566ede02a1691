"""Two processes never hold the same GPU unless told to; a killed one lets go."""

import multiprocessing
import os
import signal
import time

import pytest

from brainbook.errors import ConfigurationError
from brainbook.workflow.gpus import lock_folder, reserved, visible_gpus

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINBOOK_GPU_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


def hold(count, conversation, share=False):
    with reserved(count, share=share) as gpus:
        conversation.send(gpus)
        conversation.recv()


def holder(count, share=False):
    mine, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hold, args=(count, other, share), daemon=True)
    process.start()
    return process, mine


def test_each_process_has_a_gpu_of_its_own_and_sees_no_other():
    first, talk = holder(1)
    assert talk.recv() == ["0"]
    with reserved(1) as mine:
        assert mine == ["1"]
    with reserved(1, share=True) as mine:
        assert mine == ["0"], "the study file says so"
    talk.send("enough")
    first.join()
    with reserved(2) as mine:
        assert mine == ["0", "1"]


def test_who_waits_gets_the_gpu_of_who_was_killed():
    first, talk = holder(2)
    talk.recv()
    second, talk_second = holder(1)
    assert not talk_second.poll(1.2), "both are taken"
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    began = time.monotonic()
    assert talk_second.recv() == ["0"]
    assert time.monotonic() - began < 5
    talk_second.send("enough")
    second.join()


def test_without_gpus_nothing_is_reserved_and_too_many_are_refused(monkeypatch):
    with pytest.raises(ConfigurationError, match="3 GPUs wanted, this machine shows 2"), reserved(3):
        pass
    with reserved(0) as mine:
        assert mine == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    with reserved(1) as mine:
        assert mine == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", "")
    assert visible_gpus() == []


def test_two_runs_of_a_study_on_one_gpu_take_turns(project, tmp_path):
    """As Snakemake would not know it: two studies, each with its own session, on a machine with one GPU."""
    entry = "{chapter: count, gpus: 1, parameters: {seconds: 2}}"
    for name in ("one", "two"):
        project.write(f"studies/{name}.yaml", f"data: d\nruns: [{entry}]")
    environment = {"CUDA_VISIBLE_DEVICES": "0", "BRAINBOOK_GPU_LOCKS": str(tmp_path / "locks")}
    sessions = [project.start("run", name, "count", **environment) for name in ("one", "two")]
    assert [session.wait() for session in sessions] == [0, 0]
    assert [line.split()[0] for line in project.journal()] == ["begin", "end", "begin", "end"]


@pytest.mark.parametrize("kind", ["link", "link to nothing", "folder"])
def test_what_another_user_laid_in_the_place_of_a_lock_is_not_touched(tmp_path, kind):
    victim, lock = tmp_path / "victim", lock_folder() / "gpu-0.lock"
    victim.write_text("precious")
    victim.chmod(0o600)
    if kind.startswith("link"):
        lock.symlink_to(victim if kind == "link" else tmp_path / "nothing")
    else:
        lock.mkdir()
    with pytest.raises(ConfigurationError, match="gpu-0.lock cannot be locked"), reserved(1):
        pass
    assert victim.read_text() == "precious" and victim.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "nothing").exists()


def test_a_lock_can_be_held_by_every_user_and_its_file_stays_as_it_is():
    lock = lock_folder() / "gpu-0.lock"
    lock.write_text("theirs")
    with reserved(2) as mine:
        assert mine == ["0", "1"]
    assert lock.read_text() == "theirs" and (lock_folder() / "gpu-1.lock").stat().st_mode & 0o777 == 0o666


def test_a_folder_that_is_a_link_is_refused(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "laid").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("BRAINBOOK_GPU_LOCKS", str(tmp_path / "laid"))
    with pytest.raises(ConfigurationError, match="laid should be a folder"):
        lock_folder()
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o700
