"""Targets in blocks: any number of them, from memory or from a file, with those that cannot be predicted set aside."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from brainbook.encoding.inputs import as_count
from brainbook.encoding.ridge_design import memory_share, to_device
from brainbook.stats.scores import as_array

BLOCK_BYTES = 2**25  # of one block of responses; several arrays of about this size exist at a time
BATCH = 1024  # targets that a processor works on at a time: what is made of them stays in its cache


class Targets:
    """Responses [scans, targets] that are read block by block and brought to mean 0 and variance 1 over all scans.

    Ridge regression follows any shift and scaling of a target exactly, so this changes no prediction; it keeps the
    digits of recordings whose values lie around 10,000. Nothing of the targets is copied as a whole: they may be
    memory-mapped.

    Attributes
    ----------
    usable : array [targets], True where a target is finite and varies.
    mean, size : arrays [targets], what was taken away and divided by.
    """

    def __init__(
        self,
        responses: np.ndarray,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        block: int | None = None,
    ) -> None:
        responses = as_array(responses, "responses")
        if responses.ndim != 2:
            raise ValueError(f"responses must be [scans, targets]; they have shape {responses.shape}")
        self.responses, self.device, self.dtype = responses, device, dtype
        self.n_scans, self.n_targets = responses.shape
        by_memory = memory_share(device, 1 / 64, BLOCK_BYTES) // max(1, self.n_scans * torch.finfo(dtype).bits // 8)
        self.block = max(64, by_memory) if block is None else as_count(block, "block")
        self.step = min(self.block, BATCH) if device.type == "cpu" else self.block
        self._on_gpu: torch.Tensor | None = None
        mean, size = np.zeros(self.n_targets), np.zeros(self.n_targets)
        for columns in self.blocks():
            values = to_device(responses[:, columns], device).double()
            if values.isinf().any():
                raise ValueError(
                    "Input Y contains infinity or a value too large for its dtype: mend or leave out the targets"
                )
            mean[columns], size[columns] = values.mean(0).cpu().numpy(), values.std(0, correction=0).cpu().numpy()
        if self.n_targets and np.isnan(mean).all():
            raise ValueError("Input Y contains NaN in every target: nothing to predict")
        self.usable = size > 1e-10 * np.abs(mean)  # False for NaN and for a constant
        self.mean, self.size = np.where(self.usable, mean, 0), np.where(self.usable, size, 1)

    def subset(self, places: np.ndarray) -> "Targets":
        """Return those of the targets alone, integer array, in memory."""
        return Targets(self.responses[:, places], device=self.device, dtype=self.dtype, block=self.block)

    def blocks(self) -> list[slice]:
        """Return slices of targets, so that a block of them has at most BLOCK_BYTES."""
        return [slice(start, min(start + self.block, self.n_targets)) for start in range(0, self.n_targets, self.block)]

    def read(self, columns: slice | np.ndarray) -> torch.Tensor:
        """Return the block's targets, tensor [scans, block], standardised over all scans; unusable ones are zero."""
        if self.device.type == "cpu" or self.block < self.n_targets:
            return self._standardised(columns)
        if self._on_gpu is None:  # where all fit into one block, they stay there
            self._on_gpu = self._standardised(slice(None))
        return self._on_gpu[:, columns if isinstance(columns, slice) else torch.as_tensor(columns).to(self.device)]

    def _standardised(self, columns: slice | np.ndarray) -> torch.Tensor:
        values = to_device(self.responses[:, columns], self.device).to(self.dtype)
        mean, size, usable = (
            torch.as_tensor(part[columns]).to(self.device) for part in (self.mean, self.size, self.usable)
        )
        return values.sub_(mean).div_(size).masked_fill_(~usable, 0)

    def batches(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield all targets as they are read, and on a processor in smaller batches: (slice, tensor)."""
        for block in self.blocks():
            y = self.read(block)
            for start in range(block.start, block.stop, self.step):
                stop = min(start + self.step, block.stop)
                yield slice(start, stop), y[:, start - block.start : stop - block.start]

    def batches_by(self, labels: np.ndarray) -> Iterator[tuple[Any, np.ndarray, torch.Tensor]]:
        """Yield all targets in batches that share a label, as (label, columns, tensor)."""
        for label in np.unique(labels):
            columns = np.flatnonzero(labels == label)
            for start in range(0, len(columns), self.step):
                part = columns[start : start + self.step]
                yield label, part, self.read(part)

    def warn_unusable(self, stacklevel: int = 3) -> None:
        """Warn of targets that are constant or hold NaN; their scores are NaN."""
        if count := int((~self.usable).sum()):
            message = f"{count} of {self.n_targets} targets are constant or hold NaN: their scores and alphas are NaN"
            warnings.warn(message, RuntimeWarning, stacklevel=stacklevel)


class BorderWarning(RuntimeWarning):
    """Many targets chose the smallest alpha. Targets that nothing predicts take any, so it may be no news."""


def border_shares(best: np.ndarray, alphas: np.ndarray) -> tuple[float, float]:
    """Return the shares of targets at the smallest and the largest alpha; warn where the first is above a tenth."""
    best = best[np.isfinite(best)]
    if not best.size:
        return np.nan, np.nan
    low, high = float((best == alphas[0]).mean()), float((best == alphas[-1]).mean())
    # The largest alpha is what a target that nothing predicts will choose: worth a word, but no fault of the grid.
    if len(alphas) > 1 and low > 0.1:
        message = f"{low:.0%} of the choices fell on the smallest alpha, {alphas[0]:.3g}: smaller ones may do better "
        message += f"({high:.0%} fell on the largest, {alphas[-1]:.3g})"
        warnings.warn(message, BorderWarning, stacklevel=3)
    return low, high
