"""Ridge regression from features to thousands of targets, each with its own alpha: the estimator."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from brainbook.encoding.alpha_choice import AlphaChooser
from brainbook.encoding.alpha_scores import mean_alpha_scores
from brainbook.encoding.cross_validation import ALPHAS
from brainbook.encoding.fold_systems import final_fold
from brainbook.encoding.inputs import Splits, as_alphas, check_choice
from brainbook.encoding.products import SharedProducts
from brainbook.encoding.ridge_design import METRICS, RidgeDesign, find_device
from brainbook.encoding.splits import estimator_splits, fold_weights
from brainbook.encoding.targets import Targets, border_shares
from brainbook.stats.scores import as_array, correlation, explained_variance


class RidgeEncoder(RegressorMixin, BaseEstimator):
    """Ridge regression with one alpha for each target, chosen by cross-validation over runs.

    Features are centred and z-scored by the training scans of each fold, and at the end by all the scans given to
    `fit`: give it training scans only, and predict the test scans with it. `cross_validate` does so for every run.

    Parameters
    ----------
    alphas : penalties to choose from, positive, on the scale of z-scored features (each penalty stands beside sums of
        squares over the training scans).
    cv : None for leaving one run out (by the `groups` of `fit`; without groups five contiguous blocks), a number of
        contiguous blocks, a list of (training scans, test scans), or a scikit-learn splitter.
    metric : "correlation" or "r2", for choosing the alpha.
    per_target : one alpha for each target, or one for all targets.
    scale : z-score the features; otherwise they are only centred.
    approximate_alpha_search : choose alphas by scores whose norms are bfloat16 products, where the processor has them;
        elsewhere nothing changes. A neighbouring alpha may be chosen, at a small loss of r
        (`tests/encoding/test_alpha_scores.py` bounds it); the final fit is exact.
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
    Computes in float32 unless features and targets are both float64. Alphas are compared by eigenvectors (float64) or
    by Cholesky factors, whichever is less work: `brainbook.encoding.fold_systems` says why that is as exact. Targets
    may be a memory-mapped array: they are read block by block.

    Examples
    --------
    >>> import numpy as np
    >>> from brainbook.encoding import RidgeEncoder, delay
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 50)
    >>> X = delay(rng.standard_normal((150, 4)), (1, 2), runs)
    >>> encoder = RidgeEncoder(alphas=[1, 10, 100]).fit(X, X @ np.ones((8, 5)), groups=runs)
    >>> encoder.predict(X).shape
    (150, 5)
    """

    __metadata_request__fit = {"groups": True}  # in a pipeline that routes metadata (see `Delayer`)

    def __init__(
        self,
        alphas: Sequence[float] | np.ndarray = ALPHAS,
        *,
        cv: Any = None,
        metric: str = "correlation",
        per_target: bool = True,
        scale: bool = True,
        approximate_alpha_search: bool = False,
        block: int | None = None,
        device: str = "auto",
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.metric = metric
        self.per_target = per_target
        self.scale = scale
        self.approximate_alpha_search = approximate_alpha_search
        self.block = block
        self.device = device

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
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
        check_choice(self.metric, "metric", METRICS)
        if y is None:
            raise ValueError("RidgeEncoder requires y to be passed, but the target y is None")
        X, y = self._validated(X, reset=True, ensure_min_samples=2), as_array(y, "y")
        y = y.astype(float) if y.dtype.kind not in "f" else y
        check_consistent_length(X, y, groups)
        self._one_target = y.ndim == 1
        y = y[:, None] if self._one_target else y
        dtype = torch.float64 if X.dtype == y.dtype == np.float64 else torch.float32
        device = find_device(self.device)
        self.alphas_ = as_alphas(self.alphas)
        targets = Targets(y, device=device, dtype=dtype, block=self.block)
        targets.warn_unusable()
        design = RidgeDesign(X, scale=self.scale, device=device, dtype=dtype)
        splits = [] if len(self.alphas_) == 1 else estimator_splits(self.cv, X, y, groups)
        self._choose_alphas(design, targets, splits)
        self.border_ = border_shares(self.best_alphas_, self.alphas_)
        self._fit_weights(design, targets)
        return self

    def _validated(self, X: np.ndarray, **options: Any) -> np.ndarray:
        if isinstance(X, np.ma.MaskedArray):  # scikit-learn's own check would unmask them silently
            as_array(X, "X")
        return validate_data(self, X, dtype=[np.float32, np.float64], **options)

    def _choose_alphas(self, design: RidgeDesign, targets: Targets, splits: Splits) -> None:
        """Set cv_scores_ and best_alphas_; folds with too few scans count nothing."""
        scores = np.zeros((len(self.alphas_), targets.n_targets), np.float32)
        weights = fold_weights(splits, self.metric)
        plans = [(train, [(0, test)]) for (train, test), weight in zip(splits, weights, strict=True) if weight]
        if plans:
            options = self.alphas_, self.metric, self.approximate_alpha_search
            scores = mean_alpha_scores(design, targets, plans, *options)[0]
        self.best_alphas_ = AlphaChooser(targets, self.per_target).best(scores[None], self.alphas_)[0][0]
        self.cv_scores_ = np.where(targets.usable, scores, np.float32(np.nan))

    def _fit_weights(self, design: RidgeDesign, targets: Targets) -> None:
        everything, best = np.arange(targets.n_scans), np.nan_to_num(self.best_alphas_, nan=1.0)
        fold = final_fold(design, best)(design, everything)
        order = design.x.shape[1] if design.primal else targets.n_scans
        dtype = np.float64 if targets.dtype.itemsize == 8 else np.float32
        self._coefficients = np.empty((order, targets.n_targets), dtype)
        shared = SharedProducts(design, [everything])
        for alpha, columns, y in targets.batches_by(best):
            self._coefficients[:, columns] = fold.coefficients(shared.of(y), alpha).cpu().numpy()
        scales = torch.ones_like(fold.scales) if design.primal else fold.scales  # the primal basis holds them already
        self._scale = (design.shift, design.size, scales.cpu().numpy(), fold.removal.cpu().numpy())
        self._train_features = None if design.primal else fold.train_features.cpu().numpy()
        self._means, self._sizes = targets.mean, np.where(targets.usable, targets.size, np.nan)
        self._block = targets.block

    def predict(self, X: np.ndarray) -> np.ndarray:
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
        X = self._validated(X, reset=False)
        device = find_device(self.device)
        shift, size, scales, removal = self._scale
        scaled = (((X - shift) / size - removal) * scales).astype(self._coefficients.dtype)
        scaled = torch.as_tensor(scaled).to(device)
        if self._train_features is not None:
            scaled = scaled @ torch.as_tensor(self._train_features).to(device).T
        predicted = np.empty((len(X), self._coefficients.shape[1]), self._coefficients.dtype)
        for start in range(0, predicted.shape[1], self._block):
            columns = slice(start, start + self._block)
            values = (scaled @ torch.as_tensor(self._coefficients[:, columns]).to(device)).cpu().numpy()
            predicted[:, columns] = values * self._sizes[columns] + self._means[columns]
        return predicted[:, 0] if self._one_target else predicted

    def weights(self, targets: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Return the weights of the features as they were given (not z-scored), made when asked for.

        Parameters
        ----------
        targets : slice or integer array, the targets whose weights are wanted.

        Returns
        -------
        array [features, targets], in units of response per unit of feature.
        """
        check_is_fitted(self)
        _, size, scales, _ = self._scale
        weights = self._coefficients[:, targets]
        if self._train_features is not None:
            weights = self._train_features.T @ weights
        return weights * (scales / size)[:, None].astype(weights.dtype) * self._sizes[targets].astype(weights.dtype)

    def score(self, X: np.ndarray, y: np.ndarray, sample_weight: None = None) -> float:
        """Return the mean over targets of r or R2 (by `metric`), a single number as scikit-learn's tools expect.

        For scores by target use `correlation(encoder.predict(X), y)`.
        """
        if sample_weight is not None:
            raise ValueError("scores are not weighted: leave sample_weight out")
        measure = correlation if self.metric == "correlation" else explained_variance
        return float(np.nanmean(measure(self.predict(X), np.asanyarray(y))))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
