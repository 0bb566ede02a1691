"""The algebra of ridge regression with many targets and many alphas: features decomposed for any set of training scans.

Everything rests on one form. With the training scans' features X (residuals of the intercept and nuisance signals,
scaled) and their decomposition, a ridge prediction for any alpha is

    prediction = test_projection @ diag(1 / (eigenvalues + alpha)) @ loadings,   loadings = train_projection' @ Y_train

dual   (more features than scans): X X' = U L U', train_projection = U, test_projection = X_test X' U, eigenvalues = L
primal (fewer):                    X' X = V L V', train_projection = X V, test_projection = X_test V, eigenvalues = L

so that no inverse and no prediction has to be made anew for another alpha or target (`alpha_scores` compares alphas).
Where that is more work than it saves, `fold_systems` factors the same Gram matrix for each alpha.
"""

from collections.abc import Iterator, Sequence
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

PRIMAL_BELOW = 0.8  # with fewer than this many features per scan, the features' own Gram matrix is the cheaper one
SMALL = 1024  # matrices up to this are decomposed by one thread: several save little, and wait long on a busy machine
GROUP_BYTES = 2**29  # of prepared folds that are held at the same time; of a GPU's free memory, an eighth
_SMALLEST = {torch.float32: 1e-9, torch.float64: 1e-14}  # eigenvalues below this share of the largest are rounding


def find_device(device: str | torch.device = "auto") -> torch.device:
    """Return the `torch.device` that `device` names, or with "auto" the GPU if there is one, else the CPU.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def to_device(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return a copy of an array as a tensor on a device, float32 where that holds all digits, else float64."""
    values = np.asarray(values)
    short = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    return torch.from_numpy(np.array(values, dtype=np.float32 if short else np.float64)).to(device)


def memory_share(device: torch.device, share: float, least: int) -> int:
    """Return `least` bytes, or a share of a GPU's free memory if that is more."""
    return max(least, int(share * torch.cuda.mem_get_info(device)[0])) if device.type == "cuda" else least


