"""What the command line says when something stands in its way: one line, and an exit status that is not 0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainbook.__main__ import main

from .conftest import HEAD

STUDY = "data: d\nruns: [{chapter: one}]"
CHAPTER = (
    HEAD
    + """
```{code-cell} ipython3
:tags: [parameters]
results = "results/one"
```
"""
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "studies/mine.yaml": STUDY,
        "notebooks/one.md": CHAPTER,
        "profiles/local/config.yaml": "",
    }.items():
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_text(text)


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--memory", "0"], ["--jobs", "-3"], ["--profile", "none"]])
def test_numbers_with_which_nothing_can_run_are_refused(capsys, words):
    assert main(["study", "mine", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and ("nothing can run" in said or "no profile" in said)


def test_a_disk_that_may_not_be_written_to_is_named(capsys, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(30, "Read-only file system", "results/mine")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert main(["study", "mine"]) == 2
    assert capsys.readouterr().err == "results/mine: Read-only file system\n"


def test_a_terminal_of_ascii_and_a_closed_one(monkeypatch):
    words = [sys.executable, "-m", "brainbook", "status", "mine"]
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(words, env=ascii_only, capture_output=True, text=True)
    assert done.returncode == 0 and "0 of 1 done ? 0 running" in done.stdout and not done.stderr
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *words], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr


def test_the_status_is_that_of_the_recordings_given_last(capsys, monkeypatch):
    Path("studies/mine.yaml").write_text(STUDY.replace("data: d", "data: ${DATA}"))
    seen = []
    monkeypatch.setattr("brainbook.__main__.status_lines", lambda study: [seen.append(study.data) or "line"])
    assert main(["status", "mine"]) == 0
    Path("results/mine").mkdir(parents=True)
    Path("results/mine/.session.json").write_text('{"data": "/recordings #1"}')
    assert main(["status", "mine"]) == 0
    assert main(["status", "mine", "--data", "other"]) == 0
    assert seen == ["DATA", "/recordings #1", "other"]


def test_results_can_be_read_where_there_is_no_unix():
    """As on Windows: without `resource` and `fcntl`."""
    code = "import sys; sys.modules.update(resource=None, fcntl=None); from brainbook.workflow.run import peak_memory; "
    code += "print(peak_memory())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
