"""What the latents hold: clusters of number, order by magnitude, and a number line with its confusions.

People and animals tell numbers apart better the farther apart they are (distance effect) and the smaller they are (size
effect); both follow if the inner value of n spreads in proportion to n, with the Weber fraction as the constant.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeCV
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier

from brainbook.errors import DatasetError
from brainbook.number_sense.classifiers import CHANCE
from brainbook.number_sense.images import NUMBERS, Images

N_SILHOUETTE = 2000  # images at most, as all their mutual distances are computed
# How numbers may be laid out on a line; the published study tried a logarithm, a square and an exponential.
SCALES: dict[str, Callable] = {"linear": np.asarray, "logarithm": np.log, "square": np.square, "exponential": np.exp}
SPREADS = {
    "scalar": lambda i, j: np.abs(i - j) / np.sqrt((i**2 + j**2) / 2),  # spread grows with number
    "constant": lambda i, j: np.abs(i - j),  # the same spread for all numbers
    "logarithmic": lambda i, j: np.abs(np.log(i) - np.log(j)),  # the same spread on a log scale
}


def cluster_quality(
    z: np.ndarray, images: Images, train_z: np.ndarray, train_images: Images, source: str, seed: int = 0
) -> pd.DataFrame:
    """Measure how well the latents of held-out images show each factor.

    z : float [images, latent], of `images`. train_z : float [train_images, latent], to fit the read-outs on.
    source : the modality's name, for the table.

    Returns one row per measure and factor: "silhouette" (of the held-out latents; -1..1, 0 for no clusters),
    "nearest neighbour" (share of held-out images whose nearest training image is of the same class) and "linear
    read-out" (accuracy of a linear discriminant that was fitted on training images). chance is 0 for the first, else
    one in the number of classes.
    """
    sample = np.random.default_rng(seed).permutation(len(z))[:N_SILHOUETTE]
    rows = []
    for factor, labels in images.factors.items():
        train_labels = train_images.factors[factor]
        neighbour = KNeighborsClassifier(1).fit(train_z, train_labels)
        linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-3).fit(train_z, train_labels)
        rows += [
            ("silhouette", factor, float(silhouette_score(z[sample], labels[sample])), 0.0),
            ("nearest neighbour", factor, neighbour.score(z, labels), CHANCE[factor]),
            ("linear read-out", factor, linear.score(z, labels), CHANCE[factor]),
        ]
    table = pd.DataFrame(rows, columns=["measure", "factor", "value", "chance"])
    return table.assign(source=source, target=source, condition="noise-free", ceiling=1.0, n=len(z))


def class_means(z: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the mean latents of the numbers 1..9: [images, latent] and int [images] -> [9, latent]."""
    if missing := sorted(set(NUMBERS) - set(number.tolist())):
        raise DatasetError(f"no image shows {missing[0]}: all of 1..9 are needed")
    return np.stack([z[number == n].mean(axis=0) for n in NUMBERS])


