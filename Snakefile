# Which notebook runs after what, with which resources. What runs is said in studies/<name>.yaml.
# `make study STUDY=demo [DATA=/path/to/ds003643]` calls it, through `python -m brainbook study`.
import functools
import json
import re
import sys
from pathlib import Path

from brainbook.notebooks import PACKAGE, sources
from brainbook.study_file import read_study

STUDY = read_study(config.get("study", "demo"), config.get("data") or None)
DATA = f"--data '{config['data']}'" if config.get("data") else ""
PHANTOM_READY = f"{STUDY.data}/dataset_description.json"
MODELS = f"{STUDY.cache}/models/{{model}}.ready"
RUN = f"results/{STUDY.name}/{{run}}/notebook.ipynb"
PAGES = re.findall(r"book/chapters/(\w+)", Path("_toc.yml").read_text()) if Path("_toc.yml").exists() else []
PYTHON = sys.executable


def run_of(wildcards):
    return STUDY.runs[wildcards.run]


@functools.cache
def text_and_code(chapter):
    return [f"notebooks/{chapter}.md", *map(str, sources(f"notebooks/{chapter}.md"))]


def inputs_of(wildcards):
    run = run_of(wildcards)
    files = [*text_and_code(run.chapter), *(MODELS.format(model=model) for model in run.models)]
    if STUDY.phantom is not None and run.parameters.get("data") == STUDY.data:
        files.append(PHANTOM_READY)
    return files + [RUN.format(run=other.name) for other in STUDY.before(run)]


def page_input(wildcards):
    run = STUDY.page(wildcards.chapter)
    return [RUN.format(run=run.name)] if run else []


rule all:
    default_target: True
    input:
        expand("book/chapters/{chapter}.ipynb", chapter=PAGES),
        expand(RUN, run=list(STUDY.runs)),


rule page:
    input:
        page_input,
    output:
        "book/chapters/{chapter}.ipynb",
    params:
        study=STUDY.name,
    wildcard_constraints:
        chapter="[a-z0-9_]+",
    localrule: True
    shell:
        "{PYTHON} -m brainbook page {params.study} {wildcards.chapter} {DATA}"


rule run:
    input:
        inputs_of,
    output:
        RUN,
    log:
        f"logs/{STUDY.name}/{{run}}.log",
    wildcard_constraints:
        run=".+",
    threads: lambda wildcards: run_of(wildcards).threads
    resources:
        mem_mb=lambda wildcards: run_of(wildcards).memory_mb,
        runtime=lambda wildcards: run_of(wildcards).minutes,
        gpu=lambda wildcards: 0 if run_of(wildcards).share_gpu else run_of(wildcards).gpus,
    params:
        parameters=lambda wildcards: json.dumps(run_of(wildcards).parameters, sort_keys=True),
    shell:
        "{PYTHON} -m brainbook run {STUDY.name} '{wildcards.run}' {DATA} > '{log}' 2>&1"


if STUDY.phantom is not None:

    rule phantom:
        input:
            sources(PACKAGE / "phantom" / "__init__.py"),
        output:
            PHANTOM_READY,
        log:
            f"logs/{STUDY.name}/phantom.log",
        params:
            options=" ".join(
                f"--{key.replace('_', '-')} " + (" ".join(map(str, value)) if isinstance(value, list) else str(value))
                for key, value in STUDY.phantom.items()
            ),
        resources:
            mem_mb=2500,
            runtime=30,
        shell:
            "{PYTHON} -m brainbook.phantom {STUDY.data} {params.options} > {log} 2>&1"


def model_inputs(wildcards):
    """What makes a mini; a mini BrainLM is trained from the mini BERT, which must not be trained beside it."""
    rooms = PACKAGE / "language_models"
    brain = wildcards.model.startswith("mini-brainlm")
    code = rooms / ("brainlm.py" if brain else "minis.py")
    return [*(sources(code) if code.exists() else []), *([MODELS.format(model="mini-bert")] if brain else [])]


rule model:
    input:
        model_inputs,
    output:
        MODELS,
    log:
        "logs/models/{model}.log",
    resources:
        mem_mb=2500,
        runtime=60,
    shell:
        "OMP_NUM_THREADS=1 {PYTHON} -m brainbook.language_models.minis {wildcards.model} --cache {STUDY.cache} "
        "> {log} 2>&1 && touch {output}"
