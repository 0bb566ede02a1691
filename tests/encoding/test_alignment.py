import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from brainbook.encoding import fixed_length, interval_weighted, lanczos, variable_length


def words_by_hand(states, scan_of_word, n_scans, aggregate):
    rows = []
    for scan in range(n_scans):
        mine = states[scan_of_word == scan]
        rows.append(np.zeros(states.shape[1]) if not len(mine) else getattr(mine, aggregate)(0))
    return np.array(rows)


@settings(deadline=None)
@given(
    onsets=st.lists(st.floats(0, 60), min_size=1, max_size=60).map(sorted),
    n_scans=st.integers(1, 35),
    aggregate=st.sampled_from(["mean", "sum"]),
)
def test_variable_length_takes_the_words_that_begin_in_a_scan(onsets, n_scans, aggregate):
    states = np.random.default_rng(0).standard_normal((len(onsets), 3))
    expected = words_by_hand(states, np.floor(np.array(onsets) / 2 + 1e-9), n_scans, aggregate)
    np.testing.assert_allclose(variable_length(states, onsets, n_scans, aggregate=aggregate), expected, atol=1e-12)


@settings(deadline=None)
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


@pytest.mark.parametrize(("start", "tr"), [(0.0, 2.0), (10.0, 2.0045), (-20.0, 1.5), (3.3, 0.72)])
def test_words_lie_in_the_scan_of_their_own_time(start, tr):
    """A word at `onset` lies in the scan floor((onset + start) / tr), for every way to give words to scans."""
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, 90, 150))
    states, n_scans = rng.standard_normal((150, 3)), 50
    place = np.floor((onsets + start) / tr)
    expected = words_by_hand(states, place, n_scans, "sum")
    np.testing.assert_allclose(
        variable_length(states, onsets, n_scans, tr, start=start, aggregate="sum"), expected, atol=1e-12
    )
    brief = interval_weighted(states, onsets, onsets, n_scans, tr, start=start, aggregate="sum")
    np.testing.assert_allclose(brief, expected, atol=1e-12)  # words without duration lie at their onset
    moved = lanczos(states, onsets + max(start, 0), n_scans, tr, start=min(start, 0))
    np.testing.assert_allclose(lanczos(states, onsets, n_scans, tr, start=start), moved, atol=1e-12)


@settings(deadline=None)
@given(
    words=st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 6)), min_size=1, max_size=30),
    tr=st.sampled_from([0.72, 1.5, 2.0]),
    start=st.floats(-5, 5),
)
def test_a_word_counts_in_each_scan_by_how_long_it_was_heard_there(words, tr, start):
    """Counted on a clock of milliseconds."""
    onsets, durations = np.round(np.array(words).T, 3)
    start, n_scans = round(start, 3), 20
    states = np.random.default_rng(0).standard_normal((len(onsets), 2))
    seconds = np.zeros((n_scans, len(onsets)))
    for word, (onset, duration) in enumerate(zip(onsets, durations, strict=True)):
        ticks = np.arange(round((onset + start) * 1000), round((onset + start + duration) * 1000))
        scans = ticks // round(1000 * tr)
        np.add.at(seconds[:, word], scans[(scans >= 0) & (scans < n_scans)], 0.001)
    options = {"n_scans": n_scans, "tr": tr, "start": start}
    found = interval_weighted(states, onsets, onsets + durations, aggregate="sum", **options)
    np.testing.assert_allclose(found, seconds / durations @ states, atol=1e-6)
    total = seconds.sum(1, keepdims=True)
    mean = np.divide(seconds @ states, total, out=np.zeros((n_scans, 2)), where=total > 1e-9)
    np.testing.assert_allclose(interval_weighted(states, onsets, onsets + durations, **options), mean, atol=1e-6)


@pytest.mark.parametrize(("tr", "start", "cutoff", "window"), [(2.0, 0, None, 3), (1.5, -7, 0.1, 3), (2.0, 4, 0.5, 2)])
def test_lanczos_is_the_formula(tr, start, cutoff, window):
    """The sum over words of state x sinc(d) sinc(d / window), d in units of twice the cutoff, written out."""
    rng = np.random.default_rng(0)
    times, states = np.sort(rng.uniform(0, 80, 120)), rng.standard_normal((120, 3))
    frequency = 1 / tr if cutoff is None else 2 * cutoff
    expected = np.zeros((45, 3))
    for scan in range(45):
        d = frequency * ((scan + 0.5) * tr - (times + start))
        with np.errstate(invalid="ignore", divide="ignore"):
            weights = window * np.sin(np.pi * d) * np.sin(np.pi * d / window) / (np.pi**2 * d**2)
        expected[scan] = np.where(d == 0, 1, np.where(np.abs(d) > window, 0, weights)) @ states
    found = lanczos(states, times, 45, tr, start=start, cutoff=cutoff, window=window)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_lanczos_removes_what_is_faster_than_the_scans():
    """Words every tenth of a second: a slow wave passes, one beyond the scans' Nyquist rate does not."""
    times = np.arange(0.05, 400, 0.1)
    slow, fast = (np.sin(2 * np.pi * f * times)[:, None] for f in (0.02, 0.4))
    inner = slice(10, 190)
    middle = (np.arange(200) + 0.5) * 2
    passed = lanczos(slow, times, 200)[inner, 0] / 20  # twenty words in a scan
    np.testing.assert_allclose(passed, np.sin(2 * np.pi * 0.02 * middle[inner]), atol=0.02)
    assert np.abs(lanczos(fast, times, 200)[inner]).max() / 20 < 0.05


def test_times_and_filters_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="word 1 ends at 1.0 s, before it begins: 2.0 s"):
        interval_weighted(np.ones((2, 1)), [0, 2], [1, 1], 4)
    with pytest.raises(ValueError, match="offset of word 0 is nan"):
        interval_weighted(np.ones((2, 1)), [0, 2], [np.nan, 3], 4)
    with pytest.raises(ValueError, match="cutoff"):
        lanczos(np.ones((2, 1)), [0, 2], 4, cutoff=0.0)
    with pytest.raises(ValueError, match="aggregate"):
        interval_weighted(np.ones((2, 1)), [0, 2], [1, 3], 4, aggregate="median")
