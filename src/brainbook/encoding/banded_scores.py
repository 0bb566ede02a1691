"""Banded ridge scored on runs that nothing was fitted on, and how much of the score each feature space explains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainbook.encoding.banded import METRICS, band_shares, solve_bands, split_scores
from brainbook.encoding.cross_validation import ALPHAS, DTYPES, mean_of_folds
from brainbook.encoding.encoding_design import EncodingDesign
from brainbook.encoding.inputs import Alphas, Splits, as_alphas, check_choice
from brainbook.encoding.products import is_flat
from brainbook.encoding.ridge_design import FoldFeatures, rows
from brainbook.encoding.splits import fold_weights, inner_splits, short_folds
from brainbook.stats.frames import TargetNames, target_frame


@dataclass(frozen=True)
class BandedScores:
    """What `cross_validate_bands` returns.

    Attributes
    ----------
    names : names of the feature spaces.
    scores : array [targets], mean over folds as in `cross_validate`; NaN for unusable targets.
    fold_scores : array [folds, targets].
    fold_space_scores : array [folds, spaces, targets]; over the spaces they add up to `fold_scores`.
    penalties : array [folds, spaces, targets], chosen inside the training scans.
    predictions : array [spaces, scans, targets], what each space predicts of test scans beyond the training mean, in
        units of the responses' deviation; NaN for scans that never test; None unless asked for.
    metric, splits : as they were given.
    """

    names: list[str]
    scores: np.ndarray
    fold_scores: np.ndarray
    fold_space_scores: np.ndarray
    penalties: np.ndarray
    predictions: np.ndarray | None
    metric: str
    splits: Splits

    @property
    def space_scores(self) -> np.ndarray:
        """What each space explains, array [spaces, targets]: the mean over folds, by their test scans.

        With "r2" the spaces add up to `scores`; with "correlation" only within folds, for `scores` is Fisher's mean.
        """
        weights = fold_weights(self.splits, self.metric)[:, None, None]
        share = np.isfinite(self.fold_space_scores) * weights
        with np.errstate(invalid="ignore"):
            return np.where(share > 0, self.fold_space_scores * share, 0).sum(0) / share.sum(0)

    def to_frame(self, targets: TargetNames = None) -> pd.DataFrame:
        """Return one row per space and target.

        Parameters
        ----------
        targets : as in `CrossValidation.to_frame`.

        Returns
        -------
        DataFrame: the targets' columns, space, score (`space_scores`) and penalty (the median over folds).
        """
        penalties = np.median(self.penalties, axis=0)
        return target_frame(targets, {"space": self.names}, score=self.space_scores, penalty=penalties)


def cross_validate_bands(
    spaces: Mapping[str, np.ndarray],
    responses: np.ndarray,
    runs: np.ndarray,
    delays: Sequence[int] | None | Mapping[str, Sequence[int] | None] = (1, 2, 3, 4),
    alphas: Alphas = ALPHAS,
    *,
    n_candidates: int = 30,
    inner_folds: int | None = 4,
    metric: str = "r2",
    per_target: bool = True,
    seed: int = 0,
    predictions: bool = False,
    device: str = "auto",
    dtype: str = "float32",
    **design: Any,
) -> BandedScores:
    """Predict each run from the others by several feature spaces, each with its own penalty for every target.

    Features are centred, z-scored and rid of nuisance signals by the training scans of every outer fold; delays never
    cross runs. Penalties are chosen inside those training scans.

    Parameters
    ----------
    spaces : {name: array [scans, units]}, not yet delayed.
    responses : array [scans, targets]; held in memory as a whole.
    runs : array [scans], the run of every scan.
    delays : shifts in scans; or {name: shifts}, None for a space that is delayed or convolved already.
    alphas : the grid, on the scale of z-scored features; a space's penalty is alpha / its share (`band_shares`).
    n_candidates : divisions of the penalty among the spaces that are tried; 1 is plain ridge.
    inner_folds : in how many folds penalties are chosen; the remaining runs are put together to so many. None takes
        each by itself, in as much more time.
    metric : "r2" or "correlation", for choosing and for the scores. A run's mean is taken as known in an R2.
    per_target : penalties for each target, or the same for all, chosen by their mean score.
    seed : of the random search.
    predictions : return what each space predicts.
    device, dtype : where and in what precision to compute.
    design : splits, trim, nuisance: see `EncodingDesign`.

    Notes
    -----
    The search costs one decomposition per candidate, inner fold and outer fold: some seconds for 1,000 scans and 100
    features, and grows with their square. Reduce wide spaces by principal components first.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> runs = np.repeat([1, 2, 3], 60)
    >>> spaces = {"rate": rng.standard_normal((180, 1)), "states": rng.standard_normal((180, 10))}
    >>> y = delay(spaces["rate"], (1,), runs) + 0.5 * rng.standard_normal((180, 1))
    >>> fit = cross_validate_bands(spaces, y, runs, delays=(1, 2), alphas=[0.01, 1, 100], n_candidates=5)
    >>> fit.to_frame({"region": ["Heschl's gyrus"]})[["region", "space", "score"]].round(1)
               region   space  score
    0  Heschl's gyrus    rate    0.8
    1  Heschl's gyrus  states    0.0
    """
    check_choice(metric, "metric", METRICS)
    alphas, names = as_alphas(alphas), list(spaces)
    if not names:
        raise ValueError("spaces must hold at least one feature space: {name: array [scans, units]}")
    if isinstance(delays, Mapping) and set(delays) != set(names):
        raise ValueError(f"delays are of {sorted(delays)}, spaces are {sorted(names)}: give each space its own")
    designs = []
    for name in names:
        of_space = delays[name] if isinstance(delays, Mapping) else delays
        designs.append(EncodingDesign(np.asarray(spaces[name]), runs, of_space, **design))
        designs[-1].warn_of_faults()
    splits = designs[0].splits
    targets = designs[0].targets(responses, device, DTYPES[dtype])
    usable = torch.as_tensor(targets.usable)
    y = targets.read(slice(None))[:, usable]
    ridge_designs = [of_space.ridge_design(0, device, DTYPES[dtype]) for of_space in designs]
    shares = band_shares(len(names), n_candidates, seed)
    shape = (len(splits), len(names), targets.n_targets)
    space_scores, penalties = np.full(shape, np.nan), np.full(shape, np.nan)
    predicted: Any = np.full((len(names), *responses.shape), np.nan, np.float32) if predictions else None
    for number, (train, test) in enumerate(splits):
        folds = [FoldFeatures(of_space, train) for of_space in ridge_designs]
        training = [fold.of(train).cpu().numpy() for fold in folds]
        choice = [(np.arange(len(train)),) * 2]
        if len(alphas) * len(shares) > 1:
            choice = inner_splits(splits, number, inner_folds)
        fitted = folds[0].responses(y, train).cpu().numpy()
        weights, penalties[number][:, targets.usable], _ = solve_bands(
            training, fitted, choice, alphas, shares, metric, per_target, targets.device
        )
        parts = np.stack([fold.of(test).cpu().numpy() @ w for fold, w in zip(folds, weights, strict=True)])
        observed = folds[0].responses(y, test).cpu().numpy()
        flat = (is_flat(rows(y, train)) | is_flat(rows(y, test))).cpu().numpy()
        of_fold = split_scores(parts, observed, metric)
        of_fold[:, flat] = np.nan
        space_scores[number][:, targets.usable] = of_fold
        if predictions:
            predicted[:, test[:, None], np.flatnonzero(targets.usable)] = parts
    space_scores[short_folds(designs[0].runs, splits)] = np.nan
    fold_scores = space_scores.sum(1)
    scores = mean_of_folds(fold_scores[None], splits, metric)[0]
    return BandedScores(names, scores, fold_scores, space_scores, penalties, predicted, metric, splits)
