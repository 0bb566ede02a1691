"""What decides whether a run is made again: text, code, parameters, data, earlier runs, what it left; no date."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from brainbook import source_code
from brainbook.workflow import archive_table, content, execution, latest_table, start_run
from brainbook.workflow.content import NOT_READ, folder_key, run_folder, why_not_current
from brainbook.workflow.execution import execute_run
from brainbook.workflow.notebooks import notebook_parameters
from brainbook.workflow.status import run_statuses, status_lines
from brainbook.workflow.study_file import read_study

from .conftest import HEAD

CHAPTER = HEAD + '```{code-cell} ipython3\n:tags: [parameters]\nresults = "r"\ndata = "d"\nn = 1\n```\n'
CODE = "```{code-cell} ipython3\nfrom brainbook.solver import solve\n\nsolve(1)\n```\n"
LARGE = 300_000


@pytest.fixture
def study(project, monkeypatch):
    """Two runs, the second after the first; notebooks "run" without a kernel."""
    package = project.folder / "package"
    package.mkdir()
    (package / "solver.py").write_text("def solve(x):\n    return x\n")
    monkeypatch.setattr(source_code, "PACKAGE", package)
    monkeypatch.setattr(content, "PACKAGE", package)
    source_code._files_of.cache_clear()
    monkeypatch.chdir(project.folder)
    project.write("notebooks/one.md", CHAPTER + CODE)
    project.write("notebooks/two.md", CHAPTER)
    project.write("studies/mine.yaml", "data: recordings\nruns: [{chapter: one}, {chapter: two, after: [one]}]")
    (project.folder / "recordings/sub").mkdir(parents=True)
    project.write("recordings/large.nii", "a" * LARGE)
    project.write("recordings/sub/small.csv", "a,b\n1,2\n")

    def execute(source, output, parameters, threads, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        run = start_run(source.stem, results=parameters["results"], data=parameters["data"])
        latest_table("other", "table")
        run.save(pd.DataFrame({"value": [len(Path("notebooks/one.md").read_text())]}), "scores")
        output.write_text(source.read_text())

    monkeypatch.setattr(execution, "execute", execute)
    yield lambda: read_study("mine")
    source_code._files_of.cache_clear()


def make(study):
    for run in study.runs.values():
        assert execute_run(study, run) in ("done", "kept")
    assert [row.state for row in run_statuses(study)] == ["done", "done"]


def keeping_its_date(path: Path, text: str) -> None:
    """Change a file as `rsync -t` or `cp -a` may: it bears the date that it had."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "notebooks/one.md": (CHAPTER + CODE + "A word.", "changed: text"),
    "package/solver.py": ("def solve(x):\n    return 2\n", "changed: code"),
    "studies/mine.yaml": (
        "data: recordings\nruns: [{chapter: one, parameters: {n: 2}}, {chapter: two, after: [one]}]",
        "changed: parameters",
    ),
    "recordings/sub/small.csv": ("a,b\n1,3\n", "changed: data"),
    "recordings/large.nii": ("b" * LARGE, "changed: data"),
    "results/mine/one/scores.parquet": ("", "damaged or gone: scores.parquet"),
    "results/mine/one/notebook.ipynb": ("{", "damaged or gone: notebook.ipynb"),
    "results/mine/one/provenance.json": ('{"chapter"', "damaged or gone: provenance.json"),
    "results/mine/one/state.json": ('{"state": "do', "not done"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_is_made_again_for_what_changed_whatever_its_date(study, name):
    make(study())
    text, why = CHANGES[name]
    os.utime(name, (1.6e9, 1.6e9))
    assert [why_not_current(study(), run) for run in study().runs.values()] == ["", ""], "an older date is no change"
    keeping_its_date(Path(name), text)
    now = study()
    assert why_not_current(now, now.runs["one"]) == why
    if why != "not done":
        assert any(line.startswith("out of date  one") and why in line for line in status_lines(now))
    assert execute_run(now, now.runs["one"]) == "done"
    make(study())


def test_a_run_that_reads_another_is_made_again_when_its_tables_changed_and_only_then(study):
    make(study())
    one, two = study().runs.values()
    Path("notebooks/one.md").write_text(CHAPTER + CODE.replace("solve\n", "solve \n"))
    assert execute_run(study(), one) == "done"
    assert why_not_current(study(), two) == "changed: earlier runs"  # `value` is the length of the text
    make(study())
    Path("notebooks/one.md").write_text(CHAPTER + CODE.replace("solve\n", "solve\t\n"))
    assert execute_run(study(), one) == "done"
    assert why_not_current(study(), two) == ""


def test_a_page_that_shows_an_archived_table_is_made_again_when_that_changes(study):
    make(study())
    archive_table("other", "table", pd.DataFrame({"a": [1]}), "make", commit_of="abc", date="2026-01-01")
    assert why_not_current(study(), study().runs["two"]) == "changed: archived table other/table"
    make(study())
    archive_table("other", "table", pd.DataFrame({"a": [2]}), "make", commit_of="abc", date="2026-01-01")
    assert why_not_current(study(), study().runs["two"]) == "changed: archived table other/table"


def test_every_file_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / "data" / name).write_text(name)
    read = []
    monkeypatch.setattr(content, "fingerprint", lambda *parts: read.append(parts) or str(parts))
    monkeypatch.setattr(content.time, "time", lambda: 4e9)  # long after they were written
    first = folder_key(tmp_path / "data", tmp_path / "cache")
    assert len(read) == 3
    assert folder_key(tmp_path / "data", tmp_path / "cache") == first
    assert len(read) == 4, "of the second time only the sum"
    index = tmp_path / "cache" / content.INDEX
    for damage in ("{", json.dumps(3)):
        index.write_text(damage)
        assert folder_key(tmp_path / "data", tmp_path / "cache") == first


