"""From scans to a few features: an autoencoder, and the principal components that it must be compared with.

Both see training runs only. The published autoencoder squeezes a scan's grey-matter voxels to 1,024 features; here they
are made of the 20,484 vertices of the cortex, or fewer of 148 regions.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from torch import nn

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.training import fit

EXACT = 2000


class BrainAutoencoder(nn.Module):
    """Scan [targets] -> features [features] -> scan: one hidden layer on either side."""

    def __init__(self, n_targets: int, n_features: int = 64, n_hidden: int = 256) -> None:
        super().__init__()
        self.n_targets, self.n_features = n_targets, n_features
        self.encoder = nn.Sequential(nn.Linear(n_targets, n_hidden), nn.GELU(), nn.Linear(n_hidden, n_features))
        self.decoder = nn.Sequential(nn.Linear(n_features, n_hidden), nn.GELU(), nn.Linear(n_hidden, n_targets))

    def forward(self, scans: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(scans))

    def transform(self, scans: np.ndarray) -> np.ndarray:
        """Return the features of scans: [scans, targets] -> [scans, features]."""
        return self._apply_to(self.encoder, check_scans(scans, self.n_targets))

    def inverse_transform(self, features: np.ndarray) -> np.ndarray:
        """Return the scans of features: [scans, features] -> [scans, targets]."""
        return self._apply_to(self.decoder, check_scans(features, self.n_features))

    @torch.inference_mode()
    def _apply_to(self, part: nn.Module, values: np.ndarray) -> np.ndarray:
        device = next(self.parameters()).device
        return part(torch.from_numpy(values).to(device)).cpu().numpy()


def fit_principal_components(scans: np.ndarray, n_features: int = 64, seed: int = 0) -> PCA:
    """Fit the best linear features in least squares to the scans of the training runs: the baseline.

    Of `EXACT` scans and targets or more the components are found by random projections with two power iterations, for
    which the scans and one centred copy are in memory; of fewer exactly.
    """
    scans = check_scans(scans)
    _at_most(n_features, min(scans.shape))
    solver = "full" if min(scans.shape) < EXACT else "randomized"
    return PCA(n_features, svd_solver=solver, iterated_power=2, random_state=seed).fit(scans)


def fit_autoencoder(
    scans: Any,
    n_features: int = 64,
    *,
    n_hidden: int | None = None,
    steps: int = 600,
    batch: int = 128,
    noise: float = 0.5,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.1,
    seed: int = 0,
    device: str = "auto",
    **options: Any,
) -> tuple[BrainAutoencoder, pd.DataFrame]:
    """Train an autoencoder on the scans of the training runs.

    Parameters
    ----------
    scans : [scans, targets], z-scored within their run.
    n_hidden : units of either hidden layer; None for twice the features, and 256 at least. With 20,484 targets and
        1,024 features that is 88 million weights: 1.4 GB with gradients and the optimizer's state.
    noise : standard deviation of what is added to its input while training, so that it learns what targets share.
    options : for `brainbook.training.fit`.

    Returns
    -------
    the autoencoder, in evaluation mode, and its loss curve (mean squared error).
    """
    scans = torch.from_numpy(check_scans(scans))
    _at_most(n_features, scans.shape[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BrainAutoencoder(scans.shape[1], n_features, n_hidden or max(256, 2 * n_features))

    def sample(number: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        chosen = scans[torch.randint(len(scans), (batch,), generator=generator)]
        return {"clean": chosen, "noisy": chosen + noise * torch.randn(chosen.shape, generator=generator)}

    def loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.mse_loss(model(batch["noisy"]), batch["clean"])

    options = {"description": "brain features", "weight_decay": weight_decay, **options}
    curve = fit(model, sample, loss, steps=steps, learning_rate=learning_rate, seed=seed, device=device, **options)
    return model.eval(), curve


def reconstruction(model: BrainAutoencoder | PCA, scans: np.ndarray) -> np.ndarray:
    """Return the share of each target's variance that the features hold, on scans not trained on: R2 [targets].

    NaN for a target that does not vary.
    """
    scans = check_scans(scans)
    residual = ((scans - model.inverse_transform(model.transform(scans))) ** 2).sum(0)
    total = ((scans - scans.mean(0)) ** 2).sum(0)
    return 1 - residual / np.where(total > 0, total, np.nan)


def check_scans(scans: np.ndarray, width: int | None = None) -> np.ndarray:
    """Return float32 [scans, width] without NaN, or raise a DatasetError that says what is wrong."""
    scans = np.asarray(scans, np.float32)
    if scans.ndim != 2:
        raise DatasetError(f"scans have shape {scans.shape}: expected [scans, targets]")
    if width is not None and scans.shape[1] != width:
        raise DatasetError(f"scans have {scans.shape[1]} columns, the model was made for {width}")
    bad = np.argwhere(~np.isfinite(scans))
    if len(bad):
        scan, target = bad[0]
        raise DatasetError(
            f"{len(bad)} values are not numbers, the first at scan {scan}, target {target}: mask them first"
        )
    return scans


def _at_most(n_features: int, most: int) -> None:
    if not 1 <= n_features <= most:
        raise ConfigurationError(f"n_features is {n_features}: between 1 and {most} for these scans")
