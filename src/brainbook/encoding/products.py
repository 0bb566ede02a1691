"""Products of features with responses that folds have in common, each computed once.

The training scans of two folds of a cross-validation differ in little. So the scans are cut into parts, such that every
fold trains on whole parts (leaving runs out: the runs), X'Y is made for each part, and a fold takes the sum over the
parts that it trains on. Nine runs in pairs, for which alphas are chosen, then need one product over all scans where
the scans that each pair leaves out would make eight.
"""

import numpy as np
import torch

from brainbook.encoding.solver import Fold, Space, rows

MOST_PARTS = 64  # of scans; splits that are cut into more have little in common


class Products:
    """How training scans are put together from parts.

    Parameters
    ----------
    space : the features. trains : integer arrays, the training scans of all folds.
    """

    def __init__(self, space: Space, trains: list[np.ndarray]):
        self.space = space
        inside = np.zeros((len(trains), len(space.x)), bool)
        for row, train in zip(inside, trains, strict=True):
            row[train] = True
        used, part_of_scan = np.unique(inside, axis=1, return_inverse=True)  # folds, parts
        self.parts, self.used = None, {}
        if used.shape[1] <= MOST_PARTS:
            self.parts = [np.flatnonzero(part_of_scan.ravel() == part) for part in range(used.shape[1])]
            self.used = {np.asarray(train).tobytes(): row for train, row in zip(trains, used, strict=True)}

    def of(self, y: torch.Tensor) -> "BlockProducts":
        """The products with a block of responses, tensor [scans, targets]."""
        return BlockProducts(self, y)


class BlockProducts:
    """Products of the features and signals with one block of responses, and what is observed in test scans.

    Attributes
    ----------
    y : tensor [scans, targets].
    """

    def __init__(self, products: Products, y: torch.Tensor):
        self.y, self.space, self.used = y, products.space, products.used
        x, w = self.space.x, self.space.w.to(y.dtype)
        self._tests, self._flat = {}, {}
        if products.parts is None:
            self._x = self._w = self._range = None
            return
        pieces = [(rows(x, part), rows(w, part), rows(y, part)) for part in products.parts]
        self._x = _Sums([x.T @ y for x, _, y in pieces]) if self.space.primal else None
        self._w = _Sums([w.T @ y for _, w, y in pieces])
        self._range = torch.stack([y.amin(0) for *_, y in pieces]), torch.stack([y.amax(0) for *_, y in pieces])

    def xy(self, fold: Fold) -> torch.Tensor:
        """X'Y over the fold's training scans, tensor [features, targets] of its own (primal form only)."""
        if self._x is None:
            return rows(self.space.x, fold.train).T @ rows(self.y, fold.train)
        return self._x.over(self.used[fold.train.tobytes()])

    def wy(self, fold: Fold) -> torch.Tensor:
        """W'Y over the fold's training scans, tensor [signals and indicators of padding, targets]."""
        if self._w is None:
            return rows(self.space.w, fold.train).T.to(self.y.dtype) @ rows(self.y, fold.train)
        return self._w.over(self.used[fold.train.tobytes()])

    def observed(self, fold: Fold, test: np.ndarray) -> torch.Tensor:
        """Responses of test scans less what intercept and signals predict, by the weights of the training scans."""
        yv, z = rows(self.y, test), rows(self.space.z, test)
        if not z.shape[1]:
            return yv
        return torch.addmm(yv, (z @ fold.inverse).to(yv.dtype), self.wy(fold)[: z.shape[1]], alpha=-1)

    def centred(self, fold: Fold, test: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """What `observed` gives less its mean over the test scans, and its sums of squares [targets].

        With no signals but the intercept it is the same whatever the training scans, and computed once for all folds.
        """
        key = (len(test), int(test[0]), int(test[-1])) if self.space.z.shape[1] < 2 else None
        known = self._tests.get(key, [])
        for scans, values, squares in known:
            if np.array_equal(scans, test):
                return values, squares
        values = rows(self.y, test) if key is not None else self.observed(fold, test)
        values = values - values.mean(0)
        squares = torch.linalg.vector_norm(values, dim=0).square()
        if key is not None:
            self._tests.setdefault(key, []).append((test, values, squares))
        return values, squares

    def flat(self, fold: Fold, test: np.ndarray) -> torch.Tensor:
        """Which targets do not vary in a fold's training or test scans (dead in that run, say): boolean [targets]."""
        key = test.tobytes()
        if key not in self._flat:
            self._flat[key] = is_flat(rows(self.y, test))
        if self._range is None:
            return self._flat[key] | is_flat(rows(self.y, fold.train))
        used = torch.as_tensor(self.used[fold.train.tobytes()])
        low, high = self._range
        return self._flat[key] | is_flat(torch.stack([low[used].amin(0), high[used].amax(0)]))


def is_flat(y: torch.Tensor) -> torch.Tensor:
    """Which columns of standardised responses [scans, targets] are constant, but for rounding: boolean [targets]."""
    return y.amax(0) - y.amin(0) <= 1e-6


class _Sums:
    """Sums over some of several tensors."""

    def __init__(self, parts: list[torch.Tensor]):
        self.parts = parts
        self.whole = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]

    def over(self, used: np.ndarray) -> torch.Tensor:
        """The sum over the parts that are used (boolean array), by way of the fewer of them and the others."""
        if 2 * used.sum() > len(used):
            total = self.whole.clone()
            for part in np.flatnonzero(~used):
                total -= self.parts[part]
            return total
        total = torch.zeros_like(self.whole)
        for part in np.flatnonzero(used):
            total += self.parts[part]
        return total
