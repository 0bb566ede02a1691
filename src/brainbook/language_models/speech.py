"""Speech models: every layer's states of a sound, as a feature space like that of a language model's words.

Models are named as on the Hugging Face hub (such as microsoft/wavlm-base, whose licence its page states, or
openai/whisper-tiny.en, MIT), or a folder in transformers' layout. Of Whisper the encoder is read.
"""

from dataclasses import dataclass
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.signal import resample_poly
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

from brainbook.datasets.sound import Sound, SoundSeries
from brainbook.encoding import find_device
from brainbook.errors import ModelError
from brainbook.language_models.language_model import NOT_PART_OF_A_MODEL, hub_answers, quiet_transformers, tensor_bytes
from brainbook.store import cached_array, fingerprint
from brainbook.training import progress


@dataclass
class SpeechModel:
    """A model that hears: its encoder in evaluation mode, and what makes its input of samples.

    Returned by `load_speech_model`.

    Attributes
    ----------
    name : as asked for. model : returns hidden states. extractor : a feature extractor of transformers.
    """

    name: str
    model: Any
    extractor: Any

    @property
    def rate(self) -> int:
        """Samples per second that it hears."""
        return int(self.extractor.sampling_rate)

    @cached_property
    def fingerprint(self) -> str:
        """A key of everything the states depend on: configuration, input features, weights."""
        config = {k: v for k, v in self.model.config.to_dict().items() if k not in NOT_PART_OF_A_MODEL}
        weights = {name: tensor_bytes(tensor) for name, tensor in self.model.state_dict().items()}
        settings = {k: v for k, v in self.extractor.to_dict().items() if k not in NOT_PART_OF_A_MODEL}
        return fingerprint(str(sorted(config.items(), key=str)), str(sorted(settings.items(), key=str)), weights)


def load_speech_model(name: str, device: str = "auto") -> SpeechModel:
    """Load the speech model `name` of a folder, of the local cache, or of the hub.

    Raises
    ------
    ModelError : it is not to be had here, or is no model of sound.

    Examples
    --------
    >>> from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel
    >>> config = WhisperConfig(vocab_size=50, d_model=16, encoder_layers=2, decoder_layers=1, pad_token_id=0,
    ...                        encoder_attention_heads=2, decoder_attention_heads=2, bos_token_id=1, eos_token_id=2,
    ...                        decoder_start_token_id=1, encoder_ffn_dim=32, decoder_ffn_dim=32)
    >>> WhisperModel(config).save_pretrained("whisper")  # random weights, to show the call
    >>> files = WhisperFeatureExtractor().save_pretrained("whisper")
    >>> load_speech_model("whisper", device="cpu").rate
    16000
    """
    try:
        return _load(name, device, local_files_only=True)
    except ModelError:
        raise
    except (OSError, ValueError) as error:
        reason = error
    if Path(name).is_dir():
        how = "a folder needs config.json, preprocessor_config.json and *.safetensors"
        raise ModelError(f"'{name}' cannot be loaded as a speech model: {how} ({reason})")
    if not hub_answers():
        how = f"run `hf download {name}` on a machine with a network and copy ~/.cache/huggingface, or give a folder"
        raise ModelError(f"'{name}' is not in the local hub cache, and the hub cannot be reached: {how}")
    try:
        return _load(name, device)
    except (OSError, ValueError) as error:
        raise ModelError(f"'{name}' cannot be had from the hub: {error}") from error


def _load(name: str, device: str, **options: Any) -> SpeechModel:
    options["trust_remote_code"] = False
    with quiet_transformers():
        config = AutoConfig.from_pretrained(name, **options)
        extractor = AutoFeatureExtractor.from_pretrained(name, **options)
        model, report = AutoModel.from_pretrained(
            name, config=config, dtype=torch.float32, output_loading_info=True, use_safetensors=True, **options
        )
    if not hasattr(extractor, "sampling_rate"):
        raise ModelError(f"{name}: a {config.model_type} does not hear: give a model such as WavLM or Whisper")
    model = model.get_encoder() if config.is_encoder_decoder else model
    if missing := sorted(report["missing_keys"]):
        raise ModelError(f"{name}: its weights lack {missing[0]}")
    return SpeechModel(name, model.to(find_device(device)).eval(), extractor)


