"""Equations solved for each alpha against eigenvectors, where rounding matters, and that nothing waits for a GPU."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from brainbook.encoding import RidgeEncoder, alpha_scores, fold_systems, leave_one_run_out, targets as targets_module
from brainbook.encoding.fold_systems import (
    FoldSystem,
    SystemScorer,
    TridiagonalSystem,
    final_fold,
    kind_of_search,
    solves_safely,
)
from brainbook.encoding.products import SharedProducts
from brainbook.encoding.ridge_design import FoldDecomposition, RidgeDesign
from brainbook.encoding.targets import Targets

ALPHAS = np.logspace(0, 6, 7)
WIDTHS = {"primal": 60, "dual": 400}
SOLVED = {"factors": FoldSystem, "tridiagonal": TridiagonalSystem}


def scores(monkeypatch, study, kind, n_targets, metric, dtype):
    features, responses, runs = study
    monkeypatch.setattr(alpha_scores, "kind_of_search", lambda *_: kind)
    design = RidgeDesign(features, device="cpu", dtype=dtype)
    targets = Targets(responses[:, :n_targets], device=torch.device("cpu"), dtype=dtype)
    plans = [(train, [(fold, test)]) for fold, (train, test) in enumerate(leave_one_run_out(runs))]
    return alpha_scores.mean_alpha_scores(design, targets, plans, ALPHAS, metric)


@pytest.mark.parametrize("metric", ["correlation", "r2"])
@pytest.mark.parametrize("n_targets", [5, 80], ids=["weights", "maps"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("kind", SOLVED.values(), ids=SOLVED)
def test_solutions_are_as_exact_as_eigenvectors_where_one_direction_dominates(
    rng, study, monkeypatch, kind, width, n_targets, metric
):
    """All units of a model rise and fall together: the largest eigenvalue holds most of the Gram matrix."""
    features, responses, runs = study(rng, n_features=width, n_targets=80)
    features = features + 8 * rng.standard_normal((len(features), 1))
    made = features, responses, runs
    exact = scores(monkeypatch, made, FoldDecomposition, n_targets, metric, torch.float64)
    decomposed, solved = (
        scores(monkeypatch, made, each, n_targets, metric, torch.float32) for each in (FoldDecomposition, kind)
    )
    assert np.linalg.norm(solved - exact) < max(2 * np.linalg.norm(decomposed - exact), 1e-5 * np.sqrt(exact.size))
    largest = max(2 * np.abs(decomposed - exact).max(), 1e-4)  # of 400 scores, by chance more in the other form
    assert np.abs(solved - exact).max() < (largest if kind is FoldSystem else 1e-3)
    double = scores(monkeypatch, made, kind, n_targets, metric, torch.float64)
    np.testing.assert_allclose(double, exact, atol=1e-6)


def test_alphas_near_the_rounding_are_left_to_eigenvectors(rng, study, monkeypatch):
    features, responses, runs = study(rng, n_features=400, n_targets=5)
    design = RidgeDesign(features, device="cpu")
    assert solves_safely(design, ALPHAS) and not solves_safely(design, [1e-6, 1.0])
    assert solves_safely(RidgeDesign(features, device="cpu", dtype=torch.float64), [1e-6, 1.0])
    for kind in ("FoldSystem", "TridiagonalSystem"):  # what they would do is not asked
        monkeypatch.setattr(fold_systems, kind, None)
    encoder = RidgeEncoder(alphas=[1e-6]).fit(features.astype(np.float32), responses.astype(np.float32), groups=runs)
    np.testing.assert_allclose(encoder.predict(features), responses, atol=0.02)  # more features than scans: exact


@pytest.mark.parametrize("kind", SOLVED.values(), ids=SOLVED)
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("n_targets", [6, 900], ids=["weights", "maps"])
def test_predictions_weights_and_hat_matrix_are_those_of_eigenvectors(rng, study, width, kind, n_targets):
    features, responses, runs = study(rng, n_features=width, n_targets=n_targets)
    design = RidgeDesign(features, device="cpu", dtype=torch.float64)
    train, test = leave_one_run_out(runs)[1]
    products = SharedProducts(design, [train]).of(torch.as_tensor(responses - responses.mean(0)))
    found, expected = kind(design, train, [test]), FoldDecomposition(design, train, [test])
    alphas = np.resize(ALPHAS[2:4], n_targets)
    close = {"rtol": 1e-7, "atol": 1e-9}
    torch.testing.assert_close(found.predictions(products, alphas), expected.predictions(products, alphas), **close)
    torch.testing.assert_close(found.coefficients(products, 10.0), expected.coefficients(products, 10.0), **close)
    torch.testing.assert_close(found.hat_matrix(10.0), expected.hat_matrix(10.0), **close)


@pytest.mark.parametrize("kind", SOLVED.values(), ids=SOLVED)
def test_a_gram_matrix_that_rounding_made_indefinite_predicts_no_number(rng, study, kind):
    features, responses, runs = study(rng, n_features=400, n_targets=3)
    design = RidgeDesign(features, device="cpu")
    train, test = leave_one_run_out(runs)[1]
    fold = kind(design, train, [test])
    products = SharedProducts(design, [train]).of(torch.as_tensor(responses).float())
    assert torch.isnan(fold.predictions(products, np.full(3, -1.0))[0]).all()  # as if alpha were below the rounding


def test_the_cheapest_way_is_taken(rng):
    def ways(n_targets, alphas, device="cpu"):
        x = torch.empty(2800, 1024)
        design = SimpleNamespace(x=x, primal=True, dtype=x.dtype, diagonal=2800, device=SimpleNamespace(type=device))
        plans, targets = [(range(2240), [range(560)])], SimpleNamespace(n_targets=n_targets)
        return kind_of_search(design, plans, alphas, targets), final_fold(design, np.resize(alphas, n_targets))

    many = np.logspace(0, 7, 20)
    assert ways(148, many) == (TridiagonalSystem, TridiagonalSystem)
    assert ways(148, many[:3]) == (FoldSystem, FoldSystem)
    assert ways(20_484, many)[0] is FoldDecomposition
    assert ways(148, many, "cuda") == (FoldSystem, FoldSystem)
    assert ways(148, 1e-3 * many) == (FoldDecomposition, FoldDecomposition)


def on_meta(features, nuisance):
    """Return a design whose tensors hold no numbers, so that whatever asks for one raises."""
    design = RidgeDesign(features, nuisance, device="cpu")
    for name in ("x", "signals", "regressors", "scaling", "spread"):
        setattr(design, name, getattr(design, name).to("meta"))
    design.device = torch.device("meta")
    return design


@pytest.mark.parametrize("metric", ["correlation", "r2"])
@pytest.mark.parametrize("n_targets", [5, 80])
@pytest.mark.parametrize("with_nuisance", [False, True], ids=["", "nuisance"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_no_number_goes_to_the_host_inside_a_fold(rng, study, width, with_nuisance, n_targets, metric):
    """Tensors on PyTorch's meta device have shapes alone: .item(), .cpu(), .numpy() and conditions on them fail."""
    features, _, runs = study(rng, n_features=width)
    design = on_meta(features, rng.standard_normal((len(runs), 2)) if with_nuisance else None)
    train, test = leave_one_run_out(runs)[2]
    fold = FoldSystem(design, train, [test])
    products = SharedProducts(design, [train]).of(torch.empty(len(runs), n_targets, device="meta"))
    (found,) = SystemScorer(fold, ALPHAS, n_targets, metric).scores(products)
    assert found.shape == (len(ALPHAS), n_targets) and products.flat(fold, test).shape == (n_targets,)
    (predicted,) = fold.predictions(products, np.resize(ALPHAS, n_targets))
    assert predicted.shape == (len(test), n_targets)
    with pytest.raises((RuntimeError, NotImplementedError)):  # the decomposition does ask: for its rank
        FoldDecomposition(design, train, [test])


def test_targets_that_fit_into_one_block_are_sent_to_the_device_once(rng, monkeypatch):
    targets = Targets(rng.standard_normal((30, 8)), device=torch.device("cpu"))
    targets.device = torch.device("meta")
    assert targets.read(slice(2, 8)).shape == (30, 6)
    monkeypatch.setattr(targets_module, "to_device", None)  # would be called for a second transfer
    assert targets.read(np.array([1, 5])).shape == (30, 2)
    monkeypatch.undo()
    several = Targets(rng.standard_normal((30, 8)), device=torch.device("cpu"), block=3)
    several.device = torch.device("meta")
    assert [several.read(block).shape[1] for block in several.blocks()] == [3, 3, 2] and several._on_gpu is None
