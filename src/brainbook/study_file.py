"""What a study runs: chapters, their parameters and sweeps, read from `studies/<name>.yaml` and checked.

A study file looks like this (unknown keys are refused):

    data: data/phantom                # folder of recordings; ${DATA} and ${BRAINBOOK_DATA} are filled in
    phantom: {participants: 3, scans: 150}   # how to make that folder, when it is a phantom
    models: [mini-causal]             # minis that are trained before the chapters
    device: auto
    runs:
      - chapter: alignment
        parameters: {model: mini-causal}
        sweep: {participant: [sub-EN057, sub-EN058]}   # one run for every combination
        after: [transfer]             # runs whose results this one reads
        memory_mb: 2000
"""

import itertools
import os
import re
from pathlib import Path
from string import Template
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brainbook.errors import ConfigurationError
from brainbook.notebooks import notebook_parameters

STUDIES = Path("studies")
NOTEBOOKS = Path("notebooks")
COMMON = ("data", "results", "cache", "seed", "device")


class Strict(BaseModel):
    """A configuration that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid")


class Entry(Strict):
    """One chapter of a study: its parameters, what is swept, and what it needs."""

    chapter: str
    name: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    sweep: dict[str, list[Any]] = Field(default_factory=dict)
    after: list[str] = Field(default_factory=list)
    data: str | None = None
    threads: int = Field(default=1, ge=1)
    memory_mb: int = Field(default=2500, ge=100)
    minutes: int = Field(default=60, ge=1)
    gpus: int = Field(default=0, ge=0)


class StudyFile(Strict):
    """A whole study as its file says it."""

    data: str
    phantom: dict[str, Any] | None = None
    models: list[str] = Field(default_factory=list)
    device: str = "auto"
    seed: int = 0
    cache: str = "cache"
    runs: list[Entry] = Field(min_length=1)


class PlannedRun(Strict):
    """One execution of one notebook with every parameter filled in."""

    name: str
    chapter: str
    parameters: dict[str, Any]
    after: list[str]
    threads: int
    memory_mb: int
    minutes: int
    gpus: int


class Study(Strict):
    """A checked study: what to run, in `runs` by name."""

    name: str
    data: str
    phantom: dict[str, Any] | None
    models: list[str]
    cache: str
    runs: dict[str, PlannedRun]


def read_study(
    name: str, data: str | None = None, studies: str | Path = STUDIES, notebooks: str | Path = NOTEBOOKS
) -> Study:
    """Read and check `studies/<name>.yaml`.

    `data` fills in ${DATA}; ${BRAINBOOK_DATA} comes from the environment (default ../shared/data).
    Raises ConfigurationError that lists everything that is wrong, not only the first thing.
    """
    path = Path(studies) / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in Path(studies).glob("*.yaml")))
        raise ConfigurationError(f"no study {name!r}: {path} does not exist; there are {known}")
    content = _fill_in(path.read_text(encoding="utf-8"), data, path)
    try:
        file = StudyFile.model_validate(yaml.safe_load(content))
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigurationError(f"{path} has {error.error_count()} problem(s):\n{problems}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None
    runs = {run.name: run for entry in file.runs for run in _expand(entry, file, name)}
    problems = _problems(file, runs, Path(notebooks))
    if problems:
        raise ConfigurationError(f"{path} has {len(problems)} problem(s):\n" + "\n".join(f"  {it}" for it in problems))
    for run in runs.values():
        known = notebook_parameters(Path(notebooks) / f"{run.chapter}.md")
        run.parameters = {key: value for key, value in run.parameters.items() if key in known}
    return Study(name=name, data=file.data, phantom=file.phantom, models=file.models, cache=file.cache, runs=runs)


def _fill_in(text: str, data: str | None, path: Path) -> str:
    values = {"BRAINBOOK_DATA": os.environ.get("BRAINBOOK_DATA") or "../shared/data"}
    if data:
        values["DATA"] = data
    try:
        return Template(text).substitute(values)
    except KeyError as error:
        raise ConfigurationError(
            f"{path} needs {error.args[0]}: say `make book STUDY={path.stem} {error.args[0]}=/path/to/folder`"
        ) from None


def _expand(entry: Entry, file: StudyFile, study: str) -> list[PlannedRun]:
    planned = []
    for values in itertools.product(*entry.sweep.values()):
        swept = dict(zip(entry.sweep, values, strict=True))
        name = "/".join([entry.name or entry.chapter, *(_slug(key, value) for key, value in swept.items())])
        common = {
            "data": entry.data or file.data,
            "results": f"results/{study}/{name}",
            "cache": file.cache,
            "seed": file.seed,
            "device": file.device,
        }
        planned.append(
            PlannedRun(
                name=name,
                chapter=entry.chapter,
                parameters=common | entry.parameters | swept,
                after=entry.after,
                threads=entry.threads,
                memory_mb=entry.memory_mb,
                minutes=entry.minutes,
                gpus=entry.gpus,
            )
        )
    return planned


def _slug(key: str, value: object) -> str:
    return f"{key}={re.sub(r'[^A-Za-z0-9._-]+', '-', str(value))}"


def _problems(file: StudyFile, runs: dict[str, PlannedRun], notebooks: Path) -> list[str]:
    problems = []
    expected = sum(len(list(itertools.product(*entry.sweep.values()))) for entry in file.runs)
    if expected != len(runs):
        problems.append("two runs have the same name: give one of the entries a `name`")
    for entry in file.runs:
        path = notebooks / f"{entry.chapter}.md"
        if not path.exists():
            problems.append(f"chapter {entry.chapter!r}: there is no {path}")
            continue
        known = notebook_parameters(path)
        for key in [*entry.parameters, *entry.sweep]:
            if key not in known:
                problems.append(f"chapter {entry.chapter!r} has no parameter {key!r}; it has {', '.join(known)}")
        for name in entry.after:
            if not any(run == name or run.startswith(name + "/") for run in runs):
                problems.append(f"chapter {entry.chapter!r} comes after {name!r}, which is no run of this study")
    return problems
