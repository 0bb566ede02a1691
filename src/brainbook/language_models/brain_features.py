"""From scans to a few features: an autoencoder, and the principal components that it must be compared with.

Both see training runs only. The published autoencoder squeezes a scan's grey-matter voxels to 1,024 features; the mini
makes 64 of a phantom's regions or vertices.
"""

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.training import fit


class BrainAutoencoder(nn.Module):
    """Scan [targets] -> features [features] -> scan: one hidden layer on either side."""

    def __init__(self, n_targets: int, n_features: int = 64, n_hidden: int = 256):
        super().__init__()
        self.n_targets, self.n_features = n_targets, n_features
        self.encoder = nn.Sequential(nn.Linear(n_targets, n_hidden), nn.GELU(), nn.Linear(n_hidden, n_features))
        self.decoder = nn.Sequential(nn.Linear(n_features, n_hidden), nn.GELU(), nn.Linear(n_hidden, n_targets))

    def forward(self, scans: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(scans))

    @torch.inference_mode()
    def encode(self, scans: np.ndarray) -> np.ndarray:
        """Features of scans: [scans, targets] -> [scans, features]."""
        return self._through(self.encoder, check_scans(scans, self.n_targets))

    @torch.inference_mode()
    def decode(self, features: np.ndarray) -> np.ndarray:
        """Scans of features: [scans, features] -> [scans, targets]."""
        return self._through(self.decoder, check_scans(features, self.n_features))

    def _through(self, part: nn.Module, values: np.ndarray) -> np.ndarray:
        device = next(self.parameters()).device
        return part(torch.from_numpy(values).to(device)).cpu().numpy()


class PrincipalComponents:
    """The best linear features in least squares: the baseline."""

    def __init__(self, scans: np.ndarray, n_features: int = 64):
        scans = check_scans(scans)
        self.n_targets, self.n_features = scans.shape[1], n_features
        _at_most(n_features, min(scans.shape))
        self.mean = scans.mean(0)
        _, _, rows = np.linalg.svd(scans - self.mean, full_matrices=False)
        self.components = rows[:n_features]  # features, targets

    def encode(self, scans: np.ndarray) -> np.ndarray:
        return (check_scans(scans, self.n_targets) - self.mean) @ self.components.T

    def decode(self, features: np.ndarray) -> np.ndarray:
        return check_scans(features, self.n_features) @ self.components + self.mean


def fit_autoencoder(
    scans: np.ndarray,
    n_features: int = 64,
    *,
    n_hidden: int = 256,
    steps: int = 600,
    batch: int = 128,
    noise: float = 0.5,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.1,
    seed: int = 0,
    device: str = "auto",
    **options,
) -> tuple[BrainAutoencoder, pd.DataFrame]:
    """Train an autoencoder on the scans of the training runs.

    Parameters
    ----------
    scans : [scans, targets], z-scored within their run.
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
        model = BrainAutoencoder(scans.shape[1], n_features, n_hidden)

    def sample(number: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        chosen = scans[torch.randint(len(scans), (batch,), generator=generator)]
        return {"clean": chosen, "noisy": chosen + noise * torch.randn(chosen.shape, generator=generator)}

    def loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.mse_loss(model(batch["noisy"]), batch["clean"])

    options = {"description": "brain features", "weight_decay": weight_decay, **options}
    curve = fit(model, sample, loss, steps=steps, learning_rate=learning_rate, seed=seed, device=device, **options)
    return model.eval(), curve


def reconstruction(model: BrainAutoencoder | PrincipalComponents, scans: np.ndarray) -> np.ndarray:
    """Share of each target's variance that survives the features, on scans not trained on: R2 [targets]."""
    scans = check_scans(scans, model.n_targets)
    left = ((scans - model.decode(model.encode(scans))) ** 2).sum(0)
    return 1 - left / ((scans - scans.mean(0)) ** 2).sum(0)


def check_scans(scans: np.ndarray, width: int | None = None) -> np.ndarray:
    """float32 [scans, width] without NaN, or a DatasetError that says what is wrong."""
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
