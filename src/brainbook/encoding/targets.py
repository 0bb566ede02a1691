"""Targets in blocks: any number of them, from memory or from a file, with those that cannot be predicted set aside."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch

from brainbook.encoding.inputs import as_count
from brainbook.stats.scores import as_array

BLOCK_BYTES = 2**25  # of one block of responses; several arrays of about this size exist at a time
PIECE = 1024  # targets that a processor works on at a time: what is made of them stays in its cache


class Targets:
    """Responses [scans, targets] that are read block by block and brought to mean 0 and variance 1 over all scans.

    Ridge regression follows any shift and stretch of a target exactly, so this changes no prediction; it keeps the
    digits of recordings whose values lie around 10,000. Nothing of the targets is copied as a whole: they may be
    memory-mapped.

    Attributes
    ----------
    usable : array [targets], True where a target is finite and varies.
    mean, size : arrays [targets], what was taken away and divided by.
    """

    def __init__(self, responses, *, device, dtype=torch.float32, block: int | None = None, intercept: bool = True):
        responses = as_array(responses, "responses")
        if responses.ndim != 2:
            raise ValueError(f"responses must be [scans, targets]; they have shape {responses.shape}")
        self.responses, self.device, self.dtype, self.intercept = responses, device, dtype, intercept
        self.n_scans, self.n_targets = responses.shape
        by_memory = max(64, BLOCK_BYTES // max(1, self.n_scans * torch.finfo(dtype).bits // 8))
        self.block = by_memory if block is None else as_count(block, "block")
        self.mean, self.size = np.zeros(self.n_targets), np.ones(self.n_targets)
        self.usable = np.ones(self.n_targets, bool)
        missing = 0
        for part in self.blocks():
            values = np.asarray(responses[:, part], float)
            if np.isinf(values).any():
                raise ValueError(
                    "Input Y contains infinity or a value too large for its dtype: mend or leave out the targets"
                )
            mean, size = values.mean(0), values.std(0)
            missing += int(np.isnan(mean).sum())
            usable = np.isfinite(size) & (size > 1e-10 * np.abs(np.where(np.isfinite(mean), mean, 0))) & (size > 0)
            self.usable[part] = usable
            self.size[part] = np.where(usable, size, 1)
            self.mean[part] = np.where(usable, mean, 0) if intercept else 0
        if self.n_targets and missing == self.n_targets:
            raise ValueError("Input Y contains NaN in every target: nothing to predict")

    def some(self, places: np.ndarray) -> "Targets":
        """Those of the targets alone, integer array, in memory."""
        options = {"device": self.device, "dtype": self.dtype, "block": self.block, "intercept": self.intercept}
        return Targets(self.responses[:, places], **options)

    def blocks(self) -> list[slice]:
        """Slices of targets, so that a block of them has at most BLOCK_BYTES."""
        return [slice(start, min(start + self.block, self.n_targets)) for start in range(0, self.n_targets, self.block)]

    def read(self, part: slice | np.ndarray) -> torch.Tensor:
        """The block's targets, tensor [scans, block], standardised over all scans; unusable ones are zero."""
        values = np.array(self.responses[:, part], dtype=np.float64 if self.dtype == torch.float64 else np.float32)
        usable = self.usable[part]
        if not usable.all():
            values[:, ~usable] = 0
        values -= self.mean[part]
        values /= self.size[part]
        if not usable.all():
            values[:, ~usable] = 0
        return torch.as_tensor(values).to(self.device)

    def pieces(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """All targets, block by block as they are read, and on a processor in smaller pieces: (slice, tensor) each."""
        for part in self.blocks():
            y = self.read(part)
            step = PIECE if self.device.type == "cpu" else self.block
            for start in range(part.start, part.stop, step):
                stop = min(start + step, part.stop)
                yield slice(start, stop), y[:, start - part.start : stop - part.start]

    def warn_unusable(self, stacklevel: int = 3) -> None:
        """Say how many targets are constant or hold NaN; their scores are NaN."""
        count = int((~self.usable).sum())
        if count:
            warnings.warn(
                f"{count} of {self.n_targets} targets are constant or hold NaN: their scores and alphas are NaN",
                RuntimeWarning,
                stacklevel=stacklevel,
            )


def check_alphas(alphas) -> np.ndarray:
    """Alphas as a sorted array of positive numbers.

    Raises
    ------
    ValueError : when there is none, or one is not a positive number.
    """
    alphas = np.unique(np.atleast_1d(np.asarray(alphas, float)))
    if alphas.ndim != 1 or not len(alphas):
        raise ValueError("alphas must hold at least one number")
    wrong = alphas[~(alphas > 0) | ~np.isfinite(alphas)]
    if len(wrong):
        raise ValueError(f"alphas must be positive and finite: {wrong.tolist()}")
    return alphas


class BorderWarning(RuntimeWarning):
    """Many targets chose the smallest alpha. Targets that nothing predicts take any, so it may be no news."""


def warn_border(best, alphas, stacklevel: int = 3) -> None:
    """Say how many targets chose the smallest alpha, and the largest, when the first are more than a tenth of them."""
    best = np.asarray(best)
    best = best[np.isfinite(best)]
    if len(alphas) < 2 or not best.size:
        return
    low, high = (best == alphas[0]).mean(), (best == alphas[-1]).mean()
    # The largest alpha is what a target that nothing predicts will choose: worth a word, but no fault of the grid.
    if low > 0.1:
        warnings.warn(
            f"{low:.0%} of the choices fell on the smallest alpha, {alphas[0]:.3g}: smaller ones may do better "
            f"({high:.0%} fell on the largest, {alphas[-1]:.3g})",
            BorderWarning,
            stacklevel=stacklevel,
        )