class RidgeDesign:
    """A feature space over all scans, ready to be decomposed for any set of training scans.

    Parameters
    ----------
    features : array [scans, features], finite.
    nuisance : array [scans, signals] or None; taken out (with the intercept) of every fold's features by the weights of
        that fold's training scans.
    padding : boolean array [scans, delays] or None, where delayed features hold nothing (see `centred_delays`); the
        features are those of the first delay, then of the second, ... Each fold puts the mean of its training scans
        there.
    scale : divide each feature by its standard deviation over the fold's training scans.
    scaling : array [features] or None; factors applied after scaling: what is larger is penalised less.
    device, dtype : where and in what precision to compute. Eigenvectors are always computed in float64.

    Attributes
    ----------
    x : tensor [scans, features], shifted and scaled by constants over all scans (`shift`, `size`).
    signals : float64 tensor [scans, signals], the intercept and the nuisance signals.
    regressors : float64 tensor, the signals, then one indicator of padding for each delay.
    primal : whether folds are decomposed in the primal form.
    spread : tensor [features], about their standard deviation in the folds.
    diagonal : about the mean of the Gram matrix's diagonal, beside which its rounding is small.
    """

    def __init__(
        self,
        features: np.ndarray,
        nuisance: np.ndarray | None = None,
        padding: np.ndarray | None = None,
        scale: bool = True,
        scaling: np.ndarray | None = None,
        device: str | torch.device = "auto",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device, self.dtype, self.scale = find_device(device), dtype, scale
        values = to_device(features, self.device).double()
        n_scans, n_features = values.shape
        # A constant that is the same for all scans changes no fold's result (each centres and scales for itself); it
        # only keeps the digits of features that lie far from zero.
        deviation: Any
        shift, deviation = values.mean(0), values.std(0, correction=0)
        self.shift, deviation = shift.cpu().numpy(), deviation.cpu().numpy()
        self.size, self.constant = np.ones(n_features), np.zeros(n_features, bool)
        if scale:
            self.constant = deviation <= np.maximum(1e-10 * np.abs(self.shift), 1e-300)
            self.size = np.where(self.constant, 1.0, deviation)
        scaling = np.ones(n_features) if scaling is None else np.asarray(scaling, float)
        self.spread = torch.as_tensor(scaling if scale else scaling * deviation).to(self.device, dtype)
        self.scaling = torch.as_tensor(scaling).to(self.device)
        variance = ~self.constant if scale else deviation**2
        energy = float(variance @ scaling**2)  # of a scan, on average: the mean diagonal of X X'
        self.diagonal = max(energy, energy * n_scans / n_features)
        self.x = values.sub_(shift).div_(torch.as_tensor(self.size).to(self.device)).to(dtype)
        self.host_signals = _signals(n_scans, nuisance)
        self.signals = self.regressors = torch.as_tensor(self.host_signals).to(self.device)
        if padding is not None and padding.any():
            padded = torch.as_tensor(padding, device=self.device)
            for place, block in enumerate(self.x.tensor_split(padded.shape[1], dim=1)):
                block[padded[:, place]] = 0
            self.regressors = torch.cat([self.signals, padded.double()], dim=1)
        self.primal = n_features < PRIMAL_BELOW * n_scans

    @cached_property
    def products(self) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """X'X (primal only), W'X and W'W over all scans, W the regressors, in float64."""
        return self.products_over(np.arange(len(self.x)))

    def products_over(self, scans: np.ndarray) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """Compute `products` over some scans."""
        x, w = rows(self.x, scans).double(), rows(self.regressors, scans)
        return (x.T @ x if self.primal else None), w.T @ x, w.T @ w


class FoldFeatures:
    """The features as one set of training scans centres, scales and rids them of nuisance signals.

    Parameters
    ----------
    design : the features. train : integer array.

    Attributes
    ----------
    removal : tensor [regressors, features]; X less regressors @ removal are the fold's residuals.
    scales : float64 tensor [features], what residuals are multiplied by.
    """

    def __init__(self, design: RidgeDesign, train: np.ndarray) -> None:
        self.design, self.train = design, train
        _, wx, ww = design.products_over(train)
        self._fit_removal(wx, ww)
        self.scales = self._scales(self._residual(train).square().mean(0).double())

    def of(self, scans: np.ndarray) -> torch.Tensor:
        """Return the scaled residuals of some scans, tensor [scans, features]."""
        return self._residual(scans) * self.scales.to(self.design.dtype)

    def responses(self, y: torch.Tensor, scans: np.ndarray) -> torch.Tensor:
        """Return responses [scans, targets] of some scans less what intercept and signals predict from training."""
        signals = self.design.signals
        weights = self.signal_inverse @ (rows(signals, self.train).T @ rows(y, self.train).double())
        return rows(y, scans) - (rows(signals, scans) @ weights).to(y.dtype)

    def _fit_removal(self, wx: torch.Tensor, ww: torch.Tensor) -> None:
        """Set the inverse of the signals' products (made on the host, which waits for no GPU), and `removal`."""
        signals = self.design.host_signals[self.train]
        inverse = np.linalg.pinv(signals.T @ signals, rcond=1e-12, hermitian=True)
        self.signal_inverse = torch.as_tensor(inverse).to(self.design.device)
        self.removal = self._removal(wx, ww)

    def _removal(self, wx: torch.Tensor, ww: torch.Tensor) -> torch.Tensor:
        """Compute the matrix T [regressors, features] such that X - W T are the fold's residuals.

        With M the features' means over the training scans that hold them, padding P becomes M: X + P M. From that, the
        signals Z take what they explain in training.
        """
        n = len(self.signal_inverse)
        if len(ww) == n:
            return self.signal_inverse @ wx
        held = (ww[0, 0] - ww[0, n:]).clamp_min(1)  # training scans, by delay; the intercept is the first signal
        fill = torch.block_diag(*(wx[0].view(len(held), -1) / held[:, None]))  # delays, delays x units
        return torch.cat([self.signal_inverse @ (wx[:n] + ww[:n, n:] @ fill), -fill])

    def _scales(self, variance: torch.Tensor) -> torch.Tensor:
        """Compute what each feature is multiplied by; one without variance in training is uninformative: 0."""
        if not self.design.scale:
            return self.design.scaling.clone()
        varies = variance > 1e-10  # all features were brought to unit variance over all scans
        varies &= ~torch.as_tensor(self.design.constant, device=varies.device)
        scales = variance.clamp_min(1e-300).rsqrt() * self.design.scaling
        return torch.where(varies, scales, torch.zeros_like(variance))

    def _residual(self, scans: np.ndarray) -> torch.Tensor:
        x = rows(self.design.x, scans)
        return x - rows(self.design.regressors, scans).to(x.dtype) @ self.removal.to(x.dtype)


class FoldGram(FoldFeatures):
    """The Gram matrix of one set of training scans, of features in the primal form or of scans in the dual.

    Sums over the training scans are those over all scans less those over the scans left out, when these are fewer: the
    folds of a cross-validation differ in little, and so does their work.

    Parameters
    ----------
    design : the features.
    train : integer array.
    tests : integer arrays, the scans to predict.

    Attributes
    ----------
    gram : tensor [order, order]; order is the number of features (primal, float64) or of training scans (dual).
    removal : tensor [regressors, features]; X less regressors @ removal are the fold's residuals.
    scales : float64 tensor [features], what residuals are multiplied by.
    train_features : tensor [training scans, features], scaled residuals (dual form only).
    """

    def __init__(self, design: RidgeDesign, train: np.ndarray, tests: Sequence[np.ndarray] = ()) -> None:
        self.train_features: Any
        self.design, self.train, self.tests, self.train_features = design, train, tests, None
        left_out = np.setdiff1d(np.arange(len(design.x)), train)
        if 0 < len(left_out) < len(train):
            pairs: Any = zip(design.products, design.products_over(left_out), strict=True)
            products: Any = [None if whole is None else whole - part for whole, part in pairs]
        else:
            products = design.products_over(train)
        gram, wx, ww = products
        self._fit_removal(wx, ww)
        if design.primal:  # (X - W T)' (X - W T), T the removal
            half = self.removal.T @ (wx - ww @ self.removal / 2)
            gram -= half + half.T
            self.scales = self._scales(torch.diagonal(gram) / len(train))
            gram *= self.scales
            gram *= self.scales[:, None]
        else:
            x = self._residual(train)
            self.scales = self._scales(x.square().mean(0).double())
            self.train_features = x.mul_(self.scales.to(x.dtype))  # training scans, features
            # numpy makes only half of such a product
            gram = torch.from_numpy(x.numpy() @ x.numpy().T) if x.device.type == "cpu" else x @ x.T
        self.gram = gram

    def test_features(self, scans: np.ndarray) -> torch.Tensor:
        """Return what solutions are multiplied by to predict scans, tensor [scans, order]."""
        x = self.of(scans)
        mean, variance = x.mean(0), x.var(0, correction=0)
        # one that does not vary in these scans: its rounding would be scored, and correlate with anything
        x = torch.where(variance <= 1e-10 * self.design.spread**2, mean, x)
        return x if self.design.primal else x @ self.train_features.T


class FoldDecomposition(FoldGram):
    """The decomposed features of one set of training scans (the module's head says what for).

    Attributes
    ----------
    eigenvalues : tensor [rank], ascending.
    test_projections : list of tensors [test scans, rank], one for each of the tests.
    basis : tensor, [features, rank] in the primal form, [training scans, rank] in the dual.
    """

    def __init__(self, design: RidgeDesign, train: np.ndarray, tests: Sequence[np.ndarray] = ()) -> None:
        super().__init__(design, train, tests)
        eigenvalues, basis = _eigh(self.gram.double(), design.dtype)
        self.gram = None
        self.eigenvalues, rotation = eigenvalues.to(design.dtype), basis.to(design.dtype)
        self.test_projections = [self.test_features(test) @ rotation for test in tests]
        self.basis = (self.scales[:, None] * basis).to(design.dtype) if design.primal else rotation

    @staticmethod
    def held(order: int, n_tests: int, n_test_scans: int, n_alphas: int) -> int:
        """Return how many numbers a fold holds: of each test, too, the two matrices of an `AlphaScorer`."""
        return order * (order * (1 + n_tests) + 2 * n_test_scans)

    def train_projection(self) -> torch.Tensor:
        """Compute the matrix [training scans, rank] whose transpose makes loadings of responses."""
        return self._residual(self.train) @ self.basis if self.design.primal else self.basis

    def hat_matrix(self, alpha: float) -> torch.Tensor:
        """Return the map [test scans, training scans] from responses to centred predictions of the first test."""
        return (centred_columns(self.test_projections[0]) / (self.eigenvalues + alpha)) @ self.train_projection().T

    def coefficients(self, products: Any, alpha: float) -> torch.Tensor:
        """Return weights of the residuals (primal) or of the training scans (dual), tensor [order, targets]."""
        return self.basis @ products.loadings(self).div_(self.eigenvalues[:, None] + alpha)

    def predictions(self, products: Any, alphas: np.ndarray) -> list[torch.Tensor]:
        """Return what is predicted in each of the tests, tensors [test scans, targets], by each target's own alpha."""
        own = torch.as_tensor(alphas).to(self.eigenvalues)
        loadings = products.loadings(self).div_(self.eigenvalues[:, None] + own)
        return [projection @ loadings for projection in self.test_projections]


def fold_groups(
    design: RidgeDesign, plans: list[tuple[np.ndarray, list]], kind: Any = FoldDecomposition, n_alphas: int = 1
) -> Iterator[list]:
    """Prepare folds, as many at a time as fit into GROUP_BYTES, so that responses are read once for all of them.

    Parameters
    ----------
    plans : list of (training scans, list of test scans).
    kind : `FoldDecomposition`, or `FoldSystem` with factors of at most `n_alphas`.

    Yields
    ------
    lists of (number of the plan, fold).
    """
    n_features, size = design.x.shape[1], design.x.element_size()
    orders = [n_features if design.primal else len(train) for train, _ in plans]
    n_tests = [(len(tests), sum(map(len, tests))) for _, tests in plans]
    held = [kind.held(order, *counts, n_alphas) * size for order, counts in zip(orders, n_tests, strict=True)]
    limit, start = memory_share(design.device, 1 / 8, GROUP_BYTES), 0
    while start < len(plans):
        stop = start + max(1, int(np.searchsorted(np.cumsum(held[start:]), limit, side="right")))
        group = [(number, kind(design, *plans[number])) for number in range(start, stop)]
        for _, fold in group:
            fold.train_features = None  # no more test scans are projected
        yield group
        start = stop


def rows(values: torch.Tensor, scans: np.ndarray) -> torch.Tensor:
    """Return some scans of a tensor, without a copy where they follow one another."""
    if len(scans) and scans[-1] - scans[0] == len(scans) - 1 and (np.diff(scans) == 1).all():
        return values[int(scans[0]) : int(scans[-1]) + 1]
    return values.index_select(0, _index(scans.astype(np.int64).tobytes(), values.device))


@lru_cache(maxsize=256)
def _index(scans: bytes, device: torch.device) -> torch.Tensor:
    """Return scans as an index on the device, sent there once."""
    return torch.from_numpy(np.frombuffer(scans, np.int64).copy()).to(device)


def centred_columns(values: torch.Tensor) -> torch.Tensor:
    """Return values [scans, columns] less their means; what is but rounding of a constant becomes 0."""
    centred = values - values.mean(0)
    constant = centred.square().sum(0) <= 1e-10 * values.square().sum(0)
    return centred.masked_fill_(constant, 0)


def pearson(predicted: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Compute Pearson's r over scans, tensors [scans, targets] -> [targets]; 0 where one changes by rounding alone."""
    predicted, observed = centred_columns(predicted), observed - observed.mean(0)
    norms = predicted.square().sum(0).sqrt() * observed.square().sum(0).sqrt()  # twice as fast as vector_norm
    r = (predicted * observed).sum(0) / norms
    return torch.where(norms > 0, r, torch.zeros_like(r))


def r2(predicted: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Compute 1 - squared error / squared distance from the mean, tensors [scans, targets] -> [targets]."""
    return 1 - (observed - predicted).square().sum(0) / (observed - observed.mean(0)).square().sum(0)


METRICS = {"correlation": pearson, "r2": r2}


def _signals(n_scans: int, nuisance: np.ndarray | None) -> np.ndarray:
    """Return the intercept and the nuisance signals (standardised), array [scans, signals]."""
    if nuisance is None:
        return np.ones((n_scans, 1))
    nuisance = np.asarray(nuisance, float)
    if len(nuisance) != n_scans or not np.isfinite(nuisance).all():
        raise ValueError(f"nuisance must be finite, [{n_scans} scans, signals]; its shape is {nuisance.shape}")
    nuisance = nuisance.reshape(n_scans, -1)
    spread = nuisance.std(0)
    return np.hstack([np.ones((n_scans, 1)), (nuisance - nuisance.mean(0)) / np.where(spread > 0, spread, 1)])


@cache
def _blas_libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _eigh(gram: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ascending eigenvalues and vectors of a symmetric float64 matrix, without those that are only rounding."""
    if gram.device.type == "cpu":  # numpy's LAPACK takes two thirds of torch's time here
        with _blas_libraries().limit(limits=1 if len(gram) <= SMALL else None, user_api="blas"):
            values, vectors = (torch.from_numpy(part) for part in np.linalg.eigh(gram.numpy()))
    else:
        values, vectors = torch.linalg.eigh(gram)
    first = int(torch.searchsorted(values, _SMALLEST[dtype] * values[-1].clamp_min(1e-300), right=True))
    return values[first:], vectors[:, first:]
