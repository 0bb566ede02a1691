"""The algebra of ridge regression with many targets and many alphas: pure functions on tensors.

Everything rests on one form. With the training scans' features X (residuals of the intercept and nuisance signals,
scaled) and their decomposition, a ridge prediction for any alpha is

    prediction = right @ diag(1 / (values + alpha)) @ (left' @ Y_train)

dual   (more features than scans): X X' = U L U', left = U, right = X_new X' U, values = L
primal (fewer):                    X' X = V L V', left = X V, right = X_new V, values = L

so that no inverse and no prediction has to be made anew for another alpha or target. To compare alphas one needs only
y . prediction (one product for all alphas) and the norm of each prediction (one product per alpha).
"""

import numpy as np
import torch

PRIMAL_BELOW = 0.8  # with fewer than this many features per scan, the features' own Gram matrix is the cheaper one
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
    scale : divide each feature by its standard deviation over the fold's training scans.
    emphasis : array [features] or None; factors applied after scaling: what is larger is penalised less.
    intercept : take the training mean out of features and responses.
    device, dtype : where and in what precision to compute. Gram matrices are always decomposed in float64.
    """

    def __init__(
        self,
        features,
        nuisance=None,
        *,
        scale=True,
        intercept=True,
        emphasis=None,
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
        emphasis = np.ones(features.shape[1]) if emphasis is None else np.asarray(emphasis, float)
        self.emphasis = torch.as_tensor(emphasis).to(self.device)
        self.x = self._prepare(features)
        self.z = design(len(features), nuisance, intercept, self.device)
        self.primal = features.shape[1] < PRIMAL_BELOW * len(features)
        self._total = None

    def _prepare(self, features):
        ready = ((np.asarray(features) - self.shift) / self.size).astype(np.float64)
        return torch.as_tensor(ready).to(self.device, self.dtype)

    def fold(self, train) -> "Fold":
        """Decompose the features of the training scans (integer array)."""
        train = torch.as_tensor(np.asarray(train), device=self.device)
        zt = self.z[train]  # scans, signals (float64)
        taken = torch.linalg.pinv(zt) @ self.x[train].double() if zt.shape[1] else zt.T @ self.x[train].double()
        return Fold(self, train, zt, taken)

    def gram(self, train) -> torch.Tensor:
        """X'X over the training scans, from the total by taking the left-out scans away when they are fewer."""
        n = len(self.x)
        if len(train) < n / 2:
            return self._gram(self.x[train])
        if self._total is None:
            self._total = self._gram(self.x)
        out = torch.ones(n, dtype=torch.bool, device=self.device)
        out[train] = False
        return self._total - self._gram(self.x[out])

    @staticmethod
    def _gram(x):
        return x.T.double() @ x.double()


class Fold:
    """The decomposed features of one set of training scans (see the module's head for `left`, `right`, `values`).

    Attributes
    ----------
    values : tensor [rank], eigenvalues, descending.
    left : tensor [training scans, rank].
    """

    def __init__(self, space: Space, train: torch.Tensor, zt: torch.Tensor, taken: torch.Tensor):
        self.space, self.taken = space, taken  # signals, features
        if space.primal:
            gram = space.gram(train)
            if zt.shape[1]:
                gram = gram - taken.T @ (zt.T @ zt) @ taken
            self.scales = self._scales(torch.diagonal(gram) / len(train))
            values, basis = _eigh(gram * self.scales * self.scales[:, None], space.dtype)
            self.basis = basis.to(space.dtype)  # features, rank
            self.values = values.to(space.dtype)
            self.left = self._residual(train) @ self.basis
        else:
            x = space.x[train]
            if zt.shape[1]:
                x = x - zt.to(space.dtype) @ taken.to(space.dtype)
            self.scales = self._scales(x.square().mean(0).double())
            self.x = x * self.scales.to(space.dtype)  # training scans, features
            values, left = _eigh(self.x @ self.x.T, space.dtype)
            self.values, self.left = values.to(space.dtype), left.to(space.dtype)

    def _scales(self, variance):
        if not self.space.scale:
            return self.space.emphasis.clone()
        # All features were brought to unit variance over all scans; one without variance in training says nothing.
        live = variance > 1e-10
        live &= ~torch.as_tensor(self.space.constant, device=live.device)
        return torch.where(live, variance.clamp_min(1e-300).rsqrt() * self.space.emphasis, torch.zeros_like(variance))

    def _residual(self, scans=None, x=None, z=None):
        x = self.space.x[scans] if x is None else x
        z = self.space.z[scans] if z is None else z
        if z.shape[1]:
            x = x - z.to(x.dtype) @ self.taken.to(x.dtype)
        return x * self.scales.to(x.dtype)

    def right(self, scans=None, x=None, z=None) -> torch.Tensor:
        """The matrix [scans, rank] that predicts these scans of the space, or new features `x` and signals `z`."""
        if scans is not None:
            scans = torch.as_tensor(np.asarray(scans), device=self.space.device)
        rows = self._residual(scans, x, z)
        return rows @ self.basis if self.space.primal else (rows @ self.x.T) @ self.left

    def weights(self, loadings: torch.Tensor) -> torch.Tensor:
        """Weights [features, targets] on the unscaled features, from loadings [rank, targets] (already shrunk)."""
        inner = self.basis @ loadings if self.space.primal else self.x.T @ (self.left @ loadings)
        size = torch.as_tensor(self.space.size, device=inner.device).to(inner.dtype)
        return inner * (self.scales.to(inner.dtype) / size)[:, None]


