"""Who is scored and who is only read; ceilings of those scored; the gain of an alignment and its interval."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.encoding import fisher_mean, noise_ceiling
from brainbook.errors import ConfigurationError
from brainbook.experiment import ceilings, choose_people, gain_of_alignment

NAMES = {"EN": [f"sub-EN{n:03}" for n in range(1, 6)], "FR": ["sub-FR001"]}


@pytest.fixture
def prince():
    return SimpleNamespace(root="data/somewhere", participants=NAMES.__getitem__)


def test_without_a_name_the_first_of_each_language_are_scored(prince):
    scored, read = choose_people(prince, ["EN", "FR"], 2)
    assert scored == read == {"EN": ["sub-EN001", "sub-EN002"], "FR": ["sub-FR001"]}


def test_one_participant_is_scored_beside_others_of_the_language(prince):
    scored, read = choose_people(prince, ["EN", "FR"], 2, "sub-EN002")
    assert scored == {"EN": ["sub-EN002"]}
    assert read == {"EN": ["sub-EN002", "sub-EN001", "sub-EN003"]}
    assert choose_people(prince, ["FR"], 2, "sub-FR001")[1] == {"FR": ["sub-FR001"]}


def test_an_unknown_participant_is_named_with_those_there_are(prince):
    with pytest.raises(ConfigurationError, match=r"sub-EN009' is not among those of EN, FR in data/somewhere: sub-EN0"):
        choose_people(prince, ["EN", "FR"], 2, "sub-EN009")


def test_ceilings_are_of_those_scored_and_unknown_for_one_alone(rng):
    responses = rng.standard_normal((4, 50, 3)) + rng.standard_normal((50, 3))
    np.testing.assert_allclose(ceilings(responses, 4), noise_ceiling(responses))
    np.testing.assert_allclose(ceilings(responses, 2), fisher_mean(noise_ceiling(responses, keep="each")[:2]))
    assert np.isnan(ceilings(responses[:1], 1)).all()


def table_of(values):
    """values : array [participants, runs, alignments]"""
    rows = [
        {"participant": f"p{i}", "run": j + 1, "alignment": alignment, "value": values[i, j, k]}
        for i, j in np.ndindex(values.shape[:2])
        for k, alignment in enumerate(("VLA", "FLA"))
    ]
    return pd.DataFrame(rows)


def test_the_gain_of_several_has_students_interval(rng):
    values = rng.normal(0.1, 0.05, (5, 9, 2))
    found, over = gain_of_alignment(table_of(values))
    expected = stats.ttest_rel(*values.mean(axis=1).T).confidence_interval()
    np.testing.assert_allclose([found.lower, found.upper], [expected.low, expected.high])
    assert "participants" in over


def test_the_gain_of_one_is_over_runs_and_wider_than_the_naive_interval(rng):
    values = rng.normal(0.1, 0.05, (1, 9, 2))
    found, over = gain_of_alignment(table_of(values))
    gain = values[0, :, 0] - values[0, :, 1]
    naive = stats.ttest_1samp(gain, 0).confidence_interval()
    assert found.estimate == pytest.approx(gain.mean())
    assert found.lower < naive.low < naive.high < found.upper
    assert "runs of one participant" in over
