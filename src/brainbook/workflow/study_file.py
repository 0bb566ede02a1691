"""What a study runs: chapters, their parameters and sweeps, read from `studies/<name>.yaml` and checked.

A study file looks like this (unknown keys are refused):

    data: data/phantom                # folder of recordings; ${DATA} and ${BRAINBOOK_DATA} are filled in
    phantom: {participants: 3, scans: 150}   # how to make that folder, when it is a phantom
    models: [tiny-causal]             # tiny models that are trained before the chapters
    device: auto                      # auto, cpu or cuda
    runs:
      - chapter: alignment
        parameters: {model: tiny-causal}
        sweep: {participant: [sub-EN057, sub-EN058]}   # one run for every combination
        after: [transfer]             # runs whose results this one reads
        memory_mb: 2000
        gpus: 1                       # held by this run alone, unless share_gpu: true

In a sweep, `participants` stands for all participants of the data folder and `participants FR` for those of a language.
"""

import graphlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brainbook.errors import ConfigurationError
from brainbook.store import read_yaml
from brainbook.workflow.notebooks import Expression, notebook_parameters

MODEL_PARAMETERS = ("model", "models", "controls", "before", "after", "start")  # those that name language models
STUDIES = Path("studies")
NOTEBOOKS = Path("notebooks")
MOST_RUNS = 20_000  # each is a folder of results and a job
ALL_PARTICIPANTS = r"participants(?: (\w+))?"  # the values of a sweep, instead of a list
Device = Literal["auto", "cpu", "cuda"]


class Strict(BaseModel):
    """A configuration that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid")


class Resources(Strict):
    """What one run takes of the machine."""

    threads: int = Field(default=1, ge=1)
    memory_mb: int = Field(default=2500, ge=100)
    minutes: int = Field(default=60, ge=1)
    disk_mb: int = Field(default=5, ge=0)
    gpus: int = Field(default=0, ge=0)
    share_gpu: bool = False
    may_lack_data: bool = False  # the chapter then says how to get them
    work: dict[str, float] = Field(default_factory=dict)  # how much of what `make check` counts, see workflow.estimate


class Entry(Resources):
    """One chapter of a study: its parameters, what is swept, and what it needs."""

    chapter: str = Field(pattern=r"^\w+$")
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")
    parameters: dict[str, Any] = Field(default_factory=dict)
    sweep: dict[str, list[Any] | str] = Field(default_factory=dict)
    after: list[str] = Field(default_factory=list)
    data: str | None = None
    device: Device | None = None


class Phantom(Strict):
    """How to make the study's phantom: the options of `python -m brainbook.phantom`.

    With `story`, the folder of a real story's annotation, those of `python -m brainbook.chapters.story`.
    """

    participants: int = Field(default=3, ge=1)
    scans: int = Field(default=150, ge=1)
    seed: int = Field(default=0, ge=0)
    voxel_size: float = Field(default=6.0, gt=0)
    languages: list[Literal["EN", "FR", "CN"]] | None = None
    echoes: int = Field(default=1, ge=0)
    signal: float = Field(default=1.0, ge=0)
    null: bool = False
    layout: Literal["ds003643", "fmriprep", "narratives", "lebel"] = "ds003643"
    space: str | None = None
    story: str | None = None
    model: str | None = None
    layer: int | None = Field(default=None, ge=0)
    context: int | None = Field(default=None, ge=0)


class StudyFile(Strict):
    """A whole study as its file says it."""

    data: str
    phantom: Phantom | None = None
    models: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]] = Field(default_factory=list)
    device: Device = "auto"
    seed: int = 0
    cache: str = "cache"
    runs: list[Entry] = Field(min_length=1)


class PlannedRun(Resources):
    """One execution of one notebook with every parameter filled in."""

    name: str
    chapter: str
    parameters: dict[str, Any]
    defaults: dict[str, Any] = Field(default_factory=dict)  # of the chapter
    after: list[str]
    models: list[str] = Field(default_factory=list)  # of the study's own models, those this run reads

    def value(self, parameter: str) -> Any:
        """Return a parameter of this run: as given, else the chapter's default; None if it has no such parameter."""
        return self.parameters.get(parameter, self.defaults.get(parameter))


class Study(Strict):
    """A checked study: what to run, in `runs` by name."""

    name: str
    data: str
    phantom: dict[str, Any] | None
    models: list[str]
    cache: str
    notebooks: Path
    runs: dict[str, PlannedRun]

    def before(self, run: PlannedRun) -> list[PlannedRun]:
        """Return the runs whose results `run` reads: those that its `after` names, every run of a named sweep."""
        return [earlier for earlier in self.runs.values() if _is_named(earlier.name, run.after)]

    def page(self, chapter: str) -> PlannedRun | None:
        """Return the run that a chapter's page shows: the one of the chapter's name, else the first of its runs."""
        runs = [run for run in self.runs.values() if run.chapter == chapter]
        return next((run for run in runs if run.name == chapter), runs[0] if runs else None)


