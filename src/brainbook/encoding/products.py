"""Products of features with responses that folds share, each computed once.

The training scans of two folds of a cross-validation differ in little. So the scans are cut into parts, such that every
fold trains on whole parts (leaving runs out: the runs), X'Y is made for each part, and a fold takes the sum over the
parts that it trains on. Nine runs in pairs, for which alphas are chosen, then need one product over all scans where
the scans that each pair leaves out would make eight.
"""

import numpy as np
import torch

from brainbook.encoding.ridge_design import FoldDecomposition, FoldGram, RidgeDesign, rows

MOST_PARTS = 64  # of scans; splits that are cut into more share little, and each fold is a part of its own


class _PartsOfFold:
    """Which parts a fold trains on, as indices on the device; `most`: whether these are more than half of them."""

    def __init__(self, used: np.ndarray, device: torch.device) -> None:
        self.parts, self.others = (torch.as_tensor(np.flatnonzero(which)).to(device) for which in (used, ~used))
        self.most = 2 * used.sum() > len(used)


class SharedProducts:
    """How the training scans of several folds are put together from parts.

    Parameters
    ----------
    design : the features. trains : integer arrays, the training scans of the folds.
    """

    def __init__(self, design: RidgeDesign, trains: list[np.ndarray]) -> None:
        inside = np.zeros((len(trains), len(design.x)), bool)
        for row, train in zip(inside, trains, strict=True):
            row[train] = True
        used, part_of_scan = np.unique(inside, axis=1, return_inverse=True)  # folds, parts
        self.parts = [np.flatnonzero(part_of_scan.ravel() == part) for part in range(used.shape[1])]
        if len(self.parts) > MOST_PARTS:
            self.parts, used = trains, np.eye(len(trains), dtype=bool)
        self.used = {train.tobytes(): _PartsOfFold(row, design.device) for train, row in zip(trains, used, strict=True)}
        self.design = design

    def of(self, y: torch.Tensor) -> "ResponseProducts":
        """Compute the products with a block of responses, tensor [scans, targets]."""
        return ResponseProducts(self, y)


class ResponseProducts:
    """Products of the features and regressors with one block of responses, and what is observed in test scans.

    Attributes
    ----------
    y : tensor [scans, targets].
    """

    def __init__(self, shared: SharedProducts, y: torch.Tensor) -> None:
        self.y, self.design, self.used = y, shared.design, shared.used
        w = self.design.regressors.to(y.dtype)
        by_part = [rows(y, part) for part in shared.parts]
        self._wy = _sums([rows(w, part).T @ own for part, own in zip(shared.parts, by_part, strict=True)])
        if self.design.primal:
            x = self.design.x
            self._xy = _sums([rows(x, part).T @ own for part, own in zip(shared.parts, by_part, strict=True)])
        self._lowest = torch.stack([own.amin(0) for own in by_part])  # parts, targets
        self._highest = torch.stack([own.amax(0) for own in by_part])
        self._centred: dict[bytes, tuple[torch.Tensor, torch.Tensor]] = {}
        self._flat: dict[bytes, torch.Tensor] = {}

    def _over(self, sums: tuple[torch.Tensor, torch.Tensor], fold: FoldGram) -> torch.Tensor:
        """Sum over the fold's parts, or subtract the parts that it leaves out from the total, if these are fewer."""
        (by_part, total), used = sums, self.used[fold.train.tobytes()]
        if used.most:
            return total - by_part[used.others].sum(0)
        return by_part[used.parts].sum(0)

    def xy(self, fold: FoldGram) -> torch.Tensor:
        """Return X'Y over the fold's training scans, tensor [features, targets] (primal form only)."""
        return self._over(self._xy, fold)

    def wy(self, fold: FoldGram) -> torch.Tensor:
        """Return W'Y over the fold's training scans, W the regressors, tensor [regressors, targets]."""
        return self._over(self._wy, fold)

    def loadings(self, fold: FoldDecomposition) -> torch.Tensor:
        """Return train_projection' @ (training responses without intercept and signals), tensor [rank, targets]."""
        if not self.design.primal:
            return fold.basis.T @ rows(self.y, fold.train)
        return fold.basis.T @ self.xy(fold).addmm_(fold.removal.T.to(self.y.dtype), self.wy(fold), alpha=-1)

    def right_side(self, fold: FoldGram) -> torch.Tensor:
        """Return the right side of the fold's normal equations, tensor [order, targets].

        Primal: X'Y of the scaled residuals; dual: training responses less what intercept and signals explain.
        """
        if not self.design.primal:
            return self.observed(fold, fold.train)
        residual = self.xy(fold).addmm_(fold.removal.T.to(self.y.dtype), self.wy(fold), alpha=-1)
        return residual.mul_(fold.scales.to(self.y.dtype)[:, None])

    def to_score(self, fold: FoldGram, test: np.ndarray, metric: str) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return what predictions of test scans are compared with, and for correlations its sums of squares."""
        return self.centred(fold, test) if metric == "correlation" else (self.observed(fold, test), None)

    def observed(self, fold: FoldGram, test: np.ndarray) -> torch.Tensor:
        """Return responses of test scans less what intercept and signals predict, by weights of the training scans."""
        y, signals = rows(self.y, test), rows(self.design.signals, test)
        weights = (signals @ fold.signal_inverse).to(y.dtype)
        return torch.addmm(y, weights, self.wy(fold)[: signals.shape[1]], alpha=-1)

    def centred(self, fold: FoldGram, test: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `observed` less its mean over the test scans, and its sums of squares [targets].

        With no signals but the intercept it is the same whatever the training scans, and computed once for all folds.
        """
        only_intercept = self.design.signals.shape[1] == 1
        if only_intercept and test.tobytes() in self._centred:
            return self._centred[test.tobytes()]
        values = rows(self.y, test) if only_intercept else self.observed(fold, test)
        values = values - values.mean(0)
        squares = torch.linalg.vector_norm(values, dim=0).square()
        if only_intercept:
            self._centred[test.tobytes()] = values, squares
        return values, squares

    def flat(self, fold: FoldGram, test: np.ndarray) -> torch.Tensor:
        """Return which targets do not vary in a fold's training or test scans (dead in a run): boolean [targets]."""
        if test.tobytes() not in self._flat:
            self._flat[test.tobytes()] = is_flat(rows(self.y, test))
        used = self.used[fold.train.tobytes()].parts
        ends = torch.stack([self._lowest[used].amin(0), self._highest[used].amax(0)])
        return self._flat[test.tobytes()] | is_flat(ends)


def is_flat(y: torch.Tensor) -> torch.Tensor:
    """Return which columns of standardised responses [scans, targets] are constant, but for rounding."""
    return y.amax(0) - y.amin(0) <= 1e-6


def _sums(parts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    by_part = torch.stack(parts)
    return by_part, by_part.sum(0)
