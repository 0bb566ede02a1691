"""Every command and every snippet of README.md and book/*.md does what it says, literally, beside a small phantom.

What would need a network or hours stands under `<!-- not run by the tests: why -->`, what changes the project itself
under `<!-- run by tests/test_contributing.py ... -->`. What takes minutes is slow.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd
import pytest
import yaml

from brainbook.phantom import make_phantom
from brainbook.workflow import start_run
from brainbook.workflow.run import RESULTS_OF_A_STUDY
from brainbook.workflow.study_file import read_study
from brainbook.workflow.tables import write_overview

from .conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]
LANGUAGES = ("bash", "python", "sql", "yaml", "text")  # text: what a command prints
SLOW_PAGES = ("using.md", "howto_flatmap.md")  # thousands of vertices are fitted; a store of surfaces is made
SLOW = ("papermill", "brainbook.phantom")  # chapters run in a minute or two, a phantom of 425 MB is written


class Block(NamedTuple):
    page: str
    line: int
    language: str
    text: str
    excuse: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    found = []
    pattern = r"(?:<!-- (?:not run by the tests: |run by )([^\n]+) -->\n)?^```(?!`)(\{?\w*)[^\n]*\n(.*?)^```$"
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
            line = text[: match.start(2)].count("\n") + 1
            found.append(Block(page.name, line, match[2], match[3], match[1] or ""))
    return found


def cases(language: str) -> list:
    marks = {True: [pytest.mark.slow], False: []}
    return [
        pytest.param(block, id=block.name, marks=marks[any(word in block.text for word in SLOW)])
        for block in blocks()
        if block.language == language and not block.excuse
    ]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A checkout with its environment, a small phantom, and two runs of the demo."""
    folder = tmp_path_factory.mktemp("a desk")
    for path in ROOT.iterdir():
        if path.name not in (".git", ".venv", "data", "results", "logs", "cache", "_build", "book"):
            (folder / path.name).symlink_to(path)
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("chapters", "viewers"))
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".ready":
            (folder / ".venv" / path.name).symlink_to(path)
    (folder / ".venv/.ready").touch()
    make_phantom(folder / "data/phantom", participants=1, scans=30, voxel_size=10, seed=0)
    for name, own in {"alice": "value", "participants": "run"}.items():
        results = folder / "results/demo" / name
        os.environ[RESULTS_OF_A_STUDY] = str(results)
        table = pd.DataFrame({own: [1, 2], "value": [0.1, 0.3]})
        start_run(name, results=results).save(table, "scores")
    del os.environ[RESULTS_OF_A_STUDY]
    write_overview("demo", root=folder / "results")
    return folder


@pytest.fixture
def at_the_desk(desk, monkeypatch) -> Path:
    monkeypatch.chdir(desk)
    for name in ("STUDY", "DATA", "PARTICIPANTS", "TABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # `make check` must need no network
    monkeypatch.setenv("PATH", f"{desk}/.venv/bin{os.pathsep}{os.environ['PATH']}")
    return desk


@pytest.mark.integration
@pytest.mark.parametrize("block", cases("bash"))
def test_commands(at_the_desk, block):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] if page.name in SLOW_PAGES else []) for page in PAGES],
    ids=lambda page: page.name,
)
def test_snippets_of_a_page_one_after_the_other(at_the_desk, page):
    space: dict = {}
    for block in blocks():
        if (block.page, block.language) == (page.name, "python") and not block.excuse:
            exec(compile(block.text, block.name, "exec"), space)
    if page.name == "using.md":
        assert space["fit"].scores.shape[1] == 20_484


@pytest.mark.parametrize("block", cases("sql"))
def test_questions_to_a_database(at_the_desk, block):
    rows = dict(duckdb.sql(block.text).fetchall())
    assert rows == {"alice": pytest.approx(0.2), "participants": pytest.approx(0.2)}


@pytest.mark.parametrize("block", cases("yaml"))
def test_studies(at_the_desk, block):
    """A whole study is read; of a part of one that the entry is taken beside what it comes after."""
    content = yaml.safe_load(block.text)
    if isinstance(content, list):
        content = {"data": "d", "runs": [{"chapter": "alignment"}, *content]}
    (at_the_desk / "mine").mkdir(exist_ok=True)
    (at_the_desk / "mine/written.yaml").write_text(yaml.safe_dump(content))
    assert read_study("written", data="d", studies="mine").runs


def test_words_in_the_text_name_what_there_is():
    """`make x` and `python -m brainbook x` inside sentences: the target, the command or the module is there."""
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for command in re.findall(r"`((?:make|python) [^`]+)`", page.read_text()):
            words = command.split()
            if words[0] == "make":
                assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), f"{page.name}: {command}"
            elif words[1] == "-m":
                module = ROOT / "src" / words[2].replace(".", "/")
                assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), (
                    f"{page.name}: {command}"
                )
            else:
                assert (ROOT / words[1]).exists(), f"{page.name}: {command}"


def test_every_block_is_run_or_excused():
    directives = [block for block in blocks() if block.language.startswith("{")]  # of the book
    assert {block.language for block in blocks()} - {block.language for block in directives} <= {*LANGUAGES, ""}
    plain = [block.text.splitlines()[0] for block in blocks() if not block.language]
    assert all(line.startswith("results/") for line in plain), "the layout of the results folder only"
