"""Magnitude: do numbers that lie far apart have latents that lie far apart?"""

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, spearmanr

from brainbook.errors import DatasetError
from brainbook.number_sense.images import NUMBERS

# How a number may be laid out on a line; the published study tried a logarithm, a square and an exponential.
SCALES = {"linear": lambda n: n, "logarithm": np.log, "square": np.square, "exponential": np.exp}


def class_means(z: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Mean latents of the numbers 1..9: [images, latent] and int [images] -> [9, latent]."""
    missing = sorted(set(NUMBERS) - set(np.unique(number)))
    if missing:
        raise DatasetError(f"no image shows {missing[0]}: magnitude needs all of 1..9")
    return np.stack([z[number == n].mean(axis=0) for n in NUMBERS])


def magnitude(z: np.ndarray, number: np.ndarray, source: str, n_permutations: int = 999, seed: int = 0) -> pd.DataFrame:
    """Correlation of numerical distance with latent distance, over the 36 pairs i < j of numbers.

    z : float [images, latent]. number : int [images]. Latent distance is Euclidean, between class means.

    Returns one row a correlation, signed, chance 0: factor "Pearson" and condition "linear" for |i - j|, or
    "logarithm", "square", "exponential" for |f(i) - f(j)|; factor "Spearman" (rank-based, of |i - j|), whose column p
    is one-sided, from giving the nine means to numbers at random (as in Mantel's test).
    """
    means = class_means(z, number)
    distance = np.linalg.norm(means[:, None] - means, axis=-1)  # number, number
    i, j = np.triu_indices(len(NUMBERS), 1)
    numbers = np.array(NUMBERS, dtype=float)
    rows = []
    for scale, f in SCALES.items():
        apart = np.abs(f(numbers[i]) - f(numbers[j]))
        rows.append({"factor": "Pearson", "condition": scale, "value": pearsonr(apart, distance[i, j]).statistic})
    ranked = spearmanr(np.abs(numbers[i] - numbers[j]), distance[i, j]).statistic
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(n_permutations):
        order = rng.permutation(len(NUMBERS))
        null.append(distance[order[i], order[j]])
    apart_ranks = pd.Series(np.abs(i - j)).rank().to_numpy()
    ranks = np.argsort(np.argsort(np.array(null), axis=1), axis=1)
    by_chance = np.corrcoef(np.vstack([apart_ranks, ranks]))[0, 1:]
    p = (1 + np.sum(by_chance >= ranked)) / (1 + n_permutations)
    rows.append({"factor": "Spearman", "condition": "linear", "value": ranked, "p": p})
    table = pd.DataFrame(rows).assign(measure="magnitude", source=source, target=source, chance=0.0, cap=1.0)
    return table.assign(n=len(i))
