"""Models of many kinds: whether they read ahead is found by trial, and text is read by the part that reads text."""

import json
import sys

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModel

from brainbook.errors import ModelError
from brainbook.language_models import LanguageModel, load_language_model, word_states

WORDS = ["the", "old", "king", "greeted", "a", "small", "fox"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64}
MODERN = {**SIZES, "num_key_value_heads": 2, "intermediate_size": 64, "head_dim": 16}
GPT = {"n_layer": 2, "n_head": 2}
CAUSAL = {
    "bloom": {**GPT, "hidden_size": 32},
    "falcon": SIZES,
    "gptj": {**GPT, "n_embd": 32, "rotary_dim": 8, "n_positions": 64},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 2, "ffn_dim": 64, "max_position_embeddings": 64},
    **dict.fromkeys(("gemma", "stablelm", "phi", "olmo2", "cohere", "granite"), MODERN),
    "phi3": {**MODERN, "pad_token_id": 0},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32, "intermediate_size": 64},
    "gpt2": {**GPT, "n_embd": 32, "n_positions": 64},
}
T5 = {"d_model": 32, "num_layers": 2, "num_heads": 2, "d_ff": 64, "d_kv": 16}
BART = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "max_position_embeddings": 64, "encoder_ffn_dim": 64}
BART |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 64}
READS_AHEAD = {
    "bert": {**SIZES, "intermediate_size": 64},
    "roberta": {**SIZES, "intermediate_size": 64},
    "albert": {**SIZES, "intermediate_size": 64, "embedding_size": 16},
    "xlnet": {**GPT, "d_model": 32, "d_inner": 64},
    **dict.fromkeys(("t5", "mt5"), T5),
    **dict.fromkeys(("bart", "mbart"), BART),
}
EYES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
EYES |= {"image_size": 28, "patch_size": 14}
NESTED = {
    "gemma3": {"text_config": {**MODERN, "sliding_window": 8}, "vision_config": EYES},
    "mistral3": {
        "text_config": {**MODERN, "model_type": "mistral"},
        "vision_config": {**EYES, "model_type": "pixtral"},
    },
    "qwen3_5": {
        "text_config": {**MODERN, "layer_types": ["linear_attention", "full_attention"]},
        "vision_config": {
            "depth": 1,
            "hidden_size": 16,
            "num_heads": 2,
            "intermediate_size": 16,
            "out_hidden_size": 32,
        },
    },
}


def random_model(kind: str, settings: dict, n_tokens: int):
    """A small random model of one kind, its vocabulary of `n_tokens`."""
    settings = {key: dict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    settings.get("text_config", settings)["vocab_size"] = n_tokens
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModel.from_config(CONFIG_MAPPING[kind](**settings)).eval()


def saved(folder, kind, settings, tokenizer):
    random_model(kind, settings, len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", CAUSAL)
def test_a_model_that_does_not_read_ahead_is_causal(kind, bert):
    model = LanguageModel(kind, random_model(kind, CAUSAL[kind], len(bert.tokenizer)), bert.tokenizer)
    assert model.causal
    changed = word_states(model, [*WORDS[:-1], "snow"], 3, stride=len(WORDS))
    states = word_states(model, WORDS, 3, stride=len(WORDS))
    assert states.shape == (3, len(WORDS), 32) and 0 < model.max_tokens <= 1 << 20
    np.testing.assert_allclose(states[:, :-1], changed[:, :-1], atol=1e-5)
    assert np.abs(states[:, -1] - changed[:, -1]).max() > 1e-2


@pytest.mark.parametrize("kind", READS_AHEAD)
def test_a_model_that_reads_ahead_is_not_and_of_two_parts_the_encoder_is_read(kind, bert, tmp_path):
    model = load_language_model(saved(tmp_path, kind, READS_AHEAD[kind], bert.tokenizer), device="cpu")
    assert not model.causal and (model.n_layers, model.n_units) == (2, 32)
    assert model.max_tokens == (62 if kind == "roberta" else 64)
    assert word_states(model, WORDS, 3).shape == (3, len(WORDS), 32)
    assert load_language_model(f"untrained:{tmp_path}", device="cpu", seed=1).fingerprint != model.fingerprint


@pytest.mark.parametrize("kind", NESTED)
def test_of_a_model_that_also_sees_the_language_model_is_read(kind, bert, tmp_path):
    model = load_language_model(saved(tmp_path, kind, NESTED[kind], bert.tokenizer), device="cpu")
    assert model.causal and (model.n_layers, model.n_units, model.max_tokens) == (2, 32, 64)
    assert word_states(model, WORDS, 3).shape == (3, len(WORDS), 32)
    assert not any("vision" in name for name, _ in model.model.named_parameters())


def test_a_bert_that_decodes_is_causal_and_weak_attention_is_still_seen(bert):
    config = CONFIG_MAPPING["bert"](**READS_AHEAD["bert"], vocab_size=len(bert.tokenizer), is_decoder=True)
    assert LanguageModel("decoder", AutoModel.from_config(config).eval(), bert.tokenizer).causal
    model = random_model("bert", {**READS_AHEAD["bert"], "initializer_range": 0.01}, len(bert.tokenizer))
    assert not LanguageModel("weak", model, bert.tokenizer).causal


def test_a_model_that_reads_no_words_is_refused_by_name(bert, tmp_path):
    settings = {**BART, "num_mel_bins": 8, "max_source_positions": 64, "pad_token_id": 0}
    with pytest.raises(ModelError, match="a whisper that cannot read words"):
        load_language_model(saved(tmp_path, "whisper", settings, bert.tokenizer), device="cpu")


def test_no_code_of_a_folder_is_run_or_asked_about(bert, tmp_path, monkeypatch):
    class Asked:
        def readline(self, *_):
            raise AssertionError("a question on standard input")

    monkeypatch.setattr(sys, "stdin", Asked())
    monkeypatch.setattr("builtins.input", Asked().readline)
    saved(tmp_path, "bert", READS_AHEAD["bert"], bert.tokenizer)
    (tmp_path / "own.py").write_text("raise SystemExit('the folder ran its code')")
    config = json.loads((tmp_path / "config.json").read_text())
    code = {"auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config | code))
    assert not load_language_model(str(tmp_path), device="cpu").causal  # transformers' own BERT
    (tmp_path / "config.json").write_text(json.dumps(config | code | {"model_type": "own"}))
    with pytest.raises(ModelError, match="config.json"):
        load_language_model(str(tmp_path), device="cpu")


def test_a_layer_with_one_vector_for_all_words_is_warned_of(bert, recwarn):
    model = LanguageModel("flat", random_model("bert", READS_AHEAD["bert"], len(bert.tokenizer)), bert.tokenizer)
    word_states(model, WORDS, 3)
    word_states(model, ["fox", "fox"], 0)  # equal because the words are
    assert not recwarn.list
    with torch.no_grad():
        model.model.encoder.layer[1].output.LayerNorm.weight.zero_()
    with pytest.warns(UserWarning, match="flat: layer 2 has one vector for all words"):
        word_states(model, WORDS, 3)


def test_weights_that_are_not_finite_are_refused(bert):
    model = random_model("bert", READS_AHEAD["bert"], len(bert.tokenizer))
    with torch.no_grad():
        model.encoder.layer[1].output.dense.bias[0] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        _ = LanguageModel("damaged", model, bert.tokenizer).causal
