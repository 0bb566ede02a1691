"""Everything that a study lacks is named at once, and what it will take is counted, without data, network or GPU."""

import subprocess
import sys

import pandas as pd
import pytest

from brainbook.study import keep
from brainbook.study_file import read_study
from brainbook.workflow.estimate import estimate, estimate_lines, how_long, rates
from brainbook.workflow.readiness import missing, why_no_model
from brainbook.workflow.status import duration

from .conftest import HEAD

CHAPTER = (
    HEAD
    + """
```{code-cell} ipython3
:tags: [parameters]
data = "data/phantom"
results = "results/x"
languages = ["EN", "FR", "CN"]
participants = 3
participant = ""
models = ["mini-bert"]
```
"""
)


@pytest.fixture
def study(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(project.folder / "hub"))
    why_no_model.cache_clear()
    project.write("notebooks/one.md", CHAPTER)

    def read(text):
        project.write("studies/mine.yaml", text)
        return read_study("mine", data="ds003643")

    yield read
    why_no_model.cache_clear()


def test_missing_data_and_models_are_named_together(study, project):
    (project.folder / "broken").mkdir()
    lines = missing(
        study(
            "data: '${DATA}'\nruns: [{chapter: one, parameters: {models: [no/model, untrained:broken, not a name]}},"
            "{chapter: one, name: two, data: elsewhere, may_lack_data: true, parameters: {models: [mini-nothing]}}]"
        )
    )
    text = "\n".join(lines)
    assert len(lines) == 5, text
    for part in ("nothing in", "ds003643", "no/model: not in this machine's hub cache", "`hf download no/model`"):
        assert part in text
    assert "broken: the folder holds no config.json" in text
    assert "not a name: it is no folder, no mini, and no name that the Hugging Face hub allows" in text
    assert "elsewhere" not in text


def test_models_that_the_study_makes_are_not_missing(study):
    made = (
        "{data: d, models: [mini-bert-joint, mini-brainlm-1, mini-none], runs: [{chapter: one, may_lack_data: true}]}"
    )
    assert missing(study(made)) == [
        "model mini-none: it stands under `models`, but it is no mini that could be trained here"
    ]


def test_a_mini_brainlm_is_made_after_the_mini_it_starts_from(project):
    project.write("studies/demo.yaml", "data: d\nmodels: [mini-brainlm-1]\nruns: [{chapter: count}]")
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "cache/models/mini-brainlm-1.ready"]
    said = subprocess.run(command, cwd=project.folder, capture_output=True, text=True)
    planned = said.stdout + said.stderr
    assert said.returncode == 0, planned
    assert "output: cache/models/mini-bert.ready" in planned
    assert "Input files updated by another job: cache/models/mini-bert.ready" in planned


def test_recordings_that_were_not_downloaded_are_named_with_the_command(study, project):
    func = project.folder / "ds003643/derivatives/sub-FR025/func"
    func.mkdir(parents=True)
    for n in range(1, 10):
        name = f"sub-FR025_task-lppFR_run-{n:02d}_space-MNIColin27_desc-preproc_bold.nii.gz"
        (func / name).symlink_to("../../.git/annex/objects/absent")
    annotation = project.folder / "ds003643/annotation/FR"
    annotation.mkdir(parents=True)
    rows = "".join(f"{section},mot,mot,{section}.0,{section}.4,N,{section}\n" for section in range(1, 10))
    (annotation / "lppFR_word_information.csv").write_text("id,word,lemma,onset,offset,pos,section\n" + rows)
    lines = missing(study("data: '${DATA}'\nruns: [{chapter: one, parameters: {languages: [FR], models: []}}]"))
    command = "`make data DATA=ds003643 PARTICIPANTS=sub-FR025`"
    assert lines == [f"data: of sub-FR025 9 of 9 recordings are not downloaded: {command} [one]"]
    lines = missing(study("data: '${DATA}'\nruns: [{chapter: one, parameters: {languages: [EN], models: []}}]"))
    assert lines == ["data: ds003643 holds no recordings of EN [one]"]


def test_the_estimate_counts_what_is_shared_once(study):
    work = "work: {recordings: 1, states: 1, ridge_regions: 2}"
    entry = "{chapter: one, sweep: {participant: participants, models: [[gpt2], [minilm]]}, disk_mb: 10, " + work + "}"
    found = estimate(study("data: '${DATA}'\nruns: [" + entry + "]"))
    rate = rates().set_index(["stage", "device"]).seconds
    assert found.total.runs == 224
    states = (15.4 + 15.4 + 16.0) * (1.0 + 0.13) * rate["states", "cpu"]
    # participants who are run one by one share no decomposition
    ridge = 112 * 2 * (13 + 7) * (rate["ridge_regions", "cpu"] + rate["decomposition", "cpu"])
    people = 112 * (rate["recordings", "cpu"] + rate["download", "cpu"])
    assert found.total.cpu_s == pytest.approx(states + ridge + people)
    assert found.total.gpu_s == 0
    assert found.total.disk_mb > 112 * 594 + 2240
    text = "\n".join(estimate_lines(found))
    assert "224" in text and "16 such machines" in text and "assumed" in text


def test_the_gpu_takes_what_it_can(study):
    entry = "{chapter: one, gpus: 1, parameters: {models: [gpt2]}, work: {recordings: 1, states: 1, ridge_regions: 1}}"
    found = estimate(study("data: '${DATA}'\nruns: [" + entry + ", {chapter: one, name: two, minutes: 30}]"))
    rate = rates().set_index(["stage", "device"]).seconds
    expected = (15.4 + 15.4 + 16.0) * rate["states", "gpu"] + 9 * 13 * rate["ridge_regions", "gpu"]
    expected += 3 * 13 * rate["decomposition", "gpu"]  # nine people heard three stories
    assert found.total.gpu_s == pytest.approx(expected)
    assert found.guessed == ["two"]
    assert found.total.cpu_s == pytest.approx(9 * (rate["recordings", "cpu"] + rate["download", "cpu"]) + 600)


def test_a_plan_is_checked_without_data(study, project):
    study("data: '${DATA}'\nruns: [{chapter: one, sweep: {participant: participants FR}}]")
    code, said = project.do("check", "mine")
    assert code == 0
    assert "28 runs of 1 chapters; the file is sound" in said
    assert "Missing on this machine" in said and "there is nothing in" in said
    code, said = project.do("study", "mine", "--data", "nowhere")
    assert code == 2 and "lacks" in said and "nowhere" in said


def test_the_page_tells_what_was_measured_and_what_is_assumed(tmp_path):
    page = how_long(kept=tmp_path)
    assert "whole path\n" not in page and "GPU (assumed)" in page
    row = {"stage": "ridge_regions", "what": "one layer", "seconds": 12.34, "cpu_seconds": 20.0}
    rows = pd.DataFrame([row | {"memory_mb": 1500, "threads": 2}])
    keep("scale", "stages", rows, "python bench.py", date="2026-01-02", commit_of="abc", root=tmp_path)
    page = how_long(people=10, models=2, layers=3, kept=tmp_path)
    assert "| ridge, regions | one layer | 12.3 | 20.0 | 1.5 | 2 |" in page
    assert "Run on 2026-01-02 by `python bench.py`, commit `abc`." in page
    seconds = rates().set_index(["stage", "device"]).seconds["ridge_regions", "cpu"]
    assert f"(60 fits) | {duration(60 * seconds)} | {duration(60 * seconds / 16)} |" in page
