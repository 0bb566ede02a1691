"""Is a score more than nothing? p-values by target and by region, from scores refitted on permuted responses."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from brainbook.encoding.encoding_design import EncodingDesign
from brainbook.encoding.inputs import as_count
from brainbook.encoding.null_refits import NullRefitter, RefitBlock
from brainbook.stats.frames import TargetNames, target_frame
from brainbook.stats.scores import fisher_z

TIE = 1e-6  # a correlation that differs from another by less is the same, computed in another order
_STOPPED = 0.1  # the share of stopped targets from which on it pays to go on without them


@dataclass(frozen=True)
class PermutationScores:
    """Scores and what they would be if responses had nothing to do with features.

    Returned by `permutation_scores`.

    Attributes
    ----------
    score : array [targets], mean over folds of r (by Fisher's z), at a fixed alpha for each target.
    null : array [permutations, targets], float32: the same score, refitted on permuted responses.
    """

    score: np.ndarray
    null: np.ndarray

    def p(self, pooled: bool = False) -> np.ndarray:
        """Return one-sided p [targets]: how often the null reaches the score.

        pooled : compare with the standardised nulls of all targets together, which resolves p-values far below
            1 / permutations (needed for `fdr` over thousands of targets when few of them hold an effect).
        """
        if not pooled:
            return permutation_p(self.score, self.null)
        known = np.isfinite(self.score)
        z = fisher_z(self.null[:, known])
        center, spread = z.mean(0), z.std(0, ddof=1)
        everything = np.sort(((z - center) / spread).ravel())
        own = (fisher_z(self.score[known]) - center) / spread
        above = len(everything) - np.searchsorted(everything, own, side="left")
        p = np.full(self.score.shape, np.nan)
        p[known] = (1 + above) / (1 + len(everything))
        return p

    def family_p(self) -> np.ndarray:
        """Return p [targets] corrected for all targets at once: how often the null's best target reaches the score."""
        return permutation_p(self.score, np.nanmax(self.null, axis=1, keepdims=True))

    def regions(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the mean score of each region and its p.

        Parameters
        ----------
        labels : array [targets], the region of every target.

        Returns
        -------
        names [regions] (sorted), score [regions], p [regions]. Every permutation rearranges all targets alike, so the
        null keeps how a region's targets go together.
        """
        names, place = np.unique(np.asarray(labels), return_inverse=True)
        share = (place[:, None] == np.arange(len(names))) * np.isfinite(self.score)[:, None]
        with np.errstate(invalid="ignore"):
            share = share / share.sum(0)
        score = np.nan_to_num(self.score) @ share
        return names, score, permutation_p(score, np.nan_to_num(self.null) @ share)

    def to_frame(self, targets: TargetNames = None) -> pd.DataFrame:
        """Return one row per target: the targets' columns (as in `CrossValidation.to_frame`), score, p and family_p."""
        return target_frame(targets, {}, score=self.score, p=self.p(), family_p=self.family_p())


def permutation_scores(
    features: np.ndarray | EncodingDesign,
    responses: np.ndarray,
    runs: np.ndarray | None = None,
    alpha: float | np.ndarray | None = None,
    **options: Any,
) -> PermutationScores:
    """Score features on responses, and on responses permuted within runs, fitting anew each time.

    Where many targets hold nothing and each wants a p of its own, `sequential_permutation_test` gives it with far fewer
    permutations; for regions, families and intervals the nulls are needed, all of them.

    Parameters
    ----------
    features : array [scans, features], delayed already unless `delays` are given; or an `EncodingDesign`.
    responses : array [scans, targets].
    runs : array [scans], the run of every scan; responses are permuted within runs.
    alpha : penalty on the scale of z-scored features: one number, [targets], or with `best_of` a grid.

        One alpha for all targets (for example the median of `cross_validate`'s) gives the test its nominal
        false-positive rate. Alphas chosen for each target on the very responses that are tested make it a little too
        easy (some 6% at 5%, see `benchmarks/bench_calibration.py`); with `best_of=True` every target takes its best
        alpha of the grid, and so does every permutation, which is fair again.
    null : "shift" or "phase" (see `Permutations`).
    n_permutations : how many.
    seed : of the permutations.
    best_of : take the best of all alphas, for the responses and for every permutation alike.
    device : "auto", "cpu" or "cuda".
    tolerance : share of the linear map's norm that may be dropped to make null refits cheaper; 0 drops nothing. The
        scores themselves are always exact.
    block : targets at a time.
    delays, splits, trim, nuisance, scale : see `EncodingDesign`; no delays by default.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 40)
    >>> x = rng.standard_normal((120, 3))
    >>> y = np.c_[x.sum(1), np.zeros(120)] + rng.standard_normal((120, 2))
    >>> scores = permutation_scores(x, y, runs, alpha=10.0, n_permutations=99)
    >>> scores.null.shape
    (99, 2)
    >>> scores.p().round(2)
    array([0.01, 0.62])
    """
    refitter = NullRefitter(features, responses, runs, alpha, **options)
    score = np.full(refitter.targets.n_targets, np.nan)
    nulls = np.full((refitter.permutations.count, len(score)), np.nan, np.float32)
    for part in refitter.blocks():
        score[part.columns] = part.score
        done = 0
        with tqdm(desc="permutations", total=len(nulls), unit="refit", leave=False, disable=None) as bar:
            for null in part.null():
                nulls[done : done + len(null), part.columns] = null
                done += len(null)
                bar.update(len(null))
    return PermutationScores(score, nulls)


def permutation_test(
    features: np.ndarray | EncodingDesign,
    responses: np.ndarray,
    runs: np.ndarray | None = None,
    alpha: float | np.ndarray | None = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the cross-validated score of every target, and how often a refit on permuted responses does as well.

    For thousands of vertices see `sequential_permutation_test`, which stops early where nothing is.

    Parameters
    ----------
    features, responses, runs, alpha, options : see `permutation_scores`, which returns the nulls themselves (for p by
        region, pooled or corrected for all targets).

    Returns
    -------
    (score [targets], p [targets]); p is one-sided and at least 1 / (n_permutations + 1).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 40)
    >>> x = rng.standard_normal((120, 3))
    >>> y = np.c_[x.sum(1), np.zeros(120)] + rng.standard_normal((120, 2))
    >>> score, p = permutation_test(x, y, runs, alpha=10.0, n_permutations=99)
    >>> p.round(2)
    array([0.01, 0.62])
    """
    scores = permutation_scores(features, responses, runs, alpha, **options)
    return scores.score, scores.p()


class SequentialTest(NamedTuple):
    """What `sequential_permutation_test` returns.

    Attributes
    ----------
    score : array [targets], mean over folds of r (by Fisher's z); NaN where a target is constant or holds NaN.
    p : array [targets], one-sided; NaN where the score is.
    draws : integer array [targets], permutations after which the target stopped; 0 where the score is NaN.
    """

    score: np.ndarray
    p: np.ndarray
    draws: np.ndarray

    def to_frame(self, targets: TargetNames = None) -> pd.DataFrame:
        """Return one row per target: the targets' columns (as in `CrossValidation.to_frame`), score, p and draws."""
        return target_frame(targets, {}, **self._asdict())


def sequential_permutation_test(
    features: np.ndarray | EncodingDesign,
    responses: np.ndarray,
    runs: np.ndarray | None = None,
    alpha: float | np.ndarray | None = None,
    *,
    stop_after: int = 10,
    **options: Any,
) -> SequentialTest:
    """Test as `permutation_test` in a fraction of the time: a target stops once the null has often reached its score.

    The sequential Monte-Carlo test of Besag & Clifford (1991, Biometrika 78, 301-304). A target that stops at its n-th
    permutation has p = stop_after / n; one that draws all of them has p = (times reached + 1) / (n_permutations + 1).
    Either way p is at most a where nothing is with probability a or less, so `fdr` may be given these p-values. What is
    saved goes with the share of targets that hold nothing: they draw about stop_after x (1 + log(n_permutations /
    stop_after)) permutations on average, 56 of 1,000 with stop_after = 10; targets with a clear effect draw all.

    Parameters
    ----------
    features, responses, runs, alpha, options : see `permutation_scores`. The k-th permutation is the same for all
        targets and in both functions, so p is what its nulls, cut off where each target stops, would give. (p of
        regions, pooled or corrected for all targets needs all nulls.) No p is below 1 / (n_permutations + 1); where
        `fdr` over thousands of targets, few of which hold an effect, needs smaller ones, more permutations cost only
        what these few draw.
    stop_after : times that the null reaches the score before a target stops. The standard error of a p of a target that
        stopped is about p / sqrt(stop_after): a third of it with 10. Above n_permutations nothing stops early.

    Returns
    -------
    SequentialTest : score, p and draws of every target.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 40)
    >>> x = rng.standard_normal((120, 3))
    >>> y = np.c_[x.sum(1), np.zeros(120)] + rng.standard_normal((120, 2))
    >>> test = sequential_permutation_test(x, y, runs, alpha=10.0, n_permutations=99)
    >>> test.draws  # the second target, which holds nothing, stopped early
    array([99, 21])
    """
    stop_after = as_count(stop_after, "stop_after")
    refitter = NullRefitter(features, responses, runs, alpha, **options)
    n_targets, limit = refitter.targets.n_targets, refitter.permutations.count
    score, p, draws = np.full(n_targets, np.nan), np.full(n_targets, np.nan), np.zeros(n_targets, int)
    for block in tqdm(refitter.blocks(), "permutations", unit=" blocks of targets", leave=False, disable=None):
        reached, drawn = _draw(block, limit, stop_after)
        p_of_block = np.where(reached >= stop_after, stop_after / np.maximum(drawn, 1), (reached + 1) / (limit + 1))
        score[block.columns], draws[block.columns] = block.score, drawn
        p[block.columns] = np.where(drawn > 0, p_of_block, np.nan)
    return SequentialTest(score, p, draws)


def _draw(block: RefitBlock, limit: int, stop_after: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often the null reached each target's score before it stopped, and after how many permutations.

    Permutations are asked for in runs that double, so that they can be made several at a time; a run ends early, and
    stopped targets are left out of the products, when these are a tenth of those that are drawn.
    """
    scored = np.isfinite(block.score)
    reached, draws = np.zeros(len(scored), int), np.where(scored, limit, 0)
    going, done = np.flatnonzero(scored), 0
    while done < limit and len(going):
        for null in block.null(going, done, min(limit, done + max(stop_after, done))):
            count = reached[going] + (null >= block.score[going] - TIE).cumsum(0)  # permutations, targets
            last = (count[-1] >= stop_after) & (reached[going] < stop_after)
            draws[going[last]] = done + 1 + (count[:, last] >= stop_after).argmax(0)
            reached[going] = np.minimum(count[-1], stop_after)
            done += len(null)
            if (reached[going] >= stop_after).mean() >= _STOPPED:
                break
        going = going[reached[going] < stop_after]
    return reached, draws


def permutation_p(score: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return one-sided p: the share of permutations, the given order counted, whose score reaches `score`.

    A permutation that leaves all in place (with one run, one circular shift of each number of scans does) ties with
    `score` and counts. Its score is computed in another order, in float32: what is less than `TIE` below counts, too.

    Parameters
    ----------
    score : array [...]. null : array [permutations, ...].

    Examples
    --------
    >>> permutation_p(np.array([0.3]), np.array([[0.0], [0.1], [0.2], [0.4]]))
    array([0.4])
    """
    p = (1 + (null >= np.asarray(score) - TIE).sum(0)) / (1 + len(null))
    return np.where(np.isfinite(score), p, np.nan)
