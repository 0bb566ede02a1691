"""Compare a model that separates matches from mismatches with chance, sentence lengths, or what it began as."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta, binomtest, bootstrap, rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainbook.errors import ConfigurationError


def accuracy(match: np.ndarray, predicted: np.ndarray, chance: float = 0.5) -> dict[str, float]:
    """Compute the share of right answers with its exact binomial interval and a test against chance.

    Parameters
    ----------
    match, predicted : [pairs], each 1 or 0.
    chance : accuracy of guessing.

    Returns
    -------
    n, correct, accuracy, lower, upper (95%, Clopper & Pearson 1934), p (exact binomial test, two-sided).
    """
    match, predicted = np.asarray(match).astype(bool), np.asarray(predicted).astype(bool)
    if match.shape != predicted.shape or match.ndim != 1:
        raise ConfigurationError(f"one answer per pair: {match.shape} labels, {predicted.shape} answers")
    return interval(int((match == predicted).sum()), len(match), chance)


def interval(correct: int, n: int, chance: float = 0.5) -> dict[str, float]:
    """Compute the same as `accuracy`, from a count of right answers."""
    test = binomtest(correct, n, chance)
    limits = test.proportion_ci(0.95, method="exact")
    measured = {"n": n, "correct": correct, "accuracy": correct / n}
    return {**measured, "lower": limits.low, "upper": limits.high, "p": test.pvalue}


def accuracy_table(match: np.ndarray, answers: Mapping[str, np.ndarray], **columns: Any) -> pd.DataFrame:
    """Compute `accuracy` of several classifiers: one row for each of `answers`, with `classifier` and `columns`."""
    rows = [{"classifier": name, **columns, **accuracy(match, given)} for name, given in answers.items()]
    return pd.DataFrame(rows)


def published_intervals(
    percent: float, sizes: Sequence[int] = (1000, 2000, 5000, 10_000), chance: float = 0.5
) -> pd.DataFrame:
    """Compute the interval that a published accuracy would have, had it come from a test part of each of these sizes.

    Columns as from `accuracy`, and `excludes_chance`.
    """
    table = pd.DataFrame([interval(round(percent / 100 * n), n, chance) for n in sizes])
    return table.assign(excludes_chance=(table.lower > chance) | (table.upper < chance))


def pairs_needed(percent: float, tries: int = 1, chance: float = 0.5, most: int = 50_000) -> int:
    """Return how many test pairs a published accuracy needs before its exact interval keeps clear of chance.

    Parameters
    ----------
    percent : the published accuracy.
    tries : of how many models (or seeds, settings) it is the best; the interval's level is 1 - .05 / `tries`
        (Bonferroni).
    most : the largest test part looked at.

    Returns
    -------
    The smallest n from which on the interval (Clopper & Pearson) excludes chance in test parts of any size up to
    `most`. Raises ConfigurationError where it does not even there.
    """
    n = np.arange(1, most + 1)
    correct = np.round(percent / 100 * n)
    tail = 0.025 / tries
    lower = np.where(correct > 0, beta.ppf(tail, correct, n - correct + 1), 0.0)
    upper = np.where(correct < n, beta.ppf(1 - tail, correct + 1, n - correct), 1.0)
    last = int(n[(lower <= chance) & (chance <= upper)].max(initial=0))
    if last == most:
        raise ConfigurationError(f"{percent}% cannot be distinguished from {100 * chance:g}% with {most:,} pairs")
    return last + 1


def length_only(pairs: pd.DataFrame) -> np.ndarray:
    """Predict how likely each pair is a match from numbers of characters and of words alone: float array [pairs].

    A logistic regression, trained on the part "train", over the logarithms of both lengths, their difference, its
    square and its size, for characters and for words (Chinese without spaces is one word). No word is looked at.
    """
    features: Any = []
    for count in (lambda text: len(text), lambda text: len(text.split())):
        first, second = (np.log(pairs[column].map(count).to_numpy(float)) for column in ("first", "second"))
        difference = first - second
        difference = difference - np.median(difference)  # languages differ in length throughout
        features += [first, second, difference, np.abs(difference), difference**2]
    features = np.stack(features, axis=1)
    train = (pairs.part == "train").to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[train], pairs.match[train])
    return model.predict_proba(features)[:, 1]


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the cosine of each row of `first` with the same row of `second`: [pairs, units] twice -> [pairs]."""
    first, second = (np.asarray(x, float) for x in (first, second))
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / np.maximum(norms, 1e-12)


