"""The algebra of ridge regression with many targets and many alphas: pure functions on tensors.

Everything rests on one form. With the training scans' features X (residuals of the intercept and nuisance signals,
scaled) and their decomposition, a ridge prediction for any alpha is

    prediction = right @ diag(1 / (values + alpha)) @ (left' @ Y_train)

dual   (more features than scans): X X' = U L U', left = U, right = X_new X' U, values = L
primal (fewer):                    X' X = V L V', left = X V, right = X_new V, values = L

so that no inverse and no prediction has to be made anew for another alpha or target (`comparison` compares alphas).
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from brainbook.encoding.products import BlockProducts

PRIMAL_BELOW = 0.8  # with fewer than this many features per scan, the features' own Gram matrix is the cheaper one
SMALL = 1024  # matrices up to this are decomposed by one thread: several save little, and wait long on a busy machine
GROUP_BYTES = 2**29  # of decomposed folds that are kept at the same time
_SMALLEST = {torch.float32: 1e-9, torch.float64: 1e-14}  # eigenvalues below this share of the largest are rounding


def find_device(device: str = "auto") -> torch.device:
    """The device named, or with "auto" the GPU if there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


class Space:
    """A feature space over all scans, ready to be decomposed for any set of training scans.

    Parameters
    ----------
    features : array [scans, features], finite.
    nuisance : array [scans, signals] or None; taken out (with the intercept) of every fold's features by the weights of
        that fold's training scans.
    padding : boolean array [scans, delays] or None, where delayed features hold nothing (see `centred_delays`); the
        features are those of the first delay, then of the second, ... Each fold puts the mean of its training scans
        there. Needs the intercept.
    scale : divide each feature by its standard deviation over the fold's training scans.
    feature_scaling : array [features] or None; factors applied after scaling: what is larger is penalised less.
    intercept : take the training mean out of features and responses.
    device, dtype : where and in what precision to compute. Gram matrices are always decomposed in float64.
    """

    def __init__(
        self,
        features,
        nuisance=None,
        *,
        padding=None,
        scale=True,
        intercept=True,
        feature_scaling=None,
        device="auto",
        dtype=torch.float32,
    ):
        self.device, self.dtype, self.scale = find_device(device), dtype, scale
        features = np.asarray(features)
        shift = features.mean(0, dtype=float) if intercept else np.zeros(features.shape[1])
        size = np.maximum(features.std(0, dtype=float), 1e-300) if scale else np.ones(features.shape[1])
        # A constant that is the same for all scans changes no fold's result (each centres and scales for itself); it
        # only keeps the digits of features that lie far from zero.
        self.constant = (size <= 1e-10 * np.abs(shift)) | (size <= 1e-300) if scale else np.zeros(len(size), bool)
        size[self.constant] = 1.0
        self.shift, self.size = shift, size
        feature_scaling = np.ones(features.shape[1]) if feature_scaling is None else np.asarray(feature_scaling, float)
        self.feature_scaling = torch.as_tensor(feature_scaling).to(self.device)
        self.x = self._prepare(features)
        self.z = self.w = design(len(features), nuisance, intercept, self.device)
        if padding is not None and padding.any():
            padded = torch.as_tensor(padding, device=self.device)
            for place, block in enumerate(self.x.tensor_split(padded.shape[1], dim=1)):
                block[padded[:, place]] = 0
            self.w = torch.cat([self.z, padded.double()], dim=1)  # signals, then one indicator a delay
        self.primal = features.shape[1] < PRIMAL_BELOW * len(features)
        self._sums = None

    def _prepare(self, features):
        ready = ((np.asarray(features) - self.shift) / self.size).astype(np.float64)
        return torch.as_tensor(ready).to(self.device, self.dtype)

    def fold(self, train, tests=(), keep: bool = False) -> "Fold":
        """Decompose the features of the training scans.

        Parameters
        ----------
        train : integer array.
        tests : integer arrays, the scans to predict: `Fold.rights` holds a matrix for each.
        keep : hold what weights and further predictions need, too.
        """
        return Fold(self, np.asarray(train), [np.asarray(test) for test in tests], keep)

    def sums(self) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """X'X (primal only), W'X and W'W over all scans, in float64."""
        if self._sums is None:
            self._sums = self._products(self.x, self.w)
        return self._sums

    def _products(self, x, w):
        x = x.double()
        return (x.T @ x if self.primal else None), w.T @ x, w.T @ w

    def taken(self, inverse, wx, ww):
        """The matrix T [signals and indicators, features] such that X - W T are a fold's residuals.

        With M the features' means over the training scans that hold them, padding P becomes M: X + P M. From that, the
        signals Z take what they explain in training.
        """
        n = self.z.shape[1]
        if len(ww) == n:
            return inverse @ wx
        held = (ww[0, 0] - ww[0, n:]).clamp_min(1)  # training scans, by delay; the intercept is the first signal
        fill = torch.block_diag(*(wx[0].view(len(held), -1) / held[:, None]))  # delays, delays x units
        return torch.cat([inverse @ (wx[:n] + ww[:n, n:] @ fill), -fill])


