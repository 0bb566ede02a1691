"""Which alpha suits each target: chosen inside the training scans of every outer fold.

Without the runs j and k the training scans are the same whether j or k is the outer fold, so nine runs need 36
decompositions for this, not 72.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from brainbook.encoding.alpha_scores import Plans, mean_alpha_scores
from brainbook.encoding.inputs import Splits, as_count
from brainbook.encoding.ridge_design import RidgeDesign
from brainbook.encoding.targets import Targets


class AlphaChooser:
    """How targets come by their alphas: each by itself, all together, or in groups of which a sample is looked at.

    Parameters
    ----------
    targets : the responses.
    per_target : one alpha for each target, or one for all.
    groups : labels [targets] or None. Targets of one label share an alpha.
    sample : of each group at most so many usable targets, evenly spaced, are looked at.
    """

    def __init__(
        self, targets: Targets, per_target: bool = True, groups: np.ndarray | None = None, sample: int = 16
    ) -> None:
        self.per_target, self.usable = per_target, targets.usable
        self.sampled, self.group = targets, None
        if groups is None:
            return
        groups, sample = np.asarray(groups), as_count(sample, "group_sample")
        if groups.shape != (targets.n_targets,):
            raise ValueError(f"alpha_groups must be [{targets.n_targets} targets], not {groups.shape}")
        if not per_target:
            raise ValueError(
                "alpha_groups shares alphas within groups, per_target=False among all: ask for one of them"
            )
        if pd.isna(groups[self.usable]).any():
            raise ValueError("alpha_groups holds missing labels: give these targets a group of their own")
        if not self.usable.any():
            return
        names = np.unique(groups[self.usable])
        self.group = np.searchsorted(names, groups).clip(max=len(names) - 1)  # an unusable target's does not matter
        sampled = [_evenly(np.flatnonzero(self.usable & (groups == name)), sample) for name in names]
        self.sizes = np.array([len(places) for places in sampled])
        self.sampled = targets.subset(np.concatenate(sampled))

    def choose(self, design: RidgeDesign, splits: Splits, alphas: np.ndarray, metric: str, approximate: bool) -> tuple:
        """Return the best alpha for every target, and its mean score over inner folds (within groups: the group's).

        Returns
        -------
        best, inner : arrays [folds, targets]; NaN for unusable targets, and `inner` too where there was a single alpha.
        """
        shape = (len(splits), len(self.usable))
        if len(alphas) == 1:
            return np.where(self.usable, np.full(shape, alphas[0]), np.nan), np.full(shape, np.nan)
        scores = mean_alpha_scores(design, self.sampled, _inner_folds(splits), alphas, metric, approximate)
        return self.best(scores, alphas)

    def best(self, scores: np.ndarray, alphas: np.ndarray) -> tuple:
        """Return the best alpha and its score, arrays [folds, targets], from scores [folds, alphas, sampled]."""
        if self.group is not None:
            scores = np.add.reduceat(scores, np.cumsum(self.sizes) - self.sizes, axis=2) / self.sizes
        pick = scores.argmax(1)
        if not self.per_target:
            together = scores[..., self.usable].mean(-1).argmax(1)
            pick = np.repeat(together[:, None], scores.shape[2], axis=1)
        inner = np.take_along_axis(scores, pick[:, None], axis=1)[:, 0].astype(float)
        arrays = [alphas[pick], inner]
        if self.group is not None:
            arrays = [array[:, self.group] for array in arrays]
        return tuple(np.where(self.usable, array, np.nan) for array in arrays)


def _evenly(places: np.ndarray, n: int) -> np.ndarray:
    """Return at most `n` of the places, evenly spaced."""
    return places[np.linspace(0, len(places) - 1, min(n, len(places))).round().astype(int)]


def _inner_folds(splits: Splits) -> Plans:
    """Return for each pair of folds the scans that both train on, and the [(outer fold, test scans)] that it serves.

    Each outer fold tries alphas on the other folds' test scans.
    """
    plans = []
    for pair in combinations(range(len(splits)), 2):
        train = np.intersect1d(splits[pair[0]][0], splits[pair[1]][0])
        tests = [(outer, np.intersect1d(splits[inner][1], splits[outer][0])) for outer, inner in (pair, pair[::-1])]
        tests = [(outer, test) for outer, test in tests if len(test) > 3]
        if len(train) >= 3 and tests:
            plans.append((train, tests))
    if len({outer for _, tests in plans for outer, _ in tests}) < len(splits):
        raise ValueError(
            f"{len(splits)} folds leave nothing to choose alphas on inside the training scans: "
            "give three runs or more, or a single alpha"
        )
    return plans