def models_of(run: PlannedRun, parameters: tuple[str, ...] = MODEL_PARAMETERS) -> list[str]:
    """Return the names of the language models that a run's parameters ask for."""
    values = [run.value(key) or [] for key in parameters]
    names = [name for value in values for name in ([value] if isinstance(value, str) else value)]
    return [name for name in names if isinstance(name, str) and name]


def read_study(
    name: str, data: str | None = None, studies: str | Path = STUDIES, notebooks: str | Path = NOTEBOOKS
) -> Study:
    """Read and check `studies/<name>.yaml`.

    `data` fills in ${DATA}; ${BRAINBOOK_DATA} comes from the environment (default ../shared/data).
    Raises ConfigurationError that lists everything that is wrong, not only the first thing.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise ConfigurationError(f"{name!r} cannot be the name of a study: letters, digits, _ and - only")
    path = Path(studies) / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in Path(studies).glob("*.yaml")))
        raise ConfigurationError(f"no study {name!r}: {path} does not exist; there are {known}")
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), path)
        file = StudyFile.model_validate(_fill_in(content, data, path))
    except ValidationError as error:
        listed = "\n".join(
            f"  {'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigurationError(f"{path} has {error.error_count()} problem(s):\n{listed}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not text in UTF-8 ({error.reason}): save it as UTF-8") from None
    paths = {entry.chapter: Path(notebooks, f"{entry.chapter}.md") for entry in file.runs}
    defaults = {chapter: notebook_parameters(path) for chapter, path in paths.items() if path.exists()}
    every = (run for entry in file.runs for run in _expand(entry, file, name, defaults.get(entry.chapter, {})))
    if len(runs := list(itertools.islice(every, MOST_RUNS + 1))) > MOST_RUNS:
        raise ConfigurationError(f"{path} makes more than {MOST_RUNS:,} runs: make several studies of it")
    absent = [f"chapter {chapter!r}: there is no {path}" for chapter, path in paths.items() if chapter not in defaults]
    if problems := absent + _problems(file, runs, defaults):
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(f"{path} has {len(problems)} problem(s):\n{listed}")
    return Study(
        **{field: getattr(file, field) for field in ("data", "models", "cache")},
        name=name,
        phantom=None if file.phantom is None else file.phantom.model_dump(exclude_unset=True),
        notebooks=Path(notebooks),
        runs={run.name: run for run in runs},
    )


def _fill_in(value: Any, data: str | None, path: Path) -> Any:
    """Put folders in the place of ${DATA} and ${BRAINBOOK_DATA}, in every text of the file."""
    if isinstance(value, dict):
        return {key: _fill_in(item, data, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, data, path) for item in value]
    if not isinstance(value, str):
        return value
    values = {"BRAINBOOK_DATA": os.environ.get("BRAINBOOK_DATA") or "../shared/data"} | ({"DATA": data} if data else {})
    try:
        return Template(value).substitute(values)
    except KeyError as error:
        raise ConfigurationError(
            f"{path} needs {error.args[0]}: say `make book STUDY={path.stem} {error.args[0]}=/path/to/folder`"
        ) from None
    except ValueError:
        raise ConfigurationError(f"{path}: in {value!r} a $ stands for no folder; write $$ for the sign") from None


def _expand(entry: Entry, file: StudyFile, study: str, defaults: dict[str, object]) -> Iterator[PlannedRun]:
    """Yield all runs of an entry: one for each combination of the values that are swept."""
    device, data = entry.device or file.device, file.data if entry.data is None else entry.data
    resources = {key: getattr(entry, key) for key in Resources.model_fields}
    resources["gpus"] = 0 if device == "cpu" else max(entry.gpus, device == "cuda")
    for values in itertools.product(*(_swept(values, data) for values in entry.sweep.values())):
        swept = dict(zip(entry.sweep, values, strict=True))
        name = "/".join([entry.name or entry.chapter, *(_slug(key, value) for key, value in swept.items())])
        common = {"data": data, "results": f"results/{study}/{name}", "cache": file.cache, "seed": file.seed}
        common = {key: value for key, value in {**common, "device": device}.items() if key in defaults}
        given = common | entry.parameters | swept
        named = set(_strings(list((defaults | given).values())))
        yield PlannedRun(
            **resources,
            name=name,
            chapter=entry.chapter,
            parameters=given,
            defaults=defaults,
            after=entry.after,
            models=[model for model in file.models if model in named],
        )


def _swept(values: list | str, data: str) -> list:
    """Return the values of a sweep; `participants [LANGUAGE]` stands for those of the data folder, or as published."""
    if isinstance(values, list):
        return values
    match = re.fullmatch(ALL_PARTICIPANTS, values)
    if not match:
        return []  # named in _problems
    from brainbook.datasets.little_prince_runs import PARTICIPANTS

    processed = next(Path(data).glob("derivatives/*/sub-*"), None)  # by fMRIPrep or AFNI, not as ds003643 is published
    if (
        Path(data).is_file()
        or processed
        or any((Path(data) / name).exists() for name in ("dataset.yaml", "derivative"))
    ):
        from brainbook.datasets import open_dataset

        dataset = open_dataset(data)
        languages = [match[1]] if match[1] else dataset.languages
        return [name for language in languages for name in dataset.participants(language)]
    if match[1] not in (None, *PARTICIPANTS):
        raise ConfigurationError(f"a sweep over {values!r}: the languages of {data} are {', '.join(PARTICIPANTS)}")
    languages = [match[1]] if match[1] else list(PARTICIPANTS)
    present = sorted(path.name for path in Path(data, "derivatives").glob("sub-*"))
    published = [f"sub-{code}-{n + 1:02d}" for code in languages for n in range(PARTICIPANTS[code])]
    return [name for code in languages for name in present if name.startswith(f"sub-{code}")] if present else published


def _strings(value: object) -> list[str]:
    """Return all strings in a parameter's value; of "untrained:tiny-bert" also "tiny-bert"."""
    if isinstance(value, str):
        return [value, value.rpartition(":")[2]]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list | tuple) else []


