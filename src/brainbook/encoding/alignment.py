"""From words to scans: which words does a scan stand for?

Two answers of the seed paper. Fixed-length alignment (FLA) gives every scan the same number of consecutive words,
whatever the clock says. Variable-length alignment (VLA) gives every scan the words that began while it was taken.
"""

from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from brainbook.encoding.inputs import as_count, check_choice

Aggregate = Literal["mean", "sum"]
Silence = Literal["zeros", "mean"]


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
    """
    words_per_scan, states = as_count(words_per_scan, "words_per_scan"), _states(states)
    return _gather(states, np.arange(states.shape[-2]) // words_per_scan, n_scans, aggregate, silence)


def variable_length(
    states: np.ndarray,
    onsets: np.ndarray,
    n_scans: int,
    tr: float = 2.0,
    *,
    aggregate: Aggregate = "mean",
    silence: Silence = "zeros",
) -> np.ndarray:
    """Give each scan the words whose onset falls within its `tr` seconds: scan t takes onsets in [t tr, (t + 1) tr).

    Words that begin after the last scan are left out.

    Parameters
    ----------
    states : array [words, units] or [layers, words, units].
    onsets : array [words], seconds since the section began.
    n_scans : scans of the section.
    tr : seconds from one scan to the next.
    aggregate : "mean" of the scan's words; "sum" also keeps how many there were (the mean drops the word rate).
    silence : what scans without words get: "zeros", or the "mean" of the scans with words (see `fixed_length`).

    Returns
    -------
    array [..., scans, units], the floating type of `states`.

    Raises
    ------
    ValueError : onsets that are missing, negative, or not as many as the words.
    """
    states = _states(states)
    onsets = np.asarray(onsets, float)
    if tr <= 0:
        raise ValueError(f"tr, the seconds of a scan, must be positive, not {tr}")
    if onsets.shape != states.shape[-2:-1]:
        raise ValueError(f"{states.shape[-2]} words have states, but onsets have shape {onsets.shape}")
    wrong = np.flatnonzero(~(onsets >= 0) | ~np.isfinite(onsets))
    if len(wrong):
        raise ValueError(f"onset of word {wrong[0]} is {onsets[wrong[0]]}: onsets are seconds of 0 or more")
    # 0.3 / 0.1 is 2.999...: an onset on the border belongs to the scan that begins there.
    return _gather(states, np.floor(onsets / tr + 1e-9).astype(int), n_scans, aggregate, silence)


def _states(states) -> np.ndarray:
    states = np.asarray(states)
    if states.ndim < 2:
        raise ValueError(f"states must be [words, units] or [layers, words, units]; they have shape {states.shape}")
    return states if states.dtype in (np.float32, np.float64) else states.astype(np.float32)


def _gather(states, scan_of_word, n_scans, aggregate, silence):
    check_choice(aggregate, "aggregate", ("mean", "sum"))
    check_choice(silence, "silence", ("zeros", "mean"))
    words = np.flatnonzero(scan_of_word < n_scans)
    scan_of_word = scan_of_word[words]
    counts = np.bincount(scan_of_word, minlength=n_scans)
    weights = 1 / counts[scan_of_word] if aggregate == "mean" else np.ones(len(words))
    shape = n_scans, states.shape[-2]
    from_words = csr_array((weights.astype(states.dtype), (scan_of_word, words)), shape=shape)
    layers = states.reshape(int(np.prod(states.shape[:-2])), *states.shape[-2:])
    scans = np.stack([from_words @ layer for layer in layers])
    if silence == "mean" and counts.any():
        scans[:, counts == 0] = scans[:, counts > 0].mean(axis=1, keepdims=True)
    return scans.reshape(*states.shape[:-2], n_scans, states.shape[-1])
