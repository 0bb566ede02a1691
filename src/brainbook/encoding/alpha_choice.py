"""Which alpha suits each target: chosen inside the training scans of every outer fold.

Without the runs j and k the training scans are the same whether j or k is the outer fold, so nine runs need 36
decompositions for this, not 72.
"""

from itertools import combinations

import numpy as np
import pandas as pd
import torch

from brainbook.encoding.alpha_scores import compare
from brainbook.encoding.products import Products
from brainbook.encoding.solver import Space, in_groups
from brainbook.encoding.splits import fold_weights
from brainbook.encoding.targets import Targets


def inner_scores(
    space: Space, targets: Targets, splits: list, alphas: np.ndarray, metric: str = "correlation", fast: bool = False
) -> np.ndarray:
    """The mean score of every alpha over the inner folds of every outer fold, weighted as `fold_weights` says.

    An inner fold in which a target is flat is left out of that target's mean.

    Parameters
    ----------
    space, targets : features and responses.
    splits : list of (training scans, test scans); each outer fold tries alphas on the other folds' test scans.
    alphas : the grid, ascending.
    metric, fast : see `cross_validate`.

    Returns
    -------
    float32 array [folds, alphas, targets].
    """
    views = _views(splits)
    if len({outer for _, pairs in views for outer, _ in pairs}) < len(splits):
        raise ValueError(
            f"{len(splits)} folds leave nothing to choose alphas on inside the training scans: "
            "give three runs or more, or a single alpha"
        )
    total = np.zeros((len(splits), len(alphas), targets.n_targets), np.float32)
    count = np.zeros((len(splits), 1, targets.n_targets), np.float32)
    grid = torch.as_tensor(alphas).to(targets.device, targets.dtype)
    options = (grid, targets.n_targets, metric, fast)
    done = 0
    products = Products(space, [train for train, _ in views])
    for folds in in_groups(space, [(train, [test for _, test in pairs]) for train, pairs in views]):
        compared = [compare(fold.values, fold.rights, *options) for fold, _ in folds]
        for part, y in targets.pieces():
            block = products.of(y)
            for (fold, tests), asked, (_, pairs) in zip(folds, compared, views[done : done + len(folds)], strict=True):
                loadings = fold.loadings(block)
                for (outer, _), test, comparison in zip(pairs, tests, asked, strict=True):
                    score = comparison.scores_of(loadings, block, fold, test)
                    weight = fold_weights([(None, test)], metric)[0] * ~block.flat(fold, test).cpu().numpy()
                    total[outer, :, part] += weight * torch.nan_to_num(score, nan=0.0).cpu().numpy()
                    count[outer, 0, part] += weight
        done += len(folds)
    return np.divide(total, count, out=total, where=count > 0)


class AlphaChooser:
    """How targets come by their alphas: each by itself, all together, or in groups of which only some are looked at.

    Parameters
    ----------
    targets : the responses.
    per_target : one alpha for each target, or one for all.
    groups : labels [targets] or None. Targets of one label share an alpha.
    sample : of each group at most so many usable targets, evenly spaced, are looked at.
    """

    def __init__(self, targets: Targets, per_target: bool = True, groups=None, sample: int = 16):
        self.per_target, self.usable = per_target, targets.usable
        self.sampled, self.group, self.sizes = targets, None, None
        if groups is None:
            return
        groups = np.asarray(groups)
        if groups.shape != (targets.n_targets,):
            raise ValueError(f"alpha_groups must be [{targets.n_targets} targets], not {groups.shape}")
        if not per_target:
            raise ValueError(
                "alpha_groups shares alphas within groups, per_target=False among all: ask for one of them"
            )
        if sample < 1:
            raise ValueError(f"group_sample must be 1 or more, not {sample}")
        if pd.isna(groups[self.usable]).any():
            raise ValueError("alpha_groups holds missing labels: give these targets a group of their own")
        if not self.usable.any():
            return
        names = np.unique(groups[self.usable])
        self.group = np.searchsorted(names, groups).clip(max=len(names) - 1)  # an unusable target's does not matter
        places = [np.flatnonzero(self.usable & (groups == name)) for name in names]
        places = [all_[np.linspace(0, len(all_) - 1, min(sample, len(all_))).round().astype(int)] for all_ in places]
        self.sizes = np.array([len(some) for some in places])  # of the samples, which lie one behind the other
        self.sampled = targets.some(np.concatenate(places))

    def choose(self, space: Space, splits: list, alphas: np.ndarray, metric: str, fast: bool) -> tuple:
        """The best alpha for every target, and its mean score over inner folds (within groups: the group's).

        Returns
        -------
        best, inner : arrays [folds, targets]; NaN for unusable targets, and `inner` too where there was a single alpha.
        """
        shape = (len(splits), len(self.usable))
        if len(alphas) == 1:
            return np.where(self.usable, np.full(shape, alphas[0]), np.nan), np.full(shape, np.nan)
        scores = inner_scores(space, self.sampled, splits, alphas, metric, fast)
        if self.group is not None:
            scores = np.add.reduceat(scores, np.cumsum(self.sizes) - self.sizes, axis=2) / self.sizes
        pick = scores.argmax(1)
        if not self.per_target:
            pick = np.broadcast_to(scores[..., self.usable].mean(-1).argmax(1)[:, None], shape)
        best = alphas[pick]
        inner = np.take_along_axis(scores, pick[:, None], axis=1)[:, 0].astype(float)
        if self.group is not None:
            best, inner = best[:, self.group], inner[:, self.group]
        return np.where(self.usable, best, np.nan), np.where(self.usable, inner, np.nan)


def _views(splits):
    """For each pair of folds: the scans that both train on, and whose choice it serves: [(outer fold, test scans)]."""
    views = []
    for j, k in combinations(range(len(splits)), 2):
        train = np.intersect1d(splits[j][0], splits[k][0])
        pairs = [(one, np.intersect1d(splits[two][1], splits[one][0])) for one, two in ((j, k), (k, j))]
        pairs = [(outer, test) for outer, test in pairs if len(test) > 3]
        if len(train) >= 3 and pairs:
            views.append((train, pairs))
    return views
