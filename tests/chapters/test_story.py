"""What the chapter on the real story computes, on made-up words and planted scores."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters.shared import ParticipantScores
from brainbook.chapters.story import (
    describe_gain,
    gains,
    interval_table,
    layers_by_driver,
    low_level,
    reduced,
    scores_by_driver,
)
from brainbook.datasets import StoryAnnotation


def test_low_level_features_are_those_of_the_annotation(made_up_annotation):
    annotation = StoryAnnotation(made_up_annotation)
    english, french = low_level(annotation, "EN"), low_level(annotation, "FR")
    assert english.values.shape == (1, 2816, 4) and french.values.shape == (1, 2937, 1)
    words = annotation.words("EN").query("section == 1")
    count = np.bincount((words.onset // 2).astype(int), minlength=282)
    np.testing.assert_array_equal(english.values[0, :282, 0], count)
    assert english.values[0, 1, 3] == pytest.approx(0.2) and english.values[0, 6, 3] == 0  # loud at 2 s, silent at 12 s


def test_components_keep_what_varies_most(rng):
    states = rng.normal(size=(2, 300, 1)) * np.array([5.0, 3.0]) @ rng.normal(size=(2, 20)).reshape(2, 20)
    states = states + 0.01 * rng.normal(size=(2, 300, 20))
    values = reduced(states, 2)
    assert values.shape == (2, 300, 2) and (values.var(axis=1)[:, 0] > 100 * values.var(axis=1)[:, 1]).all()


def test_scores_are_averaged_over_the_regions_of_a_driver():
    columns = pd.DataFrame({"region": ["a", "b", "c"], "hemisphere": "lh"})
    truth = SimpleNamespace(regions=columns.assign(driver=["meaning", "meaning", "none"]))
    folds = np.zeros((2, 9, 3)) + np.array([0.2, 0.4, 0.0]) + np.array([0.0, 0.1])[:, None, None]
    layers = np.zeros((3, 2, 3)) + np.array([0.0, 0.1, 0.2])[:, None, None]
    result = ParticipantScores(folds, layers, np.zeros((2, 9, 3), int), ["one", "two"], columns)
    table = scores_by_driver({"model": result}, truth).set_index(["participant", "group"]).value
    assert table["one", "meaning"] == pytest.approx(0.3) and table["two", "none"] == pytest.approx(0.1)
    by_layer = layers_by_driver({"model": result}, truth, ["model"]).set_index(["participant", "layer", "group"]).value
    assert by_layer["two", 2, "meaning"] == pytest.approx(0.2)


def test_gains_are_paired_by_participant(rng):
    base = rng.normal(0.2, 0.2, 8)  # participants differ much, their differences little
    first, second = base + 0.05 + rng.normal(0, 0.01, 8), base
    rows = [
        {"participant": f"p{i}", "features": name, "group": "meaning", "value": values[i]}
        for name, values in {"model": first, "twin": second}.items()
        for i in range(8)
    ]
    gain = gains(pd.DataFrame(rows), "model", ["group"]).iloc[0]
    test = stats.ttest_rel(first, second)
    interval = test.confidence_interval()
    assert (gain.other, gain.group) == ("twin", "meaning")
    assert (gain.value, gain.lower, gain.upper) == pytest.approx(((first - second).mean(), interval.low, interval.high))
    means = interval_table(pd.DataFrame(rows), ["features"]).set_index("features")
    assert means.value["twin"] == pytest.approx(base.mean()) and means.p["model"] < 0.05
    other = pd.DataFrame([{"participant": f"q{i}", "features": "other", "value": float(i)} for i in range(3)])
    both = interval_table(pd.concat([pd.DataFrame(rows), other]), ["features"]).set_index("features")
    pd.testing.assert_frame_equal(both.loc[means.index], means)  # nobody else's participants count
    assert both.value["other"] == 1
    assert describe_gain(gain).startswith("better than (+0.0")
    assert describe_gain(pd.Series({"value": 0.0, "lower": -0.1, "upper": 0.1})).startswith("not surely different")
    assert describe_gain(pd.Series({"value": -0.2, "lower": -0.3, "upper": -0.1})).startswith("worse than (-0.200")
