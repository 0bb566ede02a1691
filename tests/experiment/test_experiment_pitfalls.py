"""What the chapter `pitfalls` brings together: kept tables are shown with their command, missing ones are said."""

import pandas as pd

from brainbook.experiment.pitfalls import kept_calibration
from brainbook.study import keep


def test_kept_tables_say_where_they_are_from_and_missing_ones_how_to_make_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert kept_calibration("levels") is None
    assert "bench_calibration.py --keep makes the table 'levels'" in capsys.readouterr().out
    keep("calibration", "levels", pd.DataFrame({"test": ["a"], "called": [0.05]}), "python this.py", commit_of="abc")
    assert kept_calibration("levels").called.tolist() == [0.05]
    assert "python this.py" in capsys.readouterr().out
