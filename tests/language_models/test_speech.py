"""States of sounds in tiny speech models with random weights, written to folders as on the hub."""

import numpy as np
import pytest
import torch
from transformers import (
    Wav2Vec2FeatureExtractor,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from brainbook.datasets.sound import Sound
from brainbook.errors import ModelError
from brainbook.language_models import load_speech_model, speech_states

RATE = 16000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("speech_models")
    small = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_conv_pos_embeddings": 8}
    wavlm = WavLMConfig(
        num_hidden_layers=2, conv_dim=(8,) * 7, num_conv_pos_embedding_groups=2, num_buckets=16, **small
    )
    WavLMModel(wavlm).save_pretrained(root / "wavlm")
    Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=False).save_pretrained(root / "wavlm")
    layers = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 50, "pad_token_id": 0}
    tokens = {"bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    WhisperModel(WhisperConfig(**layers, **sizes, **tokens)).save_pretrained(root / "whisper")
    WhisperFeatureExtractor().save_pretrained(root / "whisper")
    return root


@pytest.fixture
def sound(rng):
    return Sound(rng.standard_normal(4 * RATE).astype(np.float32) * 0.1, RATE)


@pytest.mark.parametrize("name", ["wavlm", "whisper"])
def test_every_layer_has_a_state_at_every_step(folders, sound, name):
    model = load_speech_model(str(folders / name), "cpu")
    series = speech_states(model, sound, window=2.0, step=0.1)
    assert series.values.shape == (3, 40, 16) and np.isfinite(series.values).all()
    np.testing.assert_allclose(series.seconds, np.arange(40) * 0.1 + 0.05)
    assert series.on_scans(3, 2.0).shape == (3, 3, 16)
    np.testing.assert_allclose(series.on_scans(3, 2.0)[:, 2], series.values.mean(1), atol=1e-5)  # after the sound


@pytest.mark.parametrize("name", ["wavlm", "whisper"])
def test_what_comes_later_changes_nothing_before(folders, sound, rng, name):
    """A state hears at most `hop` seconds of its future, and `window` seconds in all."""
    model, options = load_speech_model(str(folders / name), "cpu"), {"window": 2.0, "hop": 0.5}
    before = speech_states(model, sound, **options).values
    changed = sound.samples.copy()
    changed[3 * RATE :] = rng.standard_normal(RATE)
    after = speech_states(model, Sound(changed, RATE), **options).values
    np.testing.assert_allclose(after[:, :30], before[:, :30], atol=1e-6)
    assert np.abs(after - before)[:, 30:].max(axis=(0, 2)).min() > 1e-4
    changed = sound.samples.copy()
    changed[: RATE // 2] = 0
    late = speech_states(model, Sound(changed, RATE), **options).values
    np.testing.assert_allclose(late[:, 25:], before[:, 25:], atol=1e-6)


def test_one_window_is_one_reading(folders, sound):
    model = load_speech_model(str(folders / "wavlm"), "cpu")
    found = speech_states(model, sound, window=4.0, hop=4.0, step=0.02).values
    with torch.inference_mode():
        output = model.model(torch.as_tensor(sound.samples)[None], output_hidden_states=True)
    states = torch.stack(output.hidden_states)[:, 0].numpy()
    np.testing.assert_allclose(found[:, :199], states, atol=1e-6)
    assert np.isnan(found[:, 199]).all()  # too short for a frame of its own


def test_another_rate_is_the_same_sound(folders, rng):
    times = np.arange(4 * 48000) / 48000
    wave = (0.2 * np.sin(2 * np.pi * 200 * times)).astype(np.float32)
    model = load_speech_model(str(folders / "whisper"), "cpu")
    high, low = (speech_states(model, s).values for s in (Sound(wave, 48000), Sound(wave[::3], RATE)))
    np.testing.assert_allclose(high[:, 5:-5], low[:, 5:-5], atol=0.05)


def test_states_are_cached(folders, sound, tmp_path):
    model = load_speech_model(str(folders / "wavlm"), "cpu")
    first = speech_states(model, sound, cache=tmp_path).values
    assert len(list((tmp_path / "states").glob("speech-wavlm-*.npy"))) == 1
    np.testing.assert_array_equal(speech_states(model, sound, cache=tmp_path).values, first)


def test_what_cannot_be_is_named(folders, sound, tmp_path, monkeypatch):
    monkeypatch.setattr("brainbook.language_models.speech.hub_answers", lambda: False)
    with pytest.raises(ModelError, match="hf download no/such-model"):
        load_speech_model("no/such-model")
    with pytest.raises(ModelError, match=r"preprocessor_config\.json"):
        load_speech_model(str(tmp_path))
    model = load_speech_model(str(folders / "whisper"), "cpu")
    with pytest.raises(ModelError, match="window <= 30 s"):
        speech_states(model, sound, window=31.0)
