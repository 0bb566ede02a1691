import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters import align, speech_or_silence, word_count
from brainbook.chapters.alice import (
    AVERAGE,
    BANDED,
    PLAIN,
    GroupResponses,
    ceilings,
    chance,
    compare_conditions,
    gather_responses,
    mean_over_participants,
    rate_and_sound,
    response_to_words,
    score,
    score_bands,
)
from brainbook.datasets.alice import REGIONS
from brainbook.encoding import blocks_with_gaps, delay


@pytest.fixture
def planted(rng):
    """Four participants: the second feature space drives regions 0 to 2 of all of them, nothing drives the others."""
    spaces = rng.normal(size=(2, 240, 5)).astype(np.float32)
    drive = delay(spaces[1], (1, 2, 3, 4), np.zeros(240, int)) @ rng.normal(size=(20, 6))
    people = drive / drive.std() * ([1, 1, 1, 0, 0, 0]) + 1.5 * rng.normal(size=(4, 240, 6))
    both = np.concatenate([people.mean(axis=0, keepdims=True), people])
    responses = np.moveaxis(both, 0, 1).reshape(240, -1).astype(np.float32)
    return spaces, GroupResponses(responses, [AVERAGE, "a", "b", "c", "d"], blocks_with_gaps(240, 5, 8))


def test_scores_find_what_was_planted(planted):
    spaces, group = planted
    table = score(group, spaces, device="cpu")
    assert list(table.columns) == ["participant", "region", "layer", "value"]
    assert len(table) == 5 * 6 * 3
    average = (
        table[table.participant == AVERAGE].pivot(index="region", columns="layer", values="value").loc[list(REGIONS)]
    )
    assert (average[1].iloc[:3] > 0.5).all()
    assert (average[-1].iloc[:3] > 0.5).all()  # the training scans choose the right space
    assert (average[0] < 0.3).all()
    assert (average[1].iloc[3:] < 0.3).all()
    single = table[(table.participant != AVERAGE) & (table.layer == 1)].groupby("region").value.mean()
    assert single[list(REGIONS)[0]] < average[1].iloc[0]


def test_chance_separates_planted_from_nothing(planted):
    spaces, group = planted
    table = chance(group, spaces[1], n_permutations=100, device="cpu").set_index("region")
    assert (table.p[list(REGIONS)[:3]] < 0.05).all()
    assert (table.p[list(REGIONS)[3:]] > 0.01).all()
    assert table.p["mean"] < 0.05
    assert (table.lower < table.upper).all()


def test_nuisance_takes_the_planted_away(planted):
    spaces, group = planted
    nuisance = delay(spaces[1], (1, 2, 3, 4), group.runs)
    table = score(group, spaces[1:], device="cpu", nuisance=nuisance)
    assert table[(table.participant == AVERAGE) & (table.layer == -1)].value.abs().max() < 0.3


def test_what_spaces_explain_adds_up_and_is_what_was_planted(planted, rng):
    spaces, group = planted
    named = {"useless": spaces[0], "drive": spaces[1], "convolved": rng.normal(size=(240, 2))}
    delays = {"useless": (1, 2, 3, 4), "drive": (1, 2, 3, 4), "convolved": None}
    table = score_bands(group, named, delays, n_candidates=6, device="cpu")
    assert len(table) == 5 * 6 * 5
    average = table[table.participant == AVERAGE].pivot(index="region", columns="space", values="value")
    average = average.loc[list(REGIONS)]
    np.testing.assert_allclose(average[list(named)].sum(axis=1), average[BANDED])
    assert (average["drive"].iloc[:3] > 0.3).all() and (average["useless"].abs() < 0.1).all()
    assert average[BANDED].mean() > average[PLAIN].mean()


def test_means_and_differences_over_participants_are_students():
    values = {"a": 0.1, "b": 0.2, "c": 0.6}
    rows = [(name, region, v + r) for name, v in values.items() for r, region in enumerate(REGIONS)]
    rows = [*rows, (AVERAGE, "LATL", 9.0)]
    table = pd.DataFrame(rows, columns=["participant", "region", "value"]).assign(condition="x")
    both = pd.concat([table, table.assign(condition="y", value=table.value - 0.25 * (table.participant != "a"))])
    found = mean_over_participants(both, ["condition"]).iloc[0]
    each = np.array(list(values.values())) + 2.5
    expected = stats.t.interval(0.95, 2, each.mean(), stats.sem(each))
    np.testing.assert_allclose([found.value, found.lower, found.upper], [each.mean(), *expected])
    by_region = mean_over_participants(both, ["region", "condition"])
    assert len(by_region) == 12 and list(by_region.columns[:3]) == ["region", "condition", "value"]
    difference = compare_conditions(both, "x").iloc[0]
    expected = stats.ttest_1samp([0, 0.25, 0.25], 0).confidence_interval()
    assert difference.other == "y"
    np.testing.assert_allclose([difference.lower, difference.upper], expected)


def test_ceilings_are_what_a_perfect_model_reaches(rng):
    """Twenty participants who share a tenth of their variance, in the scans that are scored."""
    share = 0.1
    signal = rng.normal(size=(4000, 1, 6))
    people = np.sqrt(share) * signal + np.sqrt(1 - share) * rng.normal(size=(4000, 20, 6))
    people[:8] = 100.0  # an edge, which no split holds
    both = np.concatenate([people.mean(axis=1, keepdims=True), people], axis=1).reshape(4000, -1)
    splits = [(train + 8, test + 8) for train, test in blocks_with_gaps(3984, 4, 8)]
    table = ceilings(GroupResponses(both, [AVERAGE, *map(str, range(20))], splits))
    inner = slice(8, 3992)
    one = np.mean([np.corrcoef(signal[inner, 0, 0], people[inner, i, 0])[0, 1] for i in range(20)])
    group = np.corrcoef(signal[inner, 0, 0], people[inner].mean(axis=1)[:, 0])[0, 1]
    assert table.participant.mean() == pytest.approx(one, abs=0.02) and table.average.mean() == pytest.approx(
        group, abs=0.02
    )
    assert (table.intersubject < table.participant).all()


def test_the_real_recordings_on_the_clock(real_alice):
    from brainbook.datasets import Alice

    alice = Alice(real_alice)
    group = gather_responses(alice)
    assert group.responses.shape == (362, 28 * 6)
    np.testing.assert_allclose(
        group.responses[:, :6], group.responses[:, 6:].reshape(362, 27, 6).mean(axis=1), atol=1e-5
    )
    counts = word_count(alice, "EN").values
    assert counts.sum() == 2127
    assert rate_and_sound(alice).shape == (362, 5)
    bit = speech_or_silence(alice, "EN").values
    assert set(np.unique(bit)) <= {0, 1} and bit.mean() > 0.9
    scored = np.unique(np.concatenate([np.concatenate(pair) for pair in group.splits]))
    assert scored[0] == 8 and scored[-1] == 362 - 9  # without the run's edges
    response = response_to_words(alice, group).query("region == 'LPreM'")
    best = response.loc[response.value.idxmax()]
    assert len(response) == 9 and 4 <= best.seconds <= 8 and best.lower > 0  # as the blood's response does
    states = np.arange(2127, dtype=np.float32)[None, :, None]
    assert align(alice, "EN", states, "FLA").values[0, 0, 0] == 2.0  # the mean of the first five words
    first = (alice.words().onset < 2).sum()
    assert align(alice, "EN", states).values[0, 0, 0] == (first - 1) / 2
