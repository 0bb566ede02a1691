"""The seed paper's sentences: planted numbers make each of them true, false and undecided."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import statements
from brainbook.chapters.hemispheres.group_scores import GroupScores, verdict
from brainbook.chapters.shared import group_masks
from brainbook.datasets.atlas import embedded_destrieux

LANGUAGES, PEOPLE, RUNS, LAYERS, REGIONS = ("EN", "FR", "CN"), 4, 5, 6, 148
COLUMNS = embedded_destrieux().columns


@pytest.fixture
def nothing(rng):
    n = len(LANGUAGES) * PEOPLE
    return GroupScores(
        0.1 + 0.01 * rng.normal(size=(n, REGIONS)),
        0.1 + 0.01 * rng.normal(size=(n, LAYERS, REGIONS)),
        rng.integers(0, LAYERS, (n, RUNS, REGIONS)),
        np.repeat(LANGUAGES, PEOPLE),
        first=1,
    )


def verdicts(table):
    return [verdict(row) for row in table.itertuples()]


def test_occipital_regions_are_those_of_the_lobe():
    names = set(COLUMNS.region[statements.is_occipital(COLUMNS)])
    assert {"Pole_occipital", "G_occipital_sup", "S_calcarine", "G_cuneus", "S_oc_middle_and_Lunatus"} <= names
    assert not names & {
        "G_precuneus",
        "S_parieto_occipital",
        "S_oc-temp_lat",
        "G_temporal_middle",
        "S_collat_transv_post",
    }
    assert len(names) == 11


def test_occipital_first(nothing):
    planted = replace(nothing, scores=nothing.scores + 0.05 * statements.is_occipital(COLUMNS))
    table = statements.occipital_first(planted, COLUMNS)
    assert list(table.who) == list(LANGUAGES) and verdicts(table) == ["agrees with"] * 3
    assert table.value.mean() == pytest.approx(0.05, abs=0.005)
    low = replace(nothing, scores=nothing.scores - 0.05 * statements.is_occipital(COLUMNS))
    assert verdicts(statements.occipital_first(low, COLUMNS)) == ["contradicts"] * 3


def test_chinese_higher_is_of_independent_people(nothing):
    chinese = (nothing.language == "CN")[:, None]
    table = statements.chinese_higher(replace(nothing, scores=nothing.scores + 0.05 * chinese))
    assert list(table.who) == ["CN less EN", "CN less FR"] and verdicts(table) == ["agrees with"] * 2
    from scipy import stats

    cortex = nothing.scores.mean(axis=1)
    expected = stats.ttest_ind(cortex[8:], cortex[:4], equal_var=False)
    assert statements.chinese_higher(nothing).p[0] == pytest.approx(expected.pvalue)
    alone = replace(nothing, language=np.repeat("EN", len(nothing.language)))
    assert statements.chinese_higher(alone).empty


def test_a_last_layer_that_is_good_everywhere_ties_no_group(nothing):
    members = group_masks(COLUMNS)
    last = (np.arange(LAYERS) == LAYERS - 1)[:, None]
    visual = replace(nothing, profiles=nothing.profiles + 0.05 * last * members["visual"])
    assert verdicts(statements.last_layer(visual, members)) == ["agrees with"] * 2
    everywhere = statements.last_layer(replace(nothing, profiles=nothing.profiles + 0.05 * last), members)
    assert verdicts(everywhere)[0] == "agrees with" and everywhere.value[1] == pytest.approx(0, abs=0.01)


def test_diversity_is_counted_in_layers(nothing, rng):
    regions = np.ones(REGIONS, bool)
    np.testing.assert_allclose(statements.effective_layers(nothing, regions), LAYERS, rtol=0.02)
    two = replace(nothing, chosen=rng.integers(0, 2, nothing.chosen.shape))
    np.testing.assert_allclose(statements.effective_layers(two, regions), 2, rtol=0.02)
    assert verdicts(statements.diversity_concentrates(nothing, two, regions)) == ["agrees with"]
    assert verdicts(statements.diversity_concentrates(two, nothing, regions)) == ["contradicts"]


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ([(0.1, 0.2), (0.1, 0.3)], "This agrees with it."),
        ([(0.1, 0.2), (-0.1, 0.3)], "in part only."),
        ([(0.1, 0.2), (-0.3, -0.1)], "This contradicts it."),
        ([(-0.1, 0.2), (-0.3, 0.1)], "neither supports nor contradicts it."),
    ],
)
def test_sentences_are_chosen_by_their_intervals(ends, words):
    table = pd.DataFrame(ends, columns=["lower", "upper"]).assign(sentence="x", who=["EN", "FR"], value=0.1)
    assert statements.read_statements(table).endswith(words)
