"""Folders of models with a damaged file: read, or refused by a message that names the folder and the file."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from safetensors.torch import load_file, save_file

from brainbook.errors import BrainbookError, ModelError
from brainbook.language_models import load_language_model, word_states
from brainbook.language_models.brainlm.model import BrainLM, load_brainlm, save_brainlm
from brainbook.language_models.brainlm.published import read_checkpoint

DEEP = b"[" * 100_000
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(bert, tmp_path_factory):
    """A folder that is both a BrainLM and a model in transformers' layout."""
    folder = tmp_path_factory.mktemp("model") / "whole"
    save_brainlm(BrainLM(bert.model.config, 5), bert.tokenizer, folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "model")


def changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x13", b"{}", b"null", DEEP, b"\xff\xfe"], ids=str)
def test_a_damaged_file_is_named(folder, name, content):
    (folder / name).write_bytes(content[:200_000])
    with pytest.raises(ModelError, match=name.split(".")[-1]) as error:
        load_language_model(str(folder), device="cpu")
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("sizes", [{"num_hidden_layers": -12}, {"num_hidden_layers": 1}, {"num_hidden_layers": 3},
                                   {"hidden_size": 32}, {"num_attention_heads": 3}, {"vocab_size": "many"},
                                   {"model_type": "nothing"}])  # fmt: skip
def test_a_configuration_that_the_weights_contradict_is_refused(folder, sizes):
    changed(folder / "config.json", **sizes)
    with pytest.raises(ModelError) as error:
        load_language_model(str(folder), device="cpu")
    assert str(folder) in str(error.value)


def test_weights_that_are_missing_are_not_drawn_at_random(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lack encoder.layer.1.output.dense.weight"):
        load_language_model(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b'  }  "ad'),
        ("config.json", b'{"hidden_size": "wide"}'),
        ("model.safetensors", b"\x13"),
        ("brain/brain.safetensors", b""),
    ],
    ids=str,
)
def test_a_damaged_file_of_a_brainlm_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=name.split("/")[-1]) as error:
        load_brainlm(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("name", [".safetensors", "model.safetensors", "model.pt", "list.pt"])
def test_a_damaged_checkpoint_is_named(tmp_path, name):
    import torch

    (tmp_path / name).write_bytes(b"\x80\x02")
    if name == "list.pt":
        torch.save([1, 2], tmp_path / name)
    with pytest.raises(ModelError, match=name):
        read_checkpoint(tmp_path / name)


@QUIET
@given(st.sampled_from(["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]),
       st.binary(max_size=20), st.floats(0, 1), st.integers(0, 20))  # fmt: skip
def test_damage_is_either_read_or_named(whole, tmp_path_factory, name, noise, place, gone):
    folder = shutil.copytree(whole, tmp_path_factory.mktemp("damaged") / "model")
    content = (folder / name).read_bytes()
    end = len(content) if name != "model.safetensors" else 4000  # its header
    position = int(place * end)
    (folder / name).write_bytes(content[:position] + noise + content[position + gone :])
    try:
        states = word_states(load_language_model(str(folder), device="cpu"), ["the", "fox"])
    except BrainbookError as error:
        assert str(folder) in str(error)
    else:
        assert np.isfinite(states).all()
