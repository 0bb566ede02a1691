"""What CONTRIBUTING.md and 'Add a chapter' say, followed literally, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.integration

LEFT = shutil.ignore_patterns(
    ".git", ".venv", ".lab", "_build", "data", "results", "cache", "logs", "__pycache__", ".*_cache"
)
BLOCK = re.compile(r"<!-- run by tests/test_contributing.py [^\n]*-->\n```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A copy of the project with this environment as its .venv, installed already."""
    folder = tmp_path_factory.mktemp("clone") / "brainbook"
    shutil.copytree(ROOT, folder, ignore=LEFT, symlinks=True)
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        (folder / ".venv" / path.name).symlink_to(path)
    (folder / ".venv/.ready").unlink(missing_ok=True)
    (folder / ".venv/.ready").touch()
    return folder


def follow(folder: Path, commands: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "HF_HUB_OFFLINE": "1"}
    environment["PATH"] = f"{folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_chapter_is_added(clone):
    copy, _, enter, check = steps("book/add_a_chapter.md")
    follow(clone, copy)
    follow(clone, enter)
    assert "word_length" in follow(clone, check).splitlines()[-1]
    assert (clone / "_toc.yml").read_text().count("book/chapters/word_length") == 1


@pytest.mark.slow
def test_the_new_chapter_runs_by_hand(clone):
    copy, run, _, _ = steps("book/add_a_chapter.md")
    follow(clone, copy)
    follow(clone, run)
    assert (clone / "results/mine/scores.parquet").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_set_up_and_test(clone, number):
    follow(clone, steps("CONTRIBUTING.md")[number])
