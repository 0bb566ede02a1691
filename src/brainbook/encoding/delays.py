"""Delays between what is heard and what the scanner sees: finite impulse responses that never cross a run's border."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from brainbook.encoding.inputs import as_delays, as_runs, check_choice
from brainbook.stats.scores import as_array


def run_slices(runs: np.ndarray | None) -> list[slice]:
    """Return the scans of each run, in order of appearance.

    Parameters
    ----------
    runs : array [scans], the run of every scan. The scans of a run must follow one another.

    Raises
    ------
    ValueError : when a run appears, ends, and appears again, or a scan has no run.

    Examples
    --------
    >>> run_slices(np.array([1, 1, 1, 2, 2]))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    runs = as_runs(runs)
    if not len(runs):
        return []
    borders = [0, *(np.flatnonzero(runs[1:] != runs[:-1]) + 1).tolist(), len(runs)]
    names, counts = np.unique(runs[borders[:-1]], return_counts=True)
    if len(names) < len(borders) - 1:
        again = names[counts > 1][0]
        raise ValueError(
            f"run {again!r} appears in two places: put the scans of a run one after the other, in time order"
        )
    return [slice(start, stop) for start, stop in pairwise(borders)]


def delays_in_scans(tr: float, seconds: Sequence[float] = (2, 4, 6, 8)) -> tuple[int, ...]:
    """Return the delays nearest to some seconds in whole scans, each once, in order.

    Parameters
    ----------
    tr : seconds from one scan to the next.
    seconds : delays between a stimulus and the response that it is to explain.

    Examples
    --------
    >>> delays_in_scans(2.0)
    (1, 2, 3, 4)
    >>> delays_in_scans(1.5)
    (1, 3, 4, 5)
    """
    if not tr > 0:
        raise ValueError(f"tr is {tr!r}: give the seconds from one scan to the next")
    return tuple(sorted({round(each / tr) for each in seconds}))


def delay(
    features: np.ndarray,
    delays: Sequence[int] = (1, 2, 3, 4),
    runs: np.ndarray | None = None,
    *,
    circular: bool = False,
) -> np.ndarray:
    """Shift copies of the features by some scans and put them side by side: a finite impulse response design.

    A response in the scan t is then a weighted sum of the features in the scans t - 1, t - 2, ...: the weights draw the
    haemodynamic response instead of assuming it.

    Parameters
    ----------
    features : array [scans, features] or [layers, scans, features].
    delays : shifts in scans; positive ones look into the past, as responses follow stimuli.
    runs : array [scans], the run of every scan; None means that all scans are one run. Before a run's first scan there
        are zeros, never another run's scans. Zero says 'as always' of features whose mean is zero: `EncodingDesign`
        sees to that (`centred_delays`); centre features first where you delay them yourself.
    circular : let the end of all scans flow into their beginning and across runs, as the published script does. For
        showing what that costs; never for an analysis.

    Returns
    -------
    array [..., scans, delays x features], the type of `features`; columns of the first delay first.

    Examples
    --------
    >>> delay(np.array([[1.0], [2.0], [3.0], [4.0]]), delays=(1, 2), runs=[1, 1, 2, 2])
    array([[0., 0.],
           [1., 0.],
           [0., 0.],
           [3., 0.]])
    """
    features, delays = as_array(features, "features"), as_delays(delays)
    if features.ndim < 2:
        raise ValueError(f"features must be [scans, features] or [layers, scans, features]; they have {features.shape}")
    n_scans, n_features = features.shape[-2:]
    if runs is not None and len(runs) != n_scans:
        raise ValueError(f"runs names {len(runs)} scans, features have {n_scans}")
    parts = [slice(0, n_scans)] if runs is None or circular else run_slices(runs)
    delayed = np.zeros((*features.shape[:-1], len(delays) * n_features), features.dtype)
    for place, shift in enumerate(delays):
        block = delayed[..., place * n_features : (place + 1) * n_features]
        for part in parts:
            scans = np.arange(part.start, part.stop)
            source = scans - shift
            inside = slice(None) if circular else (source >= part.start) & (source < part.stop)
            block[..., scans[inside], :] = features[..., source[inside] % max(1, n_scans), :]
    return delayed


