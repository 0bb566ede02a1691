"""Scores on runs that nothing was fitted on: leave one run out, alphas chosen inside the training runs.

Every outer fold leaves one run out, centres and z-scores features by its training runs, and chooses each target's alpha
by leaving each training run out in turn (`AlphaChooser`).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from brainbook.encoding.alpha_choice import AlphaChooser
from brainbook.encoding.encoding_design import EncodingDesign
from brainbook.encoding.fold_systems import final_fold
from brainbook.encoding.inputs import Alphas, Splits, as_alphas, check_choice
from brainbook.encoding.products import SharedProducts
from brainbook.encoding.ridge_design import METRICS, RidgeDesign, fold_groups, rows
from brainbook.encoding.splits import FEWEST, fold_weights, name_fold, short_folds
from brainbook.encoding.targets import Targets, border_shares
from brainbook.stats.frames import TargetNames, target_frame
from brainbook.stats.scores import fisher_mean

ALPHAS = tuple(np.logspace(0, 6, 13).tolist())
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class CrossValidation:
    """What `cross_validate` returns. With several feature spaces every array begins with an axis of layers.

    Attributes
    ----------
    scores : array [targets], mean over the folds that have a score, weighted by `fold_weights` (Fisher's z for
        correlations); NaN for unusable targets.
    fold_scores : array [folds, targets], each on its own test scans; NaN where these are fewer than ten, or the target
        is constant in them or in the training scans.
    best_alphas : array [folds, targets], chosen inside the training scans.
    inner_scores : array [folds, targets], the best alpha's mean score inside the training scans: for choosing a layer
        without looking at test scans. NaN when there was a single alpha and so nothing to choose. With `alpha_groups`
        the mean of the group's sample, the same for all targets of the group.
    predictions : array [scans, targets] in the responses' units (with nuisance signals: of what remains of them), NaN
        for scans that never test; None unless asked for.
    alphas : array, the grid.
    splits : list of (training scans, test scans).
    """

    scores: np.ndarray
    fold_scores: np.ndarray
    best_alphas: np.ndarray
    inner_scores: np.ndarray
    predictions: np.ndarray | None
    alphas: np.ndarray
    splits: Splits

    def chosen_layer(self) -> np.ndarray:
        """Return the layer [folds, targets] that each outer fold chooses for each target from its training scans."""
        if self.inner_scores.ndim != 3:
            raise ValueError("there is one feature space only: nothing to choose from")
        return np.where(np.isfinite(self.inner_scores), self.inner_scores, -np.inf).argmax(0)

    def fold_scores_of_chosen_layer(self) -> np.ndarray:
        """Return the scores [folds, targets] of the layer that each fold chooses inside its training scans."""
        return np.take_along_axis(self.fold_scores, self.chosen_layer()[None], axis=0)[0]

    def scores_of_chosen_layer(self) -> np.ndarray:
        """Return scores [targets] of the layer chosen inside the training scans of each fold, never on test scans."""
        return fisher_mean(self.fold_scores_of_chosen_layer(), weights=fold_weights(self.splits))

    def to_frame(self, targets: TargetNames = None, *, folds: bool = False) -> pd.DataFrame:
        """Return one row per target (with several feature spaces: per layer and target), or per fold too.

        Parameters
        ----------
        targets : names of the targets, or a table with one row per target (such as `Responses.names`).
        folds : one row per fold instead of the means over folds.

        Returns
        -------
        DataFrame: the targets' columns (`target` where only names were given), layer (of several feature spaces), then
        score and alpha (the median over folds); with `folds` fold (from 0 on), score, alpha and inner_score.
        """
        axes = {} if self.fold_scores.ndim == 2 else {"layer": range(len(self.scores))}
        if not folds:
            return target_frame(targets, axes, score=self.scores, alpha=np.median(self.best_alphas, axis=-2))
        values = {"score": self.fold_scores, "alpha": self.best_alphas, "inner_score": self.inner_scores}
        return target_frame(targets, {**axes, "fold": range(len(self.splits))}, **values)


def cross_validate(
    features: np.ndarray | Sequence[np.ndarray] | EncodingDesign,
    responses: np.ndarray,
    runs: np.ndarray | None = None,
    delays: Sequence[int] | None = (1, 2, 3, 4),
    alphas: Alphas = ALPHAS,
    *,
    metric: str = "correlation",
    per_target: bool = True,
    alpha_groups: np.ndarray | None = None,
    group_sample: int = 16,
    approximate_alpha_search: bool = False,
    predictions: bool = False,
    device: str = "auto",
    dtype: str = "float32",
    block: int | None = None,
    **options: Any,
) -> CrossValidation:
    """Predict each run from the others and score it; alphas are chosen inside the training runs only.

    Parameters
    ----------
    features : array [scans, units] or [layers, scans, units], or a list of arrays [scans, units_i], not yet delayed; or
        an `EncodingDesign`, which holds the runs, delays and further options of a design already.
    responses : array [scans, targets], may be memory-mapped.
    runs, delays : see `EncodingDesign`.
    alphas : the grid, on the scale of z-scored features (the penalty beside the sum of squares over training scans).
        One number chooses nothing.
    metric : "correlation" or "r2", for choosing alphas and for the scores.
    per_target : one alpha for each target, or one for all.
    alpha_groups : array [targets] of labels (such as each vertex's region and hemisphere), or None. Targets of one
        label share an alpha, the one of the best mean score over `group_sample` of them, evenly spaced. Most of the
        work is to choose alphas: for the vertices of a cortex this takes about a third of the time.
    approximate_alpha_search : choose alphas by approximate scores (see `RidgeEncoder`).
    predictions : return the predictions of the test scans.
    device : "auto", "cpu", "cuda".
    dtype : "float32" or "float64"; eigenvectors are always float64.
    block : targets at a time; None chooses by memory.
    options : splits, trim, nuisance, scale, feature_scaling: see `EncodingDesign`. With splits each fold chooses its
        alphas on the other folds' test scans, training on what both folds may train on.

    Source of the algorithm: kernel ridge as in himalaya (Dupré la Tour et al. 2022, NeuroImage), with the comparison of
    alphas done on inner products and norms instead of predictions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 60)
    >>> x = rng.standard_normal((180, 5))
    >>> y = delay(x, (2,), runs) @ np.ones((5, 2)) + rng.standard_normal((180, 2))
    >>> cross_validate(x, y, runs, delays=(1, 2, 3)).scores.round(1)
    array([0.9, 0.9])
    """
    check_choice(metric, "metric", METRICS)
    alphas = as_alphas(alphas)
    design = EncodingDesign.of(features, runs, delays, **options)
    design.warn_of_faults()
    targets = design.targets(responses, device, DTYPES[dtype], block)
    shape = (len(design.layers), len(design.splits), targets.n_targets)
    fold_scores, best, inner = np.full(shape, np.nan), np.empty(shape), np.empty(shape)
    predicted: Any = np.full((shape[0], *responses.shape), np.nan, np.float32) if predictions else [None] * shape[0]
    chooser = AlphaChooser(targets, per_target, alpha_groups, group_sample)
    for layer in tqdm(range(len(design.layers)), "encoding", unit="layer", leave=False, disable=None):
        space = design.ridge_design(layer, device, DTYPES[dtype])
        best[layer], inner[layer] = chooser.choose(space, design.splits, alphas, metric, approximate_alpha_search)
        _score(space, targets, design.splits, best[layer], metric, fold_scores[layer], predicted[layer])
    fold_scores[:, short_folds(design.runs, design.splits)] = np.nan
    fold_scores[:, :, ~targets.usable] = np.nan
    _warn_flat(fold_scores[0][:, targets.usable], design)
    border_shares(best, alphas)
    scores = mean_of_folds(fold_scores, design.splits, metric)
    if predictions:
        predicted[:, :, ~targets.usable] = np.nan
    if design.single:
        scores, fold_scores, best, inner, predicted = (
            array[0] for array in (scores, fold_scores, best, inner, predicted)
        )
    predicted = predicted if predictions else None
    return CrossValidation(scores, fold_scores, best, inner, predicted, alphas, design.splits)


def _score(
    design: RidgeDesign,
    targets: Targets,
    splits: Splits,
    best: np.ndarray,
    metric: str,
    fold_scores: np.ndarray,
    predictions: np.ndarray | None,
) -> None:
    """Fill in the scores [folds, targets], and the predictions [scans, targets] if they are wanted."""
    best = np.nan_to_num(best, nan=1.0)
    kind, n_alphas = final_fold(design, best), len(np.unique(best))
    for group in fold_groups(design, [(train, [test]) for train, test in splits], kind, n_alphas):
        shared = SharedProducts(design, [fold.train for _, fold in group])
        for columns, y in targets.batches():
            products = shared.of(y)
            for number, fold in group:
                test = fold.tests[0]
                predicted = fold.predictions(products, best[number, columns])[0]
                observed = products.observed(fold, test)
                scores = METRICS[metric](predicted, observed).masked_fill(products.flat(fold, test), torch.nan)
                fold_scores[number, columns] = scores.double().cpu().numpy()
                if predictions is not None:
                    mean = 0.0 if design.signals.shape[1] > 1 else rows(y, fold.train).mean(0)
                    values = (predicted + mean).cpu().numpy()
                    predictions[test, columns] = values * targets.size[columns] + targets.mean[columns]


def mean_of_folds(fold_scores: np.ndarray, splits: Splits, metric: str = "correlation") -> np.ndarray:
    """Return scores [layers, targets] from those of the folds [layers, folds, targets], weighted by `fold_weights`."""
    weights = fold_weights(splits, metric)
    if metric == "correlation":
        return fisher_mean(fold_scores, axis=1, weights=weights)
    share = np.isfinite(fold_scores) * weights[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0, fold_scores * share, 0).sum(1) / share.sum(1)


def _warn_flat(fold_scores: np.ndarray, design: EncodingDesign) -> None:
    """Warn of targets that are constant in single folds, from fold_scores [folds, usable targets]."""
    counts = zip(np.isnan(fold_scores).sum(1), (test for _, test in design.splits), strict=True)
    named = [f"{count} in {name_fold(design.runs, test)}" for count, test in counts if count and len(test) >= FEWEST]
    if named:
        message = "targets that are constant in the training or test scans of a fold: {}: NaN, no part of the mean"
        warnings.warn(message.format(", ".join(named)), RuntimeWarning, stacklevel=3)