def speech_states(
    model: SpeechModel,
    sound: Sound,
    *,
    window: float = 16.0,
    hop: float = 1.0,
    step: float = 0.1,
    cache: str | Path | None = None,
) -> SoundSeries:
    """Compute every layer's states of a sound: values [layers + 1, steps, units], layer 0 is the input to the first.

    A model hears `window` seconds at a time, of which the states of the last `hop` seconds are taken: a state knows
    some window - hop seconds before it and at most `hop` seconds that come after it.

    Parameters
    ----------
    window, hop : seconds. Halving `hop` doubles the work; Whisper hears 30 s in any case.
    step : seconds over which states are averaged (models have some fifty a second).
    cache : a folder in which states are cached (`cache`/states); None caches nothing.

    Raises
    ------
    ModelError : a window that is shorter than its hop, or longer than the model hears.

    Examples
    --------
    >>> from brainbook.datasets import Sound
    >>> sound = Sound(np.zeros(32000, np.float32), rate=16000)
    >>> series = speech_states(load_speech_model("whisper", device="cpu"), sound)  # see `load_speech_model`
    >>> series.on_scans(1, tr=2.0).shape  # layers and their input, scans, units
    (3, 1, 16)
    """
    longest = getattr(model.extractor, "chunk_length", None) or np.inf  # Whisper: 30 s
    if not 0 < step <= hop <= window <= longest:
        raise ModelError(f"0 < step <= hop <= window <= {longest:g} s is needed: {step:g}, {hop:g}, {window:g} s")
    inputs = {"samples": sound.samples, "rate": sound.rate, "window": window, "hop": hop, "step": step}
    inputs |= {"model": "" if cache is None else model.fingerprint}
    folder = None if cache is None else Path(cache) / "states"
    name = f"speech-{Path(model.name).name}"
    values = cached_array(folder, name, inputs, lambda: _read(model, sound, window, hop, step))
    seconds = (np.arange(values.shape[1]) + 0.5) * step
    names = tuple(f"unit {unit}" for unit in range(values.shape[2]))
    return SoundSeries(seconds, values, names, np.nanmean(values, axis=1))


def _read(model: SpeechModel, sound: Sound, window: float, hop: float, step: float) -> np.ndarray:
    """Return states [layers + 1, steps, units]; NaN for a step without a state (a last one that is cut short)."""
    common = gcd(model.rate, sound.rate)
    samples = resample_poly(sound.samples, model.rate // common, sound.rate // common).astype(np.float32)
    totals: Any
    counts: Any
    n_steps, totals, counts = int(np.ceil(sound.seconds / step - 1e-9)), None, None
    device = next(model.model.parameters()).device
    ends = np.append(np.arange(hop, sound.seconds, hop), sound.seconds)
    for begin, end in progress(list(zip(np.append(0, ends[:-1]), ends, strict=True)), f"hearing with {model.name}"):
        first = max(0.0, end - window)
        heard = samples[round(first * model.rate) : round(end * model.rate)]
        inputs = model.extractor(heard, sampling_rate=model.rate, return_tensors="pt")
        with torch.inference_mode():
            states = model.model(
                **{key: value.to(device) for key, value in inputs.items()}, output_hidden_states=True
            ).hidden_states
        states = torch.stack(states)[:, 0].float().cpu().numpy()  # layers + 1, frames, units
        times = first + _frame_seconds(model, states.shape[1], len(heard))
        frames = np.flatnonzero((times >= begin) & (times < end))
        if totals is None:
            totals, counts = np.zeros((len(states), n_steps, states.shape[2])), np.zeros(n_steps)
        place = np.minimum((times[frames] / step + 1e-9).astype(int), n_steps - 1)
        for layer, values in zip(totals, states, strict=True):
            np.add.at(layer, place, values[frames])
        np.add.at(counts, place, 1)
    if not np.isfinite(totals).all():
        raise ModelError(f"{model.name}: states that are not finite: its weights are damaged")
    with np.errstate(invalid="ignore"):
        return (totals / np.where(counts, counts, np.nan)[:, None]).astype(np.float32)


def _frame_seconds(model: SpeechModel, n_frames: int, n_samples: int) -> np.ndarray:
    """Return the middle of what each frame hears, seconds since the first sample."""
    config = model.model.config
    if strides := getattr(config, "conv_stride", None):  # wav2vec and its kin: convolutions without padding
        steps = np.cumprod([1, *strides])
        field = 1 + sum((width - 1) * step for width, step in zip(config.conv_kernel, steps, strict=False))
        return (np.arange(n_frames) * steps[-1] + field / 2) / model.rate
    duration = getattr(model.extractor, "chunk_length", None) or n_samples / model.rate
    return (np.arange(n_frames) + 0.5) * duration / n_frames
