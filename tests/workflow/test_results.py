"""What runs leave behind: the same numbers twice, tables that DuckDB reads, nothing from runs that failed."""

import duckdb
import pandas as pd
import pytest

from brainbook.workflow import results
from brainbook.workflow.execution import execute_run, run_folder
from brainbook.workflow.study_file import read_study

from .conftest import HEAD

pytestmark = pytest.mark.integration

CHAPTER = (
    HEAD
    + """
```{code-cell} ipython3
:tags: [parameters]
results = "results/x"
data = "data"
seed = 0
model = "mini"
layers = [1, 2]
```
```{code-cell} ipython3
import numpy as np, pandas as pd, torch
from brainbook.workflow import start_run
run = start_run("one", results=results, data=data, seed=seed, parameters=dict(model=model, layers=layers))
generator = torch.Generator().manual_seed(seed)
X = torch.randn(200, 40, generator=generator, dtype=torch.float64)
y = torch.randn(200, 1, generator=generator, dtype=torch.float64)
weights = torch.linalg.solve(X.T @ X, X.T @ y)[:, 0].numpy()
table = pd.DataFrame({"layer": np.repeat(layers, 20), "r": weights})
run.save(table, "scores")
```
```{code-cell} ipython3
assert model != "broken"
run.provenance()
```
"""
)


@pytest.fixture
def study(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    project.write("notebooks/one.md", CHAPTER)
    project.write("studies/mine.yaml", "data: d\nruns: [{chapter: one, sweep: {model: [a, broken], seed: [3, 4]}}]")
    return read_study("mine")


def test_the_same_run_twice_gives_the_same_numbers(study, request):
    run = study.runs["one/model=a/seed=3"]
    path = run_folder(study, run) / "scores.parquet"
    assert execute_run(study, run) == "done"
    first = path.read_bytes()
    for file in run_folder(study, run).iterdir():
        file.unlink()
    assert execute_run(study, run) == "done"
    pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(pd.io.common.BytesIO(first)), check_exact=True)
    assert path.read_bytes() == first

    request.getfixturevalue("without_kernel")  # what follows is about tables
    other = study.runs["one/model=a/seed=4"]
    assert execute_run(study, other) == "done"
    assert execute_run(study, study.runs["one/model=broken/seed=3"]) == "failed"
    table = results("mine", "scores")
    assert set(table.columns) == {"run", "chapter", "parameter_model", "parameter_layers", "layer", "r"}
    assert set(table["run"]) == {"one/model=a/seed=3", "one/model=a/seed=4"}, "no rows of a run that failed"
    assert table.groupby("run")["r"].sum().nunique() == 2
    asked = duckdb.sql(
        "select count(*), avg(r) from read_parquet('results/mine/*/model=a/*/scores.parquet', filename=true)"
    ).fetchall()[0]
    assert asked[0] == 80 and asked[1] == pytest.approx(table["r"].mean())
