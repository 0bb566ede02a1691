import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters.alice import (
    GROUP,
    GroupScores,
    ceilings,
    chance,
    conclude,
    count_words,
    gather,
    on_scans,
    over_people,
    paired,
    rate_and_sound,
    read_ceilings,
    read_controls,
    read_layers,
    read_untrained,
    score,
    speech_or_silence,
)
from brainbook.datasets.alice import REGIONS
from brainbook.encoding import blocks_with_gaps, delay

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


@pytest.fixture
def planted(rng):
    """Four listeners: the second feature space drives regions 0 to 2 of all of them, nothing drives the others."""
    spaces = rng.normal(size=(2, 240, 5)).astype(np.float32)
    drive = delay(spaces[1], (1, 2, 3, 4), np.zeros(240, int)) @ rng.normal(size=(20, 6))
    people = drive / drive.std() * ([1, 1, 1, 0, 0, 0]) + 1.5 * rng.normal(size=(4, 240, 6))
    both = np.concatenate([people.mean(axis=0, keepdims=True), people])
    responses = np.moveaxis(both, 0, 1).reshape(240, -1).astype(np.float32)
    return spaces, GroupScores(responses, [GROUP, "a", "b", "c", "d"], blocks_with_gaps(240, 5, 8))


def test_scores_find_what_was_planted(planted):
    spaces, listeners = planted
    table = score(listeners, spaces, device="cpu")
    assert list(table.columns) == ["listener", "region", "value", "layer"]
    assert len(table) == 5 * 6 * 3
    average = table[table.listener == GROUP].pivot(index="region", columns="layer", values="value").loc[list(REGIONS)]
    assert (average[1].iloc[:3] > 0.5).all()
    assert (average[-1].iloc[:3] > 0.5).all()  # the training scans choose the right space
    assert (average[0] < 0.3).all()
    assert (average[1].iloc[3:] < 0.3).all()
    single = table[(table.listener != GROUP) & (table.layer == 1)].groupby("region").value.mean()
    assert single[list(REGIONS)[0]] < average[1].iloc[0]


def test_chance_separates_planted_from_nothing(planted):
    spaces, listeners = planted
    table = chance(listeners, spaces[1], n_permutations=100, device="cpu").set_index("region")
    assert (table.p[list(REGIONS)[:3]] < 0.05).all()
    assert (table.p[list(REGIONS)[3:]] > 0.01).all()
    assert table.p["mean"] < 0.05
    assert (table.lower < table.upper).all()


def test_nuisance_takes_the_planted_away(planted):
    spaces, listeners = planted
    nuisance = delay(spaces[1], (1, 2, 3, 4), listeners.runs)
    table = score(listeners, spaces[1], device="cpu", nuisance=nuisance)
    assert table[(table.listener == GROUP) & (table.layer == -1)].value.abs().max() < 0.3


def test_intervals_over_people_and_pairs():
    values = {"a": 0.1, "b": 0.2, "c": 0.6}
    rows = [(who, region, v + r) for who, v in values.items() for r, region in enumerate(REGIONS)]
    table = pd.DataFrame([*rows, (GROUP, "LATL", 9.0)], columns=["listener", "region", "value"]).assign(condition="x")
    found = over_people(table, ["condition"]).iloc[0]
    each = np.array(list(values.values())) + 2.5
    expected = stats.t.interval(0.95, 2, each.mean(), stats.sem(each))
    np.testing.assert_allclose([found.value, found.lower, found.upper], [each.mean(), *expected])
    both = pd.concat([table, table.assign(condition="y", value=table.value - 0.25)])
    difference = paired(both, "condition", "x", "y")
    np.testing.assert_allclose(difference.value, 0.25)
    assert len(difference) == len(table)


def test_ceilings_are_what_a_perfect_model_reaches(rng):
    """Twenty listeners who share a tenth of their variance, in the scans that are scored."""
    share = 0.1
    signal = rng.normal(size=(4000, 1, 6))
    people = np.sqrt(share) * signal + np.sqrt(1 - share) * rng.normal(size=(4000, 20, 6))
    people[:8] = 100.0  # an edge, which no split holds
    both = np.concatenate([people.mean(axis=1, keepdims=True), people], axis=1).reshape(4000, -1)
    splits = [(train + 8, test + 8) for train, test in blocks_with_gaps(3984, 4, 8)]
    table = ceilings(GroupScores(both, [GROUP, *map(str, range(20))], splits))
    inner = slice(8, 3992)
    one = np.mean([np.corrcoef(signal[inner, 0, 0], people[inner, i, 0])[0, 1] for i in range(20)])
    group = np.corrcoef(signal[inner, 0, 0], people[inner].mean(axis=1)[:, 0])[0, 1]
    assert table.listener.mean() == pytest.approx(one, abs=0.02) and table.average.mean() == pytest.approx(
        group, abs=0.02
    )
    assert (table.intersubject < table.listener).all()


