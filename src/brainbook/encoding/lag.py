"""Do the words and the recordings share a clock? The check to run before any model is fitted."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brainbook.encoding.delays import haemodynamic_response, run_slices


def lag_check(
    word_counts: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    lags: Sequence[int] = range(-6, 7),
    tr: float = 2.0,
) -> pd.DataFrame:
    """Correlate the response that speech should evoke with the one that was recorded, at several lags.

    What is expected is the number of words in each scan, convolved within the run with the haemodynamic response. If
    recordings and annotation begin at the same moment, it fits best at lag 0. A best lag of k says that the recording
    lags by k scans: responses come later than they should (k > 0; scans of silence at the beginning, say) or earlier
    (k < 0; the first scans are missing).

    Parameters
    ----------
    word_counts : array [scans], words that began in each scan.
    responses : array [scans] of an auditory region, cleaned; or [scans, targets], whose correlations are averaged.
    runs : array [scans], the run of each scan. No scan is compared with one of another run.
    lags : scans.
    tr : seconds from one scan to the next.

    Returns
    -------
    DataFrame with a row for each run and lag: run, lag (scans), value (Pearson r; NaN where fewer than ten scans
    overlap).
    """
    word_counts, responses = np.asarray(word_counts, float), np.asarray(responses, float)
    responses = responses[:, None] if responses.ndim == 1 else responses
    if word_counts.ndim != 1 or len(word_counts) != len(responses) or len(runs) != len(responses):
        raise ValueError(
            f"word_counts {word_counts.shape}, responses {responses.shape} and runs ({len(runs)}) must have the "
            "same scans"
        )
    curve = haemodynamic_response(np.arange(0, 32, tr))
    rows = []
    for part in run_slices(runs):
        expected = np.convolve(word_counts[part], curve)[: part.stop - part.start]
        observed = responses[part]
        for lag in lags:
            n_scans = len(expected) - abs(lag)
            value = np.nan
            if n_scans >= 10:
                earlier, later = slice(0, n_scans), slice(abs(lag), abs(lag) + n_scans)
                x, y = (earlier, later) if lag >= 0 else (later, earlier)
                value = _mean_correlation(expected[x], observed[y])
            rows.append((runs[part.start], lag, value))
    return pd.DataFrame(rows, columns=["run", "lag", "value"])


def _mean_correlation(expected: np.ndarray, observed: np.ndarray) -> float:
    """Mean over the targets that vary; NaN if none does or nothing was expected."""
    x, y = expected - expected.mean(), observed - observed.mean(axis=0)
    scale = np.sqrt((x**2).sum() * (y**2).sum(axis=0))
    return float(np.mean((x @ y)[scale > 0] / scale[scale > 0])) if (scale > 0).any() else np.nan
