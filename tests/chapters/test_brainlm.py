"""Helpers of the chapter on BrainLM: nothing of the test runs is seen, gains and intervals are what they say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters.brainlm import (
    above,
    brain_gains,
    encode_held_out,
    features_of_runs,
    gains,
    mean_intervals,
    pair_recordings,
    shuffled_verdict,
)
from brainbook.errors import ConfigurationError
from brainbook.language_models import load_language_model


@pytest.fixture
def responses():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((1, 90, 4)) @ rng.standard_normal((4, 12))
    return (shared + rng.standard_normal((2, 90, 12))).astype(np.float32)


def test_features_do_not_depend_on_the_runs_that_are_held_out(responses):
    runs = np.repeat([1, 2, 3], 30)
    other = responses.copy()
    other[:, runs == 3] *= 5
    options = {"n_features": 3, "device": "cpu", "steps": 20}
    first, reconstructed = features_of_runs(responses, runs, [3], **options)
    second, _ = features_of_runs(other, runs, [3], **options)
    np.testing.assert_array_equal(first[:, runs < 3], second[:, runs < 3])
    assert first.shape == (2, 90, 3)
    assert reconstructed.groupby("condition").size().to_dict() == {"PCA": 12, "autoencoder": 12}


def losses() -> pd.DataFrame:
    rows = [
        ("2.0", seed, person, run, brain, 1.0 + 0.1 * person + extra, np.nan)
        for seed in (0, 1)
        for person in (0, 1)
        for run in (8, 9)
        for brain, extra in (("real", 0.0), ("shuffled", 0.02 * (1 + person)), ("none", -0.01))
    ]
    return pd.DataFrame(rows, columns=["condition", "seed", "participant", "run", "brain", "text", "scan"])


def test_gains_are_losses_with_the_control_minus_with_the_true_partner():
    table = gains(losses())
    assert set(table.side) == {"words, by brain"}  # nothing is known of scans
    by = table.set_index(["control", "participant"]).value
    assert by["another's", 0] == pytest.approx(0.02) and by["another's", 1] == pytest.approx(0.04)
    assert by["none", 0] == pytest.approx(-0.01)
    assert len(gains(losses(), "run").query("control == 'none'")) == 2


def test_gains_from_brains_are_positive_where_the_true_brain_is_better():
    rows = [
        (seed, brain, measure, 2.0 + shift + 0.01 * seed * (brain == "real"))
        for seed in range(4)
        for measure, better in (("words alone", 0.0), ("words, brain in view", -0.1))
        for brain, shift in (("real", better), ("shuffled", 0.0), ("none", 0.0))
    ]
    table = brain_gains(pd.DataFrame(rows, columns=["seed", "brain", "measure", "value"]))
    by = table.set_index(["measure", "control"])
    assert by.value["words, brain in view", "none"] == pytest.approx(0.1 - 0.015) and (by.n == 4).all()
    assert by.value["words alone", "another's"] == pytest.approx(-0.015)
    expected = stats.t.interval(0.95, 3, loc=0.085, scale=stats.sem([0.1, 0.09, 0.08, 0.07]))
    assert tuple(by.loc[("words, brain in view", "none"), ["lower", "upper"]]) == pytest.approx(expected)


def test_intervals_are_students():
    table = pd.DataFrame({"group": "a", "value": [1.0, 2.0, 4.0]})
    interval = mean_intervals(table, ["group"]).iloc[0]
    expected = stats.t.interval(0.95, 2, loc=table.value.mean(), scale=stats.sem(table.value))
    assert (interval.lower, interval.upper) == pytest.approx(expected) and interval.n == 3
    alone = mean_intervals(table[:1], ["group"]).iloc[0]
    assert alone.value == 1 and np.isnan(alone.lower)


def test_rows_are_named_only_beyond_their_interval():
    table = pd.DataFrame({"side": ["words", "scan"], "condition": "2.0", "value": 0.1})
    assert above(table.assign(lower=[0.01, -0.01]), 0, ["side", "condition"]) == "words, 2.0"
    assert above(table.assign(lower=[0.6, 0.7]), 0.5, ["side"]) == "words; scan"
    assert above(table.assign(lower=np.nan), 0, ["side", "condition"]) == "nothing"


@pytest.mark.parametrize(
    "lower, limit, verdict",
    [
        ([0.2, -0.1], 0.0, "it does not"),
        ([-0.2, 0.1], 0.0, "it does, so trust none of the others"),
        ([0.6, 0.4], 0.5, "it does not"),
        ([0.4, 0.6], 0.5, "it does, so trust none of the others"),
        ([np.nan, np.nan], 0.5, "without an interval it cannot be decided"),
    ],
)
def test_the_condition_with_the_shuffled_brain_is_checked(lower, limit, verdict):
    table = pd.DataFrame({"condition": ["2.0", "2.0, shuffled brain"], "value": [0.7, 0.3], "lower": lower})
    assert shuffled_verdict(table, limit) == verdict


def test_the_brain_is_read_when_the_delay_says(responses):
    words = pd.DataFrame(
        {"word": ["fox"] * 120, "onset": np.tile(np.arange(60.0), 2), "section": np.repeat([1, 2], 60)}
    )
    runs = np.repeat([1, 2, 3], 30)[:60]
    coded = responses[:, :60, :3]
    tokenizer = load_language_model("tiny-causal", device="cpu").tokenizer  # it comes with the package
    starts = {1: 0.0, 2: 0.0}
    dataset = SimpleNamespace(tr=2.0, words=lambda _: words, starts=lambda _: starts)
    now, late = (pair_recordings(coded, runs, dataset, "EN", [2], tokenizer, delay)[0] for delay in (0, 4))
    assert np.array_equal(now.brain[0], coded[0, :4]) and np.array_equal(late.brain[0], coded[0, 2:6])


@pytest.mark.parametrize(("tr", "start", "first", "texts"), [(2.0, 0.0, 0, 16), (1.0, 0.0, 0, 8), (2.0, 6.0, 0, 4)])
def test_words_are_paired_by_the_clock_of_the_recordings(responses, tr, start, first, texts):
    """A word every half second; `first` is the first scan that can begin an example of four scans that has words."""
    onsets = np.arange(0, 30 * tr - start, 0.5)
    words = pd.DataFrame({"word": [f"w{n}" for n in range(len(onsets))], "onset": onsets, "section": 1})
    words = pd.concat([words, words.assign(section=2)])
    dataset = SimpleNamespace(tr=tr, words=lambda _: words, starts=lambda _: {1: start, 2: 0.0})
    tokenizer = load_language_model("tiny-causal", device="cpu").tokenizer
    pairs = pair_recordings(responses[:, :60, :3], np.repeat([1, 2], 30), dataset, "EN", [2], tokenizer)[0]
    assert np.array_equal(pairs.brain[0], responses[0, first + round(4 / tr) :][:4, :3])
    assert len(pairs.texts[0].split()) == texts
    with pytest.raises(ConfigurationError, match=r"test_sections is \[8\]: name some of the sections 1, 2"):
        pair_recordings(responses[:, :60, :3], np.repeat([1, 2], 30), dataset, "EN", [8], tokenizer)


def test_the_edges_of_sections_are_not_scored():
    """A response to the begin and the end of speech is what one bit predicts; without the edges nothing is left."""
    rng = np.random.default_rng(0)
    spoken = np.arange(4, 56)  # of 60 scans; four at each end are silent
    words = pd.concat(
        pd.DataFrame({"word": "fox", "onset": spoken * 2.0 + 0.1, "section": section}) for section in range(1, 7)
    )
    scans, starts = dict.fromkeys(range(1, 7), 60), dict.fromkeys(range(1, 7), 0.0)
    prince = SimpleNamespace(tr=2.0, words=lambda _: words, scans=lambda _: scans, starts=lambda _: starts)
    speech = np.isin(np.arange(60) - 2, spoken) * 4.0
    responses = np.tile(speech - speech.mean(), 6)[None, :, None] + rng.standard_normal((1, 360, 3))
    scores = {}
    for trim in (0, 8):
        table = encode_held_out(
            prince, "EN", {}, responses, {"all": np.ones(3, bool)}, [5, 6], [0], device="cpu", trim=trim
        )
        scores[trim] = table.set_index("condition").value
    assert scores[0]["speech or silence"] > 0.6 and scores[0]["word count"] > 0.6
    assert not scores[8].fillna(0)["speech or silence"] > 0.2