def test_names_links_and_hidden_files(tmp_path):
    data = tmp_path / "data"
    (data / ".git").mkdir(parents=True)
    (data / "a").write_text("a")
    keys = [folder_key(data, tmp_path)]
    (data / ".git/b").write_text("b")
    assert folder_key(data, tmp_path) == keys[0], "what is hidden is no recording"
    (data / "link").symlink_to(tmp_path / "content")
    keys.append(folder_key(data, tmp_path))  # not downloaded yet
    (tmp_path / "content").write_text("c")
    keys.append(folder_key(data, tmp_path))
    (data / "a").rename(data / "b")
    keys.append(folder_key(data, tmp_path))
    assert len(set(keys)) == 4


def test_a_run_of_which_a_table_is_gone_is_not_whole(study):
    make(study())
    (run_folder(study(), study().runs["one"]) / "scores.parquet").unlink()
    assert why_not_current(study(), study().runs["one"]) == "damaged or gone: scores.parquet"


def test_of_the_chapters_folders_only_those_that_are_read_decide():
    named = set()
    for path in Path(__file__).parents[2].joinpath("notebooks").glob("*.md"):
        named |= {name for name, value in notebook_parameters(path).items() if isinstance(value, str) and "/" in value}
    assert named - set(NOT_READ) == {"alice", "data", "story"}


def test_the_recordings_that_a_description_names_count(study, project):
    """A study on a description elsewhere: a change of the recordings is a change of the data."""
    (project.folder / "elsewhere").mkdir()
    project.write("elsewhere/my.yaml", "root: ../recordings\nrecordings: x\n")
    project.write("studies/mine.yaml", "data: elsewhere/my.yaml\nruns: [{chapter: one}]")
    assert [execute_run(study(), run) for run in study().runs.values()] == ["done"]
    project.write("recordings/sub/small.csv", "a,b\n1,3\n")
    assert [row.state for row in run_statuses(study())] == ["out of date"]
