"""Ridge by normal equations: one Cholesky factor for each alpha and fold, where that is less work than eigenvectors.

Eigenvectors take the time of 13 products of two matrices of the same size (measured on a processor at 2,240 scans; on a
GPU more), a Cholesky factor that of a half. With few targets, or on a GPU, eigenvectors are nearly all of the work of
`alpha_scores`, and a factor for each of a dozen alphas is the cheaper way to the same predictions.

Rounding: entry i, j of a Cholesky factor's product is off by some units in the last place of sqrt(A_ii A_jj) (Higham
2002, Accuracy and Stability of Numerical Algorithms, theorem 10.3), as the Gram matrix itself is, whose entries are
products of rows. So factors in the precision of the features lose no more than the Gram matrix lost already, where
eigenvectors in that precision would lose units of the largest eigenvalue. Alphas that are not large beside this
rounding (`solves_safely`) are left to the decomposition.
"""

from collections.abc import Sequence

import numpy as np
import torch

from brainbook.encoding.products import ResponseProducts
from brainbook.encoding.ridge_design import FoldDecomposition, FoldGram, RidgeDesign, centred_columns
from brainbook.encoding.targets import Targets

# n^3 operations of float32 products in the time of float64 eigenvectors of order n
EIGENVECTORS = {"cpu": 26, "cuda": 1000}  # measured; of a GPU: estimated
SMALLEST_ALPHA = {torch.float32: 1e-5, torch.float64: 1e-13}  # as a share of the Gram matrix's diagonal
MOST_ALPHAS = 40  # factors of so many alphas cost less than the eigenvectors


def solves_safely(design: RidgeDesign, alphas: np.ndarray) -> bool:
    """Return whether the smallest alpha is large beside the rounding of the Gram matrix."""
    return np.min(alphas) >= SMALLEST_ALPHA[design.dtype] * design.diagonal


def solving_is_cheaper(design: RidgeDesign, plans: list, alphas: np.ndarray, targets: Targets) -> bool:
    """Return whether `SystemScorer` takes fewer operations than `DecomposedScorer`, and is accurate.

    Parameters
    ----------
    plans : list of (training scans, list of test scans), of which the first stands for all.
    """
    (train, tests), a, t = plans[0], len(alphas), targets.n_targets
    n, m = design.x.shape[1] if design.primal else len(train), sum(map(len, tests))
    solving = a * (n**3 + 3 * n**2 * min(m, t) + 2.4 * m * n * t)  # at half to a third of a large product's rate
    eigenvectors = EIGENVECTORS.get(design.device.type, EIGENVECTORS["cpu"]) * n**3
    decomposing = eigenvectors + 2 * n**2 * (t * (1 + len(tests)) + 3 * m) + 2 * m * n * t
    return solves_safely(design, alphas) and solving < decomposing


def final_fold(design: RidgeDesign, alphas: np.ndarray) -> "type[FoldSystem | FoldDecomposition]":
    """Return the kind of fold that fits targets whose alphas are chosen already."""
    return FoldSystem if len(np.unique(alphas)) <= MOST_ALPHAS and solves_safely(design, alphas) else FoldDecomposition


