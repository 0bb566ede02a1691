"""A study is run, changed, broken and mended; every time only what is needed is computed."""

import json
import os

import nbformat
import pytest

from .conftest import COUNT, HEAD

pytestmark = pytest.mark.integration

STUDY = """
data: nowhere
runs:
  - chapter: count
    sweep: {number: [1, 13]}
  - chapter: other
    may_lack_data: true
    after: [count]
"""
OTHER = COUNT.replace("number = 1\n", 'number = 2\ndata = ""\n')


def test_only_what_is_needed_runs_again(quick_project):
    project = quick_project
    project.write("studies/mine.yaml", STUDY.replace("[1, 13]", "[1, 2]").replace("nowhere", "${DATA}"))
    project.write("notebooks/other.md", HEAD + OTHER)
    data = "the data #b: 'c' {run}; touch p"
    (project.folder / data).mkdir()
    (project.folder / data / "participants.tsv").write_text("")
    do = project.do
    project.do = lambda command, study: do(command, study, *(["--data", data] if command == "study" else []))
    code, said = project.do("study", "mine")
    assert code == 0, said
    state = json.loads((project.folder / "results/mine/other/state.json").read_text())
    assert state["parameters"]["data"] == data
    assert "mine: 3 of 3 done" in said
    assert set(project.begun()) == {"count/number=1", "count/number=2", "other"}

    project.forget()
    assert project.do("study", "mine")[0] == 0
    assert project.begun() == []

    # a chapter that changed, with a date before its output's, and a table that was cut in the middle; the tables of
    # `count` then are what they were, so that `other`, which reads them, is computed again for its own text alone
    project.write("notebooks/other.md", HEAD + "A sentence more.\n" + OTHER)
    os.utime(project.folder / "notebooks/other.md", (1.6e9, 1.6e9))
    table = project.folder / "results/mine/count/number=2/scores.parquet"
    whole = table.read_bytes()
    table.write_bytes(whole[: len(whole) // 2])
    said = " ".join(project.do("status", "mine")[1].split())
    assert "out of date other changed: text" in said
    assert "out of date count/number=2 damaged or gone: scores.parquet" in said
    assert project.do("study", "mine")[0] == 0
    assert set(project.begun()) == {"count/number=2", "other"}
    assert table.read_bytes() == whole

    # other tables of `count`: in the same session `other`, which reads them, is computed again after them
    project.forget()
    project.write("notebooks/count.md", HEAD + COUNT.replace("size=5", "size=6"))
    code, said = project.do("study", "mine")
    assert code == 0, said
    assert set(project.begun()[:2]) == {"count/number=1", "count/number=2"} and project.begun()[2:] == ["other"]
    code, said = project.do("status", "mine")
    assert said.splitlines()[-1] == "mine: 3 of 3 done · 0 running · 0 failed"


def test_a_failed_run_says_why_and_stops_no_other(quick_project):
    project = quick_project
    project.write("studies/mine.yaml", STUDY.replace("[1, 13]", "[13, 1]"))
    project.write("notebooks/other.md", HEAD + OTHER)
    code, said = project.do("study", "mine", "--jobs", "1")
    assert code == 1
    assert set(project.begun()) == {"count/number=13", "count/number=1"}
    line = next(line for line in said.splitlines() if line.startswith("failed"))
    assert "count/number=13" in line and "cell 4: AssertionError: thirteen is not counted" in line
    folder = project.folder / "results/mine/count/number=13"
    assert not (folder / "notebook.ipynb").exists()
    cells = nbformat.read(folder / "notebook.part.ipynb", as_version=4).cells
    assert any(output.output_type == "error" for cell in cells for output in cell.get("outputs", []))
    assert "thirteen" in (project.folder / "logs/mine/count/number=13.log").read_text()
    code, said = project.do("status", "mine")
    assert "waiting other for count/number=13, which failed" in " ".join(said.split())
    assert said.splitlines()[-1] == "mine: 1 of 3 done · 0 running · 1 failed · 1 waiting"

    project.forget()
    project.write("notebooks/count.md", HEAD + COUNT.replace("number != 13", "number != 14"))
    code, said = project.do("study", "mine")
    assert code == 0, said
    assert set(project.begun()) == {"count/number=13", "count/number=1", "other"}
    assert [path.name for path in folder.glob("[!.]*.ipynb")] == ["notebook.ipynb"]  # the hidden one is kept for reuse
    assert json.loads((folder / "state.json").read_text())["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("memory, together", [("300", 1), ("600", 2)])
def test_runs_start_when_their_memory_is_free(project, memory, together):
    project.write(
        "studies/mine.yaml",
        "data: d\nruns: [{chapter: count, parameters: {seconds: 2}, sweep: {number: [1, 2]}, memory_mb: 300}]",
    )
    assert project.do("study", "mine", "--memory", memory)[0] == 0
    at_once = most = 0
    for line in project.journal():
        at_once += 1 if line.startswith("begin") else -1
        most = max(most, at_once)
    assert most == together


@pytest.mark.slow
def test_more_memory_than_there_is_and_a_second_session_are_refused(project):
    project.write("studies/mine.yaml", "data: d\nruns: [{chapter: count, parameters: {seconds: 20}, memory_mb: 900}]")
    code, said = project.do("study", "mine", "--memory", "800")
    assert code == 2 and "need more than the 800 MB" in said and "count" in said
    first = project.start("study", "mine")
    while not project.journal():
        assert first.poll() is None, first.communicate()[0]
    code, said = project.do("study", "mine")
    assert code == 2 and f"by process {first.pid}" in said
    assert "running      count" in project.do("status", "mine")[1]
    assert first.wait() == 0


@pytest.mark.slow
def test_a_phantom_is_made_before_its_runs_and_again_when_its_options_change(project):
    phantom = "phantom: {participants: 1, scans: 30, voxel_size: 12, languages: [EN], seed: 1}"
    project.write("notebooks/other.md", HEAD + OTHER)
    project.write("studies/mine.yaml", f"data: my phantom\n{phantom}\nruns: [{{chapter: other}}]")
    code, said = project.do("study", "mine")
    assert code == 0, said
    assert (project.folder / "my phantom/truth").is_dir() and project.begun() == ["other"]
    assert project.do("study", "mine") == (0, "mine: everything is there and current\n")
    project.write(
        "studies/mine.yaml", f"data: my phantom\n{phantom.replace('seed: 1', 'seed: 2')}\nruns: [{{chapter: other}}]"
    )
    assert "out of date phantom" in " ".join(project.do("status", "mine")[1].split())
    code, said = project.do("study", "mine")
    assert code == 0, said
    assert project.begun() == ["other", "other"], "its data changed"
