import json

import pandas as pd
import pytest

from brainbook.errors import ConfigurationError
from brainbook.study import folder_fingerprint, results, start_run, write_overview


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
    table = pd.read_parquet(write_overview("demo", root=tmp_path)).sort_values("run")
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