class FoldSystem(FoldGram):
    """The normal equations of one set of training scans.

    primal: (X'X + alpha) w = X'Y    dual: (XX' + alpha) c = Y    prediction: test features times w or c
    """

    def __init__(self, design: RidgeDesign, train: np.ndarray, tests: Sequence[np.ndarray] = ()) -> None:
        super().__init__(design, train, tests)
        self.factors: dict[float, torch.Tensor]
        self.gram, self.factors = self.gram.to(design.dtype), {}
        self.of_tests = [self.test_features(test) for test in tests]

    @staticmethod
    def held(order: int, n_tests: int, n_test_scans: int, n_alphas: int) -> int:
        """Return how many numbers a fold holds: with the factors or the maps of all alphas."""
        return order * (order + n_test_scans) * (1 + n_alphas)

    def new_factor(self, alpha: float) -> torch.Tensor:
        """Return the upper Cholesky factor of the Gram matrix plus alpha; its check would wait for the GPU."""
        shifted = self.gram.clone()
        shifted.diagonal().add_(float(alpha))
        return torch.linalg.cholesky_ex(shifted, upper=True)[0]  # upper: without a transposed copy

    def factor(self, alpha: float) -> torch.Tensor:
        """Return the factor that was made before, or make and hold it."""
        if alpha not in self.factors:
            self.factors[alpha] = self.new_factor(alpha)
        return self.factors[alpha]

    def solve(self, right: torch.Tensor, alphas: np.ndarray) -> torch.Tensor:
        """Solve for right sides [order, targets], each with its own alpha, array [targets]."""
        solution = torch.empty_like(right)
        for alpha in np.unique(alphas):
            columns = torch.as_tensor(np.flatnonzero(alphas == alpha)).to(right.device)
            solution[:, columns] = torch.cholesky_solve(right[:, columns], self.factor(alpha), upper=True)
        return solution

    def prediction_map(self, features: torch.Tensor, alpha: float) -> torch.Tensor:
        """Return the map [scans, order] from right sides to predictions of scans whose test features these are."""
        return torch.cholesky_solve(features.T, self.new_factor(alpha), upper=True).T

    def hat_matrix(self, alpha: float) -> torch.Tensor:
        """Return the map [test scans, training scans] from responses to centred predictions of the first test."""
        own = self.prediction_map(centred_columns(self.of_tests[0]), alpha)
        return own @ self.of(self.train).T if self.design.primal else own

    def coefficients(self, products: ResponseProducts, alpha: float) -> torch.Tensor:
        """Return weights of the residuals (primal) or of the training scans (dual), tensor [order, targets]."""
        self.factors = {alpha: self.factor(alpha)}  # one at a time: many would take much memory
        solution = torch.cholesky_solve(products.right_side(self), self.factor(alpha), upper=True)
        return solution.mul_(self.scales.to(solution.dtype)[:, None]) if self.design.primal else solution

    def predictions(self, products: ResponseProducts, alphas: np.ndarray) -> list[torch.Tensor]:
        """Return what is predicted in each of the tests, tensors [test scans, targets], by each target's own alpha."""
        solution = self.solve(products.right_side(self), alphas)
        return [features @ solution for features in self.of_tests]


class SystemScorer:
    """Scores of all alphas in the tests of one fold, from the predictions themselves.

    Parameters
    ----------
    fold : the normal equations.
    alphas : array [alphas].
    n_targets : how many there will be: for fewer than test scans, weights are solved for, else the maps from right
        sides to predictions, once for all blocks of targets.
    metric : "correlation" or "r2".
    low_precision : predict in bfloat16 by the maps.
    """

    def __init__(
        self,
        fold: FoldSystem,
        alphas: np.ndarray,
        n_targets: int,
        metric: str = "correlation",
        low_precision: bool = False,
    ) -> None:
        self.fold, self.alphas, self.metric = fold, alphas, metric
        of_tests = [centred_columns(part) if metric == "correlation" else part for part in fold.of_tests]
        self.sizes, self.features, self.maps = list(map(len, of_tests)), torch.cat(of_tests), None
        if n_targets > len(self.features):
            dtype = torch.bfloat16 if low_precision else self.features.dtype
            self.maps = [fold.prediction_map(self.features, alpha).to(dtype) for alpha in alphas]

    def scores(self, products: ResponseProducts) -> list[torch.Tensor]:
        """Return the scores of a block of responses, a tensor [alphas, targets] for each of the tests."""
        right = products.right_side(self.fold)
        observed = [products.to_score(self.fold, test, self.metric) for test in self.fold.tests]
        scores = [right.new_empty(len(self.alphas), right.shape[1]) for _ in observed]
        for place, alpha in enumerate(self.alphas):
            if self.maps is None:
                predicted = self.features @ torch.cholesky_solve(right, self.fold.factor(alpha), upper=True)
            else:
                predicted = (self.maps[place] @ right.to(self.maps[place].dtype)).to(right.dtype)
            for own, part, (values, total) in zip(scores, predicted.split(self.sizes), observed, strict=True):
                if self.metric == "r2":
                    total = (values - values.mean(0)).square().sum(0)
                    own[place] = 1 - (values - part).square().sum(0) / total
                else:
                    norms = part.square().sum(0).mul_(total).sqrt_()
                    own[place] = torch.where(norms > 0, (part * values).sum(0) / norms, torch.zeros_like(norms))
        return scores
