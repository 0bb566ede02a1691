"""Feature spaces, their delays and the folds of an encoding model: what scores and their nulls share."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainbook.encoding.delays import centred_delays
from brainbook.encoding.inputs import Splits, as_delays, as_runs, as_splits
from brainbook.encoding.protocol_checks import warn_shared_runs
from brainbook.encoding.ridge_design import RidgeDesign, find_device
from brainbook.encoding.splits import leave_one_run_out, used_scans
from brainbook.encoding.targets import Targets
from brainbook.stats.scores import as_array


class ConstantFeatures(RuntimeWarning):
    """No feature varies: whatever the responses, the score is 0."""


@dataclass(eq=False)
class EncodingDesign:
    """The side of an encoding model that knows no responses; `cross_validate` and the permutation tests take it.

    Parameters
    ----------
    features : array [scans, units] or [layers, scans, units], or a list of arrays [scans, units_i]. Not yet delayed.
    runs : array [scans], the run of every scan; also the borders that delays do not cross.
    delays : shifts in scans; None when the features are delayed already. Where a delay looks beyond a run, every fold
        puts its training mean.
    splits : list of (training scans, test scans) in place of leaving one run out (see `blocks_with_gaps`).
    trim : scans at each end of every run that neither train nor test (see `leave_one_run_out`).
    nuisance : array [scans, signals] or None, such as motion: taken out of features and responses by weights that are
        fitted on the training scans of each fold and applied to its test scans. Each run's mean of a signal is taken
        out first: responses are z-scored within runs and do not follow it. Delay or convolve signals first if their
        effect is delayed.
    scale : z-score features by the training scans of each fold.
    feature_scaling : for each layer an array [units], factors after scaling (a larger one is penalised less), or None.

    Attributes
    ----------
    layers : list of arrays [scans, units]. single : whether one array [scans, units] was given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> design = EncodingDesign(rng.standard_normal((90, 4)), np.repeat([1, 2, 3], 30), delays=(1, 2), trim=5)
    >>> [len(test) for train, test in design.splits]
    [20, 20, 20]
    """

    features: np.ndarray | Sequence[np.ndarray]
    runs: np.ndarray
    delays: Sequence[int] | None = (1, 2, 3, 4)
    splits: Splits = None  # type: ignore[assignment]  # None is replaced as soon as the design is made
    trim: int = 0
    nuisance: np.ndarray | None = None
    scale: bool = True
    feature_scaling: list | None = None

    def __post_init__(self) -> None:
        self.runs = as_runs(self.runs)
        self.delays = None if self.delays is None else as_delays(self.delays)
        if self.splits is None:
            self.splits = leave_one_run_out(self.runs, self.trim)
        elif self.trim:
            raise ValueError("give splits or trim, not both: splits may leave out any scans")
        else:
            self.splits = as_splits(self.splits, len(self.runs))
        self.used = used_scans(self.splits)
        self.single = getattr(self.features, "ndim", None) == 2
        layers = [self.features] if self.single else self.features
        self.layers = [self._checked(layer, place) for place, layer in enumerate(layers)]
        if not self.layers:
            raise ValueError("features hold no layer")
        if self.nuisance is not None:
            self.nuisance = _centred_within_runs(self.nuisance, self.runs)

    @classmethod
    def of(cls, features: Any, *arguments: Any, **options: Any) -> "EncodingDesign":
        """Return `features` if they are a design already, or else make one of all arguments."""
        return features if isinstance(features, cls) else cls(features, *arguments, **options)

    def _checked(self, layer: np.ndarray, place: int) -> np.ndarray:
        name = "features" if self.single else f"features of layer {place}"
        layer = as_array(layer, name)
        if layer.ndim != 2 or len(layer) != len(self.runs) or not layer.shape[1]:
            raise ValueError(f"{name} must be [{len(self.runs)} scans, units] and hold one unit or more: {layer.shape}")
        if not np.isfinite(layer).all():
            raise ValueError(f"{name} hold NaN or infinity: mend them before encoding")
        return layer

    def warn_of_faults(self) -> None:
        """Warn when folds share runs (refitted nulls share what leaks and need no warning) or features are constant."""
        warn_shared_runs(self.runs, self.splits, stacklevel=4)
        used = (layer[self.used] for layer in self.layers)
        constant = [str(place) for place, layer in enumerate(used) if (layer == layer[0]).all()]
        if constant:
            named = "all features" if self.single else f"features of layer {', '.join(constant)}"
            warnings.warn(f"{named} are constant: they predict nothing, and score 0", ConstantFeatures, stacklevel=4)

    def ridge_design(self, layer: int = 0, device: str = "auto", dtype: torch.dtype = torch.float32) -> RidgeDesign:
        """Return the delayed features of a layer, ready to be decomposed."""
        features, padding, scaling = self.layers[layer], None, None
        if self.feature_scaling is not None:
            scaling = np.tile(self.feature_scaling[layer], len(self.delays or [0]))
        if self.delays is not None:
            features, padding = centred_delays(features, self.delays, self.runs)
            padding = padding if padding[self.used].any() else None
        return RidgeDesign(features, self.nuisance, padding, self.scale, scaling, device, dtype)

    def targets(
        self, responses: np.ndarray, device: str = "auto", dtype: torch.dtype = torch.float32, block: int | None = None
    ) -> Targets:
        """Return responses [scans, targets] in blocks; a warning says how many cannot be predicted."""
        targets = Targets(responses, device=find_device(device), dtype=dtype, block=block)
        if targets.n_scans != len(self.runs):
            raise ValueError(f"features have {len(self.runs)} scans, responses {targets.n_scans}")
        targets.warn_unusable(stacklevel=5)
        return targets


def _centred_within_runs(nuisance: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Return signals [scans, signals] less their mean in each run; ValueError where they are not finite."""
    nuisance = as_array(nuisance, "nuisance")
    if len(nuisance) != len(runs) or not np.isfinite(nuisance).all():
        raise ValueError(f"nuisance must be finite, [{len(runs)} scans, signals]; its shape is {nuisance.shape}")
    signals = pd.DataFrame(nuisance.reshape(len(runs), -1).astype(float))
    return (signals - signals.groupby(pd.factorize(runs)[0]).transform("mean")).to_numpy()