def best_threshold(score: np.ndarray, match: np.ndarray) -> float:
    """Return the threshold above which calling a pair a match is right most often. Choose it on the training part.

    Parameters
    ----------
    score : [pairs], higher for matches.
    match : [pairs], 1 or 0.
    """
    order = np.argsort(-np.asarray(score), kind="stable")
    ranked, right = np.asarray(score)[order], np.asarray(match)[order]
    # right answers when the first k are called matches, k = 0 .. n; only between two different scores
    hits = np.concatenate([[0], np.cumsum(right)]) + (len(right) - right.sum()) - np.arange(len(right) + 1)
    hits = hits + np.concatenate([[0], np.cumsum(right)])
    borders = np.concatenate([[True], ranked[1:] != ranked[:-1], [True]])
    k = int(np.where(borders, hits, -1).argmax())
    if k == 0:
        return float(np.nextafter(ranked[0], np.inf))
    return float(ranked[-1]) - 1.0 if k == len(ranked) else float((ranked[k - 1] + ranked[k]) / 2)


def roc(match: np.ndarray, score: np.ndarray, seed: int = 0, n_resamples: int = 500) -> tuple[pd.DataFrame, dict]:
    """Compute the receiver operating characteristic, and the area under it with a 95% bootstrap interval over pairs.

    Parameters
    ----------
    match, score : [pairs]; a higher score says "match".

    Returns
    -------
    curve : DataFrame with false_positive_rate and true_positive_rate.
    area : auc, lower, upper.
    """
    match, score = np.asarray(match), np.asarray(score, float)
    false, true, _ = roc_curve(match, score)
    rng = np.random.default_rng(seed)
    options = {"n_resamples": n_resamples, "batch": 100, "method": "percentile", "rng": rng}
    limits = bootstrap((match, score), _area, paired=True, vectorized=True, **options).confidence_interval
    curve = pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true})
    return curve, {"auc": float(roc_auc_score(match, score)), "lower": float(limits.low), "upper": float(limits.high)}


def _area(match: np.ndarray, score: np.ndarray, axis: int = -1) -> np.ndarray:
    """Compute the area under the curve from ranks (Mann & Whitney): scikit-learn's, for many resamples at once."""
    positive = match == 1
    n, n_positive = match.shape[axis], positive.sum(axis)
    ranks = np.where(positive, rankdata(score, axis=axis), 0).sum(axis)
    return (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * (n - n_positive))


def retrieval(first: np.ndarray, second: np.ndarray, names: tuple[str, str] = ("EN", "FR")) -> pd.DataFrame:
    """Retrieve each sentence's translation from all sentences of the other language: the nearest by cosine.

    Parameters
    ----------
    first, second : [sentences, units], row i of the first is the translation of row i of the second.
    names : of the two languages.

    Returns
    -------
    One row per direction: asked, searched (languages), n, correct, accuracy, lower, upper, p (against chance, 1 / n),
    top5, mean_rank (1 is best), chance. Equal cosines share the ranks they take.
    """
    first, second = (np.asarray(x, np.float32) for x in (first, second))
    first, second = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (first, second))
    similarity = first @ second.T  # first, second
    rows = []
    for asked, searched, scores in ((names[0], names[1], similarity), (names[1], names[0], similarity.T)):
        own = np.diag(scores)[:, None]
        rank = 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
        n = len(rank)
        hits = interval(int((rank == 1).sum()), n, 1 / n)
        ranks = {"top5": (rank <= 5).mean(), "mean_rank": rank.mean(), "chance": 1 / n}
        rows.append({"asked": asked, "searched": searched, **hits, **ranks})
    return pd.DataFrame(rows)
