"""Scores on responses and on their permutations, refitted each time, block by block: what every null shares."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from brainbook.encoding.delays import delay
from brainbook.encoding.nulls import Compact, Permutations, fold_correlations, linear_maps
from brainbook.encoding.solver import Space, find_device
from brainbook.encoding.splits import leave_one_run_out
from brainbook.encoding.targets import Targets, check_alphas

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
        nuisance: np.ndarray | None = None,
        scale: bool = True,
        best_of: bool = False,
        device: str = "auto",
        tolerance: float = 0.01,
        block: int | None = None,
    ):
        runs = np.asarray(runs)
        features = np.asarray(features) if delays is None else delay(features, delays, runs)
        self.splits = leave_one_run_out(runs) if splits is None else splits
        self.tests = [
            slice(int(t[0]), int(t[-1]) + 1) if np.all(np.diff(t) == 1) else torch.as_tensor(t) for _, t in self.splits
        ]
        self.targets = Targets(responses, device=find_device(device), block=block)
        self.best_of = best_of
        self.grid, self.alpha = _alphas(alpha, self.targets, best_of)
        self.space = Space(features, nuisance, scale=scale, device=device)
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
                y = self.targets.read(part)[:, torch.as_tensor(columns)]
                score = self._scores(y, [mapping.matmul for mapping, _ in pairs])
                yield RefitBlock(self, columns + part.start, y, score, [fast for _, fast in pairs])

    def _scores(self, y, maps):
        """Mean r over folds, array [columns of y], by the best of the maps."""
        observed = _without(self.space.z, self.splits, y) if self.with_nuisance else y
        return reduce(np.maximum, (_mean(fold_correlations(one(y), observed, self.tests)) for one in maps))


@dataclass(frozen=True)
class RefitBlock:
    """Some targets with their scores, and as many refitted null scores as are asked for.

    Attributes
    ----------
    columns : array [targets in block], their places among all targets.
    responses : tensor [scans, targets in block], standardised.
    score : array [targets in block].
    """

    refits: Refits
    columns: np.ndarray
    responses: torch.Tensor
    score: np.ndarray
    maps: list[Compact]

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
        y = self.responses if kept is None else self.responses[:, torch.as_tensor(kept, device=self.responses.device)]
        for permuted in order.of(y, max(1, _COLUMNS // y.shape[1]), start, stop):
            drawn = self.refits._scores(permuted.flatten(1), self.maps)  # permutations x targets
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


def _mean(scores):
    return torch.tanh(torch.atanh(scores.double()).mean(0)).cpu().numpy()


def _without(z, splits, y):
    """Every test scan's response without what training weights say of intercept and nuisance signals."""
    out = y.clone()
    for train, test in splits:
        weights = torch.linalg.pinv(z[train]).to(y.dtype) @ y[train]
        out[test] = y[test] - z[test].to(y.dtype) @ weights
    return out
