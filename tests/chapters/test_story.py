"""What the chapter on the real story computes, on made-up words and planted scores."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters.alice import BANDED
from brainbook.chapters.shared import ParticipantScores
from brainbook.chapters.story import (
    OF_DRIVER,
    band_spaces,
    describe_gain,
    gains,
    interval_table,
    layers_by_driver,
    low_level,
    reduced,
    score_bands,
    scores_by_driver,
    shape_of_sound,
)
from brainbook.datasets import StoryAnnotation
from brainbook.encoding import haemodynamic_response


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


@pytest.fixture(scope="module")
def planted(made_up_annotation):
    """A phantom of six regions whose drivers are in the annotation, or in three units of made-up states."""
    rng, annotation = np.random.default_rng(0), StoryAnnotation(made_up_annotation)
    states = rng.normal(size=(len(annotation.words("EN")), 3)).astype(np.float32)
    spaces = band_spaces(annotation, "EN", states)
    drivers = ["sound", "sound", "word", "meaning", "topic", "none"]
    peaks = [4.5, 5.5, 5.0, 5.0, 5.0, 5.0]
    sources = {
        "sound": spaces["word count"][:, 0] + 2 * spaces["amplitude"][:, 0],
        "word": spaces["frequency and surprisal"][:, 1],
        "meaning": spaces["model"][:, 0],
        "topic": spaces["model"][:, 1],
        "none": np.zeros(2816),
    }
    runs = np.repeat(list(annotation.scans("EN")), list(annotation.scans("EN").values()))
    responses = np.empty((2, 2816, 6), np.float32)
    for place, (driver, peak) in enumerate(zip(drivers, peaks, strict=True)):
        curve = haemodynamic_response(np.arange(0, 30, 2.0), peak)
        for run in np.unique(runs):
            here = runs == run
            responses[:, here, place] = np.convolve(sources[driver][here], curve)[: here.sum()]
    spread = responses.std(axis=1, keepdims=True)
    responses = responses / np.where(spread > 0, spread, 1) + rng.normal(size=responses.shape)
    columns = pd.DataFrame({"region": list("abcdef"), "hemisphere": "lh"})
    truth = SimpleNamespace(regions=columns.assign(driver=drivers, hrf_peak=peaks))

    def of_participant(name, targets="regions", cache=None):
        return SimpleNamespace(values=responses[int(name)], run_of_scan=runs, names=columns)

    prince = SimpleNamespace(participants=lambda language: ["0", "1"], responses=of_participant, tr=2.0)
    return prince, truth, annotation, spaces


def test_each_space_explains_the_regions_that_it_drives(planted):
    prince, truth, _, spaces = planted
    assert [values.shape[1] for values in spaces.values()] == [1, 2, 1, 3]
    table = score_bands(prince, truth, "EN", spaces, None, "cpu", n_candidates=5)
    value, largest = (table.pivot(index="driver", columns="space", values=name) for name in ("value", "largest"))
    for driver, names in OF_DRIVER.items():
        assert value.loc[driver, list(names)].sum() > 0.5 and largest.loc[driver, list(names)].sum() == 1
    np.testing.assert_allclose(value[list(spaces)].sum(axis=1), value[BANDED])
    assert abs(value.loc["none", BANDED]) < 0.02


def test_the_response_to_a_word_peaks_when_it_should(planted):
    prince, truth, annotation, _ = planted
    shape, peaks = shape_of_sound(prince, truth, annotation, "EN", None)
    assert list(peaks.region) == ["a", "b"] and (peaks.true - peaks.estimated).abs().max() < 0.4
    wide = shape.pivot(index="seconds", columns="series", values="value")
    assert wide.index.tolist() == [-2.0, *np.arange(0, 16, 2.0)]
    assert np.corrcoef(wide.estimated, wide["true shape"])[0, 1] > 0.98


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
