"""Benchmarks run: the one for GPUs without one and tiny, two others small; what the archive names can be run again."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
CONTESTANTS = {  # that each part has to measure
    "ridge": ["brainbook", "brainbook approximate", "himalaya KernelRidgeCV", "himalaya RidgeCV"],
    "permutations": ["brainbook", "himalaya KernelRidge, fitted anew"],
    "states": ["brainbook, bf16", "brainbook, float32", "transformers, a loop over words"],
    "transfer": ["brainbook, bf16", "transformers, a loop by hand, bf16"],
    "brainlm": ["brainbook, bf16", "transformers' BertForMaskedLM, bf16"],
    "numbers": ["brainbook, bf16", "multivae 1.0.3, float32"],
}


def test_every_part_of_the_gpu_benchmark_runs_tiny_on_a_processor():
    command = ["bash", str(ROOT / "benchmarks/gpu.sh"), "--device", "cpu", "--tiny"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for part, contestants in CONTESTANTS.items():
        rows = [" ".join(line.split()) for line in lines if line.split()[:1] == [part]]
        missing = [name for name in contestants if not any(name in row for row in rows)]
        assert not missing, f"{part} has no row of {missing}:\n{done.stdout}"


def test_without_a_gpu_it_says_how_to_run_it():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = subprocess.run(["bash", str(ROOT / "benchmarks/gpu.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--device cpu --tiny" in done.stdout


@pytest.mark.parametrize(
    "command",
    ["bench_laterality.py --seeds 1 --participants 1 --scans 60", "bench_phantom.py effects --seeds 0"],
)
def test_effects_of_a_phantom_are_measured(command, tmp_path):
    script, *options = shlex.split(command)
    run = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0 and "truth" in done.stdout, done.stdout + done.stderr


def archived_commands() -> list[str]:
    heads = [path.open(encoding="utf-8").readline() for path in sorted((ROOT / "book/archive").rglob("*.csv"))]
    commands = {json.loads(head[2:])["command"] for head in heads}
    return sorted(command for command in commands if command.startswith("python ") and ".py" in command)


@pytest.mark.parametrize("command", archived_commands())
def test_the_command_of_an_archived_table_still_exists(command):
    _, script, *options = shlex.split(command)
    shown = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    unknown = [
        option for option in options if option.startswith("--") and not re.search(rf"{option}(?![\w-])", shown.stdout)
    ]
    assert not unknown, f"{script} has no {unknown}"
