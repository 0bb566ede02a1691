import json

import numpy as np
import pandas as pd
import pytest

from brainbook.errors import ConfigurationError
from brainbook.workflow import results, start_run
from brainbook.workflow.run import RESULTS_OF_A_STUDY, folder_fingerprint
from brainbook.workflow.tables import write_overview


def run(root, name, r, **parameters):
    it = start_run("a_chapter", results=root / "demo" / name, data=root, seed=3, parameters=parameters)
    it.save(pd.DataFrame({"group": ["visual", "auditory"], "r": r}), "scores")
    it.provenance()


def test_tables_of_all_runs_come_back_with_their_parameters(tmp_path):
    run(tmp_path, "alignment/participant=a", [0.1, 0.2], participant="a", layers=[1, 2])
    run(tmp_path, "alignment/participant=b", [0.3, 0.4], participant="b", layers=[1, 2])
    table = results("demo", "scores", root=tmp_path)
    assert list(table["r"]) == [0.1, 0.2, 0.3, 0.4]
    assert list(table["parameter_participant"]) == ["a", "a", "b", "b"]
    assert set(table["run"]) == {"alignment/participant=a", "alignment/participant=b"}
    overview = results("demo", root=tmp_path)
    assert list(overview["seed"]) == [3, 3]
    assert json.loads(overview["parameter_layers"][0]) == [1, 2]


def test_a_parameter_of_several_types_can_be_written_and_read(tmp_path):
    kinds = {"seeds": [None, 3, [0, 1]], "layers": ["all", 2, 2], "fast": [True, None, 1], "share": [1, 0.5, None]}
    for number, values in enumerate(zip(*kinds.values(), strict=True)):
        run(tmp_path, f"run{number}", [0, 0], **dict(zip(kinds, values, strict=True)))
    path = write_overview("demo", root=tmp_path)
    assert path == tmp_path / "demo/runs.parquet"
    table = pd.read_parquet(path).sort_values("run")
    assert table.parameter_seeds.isna().tolist() == [True, False, False]
    assert table.parameter_seeds.tolist()[1:] == ["3", "[0, 1]"]
    assert table.parameter_layers.tolist() == ["all", "2", "2"]
    assert table.parameter_fast.tolist()[::2] == ["true", "1"]
    assert table.parameter_share.tolist()[:2] == [1, 0.5]


def test_provenance_says_what_ran_where_and_how_long(tmp_path):
    run(tmp_path, "one", [0, 0], model="mini")
    record = json.loads((tmp_path / "demo/one/provenance.json").read_text())
    assert record["parameters"] == {"model": "mini"}
    assert record["tables"]["scores"]["rows"] == 2
    assert record["versions"]["numpy"] and record["peak_memory_gb"] > 0 and record["wall_time_s"] >= 0


def test_missing_results_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match="no results in"):
        results("demo", root=tmp_path)
    run(tmp_path, "one", [0, 0])
    with pytest.raises(ConfigurationError, match="no table 'score'; it has scores"):
        results("demo", "score", root=tmp_path)
    with pytest.raises(ConfigurationError, match="must be a pandas DataFrame"):
        start_run("x", results=tmp_path).save([1], "scores")


def test_a_folder_has_another_fingerprint_when_a_file_changes_size(tmp_path):
    (tmp_path / "a").write_text("1")
    before = folder_fingerprint(tmp_path)
    assert folder_fingerprint(tmp_path) == before
    (tmp_path / "a").write_text("12")
    assert folder_fingerprint(tmp_path) != before
    assert folder_fingerprint(tmp_path / "none") is None


def test_the_column_run_is_the_run_and_a_tables_own_is_kept_beside_it(tmp_path):
    it = start_run("a_chapter", results=tmp_path / "demo" / "one")
    it.save(pd.DataFrame({"run": [1, 2], "chapter": ["x", "y"], "r": [0.1, 0.2]}), "scores")
    table = results("demo", "scores", root=tmp_path)
    assert table.run.tolist() == ["one", "one"] and table.chapter.tolist() == ["a_chapter"] * 2
    assert table.run_in_table.tolist() == [1, 2] and table.chapter_in_table.tolist() == ["x", "y"]


def test_a_run_by_hand_does_not_write_into_a_studys_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RESULTS_OF_A_STUDY, raising=False)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/demo.yaml").write_text("")
    for folder in ("results/demo/one", "results/demo", "results/demo/one/below", "results/mine/../demo/one"):
        with pytest.raises(ConfigurationError, match="holds the results of a study.*results/mine"):
            start_run("a_chapter", results=folder)
    start_run("a_chapter", results="results/mine")
    monkeypatch.setenv(RESULTS_OF_A_STUDY, "results/demo/one")
    start_run("a_chapter", results="results/demo/one")
    with pytest.raises(ConfigurationError, match="holds the results of a study"):
        start_run("a_chapter", results="results/demo/two")


def test_what_papermill_made_text_of_is_refused_with_the_way_to_say_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    cell = "```{code-cell} ipython3\n:tags: [parameters]\nn = 3\nlanguages = None\nlayers = [1]\nname = ''\n```\n"
    head = "---\njupytext:\n  text_representation: {extension: .md, format_name: myst}\n"
    head += "kernelspec: {display_name: Python 3, language: python, name: python3}\n---\n"
    (tmp_path / "notebooks/one.md").write_text(head + cell)
    wrong = {"languages": ("['FR']", "{languages: [FR]}"), "n": ("3", "{n: 3}"), "layers": ("5", "{layers: [5]}")}
    for name, (value, advice) in wrong.items():
        with pytest.raises(ConfigurationError, match="makes text") as caught:
            start_run("one", results=tmp_path / "r", parameters={name: value})
        assert f"-y '{advice}'" in str(caught.value)
    start_run("one", results=tmp_path / "r", parameters={"languages": ["FR"], "n": None, "layers": [], "name": "a=b"})


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/b", "", ".."])
def test_a_table_stays_in_its_folder(tmp_path, name):
    with pytest.raises(ConfigurationError, match="cannot be the name of a table"):
        start_run("a_chapter", results=tmp_path / "a/b").save(pd.DataFrame(), name)
    assert not list(tmp_path.rglob("*"))


def test_numbers_of_numpy_are_numbers_in_the_provenance(tmp_path):
    run(tmp_path, "one", [0, 0], n=np.int64(3), share=np.float32(0.5))
    record = json.loads((tmp_path / "demo/one/provenance.json").read_text())
    assert record["parameters"] == {"n": 3, "share": 0.5}
    assert results("demo", root=tmp_path).parameter_n.tolist() == [3]


@pytest.mark.parametrize("name", ["provenance.json", "state.json", "scores.parquet"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b'{"a": ' + b"[" * 100_000, b"{}"])
def test_a_damaged_file_of_results_is_named_with_what_makes_it_again(tmp_path, name, content):
    run(tmp_path, "one", [0, 0])
    (tmp_path / "demo/one" / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        results("demo", "scores", root=tmp_path)
    if (name, content) != ("state.json", b"{}"):
        assert name in str(caught.value)
    assert "make study STUDY=demo" in str(caught.value)
