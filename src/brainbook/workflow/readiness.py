"""What would make a study fail, found before it runs: recordings that are not here, models that cannot be had,
parameters that ask for what does not exist.
"""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from brainbook.datasets.base import Dataset
from brainbook.datasets.files import is_pointer
from brainbook.errors import BrainbookError, DatasetError
from brainbook.workflow.gpus import visible_gpus
from brainbook.workflow.study_file import MODEL_PARAMETERS, PlannedRun, Study, models_of

# what else a chapter reads, when it is given as a folder and not by one of these names
FOLDER_PARAMETERS = {"digits": ("embedded", "mnist"), "sentences": ("phantom", "hub"), "freesurfer": ()}
SETTINGS_PARAMETERS = ("settings", "short", "training", "transfer")
DESCRIPTIONS = (".yaml", ".yml")
N_TARGETS = {"regions": 148, "vertices": 20_484}


def missing(study: Study) -> list[str]:
    """Return everything that the study's runs need and that is not here, one line each, with what to do about it.

    What the workflow itself makes (the study's phantom and tiny models) is not missing.
    """
    runs_of: dict[str, list[str]] = {}
    for find in (_data, _models, _features, _settings):
        for run in study.runs.values():
            for problem in find(study, run):
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
    if path.suffix in DESCRIPTIONS:
        for problem in _study_problems(folder, study.cache):
            yield f"data: {problem}"
    elif not path.is_dir() or not any(path.iterdir()):
        yield f"data: there is nothing in {path.absolute()}"
    elif any((path / name).exists() for name in ("derivatives", "derivative", "annotation", "participants.tsv")):
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
            from brainbook.number_sense.digits import read_digits  # so are the others: seconds to import

            read_digits(folder)
        elif key == "sentences":
            from brainbook.datasets import read_xnli

            read_xnli(folder, ("EN", *second))
    except BrainbookError as error:
        return str(error)
    return ""


@cache
def _study_problems(description: str, cache_folder: str) -> tuple[str, ...]:
    """Return what `check` finds wrong with a described study; what it computes is cached for the chapters."""
    from brainbook.datasets import check

    return tuple(check(description, cache=cache_folder).problems)


def _recordings(folder: str, run: PlannedRun) -> Iterator[str]:
    from brainbook.datasets import LittlePrince

    dataset = _dataset(folder)
    given = run.value("languages") or run.value("language") or dataset.languages
    languages = [given] if isinstance(given, str) else list(given)
    if absent := [code for code in languages if code not in dataset.languages]:
        yield f"data: {folder} holds no recordings of {', '.join(absent)}"
        return
    limit = run.value("participants")
    for code in languages:
        dataset.words(code)
        named = [run.value("participant")] if run.value("participant") else dataset.participants(code)
        for participant in named[: limit if isinstance(limit, int) else None]:
            n_absent, of = _not_downloaded(folder, participant)
            if n_absent:
                what = f"of {participant} {n_absent} of {of} recordings are not downloaded"
                command = f": `make data DATA={folder} PARTICIPANTS={participant}`"
                yield f"data: {what}{command if isinstance(dataset, LittlePrince) else ''}"


@cache
def _dataset(folder: str) -> Dataset:
    if not folder or not Path(folder).exists():  # such as the phantom, before it is made
        raise DatasetError(f"there is no {folder}")
    from brainbook.datasets import open_dataset

    return open_dataset(folder)


@cache
def _not_downloaded(folder: str, participant: str) -> tuple[int, int]:
    runs = _dataset(folder).runs(participant)
    return sum(is_pointer(run.path) or not run.path.exists() for run in runs), len(runs)


def _models(study: Study, run: PlannedRun) -> Iterator[str]:
    settings = any(isinstance(run.value(key), dict) for key in SETTINGS_PARAMETERS)
    if study.models or settings or models_of(run, (*MODEL_PARAMETERS, "alice_model")):
        from brainbook.workflow.model_checks import model_problems  # takes seconds to import

        yield from model_problems(study, run)


def _features(study: Study, run: PlannedRun) -> Iterator[str]:
    """Check that there are as many targets and training scans as an autoencoder or a PCA needs."""
    n_features, targets = run.value("n_features"), run.value("targets") or "regions"
    if n_features is None and run.value("targets") is None:  # asks for neither: nothing to open
        return
    if targets not in (offered := _offered_targets(run)):
        yield f"targets: {targets!r} is none of {', '.join(offered)}"
    elif isinstance(n_features, int) and n_features > N_TARGETS.get(targets, math.inf):
        yield f"n_features: {n_features} of {N_TARGETS[targets]} {targets} cannot be made; take fewer, or vertices"
    elif isinstance(n_features, int) and n_features > (scans := _training_scans(run)):
        yield f"n_features: {n_features} need as many training scans, and there are {scans}: take more"


def _offered_targets(run: PlannedRun) -> tuple[str, ...]:
    """Return the targets that a run's dataset has; those of fsaverage5 where the recordings are not here."""
    try:
        return _dataset(str(run.value("data"))).targets
    except BrainbookError:
        return tuple(N_TARGETS)


def _training_scans(run: PlannedRun) -> float:
    """Count the scans of all participants' training sections; infinite where the recordings are not here."""
    try:
        dataset, code = _dataset(str(run.value("data"))), str(run.value("language"))
        tested = run.value("test_sections") or []
        sections = [n for section, n in dataset.scans(code).items() if section not in tested]
        return sum(sections) * len(dataset.participants(code)[: run.value("participants")])
    except BrainbookError:
        return math.inf


def _settings(study: Study, run: PlannedRun) -> Iterator[str]:
    """Check the device and how many participants are asked for."""
    if run.value("device") == "cuda" and not visible_gpus():
        yield "device: cuda, and this machine shows no GPU: say device: auto or cpu"
    if isinstance(count := run.value("participants"), int) and count < 1:
        yield f"participants: {count}; at least 1 of each language"