def design(n_scans: int, nuisance, intercept: bool, device) -> torch.Tensor:
    """The intercept and the nuisance signals (standardised), tensor [scans, signals] in float64."""
    columns = [np.ones((n_scans, 1))] if intercept else []
    if nuisance is not None:
        nuisance = np.asarray(nuisance, float).reshape(n_scans, -1)
        spread = nuisance.std(0)
        columns.append((nuisance - nuisance.mean(0)) / np.where(spread > 0, spread, 1))
    return torch.as_tensor(np.hstack(columns) if columns else np.zeros((n_scans, 0))).to(device)


def _eigh(gram, dtype):
    gram = gram.double()
    values, vectors = torch.linalg.eigh((gram + gram.T) / 2)
    values, vectors = values.flip(0), vectors.flip(1)
    keep = values > _SMALLEST[dtype] * values[0].clamp_min(1e-300)
    return values[keep], vectors[:, keep]


def residual(z: torch.Tensor, train, test, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Training and test responses without intercept and nuisance signals, by the weights of the training scans."""
    yt, yv = y[train], y[test]
    if not z.shape[1]:
        return yt, yv
    weights = (torch.linalg.pinv(z[train]).to(y.dtype)) @ yt  # signals, targets
    return yt - z[train].to(y.dtype) @ weights, yv - z[test].to(y.dtype) @ weights


def score_alphas(
    values: torch.Tensor,
    loadings: torch.Tensor,
    right: torch.Tensor,
    observed: torch.Tensor,
    alphas: torch.Tensor,
    metric: str = "correlation",
    fast: bool = False,
) -> torch.Tensor:
    """How well each alpha predicts the validation scans, without forming predictions that one then throws away.

    Parameters
    ----------
    values : tensor [rank], eigenvalues of the training scans.
    loadings : tensor [rank, targets], left' @ training responses.
    right : tensor [validation scans, rank].
    observed : tensor [validation scans, targets], residuals as `residual` makes them.
    alphas : tensor [alphas].
    metric : "correlation" or "r2".
    fast : multiply in bfloat16 where only the norm of a prediction is needed (errors of about 1e-3 in the score).

    Returns
    -------
    tensor [alphas, targets]; a prediction that never changes has correlation 0.
    """
    n = len(right)
    shrink = 1 / (values + alphas[:, None])  # alphas, rank
    along = shrink @ ((right.T @ observed) * loadings)  # alphas, targets: observed . prediction
    mean = (shrink * right.mean(0)) @ loadings  # alphas, targets
    square = torch.empty_like(along)  # |prediction|^2
    cast = torch.bfloat16 if fast else right.dtype
    wide, right_cast, buffer = loadings.to(cast), right.to(cast), None
    for place, row in enumerate(shrink):
        buffer = torch.mm((right_cast * row.to(cast)), wide, out=buffer)
        square[place] = torch.linalg.vector_norm(buffer, dim=0, dtype=right.dtype).square()
    if metric == "r2":
        total = (observed - observed.mean(0)).square().sum(0)
        return 1 - (observed.square().sum(0) - 2 * along + square) / total
    spread = (square - n * mean.square()).clamp_min(0)
    y_mean = observed.mean(0)
    norms = (spread * (observed - y_mean).square().sum(0)).sqrt()
    r = (along - n * mean * y_mean) / norms
    return torch.where(spread > 1e-10 * square, r, torch.zeros_like(r))


def pearson(predicted: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """Pearson's r over scans, tensors [scans, targets] -> [targets]; 0 where a prediction never changes."""
    predicted, observed = predicted - predicted.mean(0), observed - observed.mean(0)
    norms = torch.linalg.vector_norm(predicted, dim=0) * torch.linalg.vector_norm(observed, dim=0)
    r = (predicted * observed).sum(0) / norms
    return torch.where(norms > 0, r, torch.zeros_like(r))


def r2(predicted: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """1 - squared error / squared distance from the mean, tensors [scans, targets] -> [targets]."""
    return 1 - (observed - predicted).square().sum(0) / (observed - observed.mean(0)).square().sum(0)
