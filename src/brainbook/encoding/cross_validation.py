"""Scores on runs that nothing was fitted on: leave one run out, alphas chosen inside the training runs.

    cross_validate(features, responses, runs, delays=(1, 2, 3, 4), alphas=ALPHAS, *, splits=None, nuisance=None,
                   metric="correlation", trim=0, per_target=True, alpha_groups=None, group_sample=16,
                   scale=True, feature_scaling=None, predictions=False, device="auto", dtype="float32", fast=False,
                   block=None) -> CrossValidation

    features   [scans, units], or [layers, scans, units], or a list of [scans, units_i]: before delays
    responses  [scans, targets], may be memory-mapped
    runs       [scans], the run of every scan
    result     .scores [targets], .fold_scores [folds, targets], .best_alphas [folds, targets],
               .inner_scores [folds, targets], .predictions [scans, targets] if asked for; each with a first axis for
               layers when features have one

Every outer fold leaves one run out, centres and z-scores features by its training runs (where a delay looks beyond a
run, their mean stands), and chooses each target's alpha by leaving each training run out in turn (`AlphaChooser`).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from brainbook.encoding.alpha_choice import AlphaChooser
from brainbook.encoding.delays import centred_delays
from brainbook.encoding.inputs import as_runs, as_splits
from brainbook.encoding.products import Products
from brainbook.encoding.protocol_checks import warn_shared_runs
from brainbook.encoding.solver import Space, find_device, in_groups, pearson, r2, rows
from brainbook.encoding.splits import FEWEST, fold_weights, leave_one_run_out, name_fold, short_folds, used_scans
from brainbook.encoding.targets import Targets, check_alphas, warn_border
from brainbook.stats import fisher_mean
from brainbook.stats.scores import as_array

ALPHAS = np.logspace(0, 6, 13)
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class CrossValidation:
    """What `cross_validate` found. With several feature spaces every array begins with an axis of layers.

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
    splits: list

    def chosen_layer(self) -> np.ndarray:
        """The layer that each outer fold would choose for each target from its training scans: [folds, targets]."""
        if self.inner_scores.ndim != 3:
            raise ValueError("there is one feature space only: nothing to choose from")
        return np.where(np.isfinite(self.inner_scores), self.inner_scores, -np.inf).argmax(0)

    def scores_of_chosen_layer(self) -> np.ndarray:
        """Scores [targets] with the layer chosen inside the training scans of each fold, never on test scans."""
        return fisher_mean(self.fold_scores_of_chosen_layer(), weights=fold_weights(self.splits))

    def fold_scores_of_chosen_layer(self) -> np.ndarray:
        """Return the scores [folds, targets] of the layer that each fold chooses inside its training scans."""
        return np.take_along_axis(self.fold_scores, self.chosen_layer()[None], axis=0)[0]


class ConstantFeatures(RuntimeWarning):
    """No feature varies: whatever the responses, the score is 0."""


def cross_validate(
    features: np.ndarray | Sequence[np.ndarray],
    responses: np.ndarray,
    runs: np.ndarray,
    delays: Sequence[int] | None = (1, 2, 3, 4),
    alphas: np.ndarray | float = ALPHAS,
    *,
    splits: list | None = None,
    nuisance: np.ndarray | None = None,
    metric: str = "correlation",
    trim: int = 0,
    per_target: bool = True,
    alpha_groups: np.ndarray | None = None,
    group_sample: int = 16,
    scale: bool = True,
    feature_scaling: list | None = None,
    predictions: bool = False,
    device: str = "auto",
    dtype: str = "float32",
    fast: bool = False,
    block: int | None = None,
) -> CrossValidation:
    """Predict each run from the others and score it; alphas are chosen inside the training runs only.

    Parameters
    ----------
    features : array [scans, units] or [layers, scans, units], or a list of arrays [scans, units_i]. Not yet delayed.
    responses : array [scans, targets].
    runs : array [scans], the run of every scan; also the borders that delays do not cross.
    delays : shifts in scans; None when the features are delayed already.
    alphas : the grid, on the scale of z-scored features (the penalty beside the sum of squares over training scans).
        One number chooses nothing.
    splits : list of (training scans, test scans) in place of leaving one run out (see `blocks_with_gaps`). Each fold
        chooses its alphas on the other folds' test scans, training on what both folds may train on.
    nuisance : array [scans, signals] or None: taken out of features and responses by weights of the training scans.
        Delay or convolve them first if their effect is delayed.
    metric : "correlation" or "r2", for choosing alphas and for the scores.
    trim : scans at each end of every run that neither train nor test (see `leave_one_run_out`).
    per_target : one alpha for each target, or one for all.
    alpha_groups : array [targets] of labels (such as each vertex's region and hemisphere), or None. Targets of one
        label share an alpha, the one of the best mean score over `group_sample` of them, evenly spaced. Most of the
        work is to choose alphas: for the vertices of a cortex this takes about a third of the time.
    scale : z-score features by the training scans of each fold.
    feature_scaling : for each layer an array [units], factors after scaling (a larger one is penalised less), or None.
    predictions : keep the predictions of the test scans.
    device : "auto", "cpu", "cuda".
    dtype : "float32" or "float64"; decompositions are always float64.
    fast : choose alphas by approximate scores (see `RidgeEncoder`).
    block : targets at a time; None chooses by memory.

    Source of the algorithm: kernel ridge as in himalaya (Dupré la Tour et al. 2022, NeuroImage), with the comparison of
    alphas done on inner products and norms instead of predictions.
    """
    if metric not in ("correlation", "r2"):
        raise ValueError(f'metric is "correlation" or "r2", not {metric!r}')
    if splits is not None and trim:
        raise ValueError("give splits or trim, not both: splits may leave out any scans")
    alphas, runs = check_alphas(alphas), as_runs(runs)
    several = np.ndim(features) != 2 if hasattr(features, "ndim") else True
    if splits is not None:
        splits = as_splits(splits, len(runs))
        warn_shared_runs(runs, splits)
    else:
        splits = leave_one_run_out(runs, trim)
    layers, padding = _prepare_features(features if several else [features], runs, delays, splits)
    options = {"nuisance": nuisance, "padding": padding, "scale": scale, "device": device, "dtype": DTYPES[dtype]}
    factors = (
        [None] * len(layers)
        if feature_scaling is None
        else [np.tile(one, len(delays or [0])) for one in feature_scaling]
    )
    targets = Targets(responses, device=find_device(device), dtype=DTYPES[dtype], block=block)
    if targets.n_scans != len(layers[0]):
        raise ValueError(f"features have {len(layers[0])} scans, responses {targets.n_scans}")
    targets.warn_unusable()
    shape = (len(layers), len(splits), targets.n_targets)
    fold_scores, best, inner = np.full(shape, np.nan), np.empty(shape), np.empty(shape)
    kept = np.full((len(layers), *responses.shape), np.nan, np.float32) if predictions else None
    chooser = AlphaChooser(targets, per_target, alpha_groups, group_sample)
    for layer, (values, factor) in enumerate(zip(layers, factors, strict=True)):
        space = Space(values, feature_scaling=factor, **options)
        best[layer], inner[layer] = chooser.choose(space, splits, alphas, metric, fast)
        _score(space, targets, splits, best[layer], metric, fold_scores[layer], kept[layer] if predictions else None)
    fold_scores[:, short_folds(runs, splits)] = np.nan
    fold_scores[:, :, ~targets.usable] = np.nan
    scores = mean_of_folds(fold_scores, splits, metric)
    _warn_flat(fold_scores[0], targets.usable, runs, splits)
    warn_border(best, alphas)
    if predictions:
        kept[:, :, ~targets.usable] = np.nan
    found = [scores, fold_scores, best, inner] + ([kept] if predictions else [])
    found = found if several else [array[0] for array in found]
    return CrossValidation(*found[:4], found[4] if predictions else None, alphas, splits)


