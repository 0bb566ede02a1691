"""Tables of studies that are too long for every reader: kept in the repository, with their date, command, commit."""

import json

import pandas as pd
import pytest

from brainbook.errors import ConfigurationError
from brainbook.study import commit, keep, keep_results, kept_table, latest_table, start_run

ROWS = pd.DataFrame({"arm": ["multi", "single, alone"], "value": [0.123456, 1.0], "n": [3, 4]})


def test_what_was_kept_comes_back_with_its_origin(tmp_path):
    path = keep("mnist", "claims", ROWS, "make book STUDY=mnist", date="2026-11-25", commit_of="abc", root=tmp_path)
    first, second = path.read_text().splitlines()[:2]
    about = json.loads(first.removeprefix("# "))
    assert about["date"] == "2026-11-25" and about["command"] == "make book STUDY=mnist" and about["commit"] == "abc"
    assert second == "arm,value,n"
    found = kept_table("mnist", "claims", root=tmp_path)
    pd.testing.assert_frame_equal(found.rows, ROWS.assign(value=[0.1235, 1.0]))
    assert found.told().startswith("Run on 2026-11-25 by `make book STUDY=mnist`, commit `abc`.")
    assert not found.here


def test_date_and_commit_are_now_and_the_present_one(tmp_path):
    keep("mnist", "claims", ROWS, "make", root=tmp_path)
    found = kept_table("mnist", "claims", root=tmp_path)
    assert found.commit == commit()
    assert found.date.startswith("20")


@pytest.mark.parametrize("first", ["arm,value,n", "# no JSON", '# {"date": "2026"}', "# 3", ""])
def test_a_table_without_origin_is_refused(tmp_path, first):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/claims.csv").write_text(f"{first}\nmulti,1,2\n")
    with pytest.raises(ConfigurationError, match="claims.csv: the first line should be"):
        kept_table("mnist", "claims", root=tmp_path)


def test_what_is_not_kept_is_named_with_the_way_out(tmp_path):
    with pytest.raises(ConfigurationError, match="claims.csv is not there: run `make book STUDY=mnist`"):
        kept_table("mnist", "claims", root=tmp_path)
    with pytest.raises(ConfigurationError, match="one line"):
        keep("mnist", "claims", ROWS, "two\nlines", root=tmp_path)


def test_results_that_were_made_here_go_first(tmp_path):
    where = {"root": tmp_path / "results", "kept": tmp_path / "kept"}
    assert latest_table("mnist", "claims", **where) is None
    keep("mnist", "claims", ROWS, "make", root=where["kept"])
    assert latest_table("mnist", "claims", **where).command == "make"
    run = start_run("number_sense", results=where["root"] / "mnist" / "number_sense", seed=0)
    run.save(ROWS.assign(value=7.0), "claims")
    fresh = latest_table("mnist", "claims", **where)
    assert fresh.here and set(fresh.rows.value) == {7.0}
    assert fresh.command == "make book STUDY=mnist"
    assert latest_table("mnist", "criteria", **where) is None


def test_results_are_kept_without_what_their_runs_share(tmp_path):
    for model in ("mini", "large"):
        run = start_run("transfer", results=tmp_path / "xnli" / model, parameters={"model": model, "pairs": 10})
        run.save(ROWS, "accuracy")
    path = keep_results("xnli", "accuracy", root=tmp_path, kept=tmp_path / "kept")
    found = kept_table("xnli", "accuracy", root=tmp_path / "kept")
    assert path == tmp_path / "kept/xnli/accuracy.csv"
    assert list(found.rows) == ["run", "parameter_model", "arm", "value", "n"]
    assert found.command == "make book STUDY=xnli"
    assert len(found.rows) == 4
