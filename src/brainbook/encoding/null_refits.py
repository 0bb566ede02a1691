"""What scores come out when nothing is there: refitted nulls that keep the recordings' autocorrelation.

For a fixed alpha the cross-validated prediction of all scans is a linear map of the responses, P = H Y, where H has
zeros wherever a test scan would see its own fold. A refit on permuted responses is then one matrix product, H perm(Y):
as honest as fitting anew, at a fraction of the price. (Comparing permuted responses with predictions that were fitted
once is not honest: run j trains k and k trains j, so the folds' scores are correlated, and 5% become 12-18%.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch

from brainbook.encoding.delays import run_slices
from brainbook.encoding.encoding_design import EncodingDesign
from brainbook.encoding.fold_systems import final_fold
from brainbook.encoding.inputs import Splits, as_alphas, check_choice
from brainbook.encoding.products import is_flat
from brainbook.encoding.ridge_design import RidgeDesign, pearson, rows
from brainbook.encoding.splits import fold_weights, short_folds
from brainbook.stats.scores import LARGEST_R, fisher_mean

_COLUMNS = 1024  # few targets are permuted several times at once, so that a product is worth its call
_WORTH_RANK = 50_000  # permuted targets from which on it pays to look for a low rank


def hat_matrices(design: RidgeDesign, splits: Splits, alphas: np.ndarray) -> Iterator[tuple[float, torch.Tensor]]:
    """Yield for each alpha the matrix H [scans, scans] from responses to their cross-validated predictions.

    Parameters
    ----------
    design : the features.
    splits : list of (training scans, test scans); no scan tests twice.
    alphas : the alphas wanted.

    Yields
    ------
    (alpha, H), H in the design's precision; rows of scans that never test are zero. Predictions H Y lack the mean
    over a fold's test scans, which no correlation within a fold needs.
    """
    folds, kind = [], final_fold(design, alphas)
    for train, test in splits:
        signals = rows(design.signals, train).to(design.dtype)
        scans = torch.as_tensor(test)[:, None], torch.as_tensor(train)
        fold = kind(design, train, [test])
        fold.train_features = None  # no more test scans are projected
        folds.append((scans, fold, signals, torch.linalg.pinv(signals)))
    n_scans = len(design.x)
    for alpha in alphas:
        matrix = torch.zeros(n_scans, n_scans, device=design.device, dtype=design.dtype)
        for scans, fold, signals, inverse in folds:
            own = fold.hat_matrix(float(alpha))
            # responses lose what the intercept and nuisance signals explain in training
            matrix[scans] = own - (own @ signals) @ inverse
        yield float(alpha), matrix


class LowRankMap:
    """A matrix as a product of two thin matrices where that is cheaper, or as it is.

    The directions left out carry less than `tolerance` of the matrix's Frobenius norm: in a null prediction that is
    noise of a hundredth of its size, far below what 1,000 permutations resolve.
    """

    def __init__(self, matrix: torch.Tensor, tolerance: float = 0.01) -> None:
        self.matrix, self.inner, self.outer = matrix, None, None
        if tolerance <= 0:
            return
        values, vectors = torch.linalg.eigh((matrix.T @ matrix).double())
        values = values.clamp_min(0)
        left_out = int((values.cumsum(0) <= tolerance**2 * values.sum()).sum())
        if len(values) - left_out < 0.4 * len(matrix):
            self.inner = vectors[:, left_out:].to(matrix.dtype)  # scans, rank
            self.outer = matrix @ self.inner

    def __call__(self, responses: torch.Tensor) -> torch.Tensor:
        if self.inner is None:
            return self.matrix @ responses
        return self.outer @ (self.inner.T @ responses)


class Permutations:
    """Random permutations of the responses within runs, the same for all targets, so that their relations stay.

    "shift": each run's scans move in a circle by a random number of scans; every value and nearly all of the
    autocorrelation stay. "phase": each run keeps its mean and power spectrum, with random phases (Theiler et al. 1992,
    Physica D 58, 77-94): the same phases for all targets, for a run its own.

    Parameters
    ----------
    runs : array [scans].
    null : "shift" or "phase".
    count : how many.
    seed : the k-th permutation depends on the seed and k alone.
    used : integer array or None, the scans that take part; all others stay as they are.

    Examples
    --------
    >>> import torch
    >>> shifts = Permutations(np.repeat([1, 2], 4), "shift", count=1, seed=0)
    >>> next(shifts.of(torch.arange(8.0)[:, None]))[:, 0, 0]
    tensor([2., 3., 0., 1., 7., 4., 5., 6.])
    """

    def __init__(self, runs: np.ndarray, null: str, count: int, seed: int, used: np.ndarray | None = None) -> None:
        check_choice(null, "null", ("shift", "phase"))
        self.null, self.count, self.n_scans = null, count, len(runs)
        used = np.arange(len(runs)) if used is None else used
        self.parts = [used[part] for part in run_slices(np.asarray(runs)[used])]
        rng = np.random.default_rng(seed)
        lengths = np.array([len(part) for part in self.parts])
        if null == "shift":  # row by row, so that more permutations begin with the same ones
            self.draws = (rng.random((count, len(lengths))) * lengths).astype(int)
            return
        sizes = lengths // 2 + 1
        self.draws = np.split(2 * np.pi * rng.random((count, sizes.sum())), np.cumsum(sizes)[:-1], axis=1)
        for draws, length in zip(self.draws, lengths, strict=True):
            draws[:, 0] = 0  # the mean stays
            if length % 2 == 0:  # the highest frequency of an even length is real: its sign may change
                draws[:, -1] = np.where(draws[:, -1] < np.pi, 0, np.pi)

    def of(
        self, responses: torch.Tensor, at_once: int = 1, start: int = 0, stop: int | None = None
    ) -> Iterator[torch.Tensor]:
        """Yield permutations of responses [scans, targets], `at_once` together: [scans, permutations, targets].

        start, stop : the first one and the one before which to end; all by default.
        """
        stop = self.count if stop is None else min(stop, self.count)
        permute = self._shifted if self.null == "shift" else self._turned
        for first in range(start, stop, at_once):
            yield permute(responses, slice(first, min(first + at_once, stop)))

    def _shifted(self, responses: torch.Tensor, chosen: slice) -> torch.Tensor:
        source = np.repeat(np.arange(self.n_scans)[:, None], chosen.stop - chosen.start, axis=1)
        for number, part in enumerate(self.parts):
            source[part] = part[(np.arange(len(part))[:, None] - self.draws[chosen, number]) % len(part)]
        return responses[torch.as_tensor(source).to(responses.device)]

    def _turned(self, responses: torch.Tensor, chosen: slice) -> torch.Tensor:
        permuted = responses[:, None].repeat(1, chosen.stop - chosen.start, 1)
        for draws, part in zip(self.draws, self.parts, strict=True):
            angle = torch.as_tensor(draws[chosen].T, device=responses.device).to(responses.dtype)
            turn = torch.polar(torch.ones_like(angle), angle)[:, :, None]  # frequencies, permutations, 1
            spectrum = torch.fft.rfft(rows(responses, part), dim=0)[:, None]
            permuted[torch.as_tensor(part)] = torch.fft.irfft(spectrum * turn, n=len(part), dim=0)
        return permuted


def fold_correlations(predicted: torch.Tensor, observed: torch.Tensor, tests: list) -> torch.Tensor:
    """Compute r in every fold, tensor [folds, targets], from predictions and responses [scans, targets]."""
    r = torch.stack([pearson(rows(predicted, test), rows(observed, test)) for test in tests])
    return r.clamp_(-LARGEST_R, LARGEST_R)


class NullRefitter:
    """A design, responses and permutations, ready to be scored.

    Parameters
    ----------
    features : array [scans, units], or an `EncodingDesign` of one feature space.
    responses : array [scans, targets].
    runs, alpha, null, n_permutations, seed, best_of, device, tolerance, block : see `permutation_scores`.
    delays, options : see `EncodingDesign`.

    Attributes
    ----------
    targets : the responses, those that cannot be predicted set aside.
    permutations : the k-th is the same for all targets, whichever of them are drawn. Scans that neither train nor test
        take no part in them.
    """

    def __init__(
        self,
        features: np.ndarray | EncodingDesign,
        responses: np.ndarray,
        runs: np.ndarray | None,
        alpha: float | np.ndarray | None,
        *,
        null: str = "shift",
        n_permutations: int = 1000,
        seed: int = 0,
        best_of: bool = False,
        device: str = "auto",
        tolerance: float = 0.01,
        block: int | None = None,
        delays: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        design = EncodingDesign.of(features, runs, delays, **options)
        if not design.single:
            raise ValueError("a permutation test takes one feature space: features [scans, units]")
        self.splits, self.best_of, self.with_nuisance = design.splits, best_of, design.nuisance is not None
        self.targets = design.targets(responses, device, block=block)
        self.weights = np.where(short_folds(design.runs, self.splits), 0, fold_weights(self.splits))
        self.alphas, self.own_alpha = self._alphas(np.asarray(alpha, float))
        self.design = design.ridge_design(device=device)
        self.permutations = Permutations(design.runs, null, n_permutations, seed, design.used)
        self.tolerance = tolerance if n_permutations * self.targets.n_targets > _WORTH_RANK else 0

    def _alphas(self, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the different alphas, and each target's own (which `best_of` does not use)."""
        n_targets = self.targets.n_targets
        if self.best_of:
            return as_alphas(alpha), np.zeros(n_targets)
        if alpha.shape not in ((), (n_targets,)):
            raise ValueError(
                f"alpha must be one number or one for each of {n_targets} targets, not of shape {alpha.shape} "
                "(for a grid of alphas say best_of=True)"
            )
        alpha = np.broadcast_to(alpha, (n_targets,))
        return as_alphas(alpha[self.targets.usable]), alpha

    def blocks(self) -> Iterator["RefitBlock"]:
        """Yield every usable target once, in blocks of those that share their alpha or (`best_of`) the grid."""
        matrices = hat_matrices(self.design, self.splits, self.alphas)
        for group in [list(matrices)] if self.best_of else ([pair] for pair in matrices):
            exact = [matrix.matmul for _, matrix in group]
            maps = [LowRankMap(matrix, self.tolerance) for _, matrix in group]
            for block in self.targets.blocks():
                mine = self.targets.usable[block] & (self.best_of | (self.own_alpha[block] == group[0][0]))
                columns = np.flatnonzero(mine)
                if not len(columns):
                    continue
                y = self.targets.read(block)[:, torch.as_tensor(columns)]
                flat = torch.stack([is_flat(y[train]) | is_flat(y[test]) for train, test in self.splits])
                yield RefitBlock(self, columns + block.start, y, self.scores(y, exact, flat), maps, flat)

    def scores(self, y: torch.Tensor, maps: list, flat: torch.Tensor) -> np.ndarray:
        """Compute the mean r over the folds that are not flat [folds, columns of y], by the best of the maps."""
        observed = self._without_signals(y) if self.with_nuisance else y
        tests = [test for _, test in self.splits]
        by_fold = (fold_correlations(map_(y), observed, tests).masked_fill_(flat, torch.nan) for map_ in maps)
        return reduce(np.maximum, (fisher_mean(r.cpu().numpy(), weights=self.weights) for r in by_fold))

    def _without_signals(self, y: torch.Tensor) -> torch.Tensor:
        """Return every test scan's response without what training weights say of intercept and nuisance signals."""
        signals, residual = self.design.signals, y.clone()
        for train, test in self.splits:
            weights = torch.linalg.pinv(signals[train]).to(y.dtype) @ y[train]
            residual[test] = y[test] - signals[test].to(y.dtype) @ weights
        return residual


