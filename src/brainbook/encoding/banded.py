"""Banded ridge: several feature spaces, each with its own penalty for every target, through himalaya's solvers.

One penalty for all features serves a narrow space badly beside a wide one: what suits a thousand units of a language
model shrinks a word rate out of sight. Banded ridge chooses for every target how much each space counts, by random
search inside the training scans.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from himalaya import scoring
from himalaya.backend import get_backend, set_backend
from himalaya.kernel_ridge import (
    generate_dirichlet_samples,
    primal_weights_weighted_kernel_ridge,
    solve_multiple_kernel_ridge_random_search,
)
from himalaya.ridge import solve_group_ridge_random_search
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from brainbook.encoding.cross_validation import ALPHAS
from brainbook.encoding.inputs import Alphas, Splits, as_alphas, as_count, check_choice
from brainbook.encoding.ridge_design import find_device
from brainbook.encoding.splits import estimator_splits
from brainbook.stats.scores import as_array

METRICS = {
    "r2": (scoring.r2_score, scoring.r2_score_split),
    "correlation": (scoring.correlation_score, scoring.correlation_score_split),
}
Spaces = np.ndarray | Mapping[str, np.ndarray]
OFF = 1e-6  # share of a space that is as good as left out; himalaya divides by shares, so that 0 will not do
_BATCH_BYTES = 2**28  # of one of himalaya's working arrays


def band_shares(n_spaces: int, n_candidates: int = 30, seed: int = 0) -> np.ndarray:
    """Return how much each space counts in the trials of a search, array [candidates, spaces]; rows have the mean 1.

    First all spaces alike (plain ridge), then each nearly alone, then random shares, many of them extreme (Dirichlet
    of concentration 0.1 and 1 in turn, as in himalaya). A share of 2 makes the space's penalty half of alpha.
    """
    n_candidates = as_count(n_candidates, "n_candidates")
    if n_spaces == 1:
        return np.ones((1, 1))
    fixed = np.vstack([np.full(n_spaces, 1 / n_spaces), np.eye(n_spaces)])
    n_random = max(n_candidates - len(fixed), 0)
    with _himalaya_backend(torch.device("cpu")):
        drawn = generate_dirichlet_samples(n_random, n_spaces, [0.1, 1.0], random_state=seed) if n_random else fixed[:0]
    shares = np.maximum(np.vstack([fixed, drawn])[:n_candidates], OFF)
    return n_spaces * shares / shares.sum(1, keepdims=True)


def solve_bands(
    spaces: list[np.ndarray],
    y: np.ndarray,
    splits: Splits,
    alphas: np.ndarray,
    shares: np.ndarray,
    metric: str = "r2",
    per_target: bool = True,
    device: torch.device | None = None,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Choose every target's penalties among all alphas and shares, and fit the weights on all scans.

    Parameters
    ----------
    spaces : list of arrays [scans, features_i], centred and scaled. y : array [scans, targets], centred.
    splits : list of (training scans, test scans) on which the choice is made; both sides are centred by the former.
    alphas, shares : arrays [alphas] and [candidates, spaces]; the penalty of a space is alpha / share.
    metric : "r2" or "correlation", averaged over splits.
    per_target : choose for each target, or for all together by their mean score.

    Returns
    -------
    weights : list of arrays [features_i, targets].
    penalties : array [spaces, targets].
    scores : array [targets], the mean score of the choice over the splits.

    Source: Dupré la Tour et al. (2022), NeuroImage 264, 119728; Nunez-Elizalde et al. (2019), NeuroImage 197, 482-492.
    With more features than scans the kernels of the spaces are weighted, otherwise the spaces themselves; the result is
    the same.
    """
    device, arguments = device or torch.device("cpu"), (spaces, y, splits, alphas)
    if not per_target and len(shares) > 1:
        *_, scores = _solve(*arguments, shares, metric, False, device)
        shares = shares[[scores.mean(1).argmax()]]
    weights, penalties, scores = _solve(*arguments, shares, metric, per_target, device)
    return weights, penalties, scores.max(0)


