"""Ridge by normal equations: solved for each alpha, where that is less work than eigenvectors.

Eigenvectors take the time of 13 products of two matrices of the same size (measured on a processor at 2,240 scans; on a
GPU more) and are nearly all of the work of `alpha_scores` where targets are few. Two cheaper ways:

- on a GPU, or for few alphas, one Cholesky factor for each alpha (`FoldSystem`): the time of two thirds of a product;
- on a processor, the Gram matrix as Q T Q', T tridiagonal (`TridiagonalSystem`): the time of five products, after which
  an alpha costs a solution of (T + alpha) and the prediction itself (Elden 1977, BIT 17:134, for one target).

Rounding: entry i, j of a Cholesky factor's product is off by some units in the last place of sqrt(A_ii A_jj) (Higham
2002, Accuracy and Stability of Numerical Algorithms, theorem 10.3), as the Gram matrix itself is, whose entries are
products of rows. So factors in the precision of the features lose no more than the Gram matrix lost already, where
eigenvectors in that precision would lose units of the largest eigenvalue; T is made and solved in float64, too. Alphas
that are not large beside this rounding (`solves_safely`) are left to eigenvectors.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.linalg import LinAlgError, lapack, solveh_banded

from brainbook.encoding.products import ResponseProducts
from brainbook.encoding.ridge_design import FoldDecomposition, FoldGram, RidgeDesign, centred_columns
from brainbook.encoding.targets import Targets

# n^3 operations of float32 products in the time of ...
EIGENVECTORS = {"cpu": 26, "cuda": 1000}  # float64 eigenvectors of order n; measured; of a GPU: estimated
TRIDIAGONAL = 11  # the same, Q and T alone
FACTOR = {"cpu": 1.35, "cuda": 1}  # a Cholesky factor
STEP = 600  # operations in the time of one step of a tridiagonal solution
SMALLEST_ALPHA = {torch.float32: 5e-5, torch.float64: 1e-13}  # as a share of the Gram matrix's diagonal
MOST_ALPHAS = 40  # on a GPU, factors of so many alphas cost less than the eigenvectors


def solves_safely(design: RidgeDesign, alphas: np.ndarray) -> bool:
    """Return whether the smallest alpha is large beside the rounding of the Gram matrix."""
    return np.min(alphas) >= SMALLEST_ALPHA[design.dtype] * design.diagonal


def kind_of_search(design: RidgeDesign, plans: list, alphas: np.ndarray, targets: Targets) -> type[FoldGram]:
    """Return the kind of fold that compares alphas with the fewest operations, among those that are accurate.

    Parameters
    ----------
    plans : list of (training scans, list of test scans), of which the first stands for all.
    """
    (train, tests), a, t, device = plans[0], len(alphas), targets.n_targets, design.device.type
    if not solves_safely(design, alphas):
        return FoldDecomposition
    n, m = design.x.shape[1] if design.primal else len(train), sum(map(len, tests))
    predicting, projecting = 2.4 * a * m * n * t, 2 * n**2 * (t * (1 + len(tests)) + 3 * m)
    costs: dict[type[FoldGram], float] = {
        FoldDecomposition: EIGENVECTORS.get(device, 26) * n**3 + projecting + 2 * m * n * t,
        FoldSystem: a * (FACTOR.get(device, 1) * n**3 + 3 * n**2 * min(m, t)) + predicting,
    }
    if device == "cpu":
        costs[TridiagonalSystem] = TRIDIAGONAL * n**3 + 6 * n**2 * (m + t) + a * STEP * n * min(m, t) + predicting
    return min(costs, key=costs.__getitem__)


def final_fold(design: RidgeDesign, alphas: np.ndarray) -> "type[FoldSystem | FoldDecomposition]":
    """Return the kind of fold that fits targets whose alphas [targets] are chosen already."""
    different, n = len(np.unique(alphas)), min(design.x.shape)
    if not solves_safely(design, alphas):
        return FoldDecomposition
    if design.device.type != "cpu":
        return FoldSystem if different <= MOST_ALPHAS else FoldDecomposition
    turned = 8 * len(alphas)  # operations more for a target, in n^2, than with factors
    return TridiagonalSystem if FACTOR["cpu"] * different * n > TRIDIAGONAL * n + turned else FoldSystem


class FoldSystem(FoldGram):
    """The normal equations of one set of training scans.

    primal: (X'X + alpha) w = X'Y    dual: (XX' + alpha) c = Y    prediction: test features times w or c

    Attributes
    ----------
    of_tests : list of tensors [test scans, order], the test features, `turned`.
    """

    def __init__(self, design: RidgeDesign, train: np.ndarray, tests: Sequence[np.ndarray] = ()) -> None:
        super().__init__(design, train, tests)
        self.factors: dict[float, torch.Tensor] = {}
        self._reduce()
        self.of_tests = [self.turned(self.test_features(test).T).T for test in tests]

    @staticmethod
    def held(order: int, n_tests: int, n_test_scans: int, n_alphas: int) -> int:
        """Return how many numbers a fold holds: with the factors or the maps of all alphas."""
        return order * (order + n_test_scans) * (1 + n_alphas)

    def _reduce(self) -> None:
        """Bring the Gram matrix into the form that is solved."""
        self.gram = self.gram.to(self.design.dtype)

    def turned(self, values: torch.Tensor, back: bool = False) -> torch.Tensor:
        """Return values [order, columns] in the basis in which equations are solved, or back from it."""
        return values

    def solve(self, right: torch.Tensor, alpha: float, hold: bool = True) -> torch.Tensor:
        """Solve for right sides [order, columns], turned; `hold`: the factor, for the next right sides.

        On a GPU nothing checks that the factor is there: that would wait for it.
        """
        factor = self.factors.get(alpha)
        if factor is None:
            shifted = self.gram.clone()
            shifted.diagonal().add_(float(alpha))
            factor, failed = torch.linalg.cholesky_ex(shifted, upper=True)  # upper: without a transposed copy
            if failed.device.type == "cpu" and failed:
                factor.fill_(torch.nan)
            if hold:
                self.factors[alpha] = factor
        return torch.cholesky_solve(right, factor, upper=True)

    def hat_matrix(self, alpha: float) -> torch.Tensor:
        """Return the map [test scans, training scans] from responses to centred predictions of the first test."""
        solution = self.solve(centred_columns(self.of_tests[0]).T, alpha, hold=False)
        own = self.turned(solution, back=True).T
        return own @ self.of(self.train).T if self.design.primal else own

    def coefficients(self, products: ResponseProducts, alpha: float) -> torch.Tensor:
        """Return weights of the residuals (primal) or of the training scans (dual), tensor [order, targets]."""
        if alpha not in self.factors:
            self.factors = {}  # one at a time: many would take much memory
        solution = self.turned(self.solve(self.turned(products.right_side(self)), alpha), back=True)
        return solution.mul_(self.scales.to(solution.dtype)[:, None]) if self.design.primal else solution

    def predictions(self, products: ResponseProducts, alphas: np.ndarray) -> list[torch.Tensor]:
        """Return what is predicted in each of the tests, tensors [test scans, targets], by each target's own alpha."""
        right, features = products.right_side(self), torch.cat(self.of_tests)
        predicted, grid = right.new_empty(len(features), right.shape[1]), np.unique(alphas)
        by_maps = len(alphas) > len(grid) * len(features)
        right = right if by_maps else self.turned(right)
        for alpha in grid:
            columns = torch.as_tensor(np.flatnonzero(alphas == alpha)).to(right.device)
            if by_maps:
                own = self.turned(self.solve(features.T, alpha), back=True).T @ right[:, columns]
            else:
                own = features @ self.solve(right[:, columns], alpha)
            predicted[:, columns] = own
        return list(predicted.split(list(map(len, self.of_tests))))


class TridiagonalSystem(FoldSystem):
    """The same equations with the Gram matrix as Q T Q', T tridiagonal, on a processor: values are turned by Q'."""

    @staticmethod
    def held(order: int, n_tests: int, n_test_scans: int, n_alphas: int) -> int:
        """Return how many numbers a fold holds: Q and the maps of all alphas."""
        return order * (2 * order + n_test_scans * (1 + n_alphas))

    def _reduce(self) -> None:
        gram = self.gram.double().numpy().T  # LAPACK's order of numbers, without a copy
        work = int(lapack.dsytrd_lwork(len(gram), lower=1)[0])
        reduced, diagonal, off_diagonal, factors, _ = lapack.dsytrd(gram, lower=1, lwork=work, overwrite_a=1)
        self.bands = np.stack([diagonal, np.append(off_diagonal, 0.0)])
        self.reflectors = torch.from_numpy(reduced[1:, :-1].T).to(self.design.dtype).contiguous().T
        self.reflector_factors = torch.from_numpy(factors).to(self.design.dtype)
        self.gram = None

    def turned(self, values: torch.Tensor, back: bool = False) -> torch.Tensor:
        """Return Q' times values [order, columns], or Q times them; Q leaves the first row as it is."""
        below = torch.ormqr(self.reflectors, self.reflector_factors, values[1:], transpose=not back)
        return torch.cat([values[:1], below])

    def solve(self, right: torch.Tensor, alpha: float, hold: bool = True) -> torch.Tensor:
        """Solve (T + alpha) for right sides [order, columns], turned."""
        bands = self.bands + np.array([[float(alpha)], [0.0]])
        sides = right.T.to(torch.float64, copy=True, memory_format=torch.contiguous_format).numpy().T
        try:
            solution = solveh_banded(bands, sides, overwrite_b=True, lower=True, check_finite=False)
        except LinAlgError:
            return torch.full_like(right, torch.nan)
        return torch.from_numpy(solution).to(right.dtype)


class SystemScorer:
    """Scores of all alphas in the tests of one fold, from the predictions themselves.

    Parameters
    ----------
    fold : the normal equations.
    alphas : array [alphas].
    n_targets : how many there will be: for fewer than test scans, weights are solved for, else the maps from right
        sides to predictions, once for all blocks of targets.
    metric : "correlation" or "r2".
    """

    def __init__(self, fold: FoldSystem, alphas: np.ndarray, n_targets: int, metric: str = "correlation") -> None:
        self.fold, self.alphas, self.metric = fold, alphas, metric
        of_tests = [centred_columns(part) if metric == "correlation" else part for part in fold.of_tests]
        self.sizes, self.features, self.maps = list(map(len, of_tests)), torch.cat(of_tests), None
        if n_targets > len(self.features):
            self.maps = [fold.solve(self.features.T, alpha, hold=False).T for alpha in alphas]

    def scores(self, products: ResponseProducts) -> list[torch.Tensor]:
        """Return the scores of a block of responses, a tensor [alphas, targets] for each of the tests."""
        right = self.fold.turned(products.right_side(self.fold))
        observed = [products.to_score(self.fold, test, self.metric) for test in self.fold.tests]
        scores = [right.new_empty(len(self.alphas), right.shape[1]) for _ in observed]
        for place, alpha in enumerate(self.alphas):
            predicted = self.features @ self.fold.solve(right, alpha) if self.maps is None else self.maps[place] @ right
            for own, part, (values, total) in zip(scores, predicted.split(self.sizes), observed, strict=True):
                if self.metric == "r2":
                    total = (values - values.mean(0)).square().sum(0)
                    own[place] = 1 - (values - part).square().sum(0) / total
                else:
                    norms = part.square().sum(0).mul_(total).sqrt_()
                    own[place] = torch.where(norms > 0, (part * values).sum(0) / norms, torch.zeros_like(norms))
        return scores