def distances(z: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances between the mean latents of the numbers 1..9: [9, 9]."""
    means = class_means(z, number)
    return np.linalg.norm(means[:, None] - means, axis=-1)


def magnitude(z: np.ndarray, number: np.ndarray, source: str, n_permutations: int = 999, seed: int = 0) -> pd.DataFrame:
    """Correlate numerical distance with latent distance, over the 36 pairs i < j of numbers.

    z : float [images, latent]. number : int [images].

    Returns one row per correlation, signed, chance 0: factor "Pearson" and condition "linear" for |i - j|, or
    "logarithm", "square", "exponential" for |f(i) - f(j)|; factor "Spearman" (rank-based, of |i - j|), whose column p
    is one-sided, from giving the nine means to numbers at random (as in Mantel's test).
    """
    distance = distances(z, number)
    i, j = np.triu_indices(len(NUMBERS), 1)
    numbers = np.array(NUMBERS, dtype=float)
    rows = []
    for scale, f in SCALES.items():
        numerical = np.abs(f(numbers[i]) - f(numbers[j]))
        rows.append({"factor": "Pearson", "condition": scale, "value": pearsonr(numerical, distance[i, j]).statistic})
    correlation = spearmanr(j - i, distance[i, j]).statistic
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(len(NUMBERS)) for _ in range(n_permutations)])
    ranks = distance[orders[:, i], orders[:, j]].argsort(axis=1).argsort(axis=1)  # permutation, pair
    null = np.corrcoef(np.vstack([rankdata(j - i), ranks]))[0, 1:]
    p = (1 + np.sum(null >= correlation - 1e-9)) / (1 + n_permutations)  # equal ranks tie, however they are rounded
    rows.append({"factor": "Spearman", "condition": "linear", "value": correlation, "p": p})
    about = {"measure": "magnitude", "source": source, "target": source, "chance": 0.0, "ceiling": 1.0}
    return pd.DataFrame(rows).assign(**about, n=len(i))


def read_number(train_z: np.ndarray, train_number: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Read number linearly off latents, by a ridge regression that was fitted elsewhere: float [images]."""
    return RidgeCV(np.logspace(-3, 3, 7)).fit(train_z, train_number).predict(z)


def value_by_number(read: np.ndarray, number: np.ndarray) -> pd.DataFrame:
    """Return mean and standard deviation of the read-out for each number: columns number, mean, sd."""
    grouped = pd.Series(read).groupby(number)
    return pd.DataFrame({"number": NUMBERS, "mean": grouped.mean().to_numpy(), "sd": grouped.std().to_numpy()})


def discriminability(values: pd.DataFrame) -> pd.DataFrame:
    """Return d' of the pairs i < j, distance of the means over the common spread: columns i, j, d_prime."""
    i, j = np.triu_indices(len(values), 1)
    mean, sd = values["mean"].to_numpy(), values["sd"].to_numpy().clip(1e-6)
    d_prime = (mean[j] - mean[i]) / np.sqrt((sd[i] ** 2 + sd[j] ** 2) / 2)
    number = values.number.to_numpy()
    return pd.DataFrame({"i": number[i], "j": number[j], "d_prime": d_prime})


def weber_fraction(pairs: pd.DataFrame) -> tuple[float, dict[str, float]]:
    """Fit the Weber fraction, and the share of variance of the d' of pairs that each of SPREADS explains.

    With a spread of w n, d' of (i, j) is |i - j| / (w sqrt((i^2 + j^2) / 2)): w is fitted by least squares on d', as
    is the one constant of the other spreads.
    """
    i, j, d_prime = (pairs[name].to_numpy(dtype=float) for name in ("i", "j", "d_prime"))
    total, explained, slopes = ((d_prime - d_prime.mean()) ** 2).sum(), {}, {}
    for name, spread in SPREADS.items():
        x = spread(i, j)
        slopes[name] = (x @ d_prime) / (x @ x)
        explained[name] = float(1 - ((d_prime - slopes[name] * x) ** 2).sum() / total)
    return float(1 / slopes["scalar"]) if slopes["scalar"] > 0 else np.inf, explained


def number_line(values: pd.DataFrame, source: str) -> pd.DataFrame:
    """Measure effects of the read-out, from `value_by_number`. One row each, measure "number line", factor:

    "order" (Spearman of number with mean read-out), "distance effect" (Spearman of |i - j| with d'; positive in
    people), "size effect" (Spearman of i with d' of (i, i + 1); negative in people), "spread" (Spearman of number with
    the standard deviation), "Weber fraction", and "scalar", "constant", "logarithmic" (variance of d' explained;
    chance 0).
    """
    pairs = discriminability(values)
    near = pairs[pairs.j - pairs.i == 1]
    fraction, explained = weber_fraction(pairs)
    effects = {
        "order": spearmanr(values.number, values["mean"]).statistic,
        "distance effect": spearmanr(pairs.j - pairs.i, pairs.d_prime).statistic,
        "size effect": spearmanr(near.i, near.d_prime).statistic,
        "spread": spearmanr(values.number, values.sd).statistic,
        "Weber fraction": fraction,
        **explained,
    }
    table = pd.DataFrame({"factor": effects.keys(), "value": effects.values()})
    table["chance"] = np.where(table.factor == "Weber fraction", np.nan, 0.0)
    about = {"measure": "number line", "source": source, "target": source, "condition": "noise-free"}
    return table.assign(**about, ceiling=np.nan, n=len(pairs))
