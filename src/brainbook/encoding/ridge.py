"""Ridge regression from features to thousands of targets, each with its own alpha: the estimator."""

from numbers import Integral

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from brainbook.encoding.alpha_scores import compare
from brainbook.encoding.inputs import as_splits
from brainbook.encoding.products import Products
from brainbook.encoding.protocol_checks import warn_shared_runs
from brainbook.encoding.solver import Space, find_device, in_groups
from brainbook.encoding.splits import fold_weights, leave_one_run_out
from brainbook.encoding.targets import Targets, check_alphas, warn_border
from brainbook.stats import correlation, explained_variance
from brainbook.stats.scores import as_array

ALPHAS = tuple(float(alpha) for alpha in np.logspace(0, 6, 13))


class RidgeEncoder(RegressorMixin, BaseEstimator):
    """Ridge regression with one alpha a target, chosen by cross-validation over runs.

    Features are centred and z-scored by the training scans of each fold, and at the end by all the scans given to
    `fit`: give it training scans only, and predict the test scans with it. `cross_validate` does so for every run.

    Parameters
    ----------
    alphas : penalties to choose from, positive, on the scale of z-scored features (each penalty stands beside sums of
        squares over the training scans).
    cv : None for leaving one run out (by the `groups` of `fit`; without groups five contiguous blocks), a number of
        contiguous blocks, a list of (training scans, test scans), or a scikit-learn splitter.
    metric : "correlation" or "r2", for choosing the alpha.
    per_target : one alpha a target, or one for all targets.
    scale : z-score the features; otherwise they are only centred.
    fast : choose alphas by scores whose norms are bfloat16 products, where the processor has them; elsewhere nothing
        changes. A neighbouring alpha may be chosen, at a small loss of r (`tests/encoding/test_comparison.py` bounds
        it); the final fit is exact.
    block : targets at a time; None chooses by memory.
    device : "auto" (a GPU if there is one), "cpu", "cuda".

    Attributes
    ----------
    best_alphas_ : array [targets]; NaN for targets that are constant or hold NaN.
    cv_scores_ : array [alphas, targets], mean over folds.
    alphas_ : array, the alphas in ascending order (the rows of cv_scores_).
    border_ : (share of targets at the smallest alpha, share at the largest).
    n_features_in_ : int.

    Notes
    -----
    Computes in float32 unless features and targets are both float64; decompositions are always float64. Targets may be
    a memory-mapped array: they are read block by block.
    """

    def __init__(
        self,
        alphas=ALPHAS,
        *,
        cv=None,
        metric="correlation",
        per_target=True,
        scale=True,
        fast=False,
        block=None,
        device="auto",
    ):
        self.alphas = alphas
        self.cv = cv
        self.metric = metric
        self.per_target = per_target
        self.scale = scale
        self.fast = fast
        self.block = block
        self.device = device

    def fit(self, X, y, groups=None):
        """Choose the alphas and fit the weights.

        Parameters
        ----------
        X : array [scans, features].
        y : array [scans, targets] or [scans].
        groups : array [scans], the run of every scan.

        Returns
        -------
        self
        """
        if self.metric not in ("correlation", "r2"):
            raise ValueError(f'metric is "correlation" or "r2", not {self.metric!r}')
        if y is None:
            raise ValueError("RidgeEncoder requires y to be passed, but the target y is None")
        _no_mask(X, "X")
        X = validate_data(self, X, dtype=[np.float32, np.float64], ensure_min_samples=2)
        y = as_array(y, "y")
        y = y.astype(float) if y.dtype.kind not in "f" else y
        check_consistent_length(X, y, groups)
        self._one_target = y.ndim == 1
        y = y[:, None] if self._one_target else y
        dtype = torch.float64 if X.dtype == y.dtype == np.float64 else torch.float32
        device = find_device(self.device)
        self.alphas_ = check_alphas(self.alphas)
        targets = Targets(y, device=device, dtype=dtype, block=self.block)
        targets.warn_unusable()
        space = Space(X, scale=self.scale, device=device, dtype=dtype)
        self.cv_scores_ = self._compare(space, targets, self._splits(X, y, groups))
        self.best_alphas_ = self._choose(targets)
        found = self.best_alphas_[targets.usable]
        self.border_ = (
            (float(np.mean(found == self.alphas_[0])), float(np.mean(found == self.alphas_[-1])))
            if found.size
            else (np.nan, np.nan)
        )
        warn_border(found, self.alphas_)
        self._refit(space, targets)
        return self

    def _splits(self, X, y, groups):
        if len(np.atleast_1d(self.alphas)) == 1:
            return []
        n = len(X)
        if self.cv is None and groups is not None:
            return leave_one_run_out(groups)
        if self.cv is None or isinstance(self.cv, Integral):
            if self.cv is not None and self.cv < 2:
                raise ValueError(f"cv must be 2 blocks or more, not {self.cv}")
            blocks = np.array_split(np.arange(n), min(self.cv or 5, n))
            return [(np.setdiff1d(np.arange(n), block), block) for block in blocks]
        if not hasattr(self.cv, "split") and not len(self.cv):
            raise ValueError("cv is an empty list: give (training scans, test scans) for each fold, or None")
        splits = as_splits(check_cv(self.cv).split(X, y, groups), n)
        if groups is not None:
            warn_shared_runs(groups, splits, stacklevel=4)
        return splits

    def _compare(self, space, targets, splits):
        """Mean scores over folds, array [alphas, targets], by `fold_weights`: folds with too few scans count nothing.

        Nor does a fold count for the targets that are constant in it.
        """
        total = np.zeros((len(self.alphas_), targets.n_targets), np.float32)
        count = np.zeros(targets.n_targets, np.float32)
        grid = torch.as_tensor(self.alphas_).to(targets.device, targets.dtype)
        weights = fold_weights(splits, self.metric)
        plans = [(train, [test]) for (train, test), weight in zip(splits, weights, strict=True) if weight]
        products = Products(space, [train for train, _ in plans])
        for folds in in_groups(space, plans):
            options = (grid, targets.n_targets, self.metric, self.fast)
            compared = [compare(fold.values, fold.rights, *options)[0] for fold, _ in folds]
            for part, y in targets.pieces():
                block = products.of(y)
                for (fold, (test,)), comparison in zip(folds, compared, strict=True):
                    score = comparison.scores_of(fold.loadings(block), block, fold, test)
                    weight = fold_weights([(None, test)], self.metric)[0] * ~block.flat(fold, test).cpu().numpy()
                    total[:, part] += weight * torch.nan_to_num(score, nan=0.0).cpu().numpy()
                    count[part] += weight
        np.divide(total, count, out=total, where=count > 0)
        total[:, ~targets.usable] = np.nan
        return total

    def _choose(self, targets):
        scores = self.cv_scores_ if self.per_target else self.cv_scores_[:, targets.usable].mean(1, keepdims=True)
        best = self.alphas_[np.nan_to_num(scores, nan=-np.inf).argmax(0)]
        return np.where(targets.usable, best, np.nan)

    def _refit(self, space, targets):
        everything = np.arange(targets.n_scans)
        fold = space.fold(everything, keep=True)
        inner = fold.basis if space.primal else fold.left
        self._coefficients = np.empty(
            (len(inner), targets.n_targets), np.float64 if targets.dtype.itemsize == 8 else np.float32
        )
        products = Products(space, [everything])
        for part, y in targets.pieces():
            alpha = torch.as_tensor(np.nan_to_num(self.best_alphas_[part], nan=1.0)).to(y)
            loadings = fold.loadings(products.of(y)).div_(fold.values[:, None] + alpha)
            self._coefficients[:, part] = (inner @ loadings).cpu().numpy()
        scales = torch.ones_like(fold.scales) if space.primal else fold.scales  # the primal basis holds them already
        self._scale = (space.shift, space.size, scales.cpu().numpy(), fold.taken.cpu().numpy())
        self._train_features = None if space.primal else fold.x.cpu().numpy()
        self._means, self._sizes = targets.mean, np.where(targets.usable, targets.size, np.nan)
        self._block = targets.block

    def _standard(self, X):
        shift, size, scales, taken = self._scale
        return (((X - shift) / size - taken) * scales).astype(self._coefficients.dtype)

    def predict(self, X):
        """Predict responses.

        Parameters
        ----------
        X : array [scans, features].

        Returns
        -------
        array [scans, targets] (or [scans], if `fit` was given such), in the units of the training responses; NaN for
        targets that could not be fitted.
        """
        check_is_fitted(self)
        _no_mask(X, "X")
        X = validate_data(self, X, dtype=[np.float32, np.float64], reset=False)
        device = find_device(self.device)
        rows = torch.as_tensor(self._standard(X)).to(device)
        if self._train_features is not None:
            rows = rows @ torch.as_tensor(self._train_features).to(device).T
        predicted = np.empty((len(X), self._coefficients.shape[1]), self._coefficients.dtype)
        for start in range(0, predicted.shape[1], self._block):
            part = slice(start, start + self._block)
            values = (rows @ torch.as_tensor(self._coefficients[:, part]).to(device)).cpu().numpy()
            predicted[:, part] = values * self._sizes[part] + self._means[part]
        return predicted[:, 0] if self._one_target else predicted

    def weights(self, targets=slice(None)):
        """The weights of the features as they were given (not z-scored), made when asked for.

        Parameters
        ----------
        targets : slice or integer array, the targets whose weights are wanted.

        Returns
        -------
        array [features, targets], in units of response per unit of feature.
        """
        check_is_fitted(self)
        _, size, scales, _ = self._scale
        inner = self._coefficients[:, targets]
        if self._train_features is not None:
            inner = self._train_features.T @ inner
        return inner * (scales / size)[:, None].astype(inner.dtype) * self._sizes[targets].astype(inner.dtype)

    def score(self, X, y, sample_weight=None):
        """The mean over targets of r or R2 (by `metric`), a single number as scikit-learn's tools expect.

        For scores by target use `correlation(encoder.predict(X), y)`.
        """
        if sample_weight is not None:
            raise ValueError("scores are not weighted: leave sample_weight out")
        measure = correlation if self.metric == "correlation" else explained_variance
        return float(np.nanmean(measure(self.predict(X), np.asanyarray(y))))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _no_mask(values, name):
    """Refuse masked values, which scikit-learn's own check would unmask without a word."""
    if isinstance(values, np.ma.MaskedArray):
        as_array(values, name)
