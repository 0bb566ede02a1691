"""Tables of studies that are too long for every reader: kept in the repository, with their date, command, commit."""

import importlib.util
import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from brainbook import source_code
from brainbook.errors import ConfigurationError
from brainbook.workflow import archive, archive_table, archived_table, commit, latest_table, start_run
from brainbook.workflow.archive import archive_lines, code_key, remake
from brainbook.workflow.tables import archive_results

from .conftest import ROOT

ROWS = pd.DataFrame({"arm": ["multi", "single, alone"], "value": [0.123456, 1.0], "n": [3, 4]})


def test_what_was_kept_comes_back_with_its_origin(tmp_path):
    path = archive_table(
        "mnist", "claims", ROWS, "make book STUDY=mnist", date="2026-11-25", commit_of="abc", root=tmp_path
    )
    first, second = path.read_text().splitlines()[:2]
    about = json.loads(first.removeprefix("# "))
    assert about["date"] == "2026-11-25" and about["command"] == "make book STUDY=mnist" and about["commit"] == "abc"
    assert second == "arm,value,n"
    found = archived_table("mnist", "claims", root=tmp_path)
    pd.testing.assert_frame_equal(found.rows, ROWS.assign(value=[0.1235, 1.0]))
    assert found.origin().startswith("Run on 2026-11-25 by `make book STUDY=mnist`, commit `abc`.")
    assert not found.here


def test_date_and_commit_are_now_and_the_present_one(tmp_path):
    archive_table("mnist", "claims", ROWS, "make", root=tmp_path)
    found = archived_table("mnist", "claims", root=tmp_path)
    assert found.commit == commit()
    assert found.date.startswith("20")


