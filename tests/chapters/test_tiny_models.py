"""Positive controls of the tiny models whose weights the package has, and the tables that show them."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import tiny_models
from brainbook.chapters.tiny_models import brainlm_controls, readout_controls, trainings
from brainbook.language_models.names import TINY_BRAINLMS

pytestmark = pytest.mark.integration

MASKED = ("tiny-bert", "tiny-albert-v1", "tiny-albert-v2")
FOUND = ("tiny-modernbert", "tiny-causal", "tiny-causal-joint")
DROPOUT = pytest.mark.xfail(strict=True, reason="trained with dropout, it has not learned the words yet")
NO_SCENE = pytest.mark.xfail(strict=True, reason="from masked tokens alone so small a model does not find the scene")
readouts = cache(lambda name: readout_controls([name]).set_index("control"))  # as on the page


@pytest.mark.parametrize("name", ["tiny-bert", pytest.param("tiny-albert-v1", marks=DROPOUT), "tiny-albert-v2", *FOUND])
def test_words_are_read_out_of_a_trained_model_better_than_of_its_untrained_twin(name):
    assert readouts(name).lower["read-out: word"] > 0


@pytest.mark.parametrize("name", [*(pytest.param(name, marks=NO_SCENE) for name in MASKED), *FOUND])
def test_the_scene_is_read_out_of_a_trained_model_and_not_of_its_untrained_twin(name):
    scene = readouts(name).loc["read-out: scene"]
    assert scene.reference < 0.05  # the words by themselves do not tell
    assert scene.value == pytest.approx(scene.score - scene.reference)
    assert scene.lower > 0.2


def test_brainlms_match_better_than_counts_of_words_and_the_right_scan_helps(tmp_path):
    table = brainlm_controls(tmp_path, "cpu").set_index(["model", "control"])
    assert not list(tmp_path.iterdir())
    for name in TINY_BRAINLMS:
        for control in ("another's", "none"):
            assert table.lower[name, f"masked words: right brain against {control}"] > 0
    assert table.lower["tiny-brainlm-2", "hidden scans: right text against another's"] > 0
    assert table.lower["tiny-brainlm-2", "matching: against counts of words"] > 0
    assert (
        table.reference["tiny-brainlm-2", "matching: against counts of words"] > 0.6
    )  # counts of words are no straw man


def test_a_model_that_learned_nothing_fails_its_controls(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(tiny_models, "load_language_model", lambda name, cache: name)
    monkeypatch.setattr(
        tiny_models, "word_states", lambda model, words, *a, **o: rng.standard_normal((2, len(words), 8))
    )
    table = readout_controls(["nothing"], n_sentences=300)
    assert (table.lower < 0).all() and (table.value.abs() < 0.05).all()


def test_the_table_of_trainings_is_what_the_folders_hold(tmp_path, monkeypatch):
    steps = np.arange(1, 101)
    validation = np.where(steps % 25 == 0, 1 / steps, np.nan)
    curve = pd.DataFrame({"step": steps, "loss": 2.0, "seconds": steps * 1.2, "validation": validation})
    curve.to_csv(tmp_path / "loss.csv", index=False)
    (tmp_path / "settings.json").write_text(json.dumps({"steps": 100, "learning_rate": 0.1}))
    monkeypatch.setattr(tiny_models, "tiny_folder", lambda name, cache, device: tmp_path)
    about, curves = trainings(["tiny-bert"])
    row = about.iloc[0]
    assert row.minutes == pytest.approx(2) and row.validation == pytest.approx(0.01)
    assert row.still_falling == pytest.approx(0.5)  # 1/100 beside 1/50, the lowest before step 75
    assert curves.groupby("part").size().to_dict() == {"training": 100, "validation": 4}
