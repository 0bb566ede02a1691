"""A language model and its tokenizer, opened from a folder or from the Hugging Face hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import constants, get_session, try_to_load_from_cache
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from brainbook.encoding import find_device
from brainbook.errors import ModelError
from brainbook.store import fingerprint

NOT_PART_OF_A_MODEL = ("_name_or_path", "dtype", "architectures", "transformers_version")
TRIAL_TOKENS = 12
ROUNDING = 1e-5  # change of a state, as a share of its layer's largest value, that is rounding


@dataclass
class LanguageModel:
    """A model without its head, its tokenizer, and what the rest of the book asks of them.

    Attributes
    ----------
    name : as asked for.
    model : a transformers model that returns hidden states, in evaluation mode, on `device`.
    tokenizer : a fast tokenizer.

    Examples
    --------
    >>> model = load_language_model("tiny-bert", device="cpu")
    >>> model.max_tokens
    96
    """

    name: str
    model: Any
    tokenizer: PreTrainedTokenizerBase

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def config(self) -> PretrainedConfig:
        """The configuration of the part that reads text."""
        return self.model.config.get_text_config()

    @property
    def n_layers(self) -> int:
        """Number of layers, the embeddings (layer 0) not counted."""
        return self.config.num_hidden_layers

    @property
    def n_units(self) -> int:
        """Width of a hidden state."""
        return self.config.hidden_size

    @cached_property
    def causal(self) -> bool:
        """True if no state depends on later tokens, found by two short readings whose second halves differ."""
        special = set(self.tokenizer.all_special_ids)
        n = min(len(self.tokenizer), self.model.get_input_embeddings().num_embeddings)
        ordinary = [token for token in range(n) if token not in special] or [0]
        half = max(1, min(TRIAL_TOKENS, self.max_tokens) // 2)
        first, second, third = ((ordinary * 3 * half)[k : k + half] for k in (0, half, half + 1))
        readings = torch.tensor([first + second, first + third], device=self.device)  # readings, tokens
        with torch.inference_mode():
            states = self.model(
                input_ids=readings, attention_mask=torch.ones_like(readings), output_hidden_states=True
            ).hidden_states
        if len(states) != self.n_layers + 1 or self.n_layers < 1:
            raise ModelError(f"{self.name}: {len(states)} hidden states of {self.n_layers} layers, expected one more")
        if not all(layer.isfinite().all() for layer in states):
            raise ModelError(f"{self.name}: states that are not finite: its weights are damaged")
        return all((layer[0] - layer[1])[:half].abs().max() <= ROUNDING * layer.abs().max() for layer in states)

    @property
    def max_tokens(self) -> int:
        """Longest input, special tokens included."""
        names = ("max_position_embeddings", "n_positions", "max_seq_len", "context_length")
        positions = next((n for name in names if (n := getattr(self.config, name, None))), -1)
        if positions < 1:  # without a limit: relative positions, or none
            positions = 1 << 20
        for name, module in self.model.named_modules():
            # the family of RoBERTa counts positions from after the padding index
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                positions -= module.padding_idx + 1
        return int(min(positions, self.tokenizer.model_max_length))

    @cached_property
    def encoder(self) -> Tokenizer:
        """The tokenizer proper, without the truncation and padding that some models' files ask for."""
        encoder = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        encoder.no_truncation()
        encoder.no_padding()
        return encoder

    @cached_property
    def fingerprint(self) -> str:
        """A key of everything the states depend on: configuration, weights, vocabulary."""
        config = {k: v for k, v in self.model.config.to_dict().items() if k not in NOT_PART_OF_A_MODEL}
        # the pooler is in no hidden state, and random where a checkpoint has none
        weights = {k: tensor_bytes(v) for k, v in self.model.state_dict().items() if not k.startswith("pooler")}
        return fingerprint(str(sorted(config.items(), key=str)), weights, sorted(self.tokenizer.get_vocab().items()))


