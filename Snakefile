# Which notebook runs after what, with which parameters. What runs is said in studies/<name>.yaml.
# snakemake --config study=demo [data=/path/to/ds003643]
import json
from pathlib import Path

from brainbook.notebooks import PACKAGE, sources
from brainbook.study_file import read_study

STUDY = read_study(config.get("study", "demo"), config.get("data") or None)
PHANTOM_READY = f"{STUDY.data}/dataset_description.json"
MODELS = f"{STUDY.cache}/models/{{model}}.ready"
PAGES = [run.chapter for run in STUDY.runs.values() if run.name == run.chapter]


def run_of(wildcards):
    return STUDY.runs[wildcards.run]


def inputs_of(wildcards):
    run = run_of(wildcards)
    files = [f"notebooks/{run.chapter}.md", *map(str, sources(f"notebooks/{run.chapter}.md"))]
    if STUDY.phantom is not None:
        files.append(PHANTOM_READY)
    files += [MODELS.format(model=model) for model in STUDY.models if model in json.dumps(run.parameters)]
    files += [
        f"results/{STUDY.name}/{other}/notebook.ipynb"
        for other in STUDY.runs
        if any(other == name or other.startswith(name + "/") for name in run.after)
    ]
    return files


rule all:
    default_target: True
    input:
        expand("book/chapters/{chapter}.ipynb", chapter=PAGES),
        expand(f"results/{STUDY.name}/{{run}}/notebook.ipynb", run=list(STUDY.runs)),


rule page:
    input:
        f"results/{STUDY.name}/{{chapter}}/notebook.ipynb",
    output:
        "book/chapters/{chapter}.ipynb",
    wildcard_constraints:
        chapter="[a-z_]+",
    shell:
        "cp {input} {output}"


rule run:
    input:
        inputs_of,
    output:
        f"results/{STUDY.name}/{{run}}/notebook.ipynb",
    log:
        f"logs/{STUDY.name}/{{run}}.log",
    wildcard_constraints:
        run=".+",
    threads: lambda wildcards: run_of(wildcards).threads
    resources:
        mem_mb=lambda wildcards: run_of(wildcards).memory_mb,
        runtime=lambda wildcards: run_of(wildcards).minutes,
        gpu=lambda wildcards: run_of(wildcards).gpus,
    params:
        parameters=lambda wildcards: json.dumps(run_of(wildcards).parameters, sort_keys=True),
        data=f"--data {config['data']}" if config.get("data") else "",
    shell:
        "python -m brainbook run {STUDY.name} '{wildcards.run}' {params.data} > '{log}' 2>&1"


if STUDY.phantom is not None:

    rule phantom:
        input:
            sources(PACKAGE / "phantom" / "__init__.py"),
        output:
            PHANTOM_READY,
        params:
            options=" ".join(
                f"--{key.replace('_', '-')} " + (" ".join(map(str, value)) if isinstance(value, list) else str(value))
                for key, value in STUDY.phantom.items()
            ),
        shell:
            "python -m brainbook.phantom {STUDY.data} {params.options}"


rule model:
    input:
        sources(PACKAGE / "language_models" / "minis.py"),
    output:
        MODELS,
    log:
        "logs/models/{model}.log",
    resources:
        mem_mb=2500,
    shell:
        "OMP_NUM_THREADS=1 python -m brainbook.language_models.minis {wildcards.model} --cache {STUDY.cache} "
        "> {log} 2>&1 && touch {output}"