@dataclass(frozen=True)
class RefitBlock:
    """Some targets with their scores, and as many refitted null scores as are asked for.

    Attributes
    ----------
    columns : array [targets in block], their places among all targets.
    responses : tensor [scans, targets in block], standardised.
    score : array [targets in block].
    flat : boolean tensor [folds, targets in block], where a target is constant in a fold, which counts nothing then.
    """

    refitter: NullRefitter
    columns: np.ndarray
    responses: torch.Tensor
    score: np.ndarray
    maps: list[LowRankMap]
    flat: torch.Tensor

    def null(self, selected: np.ndarray | None = None, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield null scores of permutations `start` to `stop` (all by default), a few permutations at a time.

        Parameters
        ----------
        selected : array of places within the block, the targets that are drawn; all by default.

        Yields
        ------
        float32 array [permutations, selected targets].
        """
        y, flat = self.responses, self.flat
        if selected is not None:
            y, flat = (part[:, torch.as_tensor(selected, device=y.device)] for part in (y, flat))
        at_once = max(1, _COLUMNS // y.shape[1])
        for permuted in self.refitter.permutations.of(y, at_once, start, stop):
            drawn = self.refitter.scores(permuted.flatten(1), self.maps, flat.repeat(1, permuted.shape[1]))
            yield drawn.reshape(-1, y.shape[1]).astype(np.float32)
