"""Snakemake keeps to the cores and the memory that it was given, also after a job that was ready alone.

Versions 9.10 to 9.15 at least do not (snakemake issue 3913): what a lone job takes is not counted, but given back, so
that two runs of two threads each come to share two cores.
"""

import subprocess
import sys

import pytest

SNAKEFILE = """
rule all:
    input: "first", "second"
rule lone:
    output: "lone"
    threads: 2
    resources: mem_mb=6000
    shell: "touch {output}"
rule heavy:
    input: "lone"
    output: "{name}"
    wildcard_constraints: name="first|second"
    threads: HEAVY_THREADS
    resources: mem_mb=HEAVY_MEMORY
    shell: "date +%s.%N > {output}.began; sleep 1; date +%s.%N > {output}.ended; touch {output}"
"""


@pytest.mark.integration
@pytest.mark.parametrize(("threads", "memory"), [(2, 100), (1, 4000)])
def test_two_runs_that_do_not_fit_together_run_one_after_the_other(tmp_path, threads, memory):
    text = SNAKEFILE.replace("HEAVY_THREADS", str(threads)).replace("HEAVY_MEMORY", str(memory))
    (tmp_path / "Snakefile").write_text(text)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--resources", "mem_mb=6000", "--scheduler", "greedy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    times = sorted(
        (float((tmp_path / f"{name}.began").read_text()), float((tmp_path / f"{name}.ended").read_text()))
        for name in ("first", "second")
    )
    assert times[1][0] >= times[0][1], "they ran at the same time: this Snakemake does not count what runs"
