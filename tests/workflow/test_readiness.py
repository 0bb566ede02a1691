"""Everything that a study lacks is named at once, and what it will take is counted, without data, network or GPU."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from stand_ins import write_data

from brainbook.phantom import make_phantom
from brainbook.workflow import readiness
from brainbook.workflow.content import prerequisites
from brainbook.workflow.estimate import estimate, estimate_lines, rates
from brainbook.workflow.model_checks import why_no_model
from brainbook.workflow.readiness import missing
from brainbook.workflow.status import duration
from brainbook.workflow.study_file import read_study

from .conftest import HEAD, ROOT

pytestmark = pytest.mark.integration

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
models = ["tiny-bert"]
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
            "{chapter: one, name: two, data: elsewhere, may_lack_data: true, parameters: {models: [tiny-nothing]}}]"
        )
    )
    text = "\n".join(lines)
    assert len(lines) == 5, text
    for part in ("nothing in", "ds003643", "no/model: not in this machine's hub cache", "`hf download no/model`"):
        assert part in text
    assert "broken: the folder holds no config.json" in text
    assert "not a name: it is no folder, no tiny model, and no name that the Hugging Face hub allows" in text
    assert "elsewhere" not in text


def test_the_real_story_of_a_phantom_is_data_too(study, project):
    """It is missing where it is not, and the phantom is made again when a file of it changes."""
    text = "{data: d, phantom: {story: annotation, model: minilm}, runs: [{chapter: one, parameters: {models: []}}]}"
    assert ["real story" in line for line in missing(study(text))] == [True]
    folder = project.folder / "annotation"
    folder.mkdir()
    keys = {prerequisites(study(text))["phantom"][1]}
    for content in ("one", "other"):
        (folder / "words.csv").write_text(content)
        keys.add(prerequisites(study(text))["phantom"][1])
    assert missing(study(text)) == [] and len(keys) == 3


def test_models_that_the_study_makes_are_not_missing(study):
    made = (
        "{data: d, models: [tiny-bert-joint, tiny-brainlm-1, tiny-none], runs: [{chapter: one, may_lack_data: true}]}"
    )
    assert missing(study(made)) == [
        "model tiny-none: it stands under `models`, but it is no tiny model that could be trained here [one]"
    ]


def test_a_mini_brainlm_is_made_after_the_mini_it_starts_from(project):
    project.write("studies/demo.yaml", "data: d\nmodels: [tiny-brainlm-1]\nruns: [{chapter: count}]")
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "cache/models/tiny-brainlm-1.ready"]
    said = subprocess.run(command, cwd=project.folder, capture_output=True, text=True)
    planned = said.stdout + said.stderr
    assert said.returncode == 0, planned
    assert "output: cache/models/tiny-bert.ready, cache/models/tiny-brainlm-1.ready" in planned
    assert planned.count("rule prepare_models:") == 1


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


def test_a_described_study_is_checked(study, project):
    """What `brainbook.datasets.check` finds in a description stands among what is missing."""
    (project.folder / "mine.yaml").write_text("recordngs: x\nlanguage: EN\nstories: {fox: {words: fox.csv}}")
    lines = missing(study("data: mine.yaml\nruns: [{chapter: one, parameters: {models: []}}]"))
    assert len(lines) == 1 and "recordngs is no key of a description" in lines[0], lines
    lines = missing(study("data: none.yaml\nruns: [{chapter: one, parameters: {models: []}}]"))
    assert len(lines) == 1 and "none.yaml does not exist" in lines[0], lines


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
    assert code == 0, said
    assert "28 runs of 1 chapters; the file is sound" in said
    assert "Missing on this machine" in said and "there is nothing in" in said
    code, said = project.here("study", "mine", "--data", "nowhere")
    assert code == 2 and "lacks" in said and "nowhere" in said


def test_the_page_shows_what_was_measured_and_what_is_assumed():
    spec = importlib.util.spec_from_file_location("bench_scale", ROOT / "benchmarks/bench_scale.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    row = {"stage": "ridge_regions", "what": "one layer", "seconds": 12.34, "cpu_seconds": 20.0}
    rows = pd.DataFrame([row | {"memory_mb": 1500, "threads": 2}])
    page = bench.how_long(rows, "Run on a Sunday.", participants=10, models=2, layers=3)
    assert "| ridge, regions | one layer | 12.3 | 20.0 | 1.5 | 2 |" in page
    assert "Run on a Sunday." in page and "GPU (assumed)" in page
    seconds = rates().set_index(["stage", "device"]).seconds["ridge_regions", "cpu"]
    assert f"(60 fits) | {duration(60 * seconds)} | {duration(60 * seconds / 16)} |" in page


@pytest.fixture(scope="module")
def world(tmp_path_factory, hub):
    """Recordings without a truth, a hub that holds every model of the paper study, and its data."""
    folder = tmp_path_factory.mktemp("world")
    make_phantom(folder / "ds003643", 1, scans=30, voxel_size=15.0, echoes=0, truth=False)
    shutil.copytree(hub, folder / "home", copy_function=os.link)
    write_data(folder / "data", folder / "nothing")
    return folder


@pytest.fixture
def paper(world, tmp_path, monkeypatch):
    """`check(entry)`: what `make check` says of the paper study, or of one entry in its place, in that world."""
    folder = shutil.copytree(world, tmp_path / "world", copy_function=os.link)  # files are replaced, never changed
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "notebooks", "notebooks")
    shutil.copytree(ROOT / "studies", "studies")
    monkeypatch.setenv("BRAINBOOK_DATA", str(folder / "data"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "home/hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for version in "12":
        monkeypatch.delenv(f"BRAINBOOK_BRAINLM_{version}", raising=False)

    def check(entry: str = "") -> list[str]:
        for cached in (why_no_model, readiness._folder_problem, readiness._dataset, readiness._study_problems):
            cached.cache_clear()
        if entry:
            (tmp_path / "studies/mine.yaml").write_text("data: ${DATA}\nruns: [" + entry + "]")
        return missing(read_study("mine" if entry else "paper", data=str(folder / "ds003643")))

    check.folder = folder
    yield check
    why_no_model.cache_clear()


def test_with_everything_there_only_the_many_features_are_too_many_for_one_participant(paper):
    lines = paper()
    assert len(lines) == 1 and lines[0].startswith("n_features: 1024 need as many training scans, and there are "), (
        lines
    )


def breaks(paper, what: str, *lines: str, entry: str = "") -> None:
    found = [line for line in paper(entry) if not line.startswith("n_features: 1024 need")]
    assert len(found) == len(lines), f"{what}: {found}"
    for line, expected in zip(found, lines, strict=True):
        assert expected in line, f"{what}: {line}"


def test_a_model_that_the_hub_lacks_is_named(paper):
    shutil.rmtree(paper.folder / "home/hub/models--albert--albert-xlarge-v1")
    breaks(paper, "no model", "model albert-xlarge-v1: not in this machine's hub cache, and HF_HUB_OFFLINE is set")


def test_a_configuration_without_weights_is_no_model(paper):
    next((paper.folder / "home/hub").glob("models--openai*/snapshots/*/model.safetensors")).unlink()
    breaks(paper, "no weights", "model gpt2: not in this machine's hub cache")


def test_without_the_published_brainlm_its_own_repository_is_asked_for(paper):
    shutil.rmtree(paper.folder / "home/hub/models--sakura050601--brainlm")
    asked = "`hf download sakura050601/brainlm`"
    breaks(paper, "no BrainLM", "model brainlm-1: not in this machine's hub cache", f"{asked} [")


def test_a_checkpoint_under_another_name_is_named_with_the_variable(paper, monkeypatch):
    snapshot = next((paper.folder / "home/hub").glob("models--sakura*/snapshots/*"))
    (snapshot / "brainlm-1.0.safetensors").unlink()
    (snapshot / "brainlm-2.0.pt").rename(snapshot / "pytorch_model.bin")
    holds = "sakura050601/brainlm holds pytorch_model.bin: that does not tell which file is"
    breaks(paper, "names", f"model brainlm-1: {holds} brainlm-1. Set BRAINBOOK_BRAINLM_1", f"model brainlm-2: {holds}")
    monkeypatch.setenv("BRAINBOOK_BRAINLM_2", "pytorch_model.bin")
    breaks(paper, "one is named", "model brainlm-1:")


def test_missing_and_damaged_sentences_and_digits_are_named(paper):
    (paper.folder / "data/xnli/test-zh.tsv").unlink()
    labels = paper.folder / "data/mnist/t10k-labels-idx1-ubyte.gz"
    labels.unlink()
    labels.write_bytes(b"")
    breaks(paper, "files", "data/xnli/test-zh.tsv", "data/mnist/t10k-labels-idx1-ubyte")
    shutil.rmtree(paper.folder / "data/xnli")
    shutil.rmtree(paper.folder / "data/mnist")
    breaks(paper, "folders", "data: sentences", "data: digits")


@pytest.mark.parametrize(
    "entry, line",
    [
        ("chapter: brainlm, parameters: {n_features: 1024, start: bert-large-uncased}",
         "n_features: 1024 of 148 regions cannot be made; take fewer, or vertices [brainlm]"),
        ("chapter: brainlm, parameters: {targets: voxels}", "targets: 'voxels' is none of regions, vertices"),
        ("chapter: brainlm, parameters: {training: {stepz: 3}}", "unexpected keyword argument 'stepz'"),
        ("chapter: brainlm, parameters: {training: {brain: dead}}", "training: brain 'dead': one of real"),
        ("chapter: alignment, parameters: {models: [gpt2], layers: [0, 13]}",
         "layers: layer 13 of gpt2, which has the layers 0 (its embedding) to 12"),
        ("chapter: alignment, parameters: {layers: [7]}", "layers: layer 7 of tiny-albert-v1, which has"),
        ("chapter: pitfalls, parameters: {model: 'untrained:bert-large-uncased', layer: 25}",
         "layer: layer 25 of untrained:bert-large-uncased, which has the layers 0 (its embedding) to 24"),
        ("chapter: alignment, parameters: {participant: sub-EN999}", "sub-EN999"),
        ("chapter: alignment, parameters: {participants: 0}", "participants: 0; at least 1"),
        ("chapter: alignment, device: cuda", "device: cuda, and this machine shows no GPU"),
        ("chapter: hemispheres, parameters: {freesurfer: subjects}",
         "freesurfer subjects does not exist"),
        ("chapter: alignment, parameters: {controls: [no/model]}", "model no/model: not in this machine's hub cache"),
        ("chapter: brainlm, parameters: {start: no/model}", "model no/model: not in this machine's hub cache"),
    ],
)  # fmt: skip
def test_a_parameter_that_asks_for_what_there_is_not_is_named(paper, entry, line, monkeypatch):
    monkeypatch.setattr(readiness, "visible_gpus", lambda: [])
    found = paper("{" + entry + "}")
    assert any(line in one for one in found), found


def test_a_parameter_of_the_wrong_type_is_refused_before_anything_else(project):
    shutil.copytree(ROOT / "notebooks", project.folder / "notebooks", dirs_exist_ok=True)
    project.write("studies/mine.yaml", "data: '${DATA}'\nruns: [{chapter: brainlm, parameters: {n_features: many}}]")
    code, said = project.do("check", "mine")
    assert code == 2 and "n_features='many' should be of type int" in said
