"""Scores on responses and on their permutations, refitted each time, block by block: what every null shares."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from brainbook.encoding.delays import centred_delays
from brainbook.encoding.inputs import as_runs, as_splits
from brainbook.encoding.nulls import Compact, Permutations, fold_correlations, linear_maps
from brainbook.encoding.products import is_flat
from brainbook.encoding.solver import Space, find_device
from brainbook.encoding.splits import fold_weights, leave_one_run_out, short_folds, used_scans
from brainbook.encoding.targets import Targets, check_alphas
from brainbook.stats.scores import as_array

_COLUMNS = 1024  # few targets are permuted several times at once, so that a product is worth its call


class Refits:
    """Features, responses and permutations, ready to be scored; the arguments are those of `permutation_scores`.

    Attributes
    ----------
    targets : the responses, those that cannot be predicted set aside.
    permutations : the k-th is the same for all targets, whichever of them are drawn.
    """

    def __init__(
        self,
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
    ):
        runs = as_runs(runs)
        features, padding = as_array(features, "features"), None
        if features.ndim != 2 or not features.shape[1]:
            raise ValueError(f"features must be [scans, units] and hold one unit or more; they have {features.shape}")
        if delays is not None:
            features, padding = centred_delays(features, delays, runs)
        if splits is not None and trim:
            raise ValueError("give splits or trim, not both: splits may leave out any scans")
        splits = leave_one_run_out(runs, trim) if splits is None else as_splits(splits, len(runs))
        self.targets = Targets(responses, device=find_device(device), block=block)
        if self.targets.n_scans != len(runs) or len(features) != len(runs):
            raise ValueError(
                f"runs names {len(runs)} scans, features {len(features)}, responses {self.targets.n_scans}"
            )
        # Scans that neither train nor test take no part in permutations either: all that follows knows the others only.
        used = used_scans(splits)
        self.used = slice(None) if len(used) == len(runs) else torch.as_tensor(used)
        runs, features = runs[used], features[used]
        padding, nuisance = (None if part is None else np.asarray(part)[used] for part in (padding, nuisance))
        self.splits = [(np.searchsorted(used, train), np.searchsorted(used, test)) for train, test in splits]
        self.tests = [
            slice(int(t[0]), int(t[-1]) + 1) if np.all(np.diff(t) == 1) else torch.as_tensor(t) for _, t in self.splits
        ]
        self.weights = fold_weights(self.splits)
        self.weights[short_folds(runs, self.splits)] = 0
        self.best_of = best_of
        self.grid, self.alpha = _alphas(alpha, self.targets, best_of)
        self.space = Space(features, nuisance, padding=padding, scale=scale, device=device)
        self.with_nuisance = nuisance is not None
        self.permutations = Permutations(runs, null, n_permutations, seed)
        self.tolerance = tolerance if n_permutations * self.targets.n_targets > 50_000 else 0

    def blocks(self) -> Iterator["RefitBlock"]:
        """Every usable target once, some at a time: those of a block that share their alpha or (`best_of`) the grid."""
        maps = linear_maps(self.space, self.splits, self.grid)
        for group in [list(maps)] if self.best_of else ([one] for one in maps):
            value = group[0][0]
            pairs = [(mapping, Compact(mapping, self.tolerance)) for _, mapping in group]
            for part in self.targets.blocks():
                columns = np.flatnonzero(self.targets.usable[part] & (self.best_of | (self.alpha[part] == value)))
                if not len(columns):
                    continue
                y = self.targets.read(part)[self.used][:, torch.as_tensor(columns)]
                flat = torch.stack([is_flat(y[train]) | is_flat(y[test]) for train, test in self.splits])
                weights = torch.as_tensor(self.weights).to(y)[:, None] * ~flat  # folds, targets
                score = self._scores(y, [mapping.matmul for mapping, _ in pairs], weights)
                yield RefitBlock(self, columns + part.start, y, score, [fast for _, fast in pairs], weights)

    def _scores(self, y, maps, weights):
        """Mean r over folds, array [columns of y], by the best of the maps; weights [folds, columns]."""
        observed = _without(self.space.z, self.splits, y) if self.with_nuisance else y
        return reduce(np.maximum, (_mean(fold_correlations(one(y), observed, self.tests), weights) for one in maps))


@dataclass(frozen=True)
class RefitBlock:
    """Some targets with their scores, and as many refitted null scores as are asked for.

    Attributes
    ----------
    columns : array [targets in block], their places among all targets.
    responses : tensor [scans, targets in block], standardised.
    score : array [targets in block].
    weights : tensor [folds, targets in block], what each fold counts; 0 where the target is constant in it.
    """

    refits: Refits
    columns: np.ndarray
    responses: torch.Tensor
    score: np.ndarray
    maps: list[Compact]
    weights: torch.Tensor

    def null(self, kept: np.ndarray | None = None, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Null scores of permutations `start` to `stop` (all by default), a few permutations at a time.

        Parameters
        ----------
        kept : array of places within the block, the targets that are drawn; all by default.

        Yields
        ------
        float32 array [permutations, kept targets].
        """
        order = self.refits.permutations
        y, weights = self.responses, self.weights
        if kept is not None:
            y, weights = (part[:, torch.as_tensor(kept, device=y.device)] for part in (y, weights))
        for permuted in order.of(y, max(1, _COLUMNS // y.shape[1]), start, stop):
            drawn = self.refits._scores(permuted.flatten(1), self.maps, weights.repeat(1, permuted.shape[1]))
            yield drawn.reshape(-1, y.shape[1]).astype(np.float32)


def _alphas(alpha, targets, best_of):
    """The different alphas, and each target's own (which `best_of` does not use)."""
    alpha = np.asarray(alpha, float)
    if best_of:
        return check_alphas(alpha), np.zeros(targets.n_targets)
    if alpha.shape not in ((), (targets.n_targets,)):
        raise ValueError(
            f"alpha must be one number or one for each of {targets.n_targets} targets, not of shape {alpha.shape} "
            "(for a grid of alphas say best_of=True)"
        )
    alpha = np.broadcast_to(alpha, (targets.n_targets,))
    return check_alphas(alpha[targets.usable]), alpha


def _mean(scores, weights):
    z = torch.atanh(scores.double())
    return torch.tanh((z * weights).sum(0) / weights.sum(0)).cpu().numpy()


def _without(z, splits, y):
    """Every test scan's response without what training weights say of intercept and nuisance signals."""
    out = y.clone()
    for train, test in splits:
        weights = torch.linalg.pinv(z[train]).to(y.dtype) @ y[train]
        out[test] = y[test] - z[test].to(y.dtype) @ weights
    return out
