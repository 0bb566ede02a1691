"""Tests without a distribution, and the correction of many p-values: sign flips and false discovery rates."""

from collections.abc import Callable

import numpy as np
from scipy.stats import false_discovery_control, permutation_test

MOST_FLIPS = 8192  # up to 13 participants all flips of signs are tried
_BATCH_BYTES = 2**26


def fdr(p: np.ndarray, method: str = "bh") -> np.ndarray:
    """Correct p-values for the share of false discoveries among all discoveries.

    Without NaN it is `scipy.stats.false_discovery_control`.

    Parameters
    ----------
    p : array of p-values; NaN ones stay NaN and do not count as tests.
    method : "bh" (Benjamini & Hochberg 1995: independent or positively dependent tests) or "by" (Benjamini & Yekutieli
        2001: any dependence).

    Returns
    -------
    array q of the same shape: calling all with q <= 0.05 discoveries makes at most 5% of them false on average.

    Examples
    --------
    >>> fdr(np.array([0.01, 0.02, 0.5]))
    array([0.03, 0.03, 0.5 ])
    """
    if method not in ("bh", "by"):
        raise ValueError(f'method is "bh" or "by", not {method!r}')
    p = np.asarray(p, float)
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known], method=method)
    return q


def sign_flip_test(
    values: np.ndarray,
    statistic: Callable = np.mean,
    *,
    alternative: str = "two-sided",
    n_flips: int = MOST_FLIPS,
    seed: int = 0,
) -> np.ndarray:
    """Test a mean of 0 of paired differences by flipping the signs of whole participants.

    Through `scipy.stats.permutation_test`, of kind "samples".

    Parameters
    ----------
    values : array [participants, ...], symmetric around 0 if nothing differs.
    statistic : function of (values, axis), the mean by default; `axis` is that of participants, which come last.
    alternative : "two-sided", "greater" or "less".
    n_flips : flips drawn at random where there are more than these; else all are tried.
    seed : of the draws.

    Returns
    -------
    array of p-values. The smallest is 2^(1 - participants): p < .05 needs six participants.

    Examples
    --------
    >>> sign_flip_test(np.array([0.1, 0.2, 0.1, 0.3, 0.2, 0.1]))  # 2 of 64 sign patterns
    np.float64(0.03125)
    """
    values = np.moveaxis(np.asarray(values, float), 0, -1)
    options = {"permutation_type": "samples", "vectorized": True, "n_resamples": n_flips, "alternative": alternative}
    batch = max(1, _BATCH_BYTES // max(1, values.nbytes))
    rng = np.random.default_rng(seed)
    return permutation_test((values,), statistic, axis=-1, batch=batch, rng=rng, **options).pvalue
