import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainbook.encoding import fixed_length, variable_length


def words_by_hand(states, scan_of_word, n_scans, aggregate):
    rows = []
    for scan in range(n_scans):
        mine = states[scan_of_word == scan]
        rows.append(np.zeros(states.shape[1]) if not len(mine) else getattr(mine, aggregate)(0))
    return np.array(rows)


@settings(max_examples=60, deadline=None)
@given(
    onsets=st.lists(st.floats(0, 60), min_size=1, max_size=60).map(sorted),
    n_scans=st.integers(1, 35),
    aggregate=st.sampled_from(["mean", "sum"]),
)
def test_variable_length_takes_the_words_that_begin_in_a_scan(onsets, n_scans, aggregate):
    states = np.random.default_rng(0).standard_normal((len(onsets), 3))
    expected = words_by_hand(states, np.floor(np.array(onsets) / 2 + 1e-9), n_scans, aggregate)
    np.testing.assert_allclose(variable_length(states, onsets, n_scans, aggregate=aggregate), expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(n_words=st.integers(1, 60), n_scans=st.integers(1, 20), size=st.integers(1, 7))
def test_fixed_length_takes_the_next_words_whatever_the_clock_says(n_words, n_scans, size):
    states = np.random.default_rng(0).standard_normal((n_words, 3))
    expected = words_by_hand(states, np.arange(n_words) // size, n_scans, "mean")
    np.testing.assert_allclose(fixed_length(states, n_scans, size), expected, atol=1e-12)


def test_an_onset_on_the_border_belongs_to_the_scan_that_begins_there():
    states = np.arange(1.0, 11.0)[:, None]
    # 0.3 / 0.1 is 2.9999999999999996 in floating point
    np.testing.assert_allclose(variable_length(states, np.arange(10) * 0.1, 10, tr=0.1)[:, 0], states[:, 0])
    np.testing.assert_allclose(variable_length(states[:2], [1.999, 2.0], 2)[:, 0], [1, 2])


def test_layers_are_aligned_alike_and_keep_their_type():
    states = np.random.default_rng(0).standard_normal((3, 12, 4)).astype(np.float32)
    stacked = fixed_length(states, 4)
    assert stacked.shape == (3, 4, 4) and stacked.dtype == np.float32
    np.testing.assert_allclose(stacked[1], fixed_length(states[1], 4), rtol=1e-6)
    assert not stacked[:, 3].any()  # 12 words fill two scans and a bit; the fourth has none


@pytest.mark.parametrize("silent", [[0, 4], [], [0, 1, 2, 3, 4]], ids=["some", "none", "all"])
def test_silence_may_be_given_the_mean_of_the_scans_with_words(silent):
    rng = np.random.default_rng(0)
    onsets = np.array([onset for scan in range(5) if scan not in silent for onset in (2 * scan, 2 * scan + 0.5)])
    states = rng.standard_normal((2, len(onsets), 3)) + 7
    zeros, filled = (variable_length(states, onsets, 5, silence=silence) for silence in ("zeros", "mean"))
    heard = [scan for scan in range(5) if scan not in silent]
    np.testing.assert_array_equal(filled[:, heard], zeros[:, heard])
    if heard:
        np.testing.assert_allclose(filled.mean(axis=1), zeros[:, heard].mean(axis=1))
        np.testing.assert_allclose(filled.var(axis=1) * 5, zeros[:, heard].var(axis=1) * len(heard))
    assert not zeros[:, silent].any() and (filled[:, silent].all() or not heard)
    with pytest.raises(ValueError, match='silence is "zeros" or "mean"'):
        fixed_length(np.ones((2, 3)), 4, silence="noise")


def test_the_two_agree_when_words_come_at_an_even_pace():
    states = np.random.default_rng(0).standard_normal((50, 4))
    onsets = np.arange(50) * 0.4  # five words every two seconds
    np.testing.assert_allclose(fixed_length(states, 10), variable_length(states, onsets, 10), atol=1e-12)


@pytest.mark.parametrize(
    ("onsets", "problem"), [([0.0, -1.0], "word 1 is -1"), ([np.nan, 1.0], "word 0 is nan"), ([1.0], "2 words")]
)
def test_onsets_that_cannot_be_are_named(onsets, problem):
    with pytest.raises(ValueError, match=problem):
        variable_length(np.ones((2, 3)), onsets, 4)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="words_per_scan"):
        fixed_length(np.ones((2, 3)), 4, words_per_scan=0)
    with pytest.raises(ValueError, match="aggregate"):
        fixed_length(np.ones((2, 3)), 4, aggregate="median")
    with pytest.raises(ValueError, match="tr"):
        variable_length(np.ones((2, 3)), [0, 1], 4, tr=0)
