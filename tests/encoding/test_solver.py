"""The solver against float64 brute force: one inverse and one prediction for every fold and alpha."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from brainbook.encoding import (
    RidgeEncoder,
    correlation,
    cross_validate,
    explained_variance,
    fold_systems,
    leave_one_run_out,
    ridge_design,
)

ALPHAS = np.logspace(-2, 5, 8)
SHAPES = {"primal": 8, "dual": 130}
MEASURES = {"correlation": correlation, "r2": explained_variance}


def fit_and_predict(x, y, train, test, alpha, nuisance=None):
    """Ridge the long way: residuals, z-scores, normal equations; what is predicted and what was to be predicted.

    Where x is NaN, before a run's first scan, the training mean stands.
    """
    x = np.where(np.isnan(x), np.nanmean(x[train], axis=0), x)
    signals = np.ones((len(x), 1)) if nuisance is None else np.column_stack([np.ones(len(x)), nuisance])
    x = x - signals @ (np.linalg.pinv(signals[train]) @ x[train])
    y = y - signals @ (np.linalg.pinv(signals[train]) @ y[train])
    size = x[train].std(0)
    x = x / np.where(size > 1e-12, size, np.inf)
    weights = np.linalg.solve(x[train].T @ x[train] + alpha * np.eye(x.shape[1]), x[train].T @ y[train])
    return x[test] @ weights, y[test]


def brute_force(x, y, runs, metric, nuisance=None):
    scores, chosen = [], []
    for j in np.unique(runs):
        inner = np.zeros((len(ALPHAS), y.shape[1]))
        for k in np.unique(runs[runs != j]):
            train, test = np.flatnonzero((runs != j) & (runs != k)), np.flatnonzero(runs == k)
            inner += [MEASURES[metric](*fit_and_predict(x, y, train, test, alpha, nuisance)) for alpha in ALPHAS]
        best = inner.argmax(0)
        train, test = np.flatnonzero(runs != j), np.flatnonzero(runs == j)
        outer = [MEASURES[metric](*fit_and_predict(x, y, train, test, alpha, nuisance)) for alpha in ALPHAS]
        scores.append(np.array(outer)[best, np.arange(y.shape[1])])
        chosen.append(ALPHAS[best])
    return np.array(scores), np.array(chosen)


@pytest.mark.parametrize("metric", MEASURES)
@pytest.mark.parametrize("with_nuisance", [False, True], ids=["", "nuisance"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", ["factors", "eigenvectors"])
@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_nested_cross_validation_is_brute_force(rng, study, monkeypatch, way, shape, with_nuisance, metric):
    monkeypatch.setattr(fold_systems, "solves_safely", lambda *_: way == "factors")
    features, responses, runs = study(rng, n_runs=4, n_features=SHAPES[shape] // 2, n_targets=6)
    features[:, 0] += 1e3  # far from zero
    features[:, 1] = 7.0  # constant
    features[runs == 2, 2] = 0.0
    responses = responses * 5 + 1e4
    nuisance = rng.standard_normal((len(runs), 2)) if with_nuisance else None
    x = np.hstack([pd.DataFrame(features).groupby(runs).shift(shift) for shift in (1, 2)])
    centred = None if nuisance is None else nuisance - pd.DataFrame(nuisance).groupby(runs).transform("mean").to_numpy()
    expected, chosen = brute_force(x, responses, runs, metric, centred)
    for dtype, tolerance in {"float64": 1e-9, "float32": 2e-3}.items():
        found = cross_validate(
            features, responses, runs, (1, 2), ALPHAS, nuisance=nuisance, metric=metric, dtype=dtype, block=4
        )
        same = found.best_alphas == chosen
        assert same.mean() > (0.999 if dtype == "float64" else 0.9)
        np.testing.assert_allclose(found.fold_scores[same], expected[same], atol=tolerance)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimator_is_scikit_learns_ridge_at_one_alpha(rng, study, shape, alpha):
    features, responses, runs = study(rng, n_features=SHAPES[shape], n_targets=5, n_runs=3)
    train, test = leave_one_run_out(runs)[0]
    peer = make_pipeline(StandardScaler(), Ridge(alpha=alpha)).fit(features[train], responses[train])
    expected = peer.predict(features[test])
    for kind, tolerance in {np.float64: 1e-6, np.float32: 5e-3}.items():
        encoder = RidgeEncoder(alphas=[alpha]).fit(features[train].astype(kind), responses[train].astype(kind))
        error = np.abs(encoder.predict(features[test].astype(kind)) - expected).max()
        assert error < tolerance * np.abs(expected).max()
    weights = peer[-1].coef_.T / peer[0].scale_[:, None]
    np.testing.assert_allclose(encoder.weights(), weights, atol=5e-3 * np.abs(weights).max())
    assert encoder.weights([1, 2]).shape == (features.shape[1], 2)


def test_the_dual_is_scikit_learns_kernel_ridge(rng, study):
    features, responses, _ = study(rng, n_features=300, n_targets=3)
    features -= features.mean(0)
    responses -= responses.mean(0)
    expected = KernelRidge(alpha=10.0).fit(features, responses).predict(features[:9])
    encoder = RidgeEncoder(alphas=[10.0], scale=False).fit(features, responses)
    np.testing.assert_allclose(encoder.predict(features[:9]), expected, atol=1e-8)


def test_alphas_are_chosen_for_each_target_by_leaving_runs_out(rng, study):
    features, responses, runs = study(rng, n_features=30, n_targets=12, strength=0.7)
    responses[:, :6] = rng.standard_normal((len(runs), 6))
    encoder = RidgeEncoder(alphas=ALPHAS).fit(features, responses, groups=runs)
    scores = np.zeros((len(ALPHAS), 12))
    for train, test in leave_one_run_out(runs):
        scores += [correlation(*fit_and_predict(features, responses, train, test, alpha)) for alpha in ALPHAS]
    np.testing.assert_allclose(encoder.cv_scores_, scores / 6, atol=1e-5)
    np.testing.assert_array_equal(encoder.best_alphas_, ALPHAS[scores.argmax(0)])
    together = RidgeEncoder(alphas=ALPHAS, per_target=False).fit(features, responses, groups=runs)
    assert (together.best_alphas_ == ALPHAS[scores.mean(1).argmax()]).all()


def test_folds_in_several_groups_give_the_same(rng, study, monkeypatch):
    features, responses, runs = study(rng)
    whole = cross_validate(features, responses, runs, (1, 2))
    monkeypatch.setattr(ridge_design, "GROUP_BYTES", 1)
    split = cross_validate(features, responses, runs, (1, 2))
    np.testing.assert_array_equal(split.best_alphas, whole.best_alphas)
    np.testing.assert_allclose(split.fold_scores, whole.fold_scores, atol=1e-6)


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_targets_from_a_memory_map_in_blocks_give_the_same(rng, study, tmp_path):
    features, responses, runs = study(rng, n_targets=23)
    np.save(tmp_path / "responses.npy", responses.astype(np.float32))
    mapped = np.load(tmp_path / "responses.npy", mmap_mode="r")
    whole = cross_validate(features, responses.astype(np.float32), runs, (1, 2), predictions=True)
    blocks = cross_validate(features, mapped, runs, (1, 2), predictions=True, block=5)
    np.testing.assert_allclose(blocks.fold_scores, whole.fold_scores, atol=1e-5)
    np.testing.assert_allclose(blocks.predictions, whole.predictions, atol=1e-4)
    encoder = RidgeEncoder(block=5).fit(features, mapped, groups=runs)
    np.testing.assert_allclose(encoder.best_alphas_, RidgeEncoder().fit(features, responses, runs).best_alphas_)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_gpu_gives_what_the_processor_gives(rng, study):
    features, responses, runs = study(rng, n_features=60)
    cpu, gpu = (cross_validate(features, responses, runs, (1, 2), device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.fold_scores, cpu.fold_scores, atol=1e-3)


@pytest.mark.parametrize(("size", "alone"), [(64, True), (ridge_design.SMALL + 1, False)])
def test_small_matrices_are_decomposed_by_one_thread(monkeypatch, size, alone):
    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    seen, before = [], threads()
    eigh = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (seen.append(threads()), eigh(np.diag(np.diag(matrix))))[1])
    values, _ = ridge_design._eigh(torch.eye(size, dtype=torch.float64), torch.float64)
    assert len(values) == size and threads() == before
    assert seen == [[1] * len(before) if alone else before]
