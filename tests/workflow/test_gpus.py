"""Two processes never hold the same GPU unless told to; a killed one lets go."""

import multiprocessing
import os
import signal
import time

import pytest

from brainbook.errors import ConfigurationError
from brainbook.workflow.gpus import reserved, visible_gpus


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
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    with pytest.raises(ConfigurationError, match="no 2 of the GPUs 0, 1 came free"), reserved(2, timeout_s=0.3):
        pass
    with reserved(1, share=True) as mine:
        assert mine == ["0"], "told to share"
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
    with reserved(0):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
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
