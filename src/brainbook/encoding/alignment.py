"""From words to scans: which words does a scan stand for?

Two answers of the seed paper. Fixed-length alignment (FLA) gives every scan the same number of consecutive words,
whatever the clock says. Variable-length alignment (VLA) gives every scan the words that began while it was taken.
Two answers that others give: a word counts in every scan by how much of it was heard there (`interval_weighted`), and
words are a signal that is low-passed before it is sampled at the scans (`lanczos`).

Words have their own clock (of the sound); `start` is where its zero lies, in seconds after the first scan.
"""

from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from brainbook.encoding.inputs import as_count, check_choice

Aggregate = Literal["mean", "sum"]
Silence = Literal["zeros", "mean"]
_INSTANT = 1e-3  # scans that a word without duration lasts in a mean: nothing beside others, all of it alone


def fixed_length(
    states: np.ndarray,
    n_scans: int,
    words_per_scan: int = 5,
    *,
    aggregate: Aggregate = "mean",
    silence: Silence = "zeros",
) -> np.ndarray:
    """Give each scan the next `words_per_scan` words, whatever the clock says.

    Words that are left over after the last scan are cut; scans that are left over after the last word are silent.

    Parameters
    ----------
    states : array [words, units] or [layers, words, units], the words in the order in which they were heard.
    n_scans : scans of the section.
    words_per_scan : how many consecutive words make a scan.
    aggregate : "mean" of the scan's words, or their "sum".
    silence : what scans without words get: "zeros", or the "mean" of the scans with words. Zeros lie far from every
        state, so that with them each unit says 'speech or silence' before it says anything else.

    Returns
    -------
    array [..., scans, units], the floating type of `states`.

    Examples
    --------
    >>> words = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> fixed_length(words, n_scans=3, words_per_scan=2)
    array([[1.5],
           [3.5],
           [5. ]])
    """
    words_per_scan, states = as_count(words_per_scan, "words_per_scan"), _states(states)
    return _gather(states, np.arange(states.shape[-2]) // words_per_scan, n_scans, aggregate, silence)


def variable_length(
    states: np.ndarray,
    onsets: np.ndarray,
    n_scans: int,
    tr: float = 2.0,
    *,
    start: float = 0.0,
    aggregate: Aggregate = "mean",
    silence: Silence = "zeros",
) -> np.ndarray:
    """Give each scan the words whose onset falls within its `tr` seconds: scan t takes onsets in [t tr, (t + 1) tr).

    Words that begin before the first or after the last scan are left out.

    Parameters
    ----------
    states : array [words, units] or [layers, words, units].
    onsets : array [words], seconds since the section began.
    n_scans : scans of the section.
    tr : seconds from one scan to the next.
    start : seconds from the first scan to zero of the words' clock, of either sign.
    aggregate : "mean" of the scan's words; "sum" also keeps how many there were (the mean drops the word rate).
    silence : what scans without words get: "zeros", or the "mean" of the scans with words (see `fixed_length`).

    Returns
    -------
    array [..., scans, units], the floating type of `states`.

    Raises
    ------
    ValueError : onsets that are missing, negative, or not as many as the words.

    Examples
    --------
    >>> words = np.array([[1.0], [2.0], [3.0]])
    >>> variable_length(words, onsets=[0.2, 1.9, 4.5], n_scans=3, tr=2.0)
    array([[1.5],
           [0. ],
           [3. ]])
    """
    states, onsets = _states(states), _seconds(onsets, "onset", states, tr)
    # 0.3 / 0.1 is 2.999...: an onset on the border belongs to the scan that begins there.
    return _gather(states, np.floor((onsets + start) / tr + 1e-9).astype(int), n_scans, aggregate, silence)


def interval_weighted(
    states: np.ndarray,
    onsets: np.ndarray,
    offsets: np.ndarray,
    n_scans: int,
    tr: float = 2.0,
    *,
    start: float = 0.0,
    aggregate: Aggregate = "mean",
    silence: Silence = "zeros",
) -> np.ndarray:
    """Give each scan the words that were heard during it, each by how long: a word may belong to several scans.

    Parameters
    ----------
    states, n_scans, tr, start, silence : as in `variable_length`.
    onsets, offsets : arrays [words], seconds; a word is heard in [onset, offset), one without duration at its onset.
    aggregate : "mean" of the states over the seconds of speech in the scan; or "sum", to which a word gives as much of
        itself as was heard in the scan: over all scans every word counts once, so that the word rate stays.

    Returns
    -------
    array [..., scans, units], the floating type of `states`.

    Raises
    ------
    ValueError : times that are missing, negative, or not as many as the words; an offset before its onset.

    Examples
    --------
    >>> import numpy as np
    >>> states = np.array([[1.0], [2.0]])  # one word from 1.5 to 2.5 s, one from 3 to 3.5 s
    >>> interval_weighted(states, [1.5, 3.0], [2.5, 3.5], n_scans=2, aggregate="sum")
    array([[0.5],
           [2.5]])
    """
    states = _states(states)
    onsets, offsets = (_seconds(times, name, states, tr) for times, name in ((onsets, "onset"), (offsets, "offset")))
    wrong = np.flatnonzero(offsets < onsets)
    if len(wrong):
        raise ValueError(f"word {wrong[0]} ends at {offsets[wrong[0]]} s, before it begins: {onsets[wrong[0]]} s")
    begin, end = (onsets + start) / tr + 1e-9, (offsets + start) / tr + 1e-9  # in scans
    first = np.floor(begin).astype(int)
    n_touched = np.maximum(np.ceil(end - 2e-9).astype(int) - first, 1)
    words = np.repeat(np.arange(len(first)), n_touched)
    scans = np.arange(len(words)) - np.repeat(np.cumsum(n_touched) - n_touched, n_touched) + first[words]
    instant = (end <= begin)[words]
    heard = np.where(instant, _INSTANT, np.minimum(end[words], scans + 1) - np.maximum(begin[words], scans))
    duration = np.where(instant, _INSTANT, (end - begin)[words])
    weights = heard if aggregate == "mean" else heard / duration
    return _weigh(states, scans, words, weights, n_scans, aggregate, silence)


def lanczos(
    states: np.ndarray,
    times: np.ndarray,
    n_scans: int,
    tr: float = 2.0,
    *,
    start: float = 0.0,
    window: int = 3,
    cutoff: float | None = None,
) -> np.ndarray:
    """Low-pass the words with a Lanczos filter and sample them in the middle of every scan.

    Words are impulses, so that the result keeps how many there were, and is 0 far from all of them. It is symmetric: a
    word also weighs in scans before it, up to `window` scans away.

    Parameters
    ----------
    states, n_scans, tr, start : as in `variable_length`.
    times : array [words], seconds: the middle of each word in the Huth lab's use, (onset + offset) / 2.
    window : lobes of the filter on each side.
    cutoff : Hz above which the filter removes; None for the scans' Nyquist rate, 1 / (2 tr).

    Returns
    -------
    array [..., scans, units], the floating type of `states`: at scan t the sum over words of state * L(d), with d =
    2 cutoff (middle of the scan - time) and L(d) = sinc(d) sinc(d / window), 0 from |d| = window on.

    Source: Huth et al. (2016), Nature 532, 453-458, and the code published with LeBel et al. (2023), Scientific Data
    10, 555, whose `cutoff` is twice this one.

    Examples
    --------
    >>> lanczos(np.ones((1, 1)), times=[3.0], n_scans=3, tr=2.0).round(2) + 0.0  # in the middle of the second scan
    array([[0.],
           [1.],
           [0.]])
    """
    states = _states(states)
    window = as_count(window, "window")
    rate = 1 / tr if cutoff is None else 2 * cutoff
    if not rate > 0:
        raise ValueError(f"cutoff must be a frequency above 0, not {cutoff}")
    middle = (_seconds(times, "time", states, tr) + start) / tr - 0.5  # in scans; scan t is sampled at t
    reach = window / (rate * tr)
    steps = np.arange(int(np.floor(2 * reach)) + 1)
    scans = (np.ceil(middle - reach).astype(int)[:, None] + steps).ravel()
    words = np.repeat(np.arange(len(middle)), len(steps))
    distance = (scans - middle[words]) * rate * tr
    weights = np.where(np.abs(distance) < window, np.sinc(distance) * np.sinc(distance / window), 0.0)
    return _weigh(states, scans, words, weights, n_scans, "sum", "zeros")


def _states(states: np.ndarray) -> np.ndarray:
    states = np.asarray(states)
    if states.ndim < 2:
        raise ValueError(f"states must be [words, units] or [layers, words, units]; they have shape {states.shape}")
    return states if states.dtype in (np.float32, np.float64) else states.astype(np.float32)


def _seconds(times: np.ndarray, name: str, states: np.ndarray, tr: float) -> np.ndarray:
    """Return times of words as an array [words]; ValueError for what is no time in seconds."""
    times = np.asarray(times, float)
    if tr <= 0:
        raise ValueError(f"tr, the seconds of a scan, must be positive, not {tr}")
    if times.shape != states.shape[-2:-1]:
        raise ValueError(f"{states.shape[-2]} words have states, but {name}s have shape {times.shape}")
    wrong = np.flatnonzero(~(times >= 0) | ~np.isfinite(times))
    if len(wrong):
        raise ValueError(f"{name} of word {wrong[0]} is {times[wrong[0]]}: {name}s are seconds of 0 or more")
    return times


def _gather(
    states: np.ndarray, scan_of_word: np.ndarray, n_scans: int, aggregate: Aggregate, silence: Silence
) -> np.ndarray:
    """Give each scan its whole words."""
    words = np.arange(len(scan_of_word))
    return _weigh(states, scan_of_word, words, np.ones(len(words)), n_scans, aggregate, silence)


def _weigh(
    states: np.ndarray,
    scans: np.ndarray,
    words: np.ndarray,
    weights: np.ndarray,
    n_scans: int,
    aggregate: Aggregate,
    silence: Silence,
) -> np.ndarray:
    """Sum weighted words, or average them, from triples of a scan, a word and its weight there."""
    check_choice(aggregate, "aggregate", ("mean", "sum"))
    check_choice(silence, "silence", ("zeros", "mean"))
    inside = (scans >= 0) & (scans < n_scans)
    scans, words, weights = scans[inside], words[inside], weights[inside]
    heard = np.bincount(scans, minlength=n_scans)
    if aggregate == "mean":
        weights = weights / np.bincount(scans, weights, minlength=n_scans)[scans]
    shape = n_scans, states.shape[-2]
    from_words = csr_array((weights.astype(states.dtype), (scans, words)), shape=shape)
    layers = states.reshape(int(np.prod(states.shape[:-2])), *states.shape[-2:])
    values = np.stack([from_words @ layer for layer in layers])
    if silence == "mean" and heard.any():
        values[:, heard == 0] = values[:, heard > 0].mean(axis=1, keepdims=True)
    return values.reshape(*states.shape[:-2], n_scans, states.shape[-1])