def _solve(
    spaces: list[np.ndarray],
    y: np.ndarray,
    splits: Splits,
    alphas: np.ndarray,
    shares: np.ndarray,
    metric: str,
    per_target: bool,
    device: torch.device,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Call himalaya: weights, penalties, and scores [candidates, targets] of each candidate's best alpha."""
    n_scans, widths = len(y), [x.shape[1] for x in spaces]
    longest = max(len(test) for _, test in splits)
    options = {
        "n_iter": shares,
        "alphas": alphas.astype(y.dtype),
        "score_func": METRICS[metric][0],
        "cv": splits,
        "fit_intercept": True,
        "progress_bar": False,
        "local_alpha": per_target,
        "n_targets_batch": max(64, _BATCH_BYTES // (y.itemsize * len(alphas) * longest)),
        "n_alphas_batch": max(1, min(len(alphas), _BATCH_BYTES // (y.itemsize * n_scans * min(n_scans, sum(widths))))),
    }
    with _himalaya_backend(device) as backend, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # targets that are constant in a split score NaN
        placed = [backend.asarray(x, dtype=y.dtype.name) for x in spaces]
        if sum(widths) > n_scans:
            kernels = backend.stack([x @ x.T for x in placed])
            solved = solve_multiple_kernel_ridge_random_search(kernels, y, return_weights="dual", **options)
            deltas, dual, scores, _ = solved
            weights = primal_weights_weighted_kernel_ridge(dual, deltas, placed)
        else:
            solved = solve_group_ridge_random_search(placed, y, return_weights=True, **options)
            deltas, stacked, scores, _ = solved
            weights = np.split(backend.to_numpy(stacked), np.cumsum(widths)[:-1])
        weights = [backend.to_numpy(of_space) for of_space in weights]
        return weights, np.exp(-backend.to_numpy(deltas)), backend.to_numpy(scores)


def split_scores(parts: np.ndarray, observed: np.ndarray, metric: str = "r2") -> np.ndarray:
    """Split the score of a sum of predictions among its parts; the parts' scores add up to the score of the sum.

    Parameters
    ----------
    parts : array [spaces, scans, targets], what each space predicts.
    observed : array [scans, targets]; its mean is taken as known, as of responses that are z-scored within runs.
    metric : "r2": the product measure, the product of a part with 2 y - (sum of all parts) over y's sum of squares;
        "correlation": the covariance of a part with y over the deviations of y and of the sum of all parts.

    Returns
    -------
    array [spaces, targets]; a part may be negative, where it does harm or makes up for another space. NaN for targets
    that do not vary.

    Source: `himalaya.scoring.r2_score_split` and `himalaya.scoring.correlation_score_split` (Dupré la Tour et al. 2022;
    St-Yves & Naselaris 2018, NeuroImage 180, 188-202).

    Examples
    --------
    >>> y = np.random.default_rng(0).standard_normal((200, 1))
    >>> split_scores(np.stack([0.6 * y, 0.2 * y]), y).round(2)  # together 0.96, the R2 of 0.8 y
    array([[0.72],
           [0.24]])
    """
    check_choice(metric, "metric", METRICS)
    parts, observed = np.asarray(parts, float), np.asarray(observed, float)
    if parts.ndim != 3 or parts.shape[1:] != observed.shape:
        raise ValueError(
            f"parts must be [spaces, scans, targets], observed [scans, targets]: {parts.shape}, {observed.shape}"
        )
    observed = observed - observed.mean(0)
    varies = np.abs(observed).max(0) > 1e-9
    shares = np.full((len(parts), observed.shape[1]), np.nan)
    with _himalaya_backend(torch.device("cpu")):
        shares[:, varies] = METRICS[metric][1](observed[:, varies], parts[:, :, varies])
    return shares


@contextmanager
def _himalaya_backend(device: torch.device) -> Iterator:
    """Set himalaya's backend, of which a process has one, for as long as the block runs."""
    before = get_backend().name
    try:
        yield set_backend("torch_cuda" if device.type == "cuda" else "numpy")
    finally:
        set_backend(before)


class BandedRidge(RegressorMixin, BaseEstimator):
    """Ridge regression with one penalty for each feature space and target, chosen by cross-validation over runs.

    Features are centred and z-scored by the scans given to `fit`: give it training scans only. `cross_validate_bands`
    does so for every run.

    Parameters
    ----------
    spaces : {name: columns of X} (slices or integer arrays), for an X that is one array; None takes all columns as one
        space. An X that is itself {name: array [scans, features]} needs none.
    alphas : penalties to choose from, on the scale of z-scored features.
    n_candidates : how many divisions of the penalty among spaces are tried (`band_shares`); 1 is plain ridge.
    cv : as in `RidgeEncoder`.
    metric : "r2" or "correlation", for choosing and for the scores.
    seed : of the random search.
    device : "auto" (a GPU if there is one), "cpu", "cuda".

    Attributes
    ----------
    names_ : names of the spaces, in order.
    coef_ : {name: array [features, targets]}, for features as they were given. intercept_ : array [targets].
    penalties_ : array [spaces, targets], alpha over the space's share.
    cv_scores_ : array [targets], mean over folds of the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from brainbook.encoding import BandedRidge
    >>> rng = np.random.default_rng(0)
    >>> X = {"rate": rng.standard_normal((150, 1)), "states": rng.standard_normal((150, 40))}
    >>> y = X["rate"] @ np.ones((1, 3)) + 0.5 * rng.standard_normal((150, 3))
    >>> banded = BandedRidge(n_candidates=10).fit(X, y, groups=np.repeat([1, 2, 3], 50))
    >>> dict(zip(banded.names_, banded.space_scores(X, y).mean(axis=1).round(1).tolist()))
    {'rate': 0.8, 'states': 0.0}
    """

    __metadata_request__fit = {"groups": True}  # in a pipeline that routes metadata (see `Delayer`)

    def __init__(
        self,
        spaces: Mapping[str, slice | np.ndarray] | None = None,
        alphas: Alphas = ALPHAS,
        *,
        n_candidates: int = 30,
        cv: Any = None,
        metric: str = "r2",
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.spaces = spaces
        self.alphas = alphas
        self.n_candidates = n_candidates
        self.cv = cv
        self.metric = metric
        self.seed = seed
        self.device = device

    def fit(self, X: Spaces, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Choose the penalties and fit the weights.

        Parameters
        ----------
        X : array [scans, features], or {name: array [scans, features]}.
        y : array [scans, targets] or [scans].
        groups : array [scans], the run of every scan.
        """
        check_choice(self.metric, "metric", METRICS)
        if y is None:
            raise ValueError("BandedRidge requires y to be passed, but the target y is None")
        spaces, y, alphas = self._split(X, reset=True), as_array(y, "y"), as_alphas(self.alphas)
        check_consistent_length(y, groups, *spaces.values())
        self._one_target, y = y.ndim == 1, y.reshape(len(y), -1).astype(float)
        for what, wrong in (("NaN", np.isnan(y)), ("infinity or a value too large for its dtype", np.isinf(y))):
            if wrong.any():
                raise ValueError(f"Input y contains {what}: mend or leave out the targets")
        dtype = np.float64 if all(x.dtype == np.float64 for x in spaces.values()) else np.float32
        self.names_ = list(spaces)
        means = {name: x.mean(0, dtype=float) for name, x in spaces.items()}
        sizes = {name: _sizes(x, means[name]) for name, x in spaces.items()}
        scaled = [((x - means[name]) / sizes[name]).astype(dtype) for name, x in spaces.items()]
        center, size = y.mean(0), _sizes(y, y.mean(0))
        shares = band_shares(len(spaces), self.n_candidates, self.seed)
        everything = np.arange(len(y))
        single = len(alphas) * len(shares) == 1  # nothing to choose
        splits = [(everything, everything)] if single else estimator_splits(self.cv, y, groups=groups)
        z = ((y - center) / size).astype(dtype)
        weights, self.penalties_, self.cv_scores_ = solve_bands(
            scaled, z, splits, alphas, shares, self.metric, device=find_device(self.device)
        )
        self.coef_ = {
            name: of_space / sizes[name][:, None] * size for name, of_space in zip(self.names_, weights, strict=True)
        }
        self._means, self._center = means, center
        self.intercept_ = center - sum(means[name] @ self.coef_[name] for name in self.names_)
        return self

    def _split(self, X: Spaces, reset: bool = False) -> dict[str, np.ndarray]:
        """Return X as {name: array [scans, features]}, checked."""
        if isinstance(X, Mapping) and not issparse(X):  # some sparse matrices are mappings
            spaces = {name: as_array(x, f"space {name!r}") for name, x in X.items()}
            wrong = [f"{name!r} {x.shape}" for name, x in spaces.items() if x.ndim != 2 or not x.shape[1]]
            if wrong or not spaces:
                raise ValueError(f"X must hold spaces [scans, features]: {', '.join(wrong) or 'it holds none'}")
            if unfit := [name for name, x in spaces.items() if not np.isfinite(x).all()]:
                raise ValueError(f"spaces {unfit} contain NaN or infinity: mend them before encoding")
            if not reset and [(name, x.shape[1]) for name, x in spaces.items()] != self._widths():
                raise ValueError(f"X must hold the spaces of fit, in order: {dict(self._widths())}")
            return {name: x if x.dtype.kind == "f" else x.astype(float) for name, x in spaces.items()}
        array = validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=2 if reset else 1
        )
        return {name: array[:, columns] for name, columns in (self.spaces or {"features": slice(None)}).items()}

    def _widths(self) -> list[tuple[str, int]]:
        return [(name, len(self.coef_[name])) for name in self.names_]

    def predict_spaces(self, X: Spaces) -> np.ndarray:
        """Return what each space predicts beyond the training mean of the responses: [spaces, scans, targets]."""
        check_is_fitted(self)
        return np.stack([(x - self._means[name]) @ self.coef_[name] for name, x in self._split(X).items()])

    def predict(self, X: Spaces) -> np.ndarray:
        """Predict responses, array [scans, targets] (or [scans], if `fit` was given such)."""
        predicted = self.predict_spaces(X).sum(0) + self._center
        return predicted[:, 0] if self._one_target else predicted

    def space_scores(self, X: Spaces, y: np.ndarray) -> np.ndarray:
        """Return how much of the score each space explains, array [spaces, targets] (`split_scores`)."""
        parts = self.predict_spaces(X)
        return split_scores(parts, np.asarray(y, float).reshape(parts.shape[1], -1), self.metric)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _sizes(values: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the deviation of each column, 1 where it is constant."""
    sizes = values.std(0, dtype=float)
    return np.where(sizes > 1e-10 * np.abs(means), sizes, 1.0)
