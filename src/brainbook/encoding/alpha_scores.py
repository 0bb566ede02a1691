"""How well does each of many alphas predict the test scans? No prediction is formed that one then throws away.

In the notation of `ridge_design` a prediction is test_projection @ diag(1 / (eigenvalues + alpha)) @ loadings. To
compare alphas one needs its product with what was observed (one matrix product for all alphas) and its squared norm,
for each target

    sum_ij  G_ij L_i L_j / ((l_i + alpha) (l_j + alpha)),   G = P' P, P the test projection, L the loadings,
                                                            l the eigenvalues.

Taken one alpha at a time this is a matrix product each. But with f(x) = 1 / (x + alpha),

    1 / ((l_i + alpha) (l_j + alpha)) = (f(l_i) - f(l_j)) / (l_j - l_i),

so that the pairs i, j can be summed before alpha is known: one product of the matrix 2 G_ij / (l_j - l_i) with the
loadings serves all alphas. Where two eigenvalues are so near to each other that the difference loses its digits, the
mean of f(l_i)^2 and f(l_j)^2 stands in for f(l_i) f(l_j): it differs by the square of their relative distance.
"""

from functools import cached_property
from typing import Any

import numpy as np
import torch

from brainbook.encoding.fold_systems import SystemScorer, kind_of_search
from brainbook.encoding.products import ResponseProducts, SharedProducts
from brainbook.encoding.ridge_design import FoldDecomposition, RidgeDesign, centred_columns, fold_groups
from brainbook.encoding.splits import fold_weights
from brainbook.encoding.targets import Targets

NEAR = {torch.float32: 4e-3, torch.float64: 5e-6}  # cube roots of the precision: both errors are then about its 2/3
Plans = list[tuple[np.ndarray, list[tuple[int, np.ndarray]]]]  # [(training scans, [(number, test scans), ...])]
BLOCK = 128  # rows of the matrix of near pairs that are multiplied at a time


def mean_alpha_scores(
    design: RidgeDesign, targets: Targets, plans: Plans, alphas: np.ndarray, metric: str, approximate: bool = False
) -> np.ndarray:
    """Compute the mean score of every alpha over folds, weighted as `fold_weights` says.

    A fold in which a target is flat is left out of that target's mean.

    Parameters
    ----------
    design, targets : features and responses.
    plans : list of (training scans, [(number of the mean, test scans), ...]).
    alphas : the grid, ascending.
    metric : see `AlphaScorer`.
    approximate : as there, where the processor has bfloat16; elsewhere nothing changes.

    Returns
    -------
    float32 array [means, alphas, targets].
    """
    n_means = 1 + max(number for _, tests in plans for number, _ in tests)
    total = torch.zeros(n_means, len(alphas), targets.n_targets, device=targets.device)
    count = torch.zeros(n_means, 1, targets.n_targets, device=targets.device)
    folds = [(train, [test for _, test in tests]) for train, tests in plans]
    kind: Any
    scorer_of: Any
    options: Any
    approximate = approximate and has_bfloat16(targets.device)
    kind = FoldDecomposition if approximate else kind_of_search(design, folds, alphas, targets)
    scorer_of, options = SystemScorer, (alphas, targets.n_targets, metric)
    if kind is FoldDecomposition:
        grid = torch.as_tensor(alphas).to(targets.device, targets.dtype)
        scorer_of, options = DecomposedScorer, (grid, targets.n_targets, metric, approximate)
    for group in fold_groups(design, folds, kind, len(alphas)):
        shared = SharedProducts(design, [fold.train for _, fold in group])
        scorers = [scorer_of(fold, *options) for _, fold in group]
        for columns, y in targets.batches():
            products = shared.of(y)
            for (plan, fold), scorer in zip(group, scorers, strict=True):
                for (number, test), scores in zip(plans[plan][1], scorer.scores(products), strict=True):
                    flat, weight = products.flat(fold, test), float(fold_weights([(fold.train, test)], metric)[0])
                    scores = torch.nan_to_num(scores, nan=0.0).masked_fill_(flat, 0)
                    total[number, :, columns].add_(scores, alpha=weight)
                    count[number, 0, columns].add_(~flat, alpha=weight)
    return torch.where(count > 0, total / count, total).cpu().numpy()


class DecomposedScorer:
    """Scores of all alphas in the tests of one decomposed fold: an `AlphaScorer` each, which share the gaps."""

    def __init__(self, fold: FoldDecomposition, *options: Any) -> None:
        self.fold, gaps = fold, EigenvalueGaps(fold.eigenvalues)
        self.scorers = [
            AlphaScorer(fold.eigenvalues, right, *options, gaps)  # type: ignore[call-arg]  # there are four options
            for right in fold.test_projections
        ]

    def scores(self, products: ResponseProducts) -> list[torch.Tensor]:
        """Return the scores of a block of responses, a tensor [alphas, targets] for each of the tests."""
        loadings = products.loadings(self.fold)
        return [
            scorer.scores(loadings, *products.to_score(self.fold, test, scorer.metric))
            for scorer, test in zip(self.scorers, self.fold.tests, strict=True)
        ]