class Fold:
    """The decomposed features of one set of training scans (see the module's head for `left`, `right`, `values`).

    Sums over the training scans are those over all scans less those over the scans left out, when these are fewer: the
    folds of a cross-validation differ in little, and so does their work.

    Attributes
    ----------
    values : tensor [rank], eigenvalues, ascending.
    rights : list of tensors [test scans, rank].
    """

    def __init__(self, space: Space, train: np.ndarray, tests: list[np.ndarray], keep: bool):
        self.space, self.train = space, train
        out = np.setdiff1d(np.arange(len(space.x)), train)
        fewer_out = 0 < len(out) < len(train)
        part = out if fewer_out else train
        gram, wx, ww = space._products(rows(space.x, part), rows(space.w, part))
        if fewer_out:
            whole = space.sums()
            gram, wx, ww = None if gram is None else whole[0] - gram, whole[1] - wx, whole[2] - ww
        zz = ww[: space.z.shape[1], : space.z.shape[1]]
        self.inverse = torch.linalg.pinv(zz, hermitian=True, rtol=1e-12) if len(zz) else zz
        self.taken = space.taken(self.inverse, wx, ww)
        if space.primal:  # (X - W T)' (X - W T)
            half = self.taken.T @ (wx - ww @ self.taken / 2)
            gram -= half + half.T
            self.scales = self._scales(torch.diagonal(gram) / len(train))
            gram *= self.scales
            gram *= self.scales[:, None]
            values, basis = _eigh(gram, space.dtype)
            self.values = values.to(space.dtype)
            self.basis = (self.scales[:, None] * basis).to(space.dtype)  # features, rank
        else:
            x = self._residual(rows(space.x, train), rows(space.w, train))
            self.scales = self._scales(x.square().mean(0).double())
            x *= self.scales.to(space.dtype)  # training scans, features
            values, left = _eigh((x @ x.T).double(), space.dtype)
            self.values, self.left = values.to(space.dtype), left.to(space.dtype)
            self.x = x
        self.rights = [self.right(rows(space.x, test), rows(space.w, test)) for test in tests]
        if not keep:
            self.x = None

    def _scales(self, variance):
        if not self.space.scale:
            return self.space.feature_scaling.clone()
        # All features were brought to unit variance over all scans; one without variance in training says nothing.
        live = variance > 1e-10
        live &= ~torch.as_tensor(self.space.constant, device=live.device)
        return torch.where(
            live, variance.clamp_min(1e-300).rsqrt() * self.space.feature_scaling, torch.zeros_like(variance)
        )

    def _residual(self, x, w):
        return x - w.to(x.dtype) @ self.taken.to(x.dtype) if w.shape[1] else x.clone()

    def right(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """The matrix [scans, rank] that predicts scans with these features, signals and indicators."""
        x = self._residual(x, w)
        if self.space.primal:
            return x @ self.basis
        return ((x * self.scales.to(x.dtype)) @ self.x.T) @ self.left

    def whole_left(self) -> torch.Tensor:
        """The matrix `left` [training scans, rank], in either form."""
        if not self.space.primal:
            return self.left
        return self._residual(rows(self.space.x, self.train), rows(self.space.w, self.train)) @ self.basis

    def loadings(self, products: "BlockProducts") -> torch.Tensor:
        """left' @ (training responses without intercept and signals), tensor [rank, targets]."""
        if not self.space.primal:
            return self.left.T @ rows(products.y, self.train)
        xy = products.xy(self)
        if len(self.taken):
            xy.addmm_(self.taken.T.to(xy.dtype), products.wy(self), alpha=-1)
        return self.basis.T @ xy


def rows(values: torch.Tensor, scans: np.ndarray) -> torch.Tensor:
    """Some scans of a tensor, without a copy where they follow one another."""
    if len(scans) and scans[-1] - scans[0] == len(scans) - 1 and (np.diff(scans) == 1).all():
        return values[int(scans[0]) : int(scans[-1]) + 1]
    return values[torch.as_tensor(scans, device=values.device)]


def design(n_scans: int, nuisance, intercept: bool, device) -> torch.Tensor:
    """The intercept and the nuisance signals (standardised), tensor [scans, signals] in float64."""
    columns = [np.ones((n_scans, 1))] if intercept else []
    if nuisance is not None:
        nuisance = np.asarray(nuisance, float)
        if len(nuisance) != n_scans or not np.isfinite(nuisance).all():
            raise ValueError(f"nuisance must be finite, [{n_scans} scans, signals]; its shape is {nuisance.shape}")
        nuisance = nuisance.reshape(n_scans, -1)
        spread = nuisance.std(0)
        columns.append((nuisance - nuisance.mean(0)) / np.where(spread > 0, spread, 1))
    return torch.as_tensor(np.hstack(columns) if columns else np.zeros((n_scans, 0))).to(device)


@cache
def _blas_libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _eigh(gram, dtype):
    """Eigenvalues, ascending, and vectors of a symmetric float64 matrix; those that are but rounding are left out."""
    if gram.device.type == "cpu":  # numpy's LAPACK takes two thirds of torch's time here
        with _blas_libraries().limit(limits=1 if len(gram) <= SMALL else None, user_api="blas"):
            values, vectors = (torch.from_numpy(part) for part in np.linalg.eigh(gram.numpy()))
    else:
        values, vectors = torch.linalg.eigh(gram)
    first = int(torch.searchsorted(values, _SMALLEST[dtype] * values[-1].clamp_min(1e-300), right=True))
    return values[first:], vectors[:, first:]


def in_groups(space: Space, plans: list[tuple[np.ndarray, list]]) -> Iterator[list]:
    """Decompose folds, as many at a time as fit into GROUP_BYTES, so that responses are read once for all of them.

    Parameters
    ----------
    plans : list of (training scans, list of test scans).

    Yields
    ------
    lists of (Fold, list of test scans), in the order of the plans.
    """
    each = [_fold_bytes(space, len(train), tests) for train, tests in plans]
    start = 0
    while start < len(plans):
        stop = start + max(1, int(np.searchsorted(np.cumsum(each[start:]), GROUP_BYTES, side="right")))
        yield [(space.fold(train, tests), tests) for train, tests in plans[start:stop]]
        start = stop


def _fold_bytes(space, n_train, tests):
    """Of a decomposition and, for each of the tests, the two matrices of a `Comparison`."""
    rank = space.x.shape[1] if space.primal else n_train
    return rank * (rank * (1 + len(tests)) + 2 * sum(map(len, tests))) * space.x.element_size()


def pearson(predicted: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Pearson's r over scans, tensors [scans, targets] -> [targets]; 0 where a prediction never changes."""
    predicted, observed = predicted - predicted.mean(0), observed - observed.mean(0)
    norms = torch.linalg.vector_norm(predicted, dim=0) * torch.linalg.vector_norm(observed, dim=0)
    r = (predicted * observed).sum(0) / norms
    return torch.where(norms > 0, r, torch.zeros_like(r))


def r2(predicted: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """1 - squared error / squared distance from the mean, tensors [scans, targets] -> [targets]."""
    return 1 - (observed - predicted).square().sum(0) / (observed - observed.mean(0)).square().sum(0)
