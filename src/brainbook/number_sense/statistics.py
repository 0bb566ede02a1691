"""Statistics over seeds: intervals, Welch's t and effect sizes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
SAME = 1e-9  # relative spread of values that differ by rounding only


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Mean and Student's t interval of it over seeds; the limits are NaN for a single value."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, np.nan
    if len(values) == 1:
        return values[0], np.nan, np.nan
    half = stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * stats.sem(values)
    return values.mean(), values.mean() - half, values.mean() + half


def against(values: Sequence[float], chance: float) -> dict[str, float]:
    """One-sample t test of seeds against a fixed value: difference, lower, upper (95 %), t, df, p (two-sided), g."""
    values = np.asarray(values, dtype=float)
    mean, lower, upper = interval(values)
    spread = values.std(ddof=1) if len(values) > 1 else np.nan
    spread = spread if spread > SAME * abs(mean) else 0.0
    t, p = stats.ttest_1samp(values, chance) if spread else (np.nan, np.nan)
    g = (mean - chance) / spread * _small_sample(len(values) - 1) if spread else np.nan
    return _rounded(mean - chance, lower - chance, upper - chance, t, len(values) - 1, p, g)


def welch(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """Welch's test of two arms: difference first - second, lower, upper (95 %), t, df, p (two-sided), g (Hedges)."""
    first, second = (np.asarray(values, dtype=float) for values in (first, second))
    difference = first.mean() - second.mean()
    if min(len(first), len(second)) < 2:
        return _rounded(difference, *[np.nan] * 6)
    parts = [values.var(ddof=1) / len(values) for values in (first, second)]
    if not sum(parts):
        return _rounded(difference, difference, difference, *[np.nan] * 4)
    # by hand: scipy warns where one arm does not vary at all, which is no trouble here
    error = np.sqrt(sum(parts))
    df = sum(parts) ** 2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, (first, second), strict=True))
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, df) * error
    p = 2 * stats.t.sf(abs(difference) / error, df)
    n = len(first) + len(second) - 2
    pooled = np.sqrt(((len(first) - 1) * first.var(ddof=1) + (len(second) - 1) * second.var(ddof=1)) / n)
    g = difference / pooled * _small_sample(n)
    return _rounded(difference, difference - half, difference + half, difference / error, df, p, g)


def summarise(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % interval of `value` over seeds for each group: `by`, value, lower, upper, seeds, chance, cap."""
    rows = []
    for key, group in table.groupby(list(by), sort=False, dropna=False):
        value, lower, upper = interval(group.value)
        rows.append(
            {**dict(zip(by, key, strict=True)), "value": value, "lower": lower, "upper": upper,
             "seeds": group.seed.nunique(), "chance": group.chance.mean(), "cap": group.cap.mean()}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _small_sample(df: float) -> float:
    """Hedges' correction of a standardised difference."""
    return 1 - 3 / (4 * df - 1) if df > 1 else np.nan


def _rounded(difference, lower, upper, t, df, p, g) -> dict[str, float]:
    names = ("difference", "lower", "upper", "t", "df", "p", "g")
    return dict(zip(names, map(float, (difference, lower, upper, t, df, p, g)), strict=True))
