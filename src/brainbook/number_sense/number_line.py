"""The number line: which numbers are confused? Distance effect, size effect and Weber fraction.

People and animals tell numbers apart better the farther apart they are (distance effect) and the smaller they are (size
effect); both follow if the inner value of n spreads in proportion to n, with the Weber fraction as the constant.
"""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV

from brainbook.number_sense.images import NUMBERS

SPREADS = {
    "scalar": lambda i, j: np.abs(i - j) / np.sqrt((i**2 + j**2) / 2),  # spread grows with number
    "constant": lambda i, j: np.abs(i - j),  # the same spread for all numbers
    "logarithmic": lambda i, j: np.abs(np.log(i) - np.log(j)),  # the same spread on a log scale
}


def read_number(train_z: np.ndarray, train_number: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Number as a linear read-out of the latents that was fitted elsewhere: float [images]."""
    return RidgeCV(np.logspace(-3, 3, 7)).fit(train_z, train_number).predict(z)


def value_by_number(read: np.ndarray, number: np.ndarray) -> pd.DataFrame:
    """Mean and standard deviation of the read-out for each number: columns number, mean, sd."""
    grouped = pd.Series(read).groupby(number)
    return pd.DataFrame({"number": NUMBERS, "mean": grouped.mean().to_numpy(), "sd": grouped.std().to_numpy()})


def discriminability(values: pd.DataFrame) -> pd.DataFrame:
    """d' of the pairs i < j: distance of the means over the common spread, on the read-out; columns i, j, d_prime."""
    i, j = np.triu_indices(len(values), 1)
    mean, sd = values["mean"].to_numpy(), values["sd"].to_numpy().clip(1e-6)
    d_prime = (mean[j] - mean[i]) / np.sqrt((sd[i] ** 2 + sd[j] ** 2) / 2)
    number = values.number.to_numpy()
    return pd.DataFrame({"i": number[i], "j": number[j], "d_prime": d_prime})


def weber_fraction(pairs: pd.DataFrame) -> tuple[float, dict[str, float]]:
    """Weber fraction, and how well each spread explains the d' of the pairs (share of variance, one constant each).

    With a spread of w n, d' of (i, j) is |i - j| / (w sqrt((i^2 + j^2) / 2)): w is fitted by least squares on d'.
    """
    i, j, d_prime = (pairs[name].to_numpy(dtype=float) for name in ("i", "j", "d_prime"))
    total, explained, slopes = ((d_prime - d_prime.mean()) ** 2).sum(), {}, {}
    for name, apart in SPREADS.items():
        x = apart(i, j)
        slopes[name] = (x @ d_prime) / (x @ x)
        explained[name] = float(1 - ((d_prime - slopes[name] * x) ** 2).sum() / total)
    return float(1 / slopes["scalar"]) if slopes["scalar"] > 0 else np.inf, explained


def number_line(values: pd.DataFrame, source: str) -> pd.DataFrame:
    """Effects of the read-out, from `value_by_number`. One row each, measure "number line", factor:

    "order" (Spearman of number with mean read-out), "distance effect" (Spearman of |i - j| with d'; positive in
    people), "size effect" (Spearman of i with d' of (i, i + 1); negative in people), "spread" (Spearman of number with
    the standard deviation), "Weber fraction", and "scalar", "constant", "logarithmic" (variance of d' explained;
    chance 0).
    """
    pairs = discriminability(values)
    apart, near = pairs.j - pairs.i, pairs[pairs.j - pairs.i == 1]
    fraction, explained = weber_fraction(pairs)
    found = {
        "order": spearmanr(values.number, values["mean"]).statistic,
        "distance effect": spearmanr(apart, pairs.d_prime).statistic,
        "size effect": spearmanr(near.i, near.d_prime).statistic,
        "spread": spearmanr(values.number, values.sd).statistic,
        "Weber fraction": fraction,
        **explained,
    }
    chance = {name: np.nan if name == "Weber fraction" else 0.0 for name in found}
    return pd.DataFrame(
        {"measure": "number line", "source": source, "target": source, "factor": factor, "condition": "noise-free",
         "value": value, "chance": chance[factor], "cap": np.nan, "n": len(pairs)}
        for factor, value in found.items()
    )  # fmt: skip
