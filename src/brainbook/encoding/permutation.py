"""Is a score more than nothing? p-values by target and by region, and their correction for many tests."""

from dataclasses import dataclass

import numpy as np

from brainbook.encoding.null_refits import Refits


@dataclass(frozen=True)
class PermutationScores:
    """Scores and what they would be if responses had nothing to do with features.

    Attributes
    ----------
    score : array [targets], mean over folds of r (by Fisher's z), at a fixed alpha a target.
    null : array [permutations, targets], float32: the same score, refitted on permuted responses.
    """

    score: np.ndarray
    null: np.ndarray

    def p(self, pooled: bool = False) -> np.ndarray:
        """One-sided p [targets]: how often the null reaches the score.

        pooled : compare with the standardised nulls of all targets together, which resolves p-values far below
            1 / permutations (needed for `fdr` over thousands of targets when few of them hold an effect).
        """
        return _p(self.score, self.null, pooled)

    def family_p(self) -> np.ndarray:
        """p [targets] corrected for all targets at once: how often the null's best target reaches the score."""
        best = np.nanmax(self.null, axis=1)
        return _at_least(self.score, best[:, None])

    def regions(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean score of each region and its p.

        Parameters
        ----------
        labels : array [targets], the region of every target.

        Returns
        -------
        names [regions] (sorted), score [regions], p [regions]. Every permutation rearranges all targets alike, so the
        null keeps how a region's targets go together.
        """
        names, place = np.unique(np.asarray(labels), return_inverse=True)
        usable = np.isfinite(self.score)
        share = np.zeros((len(usable), len(names)))
        share[usable, place[usable]] = 1
        with np.errstate(invalid="ignore"):
            share /= share.sum(0)
        score = np.nan_to_num(self.score) @ share
        return names, score, _p(score, np.nan_to_num(self.null) @ share, False)


def permutation_scores(
    features: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    alpha: float | np.ndarray,
    *,
    null: str = "shift",
    n_permutations: int = 1000,
    seed: int = 0,
    delays=None,
    splits: list | None = None,
    trim: int = 0,
    nuisance: np.ndarray | None = None,
    scale: bool = True,
    best_of: bool = False,
    device: str = "auto",
    tolerance: float = 0.01,
    block: int | None = None,
) -> PermutationScores:
    """Score features on responses, and on responses rearranged within runs, fitting anew each time.

    Where many targets hold nothing and each wants a p of its own, `sequential_permutation_test` gives it with far fewer
    permutations; for regions, families and intervals the nulls are needed, all of them.

    Parameters
    ----------
    features : array [scans, features], delayed already unless `delays` are given.
    responses : array [scans, targets].
    runs : array [scans], the run of every scan; responses are rearranged within runs.
    alpha : penalty on the scale of z-scored features: one number, [targets], or with `best_of` a grid.

        One alpha for all targets (say the median of `cross_validate`'s) keeps the test at its level. Alphas chosen for
        each target on the very responses that are tested make it a little too easy (some 6% at 5%, see
        `benchmarks/bench_calibration.py`); with `best_of=True` every target takes its best alpha of the grid, and so
        does every permutation, which is fair again.
    null : "shift" or "phase" (see `Permutations`).
    n_permutations : how many.
    seed : of the permutations.
    delays : shifts in scans to apply first, as `cross_validate` does; None if the features are delayed.
    splits : (training scans, test scans) in place of leaving one run out. Scans that no fold uses are not permuted.
    trim : scans at each end of every run that are left out (see `leave_one_run_out`).
    nuisance : array [scans, signals], taken out of features and responses by the training scans' weights.
    scale : z-score features by the training scans of each fold.
    best_of : take the best of all alphas, for the responses and for every permutation alike.
    device : "auto", "cpu" or "cuda".
    tolerance : share of the linear map's norm that may be dropped to make null refits cheaper; 0 drops nothing. The
        scores themselves are always exact.
    block : targets at a time.
    """
    refits = Refits(
        features, responses, runs, alpha, null=null, n_permutations=n_permutations, seed=seed, delays=delays,
        splits=splits, trim=trim, nuisance=nuisance, scale=scale, best_of=best_of, device=device,
        tolerance=tolerance, block=block,
    )  # fmt: skip
    refits.targets.warn_unusable()
    score = np.full(refits.targets.n_targets, np.nan)
    nulls = np.full((n_permutations, len(score)), np.nan, np.float32)
    for part in refits.blocks():
        score[part.columns] = part.score
        done = 0
        for drawn in part.null():
            nulls[done : done + len(drawn), part.columns] = drawn
            done += len(drawn)
    return PermutationScores(score, nulls)


def permutation_test(
    features: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    alpha: float | np.ndarray,
    null: str = "shift",
    n_permutations: int = 1000,
    seed: int = 0,
    **options,
) -> tuple[np.ndarray, np.ndarray]:
    """Cross-validated score of every target, and how often a refit on rearranged responses does as well.

    For thousands of vertices see `sequential_permutation_test`, which stops early where nothing is.

    Parameters
    ----------
    features, responses, runs, alpha, null, n_permutations, seed : see `permutation_scores`, which takes the same
        `options` and returns the nulls themselves (for p by region, pooled or corrected for all targets).

    Returns
    -------
    (score [targets], p [targets]); p is one-sided and at least 1 / (n_permutations + 1).
    """
    found = permutation_scores(
        features, responses, runs, alpha, null=null, n_permutations=n_permutations, seed=seed, **options
    )
    return found.score, found.p()


def _at_least(score, null):
    p = (1 + (null >= score).sum(0)) / (1 + len(null))
    return np.where(np.isfinite(score), p, np.nan)


def _p(score, null, pooled):
    if not pooled:
        return _at_least(score, null)
    known = np.isfinite(score)
    z = np.arctanh(np.clip(null[:, known], -0.999999, 0.999999))
    center, spread = z.mean(0), z.std(0, ddof=1)
    everything = np.sort(((z - center) / spread).ravel())
    mine = (np.arctanh(np.clip(score[known], -0.999999, 0.999999)) - center) / spread
    above = len(everything) - np.searchsorted(everything, mine, side="left")
    p = np.full(score.shape, np.nan)
    p[known] = (1 + above) / (1 + len(everything))
    return p