def _score(space, targets, splits, best, metric, fold_scores, kept):
    """Fill in the scores [folds, targets], and the predictions [scans, targets] if they are wanted."""
    done = 0
    products = Products(space, [train for train, _ in splits])
    for folds in in_groups(space, [(train, [test]) for train, test in splits]):
        for part, y in targets.pieces():
            block = products.of(y)
            for place, (fold, (test,)) in enumerate(folds, start=done):
                alpha = torch.as_tensor(np.nan_to_num(best[place, part], nan=1.0)).to(y)
                predicted = fold.rights[0] @ fold.loadings(block).div_(fold.values[:, None] + alpha)
                observed = block.observed(fold, test)
                score = pearson(predicted, observed) if metric == "correlation" else r2(predicted, observed)
                score = score.masked_fill(block.flat(fold, test), torch.nan)
                fold_scores[place, part] = score.double().cpu().numpy()
                if kept is not None:
                    mean = 0.0 if space.z.shape[1] > 1 else rows(y, fold.train).mean(0)
                    kept[test, part] = (predicted + mean).cpu().numpy() * targets.size[part] + targets.mean[part]
        done += len(folds)


def mean_of_folds(fold_scores: np.ndarray, splits: list, metric: str = "correlation") -> np.ndarray:
    """Scores [layers, targets] from those of the folds [layers, folds, targets]: those there are, by `fold_weights`."""
    weights = fold_weights(splits, metric)
    if metric == "correlation":
        return fisher_mean(fold_scores, axis=1, weights=weights)
    share = np.isfinite(fold_scores) * weights[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0, fold_scores * share, 0).sum(1) / share.sum(1)


def _prepare_features(features, runs, delays, splits):
    """Delayed layers, and where they are padded (None where no scan of the splits is)."""
    layers = [as_array(layer, f"features of layer {place}") for place, layer in enumerate(features)]
    if not layers:
        raise ValueError("features hold no layer")
    used = used_scans(splits)
    constant = []
    for place, layer in enumerate(layers):
        if layer.ndim != 2 or len(layer) != len(runs):
            raise ValueError(f"features of layer {place} must be [{len(runs)} scans, units], not {layer.shape}")
        if not layer.shape[1]:
            raise ValueError(f"features of layer {place} hold no unit: [{len(runs)} scans, 0]")
        if not np.isfinite(layer).all():
            raise ValueError(f"features of layer {place} hold NaN or infinity: mend them before encoding")
        constant += [place] * bool((layer[used] == layer[used[0]]).all())
    if constant:
        named = f"features of layer {', '.join(map(str, constant))}" if len(layers) > 1 else "all features"
        warnings.warn(f"{named} are constant: they predict nothing, and score 0", ConstantFeatures, stacklevel=4)
    if delays is None:
        return layers, None
    layers, padding = zip(*(centred_delays(layer, delays, runs) for layer in layers), strict=True)
    return layers, padding[0] if padding[0][used].any() else None


def _warn_flat(fold_scores, usable, runs, splits):
    """Say which folds have targets that are constant in their test scans alone, fold_scores [folds, targets]."""
    flat = np.isnan(fold_scores[:, usable]).sum(1)
    named = ", ".join(
        f"{count} in {name_fold(runs, test)}"
        for count, (_, test) in zip(flat, splits, strict=True)
        if count and len(test) >= FEWEST
    )
    if named:
        warnings.warn(
            f"targets that are constant in the training or test scans of a fold: {named}: NaN, no part of the mean",
            RuntimeWarning,
            stacklevel=4,
        )