def test_archived_tables_made_anew_do_not_count_as_changed_code(tmp_path, monkeypatch):
    monkeypatch.setattr("brainbook.workflow.archive.PACKAGE", tmp_path)
    for name in ("book/archive/table.csv", "code.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    assert commit() == "unknown"
    options = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "-A"], [*options, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    clean = commit()
    assert len(clean) >= 7 and not clean.endswith("+")
    (tmp_path / "book/archive/table.csv").write_text("2\n")
    assert commit() == clean
    (tmp_path / "code.py").write_text("2\n")
    assert commit() == f"{clean}+"


@pytest.mark.parametrize("first", ["arm,value,n", "# no JSON", '# {"date": "2026"}', "# 3", ""])
def test_a_table_without_origin_is_refused(tmp_path, first):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/claims.csv").write_text(f"{first}\nmulti,1,2\n")
    with pytest.raises(ConfigurationError, match="claims.csv: the first line should be"):
        archived_table("mnist", "claims", root=tmp_path)


def test_what_is_not_kept_is_named_with_the_way_out(tmp_path):
    with pytest.raises(ConfigurationError, match="claims.csv is not there: run `make book STUDY=mnist`"):
        archived_table("mnist", "claims", root=tmp_path)
    with pytest.raises(ConfigurationError, match="one line"):
        archive_table("mnist", "claims", ROWS, "two\nlines", root=tmp_path)


def test_results_that_were_made_here_go_first(tmp_path):
    where = {"root": tmp_path / "results", "archive": tmp_path / "kept"}
    assert latest_table("mnist", "claims", **where) is None
    archive_table("mnist", "claims", ROWS, "make", root=where["archive"])
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
    path = archive_results("xnli", "accuracy", root=tmp_path, archive=tmp_path / "kept")
    found = archived_table("xnli", "accuracy", root=tmp_path / "kept")
    assert path == tmp_path / "kept/xnli/accuracy.csv"
    assert list(found.rows) == ["run", "parameter_model", "arm", "value", "n"]
    assert found.command == "make book STUDY=xnli"
    assert len(found.rows) == 4


def test_a_table_says_when_the_code_that_it_rests_on_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bench = tmp_path / "bench.py"
    bench.write_text("x = 1\n")
    archive_table("bench", "speed", ROWS, "python bench.py --keep", minutes=3, root="kept")

    def told(text: str) -> tuple[bool, str]:
        bench.write_text(text)
        found = archived_table("bench", "speed", root="kept")
        return found.code_changed, found.origin(), archive_lines("kept")[0]

    changed, sentence, line = told("x = 1  # one\n")
    assert changed is False and "since" not in sentence
    assert line.split()[:4] == ["current", "bench/speed", "3", "min"] and line.endswith("python bench.py --keep")
    changed, sentence, line = told("x = 2\n")
    assert changed is True and sentence.endswith("The code that it rests on has changed since.")
    assert line.startswith("code changed")
    bench.unlink()
    assert archived_table("bench", "speed", root="kept").code_changed is True
    archive_table("bench", "old", ROWS, "python gone.py", root="kept")
    found = archived_table("bench", "old", root="kept")
    assert found.code_changed is None and "may have changed since" in found.origin()


@pytest.mark.parametrize("room, counts", [("course", False), ("plots", False), ("encoding", True), ("chapters", True)])
def test_another_exercise_or_figure_makes_no_other_numbers(tmp_path, monkeypatch, room, counts):
    """A chapter that asks an exercise and draws: of the package it names, only what computes decides."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "package" / room
    folder.mkdir(parents=True)
    monkeypatch.setattr(source_code, "PACKAGE", tmp_path / "package")
    (tmp_path / "bench.py").write_text(f"from brainbook.{room}.part import x\nprint(x)\n")
    keys = []
    for text in ("x = 1\n", "x = 2\n"):
        (folder / "part.py").write_text(text)
        keys.append(code_key(("bench.py",)))
    assert (keys[0] != keys[1]) is counts


def test_tables_are_made_again_by_their_commands_each_once(tmp_path, monkeypatch):
    for table, command in {"a": "python x.py 'two words' FOLDER", "b": "python x.py 'two words' FOLDER"}.items():
        archive_table("bench", table, ROWS, command, root=tmp_path)
    archive_table("xnli", "auc", ROWS, "make book STUDY=xnli", root=tmp_path)
    archive_table("xnli", "reading", ROWS, "make book STUDY=xnli", root=tmp_path)
    ran = []
    monkeypatch.setattr(
        archive.subprocess, "run", lambda words: ran.append(words[1:]) or type("", (), {"returncode": 0})
    )
    assert remake(["bench", "xnli/auc"], root=tmp_path) == 0
    assert [words[:2] for words in ran] == [["x.py", "two words"], ["-m", "brainbook"], ["-m", "brainbook"]]
    assert ran[0][2] != "FOLDER"
    assert ran[1][2:] == ["study", "xnli"] and ran[2][2:] == ["keep", "xnli", "auc", "reading"]
    with pytest.raises(ConfigurationError, match="no archived table x; there are bench/a"):
        remake(["x"], root=tmp_path)


def test_words_stay_what_they_are(tmp_path):
    words = pd.DataFrame({"word": ["NA", "null", "001", None, "nan"], "n": [1.0, None, 3, 4, 5]})
    archive_table("a", "b", words, "make", root=tmp_path)
    found = archived_table("a", "b", root=tmp_path).rows
    assert found.word.tolist()[:3] == ["NA", "null", "001"] and found.word.tolist()[4] == "nan"
    assert found.isna().to_numpy().tolist() == words.isna().to_numpy().tolist()


@pytest.mark.parametrize("rest", ["", 'a,b\n1,2,3\n"', "\0" * 9, "arm,value,n\nmulti,0.1`35,3\n"])
def test_a_damaged_table_is_named(tmp_path, rest):
    path = archive_table("a", "b", ROWS, "make", root=tmp_path)
    path.write_text(path.read_text().partition("\n")[0] + "\n" + rest)
    with pytest.raises(ConfigurationError, match="b.csv is damaged"):
        archived_table("a", "b", root=tmp_path)


def test_the_books_own_tables_say_what_they_rest_on():
    for name, table in archive.archive().items():
        assert table.rests_on, name


def test_an_archived_table_on_a_page_is_one_in_markdown():
    spec = importlib.util.spec_from_file_location("archived", ROOT / "book/_ext/archived.py")
    archived = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(archived)
    rows = pd.DataFrame({"what": ["a|b", "c"], "count": [1, 20], "share": [0.25, 1 / 3], "r": [np.nan, 1]})
    lines = ["| what | count | share | r |", "| --- | --: | --: | --: |"]
    lines += ["| a\\|b | 1 | 0.25 |  |", "| c | 20 | 0.333333 | 1 |"]
    assert archived.markdown(rows) == lines