def tensor_bytes(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def open_folder(folder: str | Path, name: str | None = None, device: str = "auto") -> LanguageModel:
    """Open a folder with config.json, safetensors weights and tokenizer files; `name` is the folder by default.

    Raises ModelError, which names the folder and the file that is missing or damaged.
    """
    folder = Path(folder)
    missing = [file for file in ("config.json", "*.safetensors") if not any(folder.glob(file))]
    if missing:
        raise ModelError(f"{folder}: no {' and no '.join(missing)}: not a model in transformers' layout")
    return place(name or str(folder), *_load(folder, local_files_only=True, use_safetensors=True), device)


def open_hub(hub_name: str, name: str | None = None, device: str = "auto") -> LanguageModel:
    """Open a model of the Hugging Face hub: from the local cache, else from the network.

    Raises ModelError, which says how to get the model where neither has it.
    """
    try:
        return place(name or hub_name, *_load(hub_name, local_files_only=True), device)
    except _NotLoaded as error:
        local = error  # not in the local cache, or damaged there
    how = (
        f"On a machine with a network run `hf download {hub_name}`, and copy ~/.cache/huggingface (or set HF_HOME to "
        "the copy); or give a folder that holds the model; or take a tiny model such as 'tiny-bert'"
    )
    if not hub_answers():
        if isinstance(try_to_load_from_cache(hub_name, "config.json"), str):
            raise local
        nowhere = "is neither a tiny model nor a folder nor in the local hub cache, and the hub cannot be reached"
        raise ModelError(f"'{hub_name}' {nowhere}. {how}")
    try:
        loaded = _load(hub_name)
    except _NotLoaded as error:
        raise ModelError(f"'{hub_name}' cannot be had from the hub: {error}. {how}") from error
    return place(name or hub_name, *loaded, device)


def place(name: str, model: Any, tokenizer: PreTrainedTokenizerBase, device: str = "auto") -> LanguageModel:
    """Move a model to a device and check that it reads tokens and returns the states that its configuration promises.

    device : "auto" (a GPU if there is one), or what torch calls a device.
    """
    if not tokenizer.is_fast:
        raise ModelError(f"{name}: its tokenizer has no fast version, which is needed to tell words from sub-words")
    placed = LanguageModel(name, model.to(find_device(device)).eval(), tokenizer)
    try:
        _ = placed.causal
    except ModelError:
        raise
    except Exception as error:
        kind = model.config.model_type
        raise ModelError(f"{name}: a {kind} that cannot read words by themselves: {error}") from error
    return placed


def hub_answers(timeout: float = 3.0) -> bool:
    """Ask the hub one quick question, because its client asks for half a minute before it gives up."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=timeout)
    except Exception:  # whatever it is: no answer
        return False
    return True


class _NotLoaded(ModelError):
    """A file that transformers cannot load."""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' reports of unused heads and its progress bars over weights."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _load(source: str | Path, use_safetensors: bool | None = None, **options: Any) -> tuple[Any, Any]:
    """Load the part of a model that reads text, and its tokenizer, without running their code.

    _NotLoaded names the file that transformers cannot load, or weights that do not belong to the configuration.
    """
    options["trust_remote_code"] = False  # unset, transformers asks on standard input
    with quiet_transformers():
        with _naming(source, "config.json"):
            config = AutoConfig.from_pretrained(source, **options)
        with _naming(source, "its tokenizer (tokenizer.json, tokenizer_config.json)"):
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
        with _naming(source, "its weights (*.safetensors)"):
            options |= {"dtype": torch.float32, "use_safetensors": use_safetensors, "output_loading_info": True}
            model, report = AutoModel.from_pretrained(source, config=config, **options)
            # transformers would draw them at random, or leave them out, without a word
            missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
            layers = getattr(config.get_text_config(), "num_hidden_layers", None) or 1 << 20
            surplus = sorted(name for name in report["unexpected_keys"] if _layer(name) >= layers)
            if missing or surplus:
                what = f"lack {missing[0]}" if missing else f"hold {surplus[0]}, of a layer that it leaves out"
                raise ModelError(f"they are not those of config.json: they {what}")
    return text_part(str(source), model), tokenizer


@contextmanager
def _naming(source: str | Path, what: str) -> Iterator[None]:
    """Turn any error into one that names the model and its file."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the tokenizers library panics past Exception
        reason = str(error) or type(error).__name__
        raise _NotLoaded(f"{source}: transformers cannot load {what}: {reason}") from error


def _layer(name: str) -> int:
    """Return the largest number in a tensor's name, -1 without any."""
    return max((int(part) for part in name.split(".") if part.isdigit()), default=-1)


def text_part(name: str, model: Any) -> Any:
    """Return the part of a transformers model that reads text.

    Of an encoder with a decoder the encoder; of a model that also sees or hears the language model within it.
    ModelError where there is no such part.
    """
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        part = model.get_encoder()
    elif config.get_text_config() is not config:
        part = model.get_decoder()
    else:
        return model
    if part is None or part is model or not hasattr(part, "config"):
        raise ModelError(f"{name}: no part of a {config.model_type} is known that reads text alone")
    return part


def model_with_head(language_model: LanguageModel) -> Any:
    """Return the same weights in transformers' class with the head that predicts words (masked, or the next one).

    Raises ModelError for a model that was saved without its head.
    """
    auto_class: Any = AutoModelForCausalLM if language_model.causal else AutoModelForMaskedLM
    name, source = language_model.name, language_model.model.name_or_path
    try:
        with quiet_transformers():
            options = {"dtype": torch.float32, "trust_remote_code": False, "local_files_only": True}
            model, report = auto_class.from_pretrained(source, output_loading_info=True, **options)
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: no language-modelling head can be loaded from {source!r}: {error}") from error
    absent = sorted(key for key in report["missing_keys"] if not key.startswith(f"{model.base_model_prefix}."))
    if absent:
        raise ModelError(
            f"{name} was saved without its language-modelling head ({', '.join(absent[:3])}): "
            "give the language loss the weight 0"
        )
    missing = model.base_model.load_state_dict(language_model.model.state_dict(), strict=False).missing_keys
    if missing:
        raise ModelError(f"{name}: {source!r} is another model: {', '.join(missing[:3])} are not in it")
    return model