class AlphaScorer:
    """What the comparison of alphas on some test scans needs, whatever the targets.

    Parameters
    ----------
    eigenvalues : tensor [rank], of the training scans, ascending.
    test_projection : tensor [test scans, rank], see `ridge_design`.
    alphas : tensor [alphas], ascending.
    n_targets : how many there will be: for few, one alpha at a time is quicker.
    metric : "correlation" or "r2".
    approximate : measure norms one alpha at a time in bfloat16 (errors of about 1e-3 in the score).
    gaps : those of the eigenvalues, where they are known already.
    """

    def __init__(
        self,
        eigenvalues: torch.Tensor,
        test_projection: torch.Tensor,
        alphas: torch.Tensor,
        n_targets: int,
        metric: str = "correlation",
        approximate: bool = False,
        gaps: "EigenvalueGaps | None" = None,
    ) -> None:
        self.metric = metric
        self.projection = centred_columns(test_projection) if metric == "correlation" else test_projection
        self.shrinkage = 1 / (eigenvalues + alphas[:, None])  # alphas, rank
        self.low_precision = approximate
        # f shifted by a constant serves as well: -x / (alpha (x + alpha)) keeps the digits of large alphas
        above = alphas[:, None] > eigenvalues[-1:]
        shifted = torch.where(above, -eigenvalues / alphas[:, None], torch.ones_like(self.shrinkage))
        self.between = shifted * self.shrinkage
        self.pairs = None
        n, rank = test_projection.shape
        pays = 2 * n * rank + 1.2 * rank * n_targets < len(alphas) * n * n_targets
        if pays and not self.low_precision:
            self.pairs = (gaps or EigenvalueGaps(eigenvalues)).pairs(self.projection)

    def scores(self, loadings: torch.Tensor, observed: torch.Tensor, total: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the score of every alpha for every target.

        Parameters
        ----------
        loadings : tensor [rank, targets], train_projection' @ training responses.
        observed : tensor [test scans, targets], residuals as `ResponseProducts` makes them.
        total : tensor [targets], its sums of squares around its mean, where they are known already.

        Returns
        -------
        tensor [alphas, targets]; a prediction that never changes has correlation 0.
        """
        along = self.shrinkage @ (self.projection.T @ observed).mul_(loadings)  # observed . prediction
        square = self._squared_norms(loadings).clamp_min_(0)
        total = (observed - observed.mean(0)).square().sum(0) if total is None else total
        if self.metric == "r2":
            return 1 - (observed.square().sum(0) - 2 * along + square) / total
        return torch.where(square > 0, along / (square * total).sqrt(), torch.zeros_like(along))

    def _squared_norms(self, loadings: torch.Tensor) -> torch.Tensor:
        """Compute the squared norms [alphas, targets] of the predictions."""
        if self.pairs is not None:
            far, near = self.pairs
            mixed = (far @ loadings).mul_(loadings)
            alone = torch.empty_like(loadings)
            for rows, columns, part in near:
                torch.mm(part, loadings[columns], out=alone[rows])
            return self.shrinkage.square() @ alone.mul_(loadings) + self.between @ mixed
        dtype = torch.bfloat16 if self.low_precision else loadings.dtype
        square, product = self.shrinkage.new_empty(len(self.shrinkage), loadings.shape[1]), None
        projection, loadings = self.projection.to(dtype), loadings.to(dtype)
        for place, shrinkage in enumerate(self.shrinkage.to(dtype)):
            product = torch.mm(projection * shrinkage, loadings, out=product)
            square[place] = product.to(square.dtype).square().sum(0)
        return square


class EigenvalueGaps:
    """Which eigenvalues lie near to each other, and by what the pairs of the others are multiplied."""

    def __init__(self, eigenvalues: torch.Tensor) -> None:
        self.eigenvalues, self.tolerance = eigenvalues.double(), NEAR[eigenvalues.dtype]

    @cached_property
    def factors(self) -> tuple[torch.Tensor, list]:
        """2 / (l_j - l_i), 0 for near pairs, tensor [rank, rank]; and blocks [(rows, columns, near)] of near pairs."""
        values = self.eigenvalues
        near = (values - values[:, None]).abs() <= self.tolerance * torch.maximum(values, values[:, None])
        blocks = []
        for start in range(0, len(values), BLOCK):
            rows = slice(start, min(start + BLOCK, len(values)))
            touched = near[rows].any(0).nonzero()  # values ascend, so that near ones lie side by side
            columns = slice(int(touched[0]), int(touched[-1]) + 1)
            blocks.append((rows, columns, near[rows, columns].clone()))
        return torch.where(near, 0.0, 2 / (values - values[:, None])), blocks

    def pairs(self, projection: torch.Tensor) -> tuple[torch.Tensor, list]:
        """Return the matrix of far pairs, 2 G_ij / (l_j - l_i), and that of near ones as [(rows, columns, part)]."""
        far, blocks = self.factors
        gram = projection.double()
        gram = gram.T @ gram
        near = [
            (rows, columns, (gram[rows, columns] * is_near).to(projection.dtype)) for rows, columns, is_near in blocks
        ]
        return gram.mul_(far).to(projection.dtype), near


def has_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 products are faster than float32 ones on this device."""
    return device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
