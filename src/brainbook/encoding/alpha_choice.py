"""Which alpha suits each target: chosen inside the training scans of every outer fold.

Without the runs j and k the training scans are the same whether j or k is the outer fold, so nine runs need 36
decompositions for this, not 72.
"""

from itertools import combinations

import numpy as np
import torch

from brainbook.encoding.solver import Space, in_groups, score_alphas
from brainbook.encoding.targets import Targets

_STEPS = 2  # alphas that a search looks at on either side before it decides


def choose_alphas(
    space: Space,
    targets: Targets,
    splits: list,
    alphas: np.ndarray,
    metric: str = "correlation",
    per_target: bool = True,
    fast: bool = False,
    near: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The best alpha and its mean score over inner folds.

    Parameters
    ----------
    space, targets : features and responses.
    splits : list of (training scans, test scans); each outer fold tries alphas on the other folds' test scans.
    alphas : the grid, ascending.
    metric, per_target, fast : see `cross_validate`.
    near : array [folds, targets] of alphas of the grid to start from, or None for trying the whole grid. The search
        looks at the neighbours and goes on while the best alpha lies at the end of what it has seen. It finds a local
        best: the best of the grid for nearly every target that is predicted at all, but a curve with two hills may keep
        it on the lower one.

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
    low, high = np.zeros(shape, int), np.full(shape, len(alphas))
    if near is not None and per_target:
        start = np.searchsorted(alphas, np.where(targets.usable, near, alphas[0]) * (1 - 1e-9))
        low, high = np.maximum(start - 1, 0), np.minimum(start + 2, len(alphas))
    total = np.full((len(splits), len(alphas), targets.n_targets), np.nan, np.float32)
    ask_low, ask_high, kept = low.copy(), high.copy(), None
    while True:
        kept = _add_scores(total, space, targets, views, alphas, (ask_low, ask_high), metric, fast, kept)
        pick = np.nan_to_num(total, nan=-np.inf).argmax(1)
        down, up = (pick == low) & (low > 0), (pick == high - 1) & (high < len(alphas))
        if not (down | up).any():
            break
        ask_low = np.where(down, np.maximum(low - _STEPS, 0), np.where(up, high, 0))
        ask_high = np.where(down, low, np.where(up, np.minimum(high + _STEPS, len(alphas)), 0))
        low, high = np.where(down, ask_low, low), np.where(up & ~down, ask_high, high)
    total /= count[:, None, None]
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


def _add_scores(total, space, targets, views, alphas, asked, metric, fast, kept):
    """Sum into `total` [folds, alphas, targets] the scores of the alphas `asked` (from, to: arrays [folds, targets]).

    Returns the decomposed folds where they all fit into memory, to be given back as `kept`.
    """
    asked_low, asked_high = asked
    wanted = np.flatnonzero((asked_high > asked_low).any(0))
    everything = len(wanted) == targets.n_targets
    blocks = targets.blocks() if everything else np.split(wanted, range(targets.block, len(wanted), targets.block))
    grid = torch.as_tensor(alphas).to(targets.device, targets.dtype)
    plans = [(train, [test for _, test in pairs]) for train, pairs in views]
    done = 0
    for folds in kept or in_groups(space, plans):
        for part in blocks:
            y = targets.read(part)
            totals = space.totals(y)
            for (fold, _), (_, pairs) in zip(folds, views[done : done + len(folds)], strict=True):
                loadings = fold.loadings(y, totals)
                for (outer, test), right in zip(pairs, fold.rights, strict=True):
                    observed = fold.observed(y, totals, test)
                    windows = np.stack([asked_low[outer, part], asked_high[outer, part]])
                    for start, stop in np.unique(windows, axis=1).T:
                        if start >= stop:
                            continue
                        mine = np.flatnonzero((windows == [[start], [stop]]).all(0))
                        some = slice(None) if len(mine) == y.shape[1] else torch.as_tensor(mine, device=y.device)
                        score = score_alphas(
                            fold.values, loadings[:, some], right, observed[:, some], grid[start:stop], metric, fast
                        )
                        columns = np.arange(targets.n_targets)[part][mine]
                        found = torch.nan_to_num(score, nan=0.0).cpu().numpy()
                        before = total[outer, start:stop, columns].T
                        total[outer, start:stop, columns] = (np.nan_to_num(before) + found).T
        done += len(folds)
    return [folds] if len(folds) == len(plans) else None
