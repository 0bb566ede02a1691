"""Products that folds have in common, against the same products made for each fold by itself."""

import numpy as np
import pytest
import torch

from brainbook.encoding import blocks_with_gaps, cross_validate, leave_one_run_out, products, targets
from brainbook.encoding.products import SharedProducts
from brainbook.encoding.ridge_design import FoldDecomposition, RidgeDesign

N_SCANS, N_TARGETS = 60, 7
RUNS = np.repeat(np.arange(6), 10)


def pairs_of_runs():
    return [np.flatnonzero((j != RUNS) & (k != RUNS)) for j in range(6) for k in range(j)]


TRAINS = {
    "pairs of runs": pairs_of_runs(),
    "single runs": [train for train, _ in leave_one_run_out(RUNS)],
    "gaps": [train for train, _ in blocks_with_gaps(N_SCANS, 5, gap=3)],
    "all": [np.arange(N_SCANS)],
    "scattered": [np.sort(np.random.default_rng(seed).permutation(N_SCANS)[:40]) for seed in range(12)],
}


@pytest.mark.parametrize("with_nuisance", [False, True], ids=["", "nuisance"])
@pytest.mark.parametrize("trains", TRAINS.values(), ids=TRAINS)
def test_products_are_those_of_each_folds_training_scans(rng, trains, with_nuisance):
    x, y = rng.normal(size=(N_SCANS, 5)), torch.as_tensor(rng.normal(size=(N_SCANS, N_TARGETS)))
    nuisance = rng.normal(size=(N_SCANS, 2)) if with_nuisance else None
    design = RidgeDesign(x, nuisance, device="cpu", dtype=torch.float64)
    block = SharedProducts(design, trains).of(y)
    for train in trains:
        test = np.setdiff1d(np.arange(N_SCANS), train) if len(train) < N_SCANS else np.arange(10)
        fold = FoldDecomposition(design, train)
        torch.testing.assert_close(block.xy(fold), design.x[train].T @ y[train])
        torch.testing.assert_close(block.wy(fold), design.regressors[train].T @ y[train])
        signals = design.signals.numpy()
        weights = np.linalg.lstsq(signals[train], y[train].numpy(), rcond=None)[0]
        residual = y[test].numpy() - signals[test] @ weights
        np.testing.assert_allclose(block.observed(fold, test), residual, atol=1e-10)
        values, squares = block.centred(fold, test)
        np.testing.assert_allclose(values, residual - residual.mean(0), atol=1e-10)
        np.testing.assert_allclose(squares, residual.var(0) * len(test), atol=1e-10)


def test_a_product_over_all_scans_serves_all_pairs_of_runs(rng, monkeypatch):
    """That is what they are for: 15 pairs of six runs, and every scan is multiplied once."""
    multiplied = []
    original = products.rows
    monkeypatch.setattr(
        products, "rows", lambda values, scans: multiplied.append(len(scans)) or original(values, scans)
    )
    design = RidgeDesign(rng.normal(size=(N_SCANS, 5)), device="cpu")
    trains = TRAINS["pairs of runs"]
    block = SharedProducts(design, trains).of(torch.zeros(N_SCANS, N_TARGETS))
    for train in trains:
        block.xy(FoldDecomposition(design, train))
    assert sum(multiplied) == 3 * N_SCANS  # of features, signals and responses


def test_scattered_splits_make_each_fold_a_part():
    scattered = [np.sort(np.random.default_rng(seed).permutation(200)[:150]) for seed in range(12)]
    design = RidgeDesign(np.random.default_rng(0).normal(size=(200, 3)), device="cpu")
    assert len(SharedProducts(design, scattered).parts) == 12
    assert len(SharedProducts(design, [np.arange(150), np.arange(50, 200)]).parts) == 3


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_targets_in_smaller_pieces_give_the_same(rng, study, monkeypatch):
    features, responses, runs = study(rng)
    whole = cross_validate(features, responses, runs, (1, 2), predictions=True, device="cpu")
    monkeypatch.setattr(targets, "BATCH", 3)
    pieces = cross_validate(features, responses, runs, (1, 2), predictions=True, device="cpu")
    np.testing.assert_array_equal(pieces.best_alphas, whole.best_alphas)
    np.testing.assert_allclose(pieces.fold_scores, whole.fold_scores, atol=1e-6)
    np.testing.assert_allclose(pieces.predictions, whole.predictions, atol=1e-4)
