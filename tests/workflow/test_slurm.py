"""A sweep on a real Slurm of one node, killed and resumed. Skips, saying why, where Slurm cannot be started."""

import json
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from kills import never_twice_at_once

from . import cluster

STUDY = """
data: nowhere
runs:
  - chapter: count
    parameters: {seconds: 1.0}
    sweep: {number: [1, 2, 3, 4], seed: [1, 2, 3, 4, 5, 6]}
    memory_mb: 300
    minutes: 5
"""


@pytest.fixture(scope="module")
def slurm():
    if reason := cluster.lacking():
        pytest.skip(reason)
    try:
        with cluster.slurm(cpus=4) as environment:
            yield environment
    except cluster.DidNotStart as failure:
        pytest.skip(str(failure))


@pytest.mark.slow
def test_a_sweep_of_24_runs_is_killed_and_resumed(project, slurm, record_property):
    project.write("studies/sweep.yaml", STUDY)
    results = project.folder / "results/sweep/count"
    words = ("study", "sweep", "--profile", "slurm", "--jobs", "8")
    began = time.monotonic()
    session = project.start(*words, **slurm)
    while len(list(results.glob("*/*/notebook.ipynb"))) < 6:
        assert session.poll() is None, session.communicate()[0]
        assert time.monotonic() - began < 300
        time.sleep(0.2)
    os.kill(session.pid, signal.SIGKILL)
    session.wait()
    killed = time.monotonic()
    whole = {path: path.stat().st_size for path in results.glob("*/*/notebook.ipynb")}
    done = len(whole)
    assert done < 24

    session = project.start(*words, **slurm)
    said, _ = session.communicate(timeout=500)
    ended = time.monotonic()
    failed = [path for path in results.glob("*/*/state.json") if json.loads(path.read_text())["state"] == "failed"]
    logs = [project.folder / "logs/sweep" / path.parent.relative_to(results.parent) for path in failed]
    assert session.returncode == 0, "\n".join([said, *(Path(f"{log}.log").read_text() for log in logs)])
    assert "24 of 24 done" in said
    tables = [pd.read_parquet(path) for path in sorted(results.glob("*/*/scores.parquet"))]
    assert len(tables) == 24 and all(len(table) == 5 for table in tables)
    states = [json.loads(path.read_text()) for path in results.glob("*/*/state.json")]
    assert {state["state"] for state in states} == {"done"}
    assert all(state["slurm_job"] for state in states)
    begun = project.begun()
    again = len(begun) - len(set(begun))
    assert len(set(begun)) == 24
    assert never_twice_at_once(project.journal())
    assert again == 0, "what went on unseen was kept, not computed again"
    report = {
        "runs done when killed": done,
        "seconds until killed": round(killed - began),
        "seconds from then on": round(ended - killed),
        "runs computed twice": again,
    }
    for what, value in report.items():
        record_property(what, value)
    print("\n" + json.dumps(report))
    assert project.do(*words, **slurm)[0] == 0
    assert project.begun() == begun, "nothing is left to do"
