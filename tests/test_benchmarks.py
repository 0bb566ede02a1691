"""The benchmark for GPUs runs here, without one and tiny, line by line."""

import subprocess
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
