"""What is given to make reaches the program as it is, and nothing in it is run; also in a folder with a space."""

import shutil
import subprocess

import pytest
from toy import ROOT

FAKE = '#!/bin/sh\nprintf "%s\\0" "$@" > arguments\n'
ODD = [
    "x'; touch p; '",
    '"; touch p; "',
    "$(touch p)",
    "`touch p`",
    "$(shell touch p)",
    "$HOME ${HOME}",
    "a  b",
    "#",
    "é*",
]


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile, and a Python that notes what it is asked."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    folder = tmp_path / "a place's name"
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv/bin/python").write_text(FAKE)
    (folder / ".venv/bin/python").chmod(0o755)
    (folder / ".venv/.ready").touch()
    return folder


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("target", ["check", "study", "status", "data"])
def test_values_are_handed_on_as_they_are(checkout, target, value):
    given = [f"{name}={value}" for name in ("STUDY", "DATA", "JOBS", "MEMORY", "PROFILE", "DATASET")]
    done = subprocess.run(["make", target, *given], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    asked = (checkout / "arguments").read_text().split("\0")[:-1]
    assert asked[:2] == ["-m", "brainbook.workflow.download" if target == "data" else "brainbook"]
    assert asked.count(value) == {"check": 2, "study": 5, "status": 2, "data": 2}[target]
    assert not list(checkout.rglob("p"))
