# Which notebook runs after what, with which resources. What runs is said in studies/<name>.yaml; what has to be made
# again is found by content before Snakemake starts (`python -m brainbook study`, which `make study` calls): here a run is
# a stamp that is there or is not. Words of users reach the shell quoted (:q) only.
import re
import sys
from pathlib import Path

from brainbook.workflow.study_file import read_study
from brainbook.workflow.content import prerequisites
from brainbook.workflow.session import last_session
from brainbook.workflow.times import Plan

NAME = Path(config.get("study", "studies/demo.yaml")).stem
GIVEN = last_session(NAME).get("data")  # ${DATA} comes by a file: Snakemake would read it as YAML, more than once
STUDY = read_study(NAME, GIVEN)
DATA = ["--data", GIVEN] if GIVEN else []
STAMPS = {name: str(stamp).replace("{", "{{").replace("}", "}}") for name, (stamp, _) in prerequisites(STUDY).items()}
RUN = f"results/{STUDY.name}/{{run}}/.done"


def run_of(wildcards):
    return STUDY.runs[wildcards.run]


def inputs_of(wildcards):
    run = run_of(wildcards)
    files = [STAMPS[model] for model in run.models]
    if STUDY.phantom is not None and run.parameters.get("data") == STUDY.data:
        files.append(STAMPS["phantom"])
    return files + [RUN.format(run=earlier.name) for earlier in STUDY.before(run)]


rule all:
    default_target: True
    input:
        expand(RUN, run=list(STUDY.runs)),


# One rule for each entry of the study: the longest chain of runs that wait for one another goes first.
for number, (entry, seconds) in enumerate(Plan.of(STUDY, pace=1.0).priorities().items()):

    rule:
        name:
            f"run_{number}"
        input:
            inputs_of,
        output:
            RUN,
        log:
            f"logs/{STUDY.name}/{{run}}.log",
        wildcard_constraints:
            run=rf"{re.escape(entry)}(/.+)?",
        priority: seconds
        threads: lambda wildcards: run_of(wildcards).threads
        resources:
            mem_mb=lambda wildcards: run_of(wildcards).memory_mb,
            runtime=lambda wildcards: run_of(wildcards).minutes,
            gpu=lambda wildcards: 0 if run_of(wildcards).share_gpu else run_of(wildcards).gpus,
        params:
            command=lambda wildcards: [sys.executable, "-m", "brainbook", "run", STUDY.name, wildcards.run, *DATA],
        shell:
            "{params.command:q} > {log:q} 2>&1"


# The phantom; and all models in one process, as most come with the package. A tiny BrainLM is trained after its BERT.
for name, is_phantom in {"phantom": True, "models": False}.items():
    made = [it for it in STAMPS if (it == "phantom") is is_phantom]
    if made:

        rule:
            name:
                f"prepare_{name}"
            output:
                [STAMPS[model] for model in made],
            log:
                f"logs/{STUDY.name}/{name}.log",
            priority: 10**6
            params:
                command=[sys.executable, "-m", "brainbook", "prepare", STUDY.name, *made, *DATA],
            resources:
                mem_mb=2500,
                runtime=60 * len(made),
            shell:
                "{params.command:q} > {log:q} 2>&1"
