"""The haemodynamic response, and the check to run before any model is fitted: do words and recording share a clock?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import gamma

from brainbook.encoding.delays import run_slices
from brainbook.stats.scores import correlation

_GLOVER_PEAK = 5.00533  # seconds at which the curve below is highest
_FEWEST_SCANS = 10  # that a correlation at some lag needs


def haemodynamic_response(times: np.ndarray, peak: float = 5.0) -> np.ndarray:
    """Return the blood-oxygen response to a brief event: Glover's double gamma, scaled in time to peak at `peak`.

    Parameters
    ----------
    times : array of any shape, seconds since the event; before it the response is zero.
    peak : seconds from the event to the highest response.

    Returns
    -------
    array of the same shape: the response, 1 at its highest.

    Source: Glover (1999), NeuroImage 9, 416-429, with the parameters of `nilearn.glm.first_level.glover_hrf`.

    Examples
    --------
    >>> haemodynamic_response(np.array([-1.0, 0.0, 5.0, 10.0])).round(2)
    array([ 0.  ,  0.  ,  1.  , -0.11])
    """
    if peak <= 0:
        raise ValueError(f"the response peaks after the event: peak must be positive, not {peak}")
    return _glover(np.asarray(times, float) * (_GLOVER_PEAK / peak)) / _glover(_GLOVER_PEAK)


def _glover(times: np.ndarray | float) -> np.ndarray:
    return gamma.pdf(times, 6 / 0.9, scale=0.9) - 0.48 * gamma.pdf(times, 12 / 0.9, scale=0.9)


def lag_check(
    word_counts: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    lags: Sequence[int] = range(-6, 7),
    tr: float = 2.0,
    trim: int = 0,
) -> pd.DataFrame:
    """Correlate the response that speech should evoke with the one that was recorded, at several lags.

    The expected response is the number of words in each scan, convolved within the run with the haemodynamic response.
    If recordings and annotation begin at the same moment, it fits best at lag 0. A best lag of k says that the
    recording lags by k scans: responses come later than they should (k > 0; scans of silence at the beginning, for
    example) or earlier (k < 0; the first scans are missing).

    Parameters
    ----------
    word_counts : array [scans], words that began in each scan.
    responses : array [scans] of an auditory region, cleaned; or [scans, targets], whose correlations are averaged.
    runs : array [scans], the run of each scan. No scan is compared with one of another run.
    lags : scans.
    tr : seconds from one scan to the next.
    trim : scans of the responses at each end of a run that do not count: there any speech begins or ends, whatever the
        words.

    Returns
    -------
    DataFrame with a row for each run and lag: run, lag (scans), value (Pearson r; NaN where fewer than ten scans
    overlap).

    Examples
    --------
    >>> words = np.random.default_rng(0).poisson(3, 200)
    >>> heard = np.convolve(words, haemodynamic_response(2.0 * np.arange(12)))[:200]
    >>> table = lag_check(words, np.roll(heard, 1), np.ones(200))  # a recording that lags by a scan
    >>> table.loc[table["value"].idxmax(), "lag"].item()
    1
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
        n_scans = part.stop - part.start
        expected = np.convolve(word_counts[part], curve)[:n_scans]
        for lag in lags:
            first, stop = max(trim, lag), min(n_scans - trim, n_scans + lag)
            value = np.nan
            if stop - first >= _FEWEST_SCANS:
                x = expected[first - lag : stop - lag, None]
                y = responses[part][first:stop]
                r = correlation(np.broadcast_to(x, y.shape), y)
                value = r[np.isfinite(r)].mean() if np.ptp(x) and np.isfinite(r).any() else np.nan
            rows.append((runs[part.start], lag, value))
    return pd.DataFrame(rows, columns=["run", "lag", "value"])