def _slug(key: str, value: object) -> str:
    if isinstance(value, list):
        value = "+".join(map(str, value))
    return f"{key}={re.sub(r'[^A-Za-z0-9._+-]+', '-', str(value))}"


def _is_named(run: str, names: list[str]) -> bool:
    return any(run == name or run.startswith(name + "/") for name in names)


def _problems(file: StudyFile, runs: list[PlannedRun], defaults: dict[str, dict]) -> list[str]:
    """Return everything that is wrong with a study, one line each."""
    counts = Counter(run.name for run in runs)
    problems = [
        f"two runs have the same name {name!r}: give one of the entries a `name`" for name in counts if counts[name] > 1
    ]
    for entry in file.runs:
        of_entry = _parameter_problems(entry, defaults[entry.chapter]) if entry.chapter in defaults else []
        own = entry.name or entry.chapter
        for name in entry.after:
            if not any(_is_named(run, [name]) for run in counts):
                of_entry.append(f"it comes after {name!r}, which is no run of this study")
            if _is_named(own, [name]) or name.startswith(own + "/"):
                of_entry.append(f"it cannot come after itself ({name!r})")
        problems += [f"chapter {entry.chapter!r}: {problem}" for problem in of_entry]
    waits_for = {run.name.split("/")[0]: {name.split("/")[0] for name in run.after} for run in runs}
    try:
        graphlib.TopologicalSorter({name: before - {name} for name, before in waits_for.items()}).prepare()
    except graphlib.CycleError as error:
        problems.append(f"these come after each other: {', '.join(sorted(set(error.args[1])))}")
    return problems


def _parameter_problems(entry: Entry, defaults: dict[str, object]) -> list[str]:
    problems = [] if "results" in defaults else ["it has no parameter 'results': its tables would be lost"]
    for key in [*entry.parameters, *entry.sweep]:
        if key not in defaults:
            problems.append(f"it has no parameter {key!r}; it has {', '.join(defaults)}")
        elif key == "results":
            problems.append("'results' is set by the workflow, do not give it")
        elif key in entry.parameters and key in entry.sweep:
            problems.append(f"{key!r} is given both as a parameter and as a sweep")
    for key, values in entry.sweep.items():
        if isinstance(values, str) and not re.fullmatch(ALL_PARTICIPANTS, values):
            problems.append(f"{key!r} sweeps over {values!r}; say a list, or `participants FR`")
        elif not values:
            problems.append(f"{key!r} sweeps over nothing")
    given = list(entry.parameters.items())
    given += [(key, value) for key, values in entry.sweep.items() if isinstance(values, list) for value in values]
    for key, value in given:
        if key in defaults and not _fits(value, defaults[key]):
            kind = type(defaults[key]).__name__
            problems.append(f"{key}={value!r} should be of type {kind}, like {defaults[key]!r}")
    return problems


def _fits(value: object, default: object) -> bool:
    """Return whether a value is of its default's kind; None and defaults that are computed fit everything."""
    if default is None or value is None or isinstance(default, Expression):
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    kinds = (str, int | float, list | tuple, dict)
    return all(isinstance(value, kind) for kind in kinds if isinstance(default, kind))
