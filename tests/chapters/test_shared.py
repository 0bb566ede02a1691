"""What chapters share: silent scans, the one bit of speech, scores that are trimmed and cached."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import Features, align, score_participants, speech_or_silence, word_count
from brainbook.chapters.shared import TRIM
from brainbook.encoding import cross_validate, interval_weighted, lanczos, run_slices
from brainbook.errors import ConfigurationError


@pytest.fixture
def short_story():
    """Two sections of 30 scans: words from the scan 2 to the scan 27, none in the scan 10."""
    scans = [scan for scan in range(2, 28) if scan != 10]
    rows = [(section, 2.0 * scan + 0.1, "word") for section in (1, 2) for scan in scans]
    words = pd.DataFrame(rows, columns=["section", "onset", "word"])
    return SimpleNamespace(
        tr=2.0, words=lambda _: words, scans=lambda _: {1: 30, 2: 30}, starts=lambda _: {1: 0.0, 2: 0.0}
    )


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


def test_words_reach_the_scans_by_any_clock(short_story, rng):
    """The story begins 3 s into the first run, and the second run 5 s into the sound."""
    words = short_story.words("EN").assign(offset=lambda rows: rows.onset + 1.5)
    states = rng.standard_normal((2, 50, 3))
    story = SimpleNamespace(
        tr=1.5, words=lambda _: words, scans=lambda _: {1: 44, 2: 32}, starts=lambda _: {1: 3.0, 2: -5.0}
    )
    for section, start, n_scans, scans in ((1, 3.0, 44, slice(0, 44)), (2, -5.0, 32, slice(44, 76))):
        rows = words[words.section == section]
        heard, times = states[:, rows.index], (rows.onset.to_numpy(), rows.offset.to_numpy())
        clock = {"tr": 1.5, "start": start}
        expected = {
            "interval": interval_weighted(heard, *times, n_scans, **clock, silence="mean"),
            "Lanczos": lanczos(heard, sum(times) / 2, n_scans, **clock),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(align(story, "EN", states, name).values[:, scans], values, rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigurationError, match="FLA, VLA, interval, Lanczos"):
        align(story, "EN", states, "nearest")


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
