"""Which alpha suits each target: chosen inside the training scans of every outer fold.

Without the runs j and k the training scans are the same whether j or k is the outer fold, so nine runs need 36
decompositions for this, not 72.
"""

from itertools import combinations

import numpy as np
import torch

from brainbook.encoding.comparison import compare
from brainbook.encoding.products import Products
from brainbook.encoding.solver import Space, in_groups
from brainbook.encoding.targets import Targets


def choose_alphas(
    space: Space,
    targets: Targets,
    splits: list,
    alphas: np.ndarray,
    metric: str = "correlation",
    per_target: bool = True,
    fast: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The best alpha and its mean score over inner folds.

    Parameters
    ----------
    space, targets : features and responses.
    splits : list of (training scans, test scans); each outer fold tries alphas on the other folds' test scans.
    alphas : the grid, ascending.
    metric, per_target, fast : see `cross_validate`.

    Returns
    -------
    best, inner : arrays [folds, targets]; NaN for unusable targets, and `inner` too where there was a single alpha.
    """
    shape = (len(splits), targets.n_targets)
    if len(alphas) == 1:
        return np.where(targets.usable, np.full(shape, alphas[0]), np.nan), np.full(shape, np.nan)
    views = _views(splits)
    count = np.bincount([outer for _, pairs in views for outer, _ in pairs], minlength=len(splits))
    if not count.all():
        raise ValueError(
            f"{len(splits)} folds leave nothing to choose alphas on inside the training scans: "
            "give three runs or more, or a single alpha"
        )
    total = np.zeros((len(splits), len(alphas), targets.n_targets), np.float32)
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
                    total[outer, :, part] += torch.nan_to_num(score, nan=0.0).cpu().numpy()
        done += len(folds)
    total /= count[:, None, None]
    pick = total.argmax(1)
    if not per_target:
        pick = np.broadcast_to(total[..., targets.usable].mean(-1).argmax(1)[:, None], shape)
    best = np.where(targets.usable, alphas[pick], np.nan)
    inner = np.take_along_axis(total, pick[:, None], axis=1)[:, 0].astype(float)
    return best, np.where(targets.usable, inner, np.nan)


def _views(splits):
    """For each pair of folds: the scans that both train on, and whose choice it serves: [(outer fold, test scans)]."""
    views = []
    for j, k in combinations(range(len(splits)), 2):
        train = np.intersect1d(splits[j][0], splits[k][0])
        pairs = [(one, np.intersect1d(splits[two][1], splits[one][0])) for one, two in ((j, k), (k, j))]
        pairs = [(outer, test) for outer, test in pairs if len(test) > 2]
        if len(train) >= 3 and pairs:
            views.append((train, pairs))
    return views
