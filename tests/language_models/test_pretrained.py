"""Tiny models whose weights are part of the package: they fit the settings, and training saves them as they are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from brainbook.language_models import load_language_model, model_folders
from brainbook.language_models.__main__ import main
from brainbook.language_models.brainlm.folders import tiny_brainlm_folder
from brainbook.language_models.names import TINY_BRAINLMS
from brainbook.language_models.tiny import settings as tiny
from brainbook.language_models.tiny.folders import tiny_folder

NAMES = (*tiny.TINY_MODELS, "tiny-causal-joint", *TINY_BRAINLMS)
QUICK = {"layers": 1, "units": 16, "heads": 2, "inner": 16, "n_sentences": 300, "steps": 12, "tokens_per_step": 192}


@pytest.mark.parametrize("name", NAMES)
def test_pretrained_weights_belong_to_the_settings_and_need_no_cache(name, tmp_path):
    folder = (tiny_brainlm_folder if name in TINY_BRAINLMS else tiny_folder)(name, tmp_path, train=False)
    assert folder.parent == model_folders.PRETRAINED and not list(tmp_path.iterdir())
    for weights in folder.rglob("*.safetensors"):
        assert {value.dtype for value in load_file(weights).values()} == {torch.float16}
    model = load_language_model(name, cache=tmp_path, train=False).model
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert [f.name for f in model_folders.PRETRAINED.glob(f"{name}-" + "[0-9a-f]" * 16)] == [
        folder.name
    ]  # and no older ones


@pytest.mark.integration
def test_saving_a_pretrained_model_halves_its_weights_and_replaces_older_ones(monkeypatch, tmp_path):
    quick = {name: replace(it, **QUICK) for name, it in tiny.TINY_MODELS.items()}
    monkeypatch.setattr(tiny, "TINY_MODELS", quick)
    monkeypatch.setattr(model_folders, "PRETRAINED", tmp_path / "package")
    older = tmp_path / "package" / f"tiny-causal-{'0' * 16}"
    older.mkdir(parents=True)
    other = tmp_path / "package" / f"tiny-causal-joint-{'0' * 16}"
    other.mkdir()
    main(["tiny", "tiny-causal", "--cache", str(tmp_path / "cache"), "--device", "cpu", "--save-pretrained"])
    saved = tiny_folder("tiny-causal", tmp_path / "nowhere", train=False)
    assert saved.parent == model_folders.PRETRAINED and not older.exists() and other.exists()
    [trained] = (tmp_path / "cache" / "models").glob("tiny-causal-*")
    whole, half = (load_file(folder / "model.safetensors") for folder in (trained, saved))
    assert all(torch.equal(whole[name].half(), half[name]) for name in whole)
    curve = pd.read_csv(saved / "loss.csv")
    assert curve["step"].tolist() == list(range(1, 13)) and np.isfinite(curve).all(axis=None)  # every step validates
