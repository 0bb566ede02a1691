"""What the chapter `pitfalls` brings together: kept tables are shown with their command, missing ones are said."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from brainbook.encoding.choices import Recording, careful, single_words
from brainbook.experiment.pitfalls import kept_calibration, with_true_features
from brainbook.study import keep


def test_kept_tables_say_where_they_are_from_and_missing_ones_how_to_make_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert kept_calibration("levels") is None
    assert "bench_calibration.py --keep makes the table 'levels'" in capsys.readouterr().out
    keep("calibration", "levels", pd.DataFrame({"test": ["a"], "called": [0.05]}), "python this.py", commit_of="abc")
    assert kept_calibration("levels").called.tolist() == [0.05]
    assert "python this.py" in capsys.readouterr().out


def test_true_features_show_what_single_words_lose(rng):
    runs = np.repeat([1, 2, 3, 4], 60)
    widths = {"sound": 2, "word": 3, "meaning": 3, "topic": 2}
    drivers = {name: (rng.standard_normal((240, width)), runs) for name, width in widths.items()}
    delayed = np.roll(drivers["meaning"][0], 2, axis=0)  # two scans later, as a response is
    responses = (delayed @ rng.standard_normal((3, 5)) + rng.standard_normal((240, 5))).astype(np.float32)
    model = rng.standard_normal((2, 240, 4)).astype(np.float32)
    data = Recording(model, 1, runs, responses, single=model[0])
    true = with_true_features(data, SimpleNamespace(drivers=lambda language: drivers), "EN")
    assert true.layers.shape == (1, 240, 10) and true.single.shape == (240, 5) and true.layers.dtype == np.float32
    np.testing.assert_array_equal(true.responses, responses)
    assert careful(true).r.mean() > 0.5 > careful(data).r.mean() + 0.3
    assert single_words(true).r.mean() < 0.2
