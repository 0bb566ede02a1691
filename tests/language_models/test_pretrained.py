"""Tiny models whose weights are part of the package: they fit the settings, and hold what long training gives."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from brainbook.language_models import load_language_model, phantom_targets, read_out, word_states
from brainbook.language_models.__main__ import main
from brainbook.language_models.tiny import folders
from brainbook.language_models.tiny import settings as tiny
from brainbook.language_models.tiny.folders import tiny_folder
from brainbook.phantom.story import words_with_truth

NAMES = ("tiny-causal", "tiny-causal-joint")
QUICK = {"layers": 1, "units": 16, "heads": 2, "inner": 16, "n_sentences": 300, "steps": 12, "tokens_per_step": 192}


@pytest.mark.parametrize("name", NAMES)
def test_pretrained_weights_belong_to_the_settings_and_need_no_cache(name, tmp_path):
    folder = tiny_folder(name, tmp_path, train=False)
    assert folder.parent == folders.PRETRAINED and not list(tmp_path.iterdir())
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float16}
    model = load_language_model(name, cache=tmp_path, train=False).model
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert [f.name for f in folders.PRETRAINED.glob(f"{name}-" + "[0-9a-f]" * 16)] == [folder.name]  # and no older ones


@pytest.mark.parametrize("name", NAMES)
def test_a_pretrained_model_knows_the_scene_that_no_word_names(name):
    words = words_with_truth(500, 7, "EN")
    model = load_language_model(name, device="cpu", train=False)
    states = word_states(model, words["word"].tolist(), context=32, stride=32)
    rows, targets = phantom_targets(words)
    scores = read_out(states[:, rows], targets, words["story"].to_numpy()[rows])
    r2 = scores.groupby(["target", "layer"]).r2.mean()
    assert r2["scene"].max() > 0.25 and r2["scene"][0] < 0.05  # the words by themselves do not tell
    assert r2["sense"].max() > r2["sense"][0] + 0.02


def test_saving_a_pretrained_model_halves_its_weights_and_replaces_older_ones(monkeypatch, tmp_path):
    quick = {name: replace(it, **QUICK) for name, it in tiny.TINY_MODELS.items()}
    monkeypatch.setattr(tiny, "TINY_MODELS", quick)
    monkeypatch.setattr(folders, "PRETRAINED", tmp_path / "package")
    older = tmp_path / "package" / f"tiny-causal-{'0' * 16}"
    older.mkdir(parents=True)
    other = tmp_path / "package" / f"tiny-causal-joint-{'0' * 16}"
    other.mkdir()
    main(["tiny", "tiny-causal", "--cache", str(tmp_path / "cache"), "--device", "cpu", "--save-pretrained"])
    saved = tiny_folder("tiny-causal", tmp_path / "nowhere", train=False)
    assert saved.parent == folders.PRETRAINED and not older.exists() and other.exists()
    [trained] = (tmp_path / "cache" / "models").glob("tiny-causal-*")
    whole, half = (load_file(folder / "model.safetensors") for folder in (trained, saved))
    assert all(torch.equal(whole[name].half(), half[name]) for name in whole)
    curve = pd.read_csv(saved / "loss.csv")
    assert curve["step"].tolist() == [1, 11] and np.isfinite(curve["loss"]).all()
