"""What would make a study fail, found before it runs: recordings that are not here, models that cannot be had,
parameters that ask for what does not exist.
"""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from brainbook.datasets import LittlePrince, read_xnli
from brainbook.datasets.files import is_pointer
from brainbook.errors import BrainbookError
from brainbook.number_sense.digits import read_digits
from brainbook.workflow.gpus import visible_gpus
from brainbook.workflow.study_file import MODEL_PARAMETERS, PlannedRun, Study, models_of

# what else a chapter reads, when it is given as a folder and not by one of these names
FOLDER_PARAMETERS = {"digits": ("embedded", "mnist"), "sentences": ("phantom", "hub"), "freesurfer": ()}
SETTINGS_PARAMETERS = ("settings", "short", "training", "transfer")
N_TARGETS = {"regions": 148, "vertices": 20_484}


def missing(study: Study) -> list[str]:
    """Return everything that the study's runs need and that is not here, one line each, with what to do about it.

    What the workflow itself makes (the study's phantom and tiny models) is not missing.
    """
    runs_of: dict[str, list[str]] = {}
    for check in (_data, _models, _features, _settings):
        for run in study.runs.values():
            for problem in check(study, run):
                runs_of.setdefault(problem, []).append(run.name)
    story = (study.phantom or {}).get("story")
    if story is not None and not Path(story).is_dir():
        runs_of[f"data: there is no {Path(story).absolute()}, the real story that the phantom hears"] = []
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
    if not isinstance(folder, str) or not folder or made_here or run.may_lack_data:
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


def _models(study: Study, run: PlannedRun) -> Iterator[str]:
    settings = any(isinstance(run.value(key), dict) for key in SETTINGS_PARAMETERS)
    if study.models or settings or models_of(run, (*MODEL_PARAMETERS, "alice_model")):
        from brainbook.workflow.model_checks import model_problems  # takes seconds to import

        yield from model_problems(study, run)


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
    """Check the device and how many participants are asked for."""
    if run.value("device") == "cuda" and not visible_gpus():
        yield "device: cuda, and this machine shows no GPU: say device: auto or cpu"
    if isinstance(count := run.value("participants"), int) and count < 1:
        yield f"participants: {count}; at least 1 of each language"