def test_controls_are_read_by_their_numbers():
    names = ("vla", "fla", "count")
    means, p = pd.Series([0.2, 0.0, 0.3], names), pd.Series([0.01, 0.5, 0.01], names)
    text = read_controls(means, p, *names)
    assert "*Alignment matters*" in text and "does not beat counting" in text
    both = read_controls(pd.Series([0.4, 0.2, 0.3], names), p * 0, *names)
    assert "*Both alignments predict*" in both and "scores 0.10 more than counting" in both
    assert "not told from chance" in read_controls(means, p + 0.1, *names)


def test_ceilings_and_conclusions_are_read_by_their_numbers():
    table = pd.DataFrame({"listener": [0.21, 0.4], "average": [0.7, 0.9]})
    assert "0.21 to 0.40 with one of them, and of 0.70 to 0.90 with the average of all 27" in read_ceilings(table, 27)
    row = pd.Series({"value": 0.05, "lower": 0.01, "upper": 0.09})
    text = conclude("", row, row)
    assert "keeps something:" in text and "is better than the number of words: +0.050" in text
    assert "nothing that is sure" in conclude("", row, row - 0.02)
    assert "not surely better" in conclude("", row - 0.02, row) and "worse than" in conclude("", row - 0.1, row)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.1, 0.2, 0.4, 0.2, 0.15], "layer 2 of 4 (r = 0.40). It lies in the middle"),
        ([0.5, 0.2, 0.4, 0.2, 0.1], "It is the embedding, which knows no context: the layers above add nothing here"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], "It is the last layer."),
        ([0.2, 0.5, 0.4, 0.2, 0.1], "It lies below the middle of the model; the embedding does better than layers 4."),
        ([0.1, 0.2, 0.3, 0.5, 0.4], "It lies above the middle of the model."),
    ],
)
def test_the_best_layer_is_said_where_it_is(values, words):
    assert words in read_layers(pd.DataFrame({"condition": "model", "layer": range(5), "value": values}), "model")


def test_what_an_untrained_model_keeps_follows_its_interval():
    rows = [
        (who, region, 0.01 * i + shift) for who, shift in (("a", 0.1), ("b", 0.12)) for i, region in enumerate(REGIONS)
    ]
    table = pd.DataFrame([*rows, (GROUP, "LATL", 0.1), (GROUP, "LIPL", 0.2)], columns=["listener", "region", "value"])
    text = read_untrained(table.assign(condition="untrained"), "untrained")
    assert "twin keeps something" in text and "from 0.10 in LATL to 0.20 in LIPL" in text
    assert "keeps nothing that is sure" in read_untrained(table.assign(condition="u", value=table.value - 0.13), "u")


def test_the_real_recordings_on_the_clock(real_alice):
    from brainbook.datasets import Alice

    alice = Alice(real_alice)
    listeners = gather(alice)
    assert listeners.responses.shape == (362, 28 * 6)
    np.testing.assert_allclose(
        listeners.responses[:, :6], listeners.responses[:, 6:].reshape(362, 27, 6).mean(axis=1), atol=1e-5
    )
    counts = count_words(alice)
    assert counts.sum() == 2127
    assert rate_and_sound(alice).shape == (362, 5)
    assert set(np.unique(speech_or_silence(alice))) <= {0, 1} and speech_or_silence(alice).mean() > 0.9
    scored = np.unique(np.concatenate([np.concatenate(pair) for pair in listeners.splits]))
    assert scored[0] == 8 and scored[-1] == 362 - 9  # without the run's edges
    states = np.arange(2127, dtype=np.float32)[:, None]
    assert on_scans(alice, states, "FLA")[0, 0] == 2.0  # the mean of the first five words
    first = (alice.words().onset < 2).sum()
    assert on_scans(alice, states, "VLA")[0, 0] == (first - 1) / 2