class Delayer(TransformerMixin, BaseEstimator):
    """Delay features as a step of a scikit-learn pipeline, within runs (see `delay`).

    Parameters
    ----------
    delays : shifts in scans.
    runs : array [scans], the run of every scan that is fitted or transformed; None means that all are one run. `fit`
        and `transform` take those of other scans, which cross-validation hands them where scikit-learn routes metadata.
    fill : what stands where a delay looks beyond its run: "zeros", or the "mean" of the feature at that delay over the
        scans given to `fit`, as in `cross_validate`.

    Attributes
    ----------
    fill_ : array [delays x features], what stands there; only with "mean", which alone has to be fitted.
    n_features_in_ : int.

    Examples
    --------
    The predictions of `cross_validate`, by scikit-learn:

    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklearn.pipeline import make_pipeline
    >>> from brainbook.encoding import Delayer, LeaveOneRunOut, RidgeEncoder, cross_validate
    >>> rng, runs = np.random.default_rng(0), np.repeat([1, 2, 3], 40)
    >>> features, responses = rng.standard_normal((120, 2)), rng.standard_normal((120, 5))
    >>> pipeline = make_pipeline(Delayer((1, 2), fill="mean"), RidgeEncoder(alphas=[10.0]))
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     of_runs = {"runs": runs, "groups": runs}
    ...     predicted = cross_val_predict(pipeline, features, responses, cv=LeaveOneRunOut(), params=of_runs)
    >>> ours = cross_validate(features, responses, runs, (1, 2), [10.0], predictions=True)
    >>> np.allclose(predicted, ours.predictions, atol=1e-5)
    True
    """

    __metadata_request__fit = {"runs": True}  # where metadata is routed it is taken without being asked for
    __metadata_request__transform = {"runs": True}

    def __init__(
        self, delays: Sequence[int] = (1, 2, 3, 4), runs: np.ndarray | None = None, *, fill: str = "zeros"
    ) -> None:
        self.delays = delays
        self.runs = runs
        self.fill = fill

    def fit(self, X: np.ndarray, y: object = None, runs: np.ndarray | None = None) -> Self:
        """Note what stands beyond runs; `runs` are taken in place of those of the constructor."""
        check_choice(self.fill, "fill", ("zeros", "mean"))
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        delayed, held = self._delayed(X, runs)
        if self.fill == "mean":
            self.fill_ = delayed.sum(0, dtype=float) / np.maximum(held.sum(0), 1)
        return self

    def transform(self, X: np.ndarray, runs: np.ndarray | None = None) -> np.ndarray:
        """Return the delayed features [scans, delays x features]; `runs` as in `fit`."""
        delayed, held = self._delayed(validate_data(self, X, dtype=[np.float64, np.float32], reset=False), runs)
        if self.fill == "zeros":
            return delayed
        check_is_fitted(self, "fill_")
        return np.where(held, delayed, self.fill_.astype(delayed.dtype))

    def fit_transform(self, X: np.ndarray, y: object = None, runs: np.ndarray | None = None) -> np.ndarray:
        """Fit, and return the delayed features [scans, delays x features]."""
        return self.fit(X, y, runs).transform(X, runs)

    def _delayed(self, X: np.ndarray, runs: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the delayed features, and where they hold a scan of the run."""
        runs = self.runs if runs is None else runs
        held = delay(np.ones((len(X), 1), bool), self.delays, runs)
        return delay(X, self.delays, runs), np.repeat(held, X.shape[1], axis=1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.fill == "mean"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def centred_delays(features: np.ndarray, delays: Sequence[int], runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delay features so that a constant added to them changes nothing, and return where nothing but padding stands.

    Returns
    -------
    array [scans, delays x features], the features less their mean over all scans, delayed.
    boolean array [scans, delays]: True before a run's first scan (or after its last). There every fold puts its own
    training mean (`RidgeDesign`), as scikit-learn's `SimpleImputer` would.
    """
    features = features if features.dtype.kind == "f" else features.astype(float)
    centred = (features - features.mean(0, dtype=float)).astype(features.dtype)
    centred[:, (features == features[:1]).all(0)] = 0  # the mean of a constant may be off by its last digit
    padded = delay(np.ones((len(features), 1), bool), delays, runs)
    return delay(centred, delays, runs), ~padded
