"""How well does each of many alphas predict the test scans? No prediction is formed that one then throws away.

In the notation of `solver` a prediction is right @ diag(1 / (values + alpha)) @ loadings. To compare alphas one needs
its product with what was observed (one matrix product for all alphas) and its squared norm, for each target

    sum_ij  G_ij L_i L_j / ((l_i + alpha) (l_j + alpha)),   G = right' right, L the loadings, l the eigenvalues.

Taken one alpha at a time this is a matrix product each. But with f(x) = 1 / (x + alpha),

    1 / ((l_i + alpha) (l_j + alpha)) = (f(l_i) - f(l_j)) / (l_j - l_i),

so that the pairs i, j can be summed before alpha is known: one product of the matrix 2 G_ij / (l_j - l_i) with the
loadings serves all alphas. Where two eigenvalues are so near to each other that the difference loses its digits, the
mean of f(l_i)^2 and f(l_j)^2 stands in for f(l_i) f(l_j): it differs by the square of their relative distance.
"""

from functools import cached_property

import torch

NEAR = {torch.float32: 4e-3, torch.float64: 5e-6}  # cube roots of the precision: both errors are then about its 2/3
BLOCK = 128  # rows of the matrix of near pairs that are multiplied at a time


class Comparison:
    """What the comparison of alphas on some test scans needs, whatever the targets.

    Parameters
    ----------
    values : tensor [rank], eigenvalues of the training scans, ascending.
    right : tensor [test scans, rank], see `solver`.
    alphas : tensor [alphas], ascending.
    n_targets : how many there will be: for few, one alpha at a time is quicker.
    metric : "correlation" or "r2".
    fast : measure norms one alpha at a time in bfloat16 where the processor has it (errors of about 1e-3 in the score);
        elsewhere nothing changes.
    gaps : those of the eigenvalues, where they are known already (see `compare`).
    """

    def __init__(self, values, right, alphas, n_targets, metric="correlation", fast=False, gaps=None):
        self.metric = metric
        self.right = _centred(right) if metric == "correlation" else right
        self.shrink = 1 / (values + alphas[:, None])  # alphas, rank
        self.low = fast and has_bfloat16(right.device)
        # f shifted by a constant serves as well: -x / (alpha (x + alpha)) keeps the digits of large alphas
        above = alphas[:, None] > values[-1:]
        self.between = torch.where(above, -values / alphas[:, None], torch.ones_like(self.shrink)) * self.shrink
        self.pairs = None
        n, rank = right.shape
        if not self.low and 2 * n * rank + 1.2 * rank * n_targets < len(alphas) * n * n_targets:
            self.pairs = _pairs(gaps or Gaps(values, right.dtype), self.right)

    def scores_of(self, loadings: torch.Tensor, block, fold, test) -> torch.Tensor:
        """`scores` of a block of responses (a `BlockProducts`) in a fold's test scans; NaN where it is flat."""
        observed = block.centred(fold, test) if self.metric == "correlation" else (block.observed(fold, test),)
        return self.scores(loadings, *observed).masked_fill_(block.flat(fold, test), torch.nan)

    def scores(self, loadings: torch.Tensor, observed: torch.Tensor, total=None) -> torch.Tensor:
        """The score of every alpha for every target.

        Parameters
        ----------
        loadings : tensor [rank, targets], left' @ training responses.
        observed : tensor [test scans, targets], residuals as `BlockProducts` makes them.
        total : tensor [targets], its sums of squares around its mean, where they are known already.

        Returns
        -------
        tensor [alphas, targets]; a prediction that never changes has correlation 0.
        """
        along = self.shrink @ (self.right.T @ observed).mul_(loadings)  # observed . prediction
        square = self._squares(loadings).clamp_min_(0)
        total = (observed - observed.mean(0)).square().sum(0) if total is None else total
        if self.metric == "r2":
            return 1 - (observed.square().sum(0) - 2 * along + square) / total
        return torch.where(square > 0, along / (square * total).sqrt(), torch.zeros_like(along))

    def _squares(self, loadings):
        """Squared norms [alphas, targets] of the predictions."""
        if self.pairs is None:
            return _one_by_one(self.shrink, loadings, self.right, torch.bfloat16 if self.low else self.right.dtype)
        far, near = self.pairs
        mixed = (far @ loadings).mul_(loadings)
        alone = torch.empty_like(loadings)
        for rows, columns, part in near:
            torch.mm(part, loadings[columns], out=alone[rows])
        return self.shrink.square() @ alone.mul_(loadings) + self.between @ mixed


def compare(values, rights, alphas, n_targets, metric="correlation", fast=False) -> list[Comparison]:
    """A `Comparison` for each of the test sets of one fold, which have the eigenvalues in common."""
    gaps = Gaps(values, values.dtype)
    return [Comparison(values, right, alphas, n_targets, metric, fast, gaps) for right in rights]


class Gaps:
    """Which eigenvalues lie near to each other, and by what the pairs of the others are multiplied.

    Attributes
    ----------
    near : boolean tensor [rank, rank]. factor : 2 / (l_j - l_i), 0 for near pairs, float64, made when asked for.
    blocks : list of (rows, columns), slices that hold all near pairs.
    """

    def __init__(self, values: torch.Tensor, dtype: torch.dtype):
        self.values, self.dtype = values.double(), dtype

    @cached_property
    def near(self):
        values = self.values
        return (values - values[:, None]).abs() <= NEAR[self.dtype] * torch.maximum(values, values[:, None])

    @cached_property
    def factor(self):
        return torch.where(self.near, 0.0, 2 / (self.values - self.values[:, None]))

    @cached_property
    def blocks(self):
        found = []
        for start in range(0, len(self.values), BLOCK):
            rows = slice(start, min(start + BLOCK, len(self.values)))
            touched = self.near[rows].any(0).nonzero()  # values ascend, so that near ones lie side by side
            found.append((rows, slice(int(touched[0]), int(touched[-1]) + 1)))
        return found


def _pairs(gaps, right):
    """The matrix of far pairs, 2 G_ij / (l_j - l_i), and that of near pairs as blocks [(rows, columns, part)] of it."""
    gram = right.double()
    gram = gram.T @ gram
    blocks = []
    for rows, columns in gaps.blocks:
        part = gram[rows, columns] * gaps.near[rows, columns]
        blocks.append((rows, columns, part.to(right.dtype)))
    return gram.mul_(gaps.factor).to(right.dtype), blocks


def _one_by_one(shrink, loadings, right, dtype):
    """Squared norms by one product an alpha, whose factors are cast to `dtype`."""
    square = shrink.new_empty(len(shrink), loadings.shape[1])
    right, loadings, buffer = right.to(dtype), loadings.to(dtype), None
    for place, row in enumerate(shrink):
        buffer = torch.mm(right * row.to(dtype), loadings, out=buffer)
        square[place] = buffer.to(shrink.dtype).square().sum(0)
    return square


def _centred(right):
    """`right` less its mean over scans; what is but rounding of a constant becomes 0."""
    centred = right - right.mean(0)
    constant = centred.square().sum(0) <= 1e-10 * right.square().sum(0)
    return torch.where(constant, torch.zeros_like(centred), centred)


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are faster than float32 ones on this device."""
    return device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
