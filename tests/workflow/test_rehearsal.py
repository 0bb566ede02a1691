"""The rehearsal replaces numbers alone, its stand-ins are read as the real things, and it sees what it looks for."""

import re

import nbformat
import pandas as pd
import pytest
import yaml
from rehearsal import RESOURCES, SMALLER, holes, problems_of, rehearse, smaller
from stand_ins import MNIST_ROWS, XNLI_ROWS, copy_project, write_data

from brainbook.datasets import read_xnli
from brainbook.language_models import load_language_model, word_states
from brainbook.language_models.names import HUB_NAMES
from brainbook.number_sense.digits import read_digits
from brainbook.workflow.notebooks import notebook_parameters

from .conftest import ROOT

PUBLISHED_LAYERS = {"gpt2": 12, "xlm-roberta-base": 12, "bert-base-multilingual-cased": 12}
CHAPTERS = {
    "alignment",
    "participants",
    "hemispheres",
    "layers",
    "transfer",
    "transfer_to_brains",
    "brainlm",
    "number_sense",
    "pitfalls",
}


def test_the_paper_study_has_every_chapter_and_only_numbers_become_smaller():
    study = yaml.safe_load((ROOT / "studies/paper.yaml").read_text())
    small = smaller(study, ROOT / "notebooks")
    assert {entry["chapter"] for entry in study["runs"]} >= CHAPTERS
    assert "controls" in [entry.get("name") for entry in study["runs"]]
    for whole, less in zip(study["runs"], small["runs"], strict=True):
        known = notebook_parameters(ROOT / "notebooks" / f"{whole['chapter']}.md")
        names = {"parameters", "sweep", *RESOURCES}
        assert {k: v for k, v in whole.items() if k not in names} == {k: v for k, v in less.items() if k not in names}
        assert whole.get("sweep", {}).keys() == less.get("sweep", {}).keys()
        replaced = {key.rpartition(".")[2] for key in SMALLER}
        for key, value in less["parameters"].items():
            before = whole.get("parameters", {}).get(key, known[key])
            assert value == before or key in replaced, f"{whole['chapter']}.{key} is not in SMALLER"
            assert isinstance(value, type(before)) or before is None


def test_a_replaced_dictionary_keeps_its_other_keys():
    study = {"runs": [{"chapter": "transfer", "parameters": {"settings": {"contrast": 3.0, "steps": 3000}}, "gpus": 1}]}
    entry = smaller(study, ROOT / "notebooks")["runs"][0]
    assert entry["parameters"]["settings"] == {"contrast": 3.0, "steps": SMALLER["settings"]["steps"]}
    assert entry["gpus"] == 0 and "memory_mb" not in entry


@pytest.mark.parametrize("name", [*HUB_NAMES, "brainlm-1", "brainlm-2"])
def test_every_stand_in_is_loaded_under_its_published_name(hub, name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub / "hub"))
    monkeypatch.setattr("brainbook.language_models.language_model.hub_answers", lambda: False)
    model = load_language_model(name, cache=tmp_path, device="cpu")
    assert model.n_layers == PUBLISHED_LAYERS.get(name, 24)
    states = word_states(model, ["the", "fox", "\u72d0\u72f8"], context=3)
    assert states.shape == (model.n_layers + 1, 3, 64) and states[-1].std(axis=0).min() > 1e-4


def test_data_that_are_not_there_are_made_in_their_form(tmp_path):
    folder = write_data(tmp_path / "made", tmp_path / "nothing")
    found = read_xnli(folder / "xnli")
    assert set(found.part) == set(XNLI_ROWS) and len(found) > 300
    digits = read_digits(folder / "mnist")
    assert len(digits["test"]) == MNIST_ROWS["test"] and digits["train"].ink.shape[1:] == (28, 28)


def notebook(*cells) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells))


def test_a_sentence_of_a_phantom_is_seen_and_a_link_to_its_page_is_not():
    cells = [
        nbformat.v4.new_markdown_cell("What needs a known truth is on the phantom's page."),
        nbformat.v4.new_markdown_cell("This Phantom has no brain."),
        nbformat.v4.new_code_cell("prince.is_phantom", outputs=[nbformat.v4.new_output("stream", text="a phantom\n")]),
    ]
    assert problems_of(notebook(*cells)) == [
        "speaks of a phantom: This Phantom has no brain.",
        "speaks of a phantom: a phantom",
    ]


def test_holes_beside_published_values_are_seen():
    table = pd.DataFrame({"row": ["a", "b"], "published": [0.1, None], "ours": [0.2, None]})
    assert list(holes(table)) == []
    assert list(holes(table.assign(published=[0.1, 0.2]))) == ["NaN in ours where published has a number"]
    assert list(holes(table.assign(published=None))) == [
        "no published value in a table with the columns row, published, ours"
    ]
    assert list(holes(table.drop(columns="published"))) == []
    output = nbformat.v4.new_output("display_data", {"text/html": table.assign(published=0.3).to_html()})
    assert len(problems_of(notebook(nbformat.v4.new_code_cell("table", outputs=[output])))) == 1


@pytest.mark.slow
def test_the_published_study_runs_from_start_to_finish(tmp_path):
    assert rehearse(tmp_path / "rehearsal") == []


def test_the_copied_project_has_what_pages_and_extensions_read(tmp_path):
    copied = copy_project(ROOT, tmp_path / "project")
    extensions = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book/_ext").glob("*.py"))
    named = set(re.findall(r'[rR][oO][oO][tT] / "([^"]+)"', extensions))
    for page in (ROOT / "book").glob("*.md"):
        named |= {name[3:] for name in re.findall(r"include\} (\.\./\S+)", page.read_text(encoding="utf-8"))}
    assert {".binder/begin.py", "SECURITY.md"} <= named
    assert not [name for name in named if not (copied / name).exists()]
