"""Who is scored and who is only read; ceilings of those scored; the gain of an alignment and its interval."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters import TRIM, Features, align, score_participants, speech_or_silence, word_count
from brainbook.chapters.alignment import (
    chance_by_group,
    gain_of_alignment,
    intersubject_correlations,
    select_participants,
)
from brainbook.encoding import cross_validate, fisher_mean, run_slices
from brainbook.errors import ConfigurationError
from brainbook.stats import noise_ceiling

NAMES = {"EN": [f"sub-EN{n:03}" for n in range(1, 6)], "FR": ["sub-FR001"]}


@pytest.fixture
def prince():
    return SimpleNamespace(root="data/somewhere", participants=NAMES.__getitem__)


def test_without_a_name_the_first_of_each_language_are_scored(prince):
    scored, read = select_participants(prince, ["EN", "FR"], 2)
    assert scored == read == {"EN": ["sub-EN001", "sub-EN002"], "FR": ["sub-FR001"]}


def test_one_participant_is_scored_beside_others_of_the_language(prince):
    scored, read = select_participants(prince, ["EN", "FR"], 2, "sub-EN002")
    assert scored == {"EN": ["sub-EN002"]}
    assert read == {"EN": ["sub-EN002", "sub-EN001", "sub-EN003"]}
    assert select_participants(prince, ["FR"], 2, "sub-FR001")[1] == {"FR": ["sub-FR001"]}


def test_an_unknown_participant_is_named_with_those_there_are(prince):
    with pytest.raises(ConfigurationError, match=r"sub-EN009' is not among those of EN, FR in data/somewhere: sub-EN0"):
        select_participants(prince, ["EN", "FR"], 2, "sub-EN009")


def test_ceilings_are_of_those_scored_and_unknown_for_one_alone(rng):
    responses = rng.standard_normal((4, 50, 3)) + rng.standard_normal((50, 3))
    np.testing.assert_allclose(intersubject_correlations(responses, 4), noise_ceiling(responses))
    np.testing.assert_allclose(
        intersubject_correlations(responses, 2), fisher_mean(noise_ceiling(responses, keep="each")[:2])
    )
    assert np.isnan(intersubject_correlations(responses[:1], 1)).all()


def test_inter_subject_correlations_are_taken_where_scores_are(rng):
    runs = np.repeat([1, 2], 40)
    responses = rng.standard_normal((3, 80, 4))
    edge = np.tile(np.r_[np.ones(TRIM), np.zeros(40 - 2 * TRIM), np.ones(TRIM)], 2)[:, None]
    inner = np.flatnonzero(edge[:, 0] == 0)
    expected = noise_ceiling(responses[:, inner], runs[inner])
    np.testing.assert_allclose(intersubject_correlations(responses + 100 * edge, 3, runs), expected)
    assert intersubject_correlations(responses + 100 * edge, 3, runs, trim=0).min() > 0.99


@pytest.fixture
def short_story():
    """Two sections of 30 scans: words from the scan 2 to the scan 27, none in the scan 10."""
    scans = [scan for scan in range(2, 28) if scan != 10]
    rows = [(section, 2.0 * scan + 0.1, "word") for section in (1, 2) for scan in scans]
    words = pd.DataFrame(rows, columns=["section", "onset", "word"])
    return SimpleNamespace(tr=2.0, words=lambda _: words, scans=lambda _: {1: 30, 2: 30})


def test_silent_scans_are_nothing_out_of_the_ordinary(short_story, rng):
    states = rng.standard_normal((2, 50, 3)) + 5
    filled, published = align(short_story, "EN", states), align(short_story, "EN", states, silence="zeros")
    silent = ~published.values.any(axis=(0, 2))
    np.testing.assert_array_equal(np.flatnonzero(silent[:30]), [0, 1, 10, 28, 29])
    np.testing.assert_array_equal(filled.values[:, ~silent], published.values[:, ~silent])
    for part in run_slices(filled.run_of_scan):
        mean = published.values[:, part][:, ~silent[part]].mean(axis=1)
        for scan in np.flatnonzero(silent[part]):
            np.testing.assert_allclose(filled.values[:, part][:, scan], mean, rtol=1e-5)
    assert not align(short_story, "EN", states, aggregate="sum").values[:, silent].any()


def test_one_bit_says_whether_a_scan_has_words(short_story):
    bit, count = speech_or_silence(short_story, "EN"), word_count(short_story, "EN")
    assert bit.values.shape == (1, 60, 1) and set(bit.values.ravel()) == {0, 1}
    np.testing.assert_array_equal(bit.values > 0, count.values > 0)
    np.testing.assert_array_equal(bit.run_of_scan, np.repeat([1, 2], 30))


def test_scores_are_trimmed_and_cached_apart(rng, tmp_path):
    runs = np.repeat([1, 2, 3, 4], 40)
    features = Features(rng.standard_normal((2, 160, 3)).astype(np.float32), runs)
    responses = rng.standard_normal((2, 160, 5)).astype(np.float32)
    columns = pd.DataFrame({"region": list("abcde"), "hemisphere": "lh"})
    for trim in (TRIM, 0):
        options = {} if trim else {"trim": 0}
        found = score_participants(features, responses, ["a", "b"], columns, cache=tmp_path, **options)
        expected = cross_validate(features.values, np.hstack(responses), runs, trim=trim)
        picked = np.take_along_axis(expected.fold_scores, expected.chosen_layer()[None], axis=0)[0]
        np.testing.assert_allclose(np.hstack(found.fold_scores), picked, atol=1e-6)
        np.testing.assert_allclose(found.layer_scores.reshape(2, 10), expected.scores, atol=1e-6)


def test_chance_is_that_of_the_scans_that_are_scored(rng):
    """Speech begins and ends with the recording, and nothing else is there: beyond the edges no score is left."""
    runs, place = np.repeat([1, 2, 3, 4], 50), np.tile(np.arange(50), 4)
    speech = ((place > 1) & (place < 46)).astype(float)[:, None]
    features = Features((speech + 0.05 * rng.standard_normal((200, 3))).astype(np.float32)[None], runs)
    responses = 3 * np.roll(speech, 1, axis=0) + rng.standard_normal((2, 200, 6))
    masks = {"all": np.ones(6, bool)}
    trimmed, whole = (chance_by_group(features, 0, responses, masks, n_permutations=99, trim=t) for t in (TRIM, 0))
    assert whole.value.item() > 0.3 and whole.p.item() <= 0.05 and trimmed.p.item() > 0.05


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
