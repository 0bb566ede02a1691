"""Scores of all alphas at once against the predictions themselves, formed in float64."""

import numpy as np
import pytest
import torch

from brainbook.encoding import RidgeEncoder, alpha_scores, correlation, explained_variance
from brainbook.encoding.alpha_scores import AlphaScorer

MEASURES = {"correlation": correlation, "r2": explained_variance}
GRIDS = {"decades": np.logspace(0, 7, 20), "small": np.logspace(-6, -2, 9), "large": np.logspace(6, 12, 9)}
SPECTRA = {
    "even": lambda rng, rank: np.sort(rng.uniform(300, 12_000, rank)),
    "wide": lambda rng, rank: np.geomspace(1e-3, 1e5, rank),
    "repeated": lambda rng, rank: np.sort(rng.choice([10.0, 10.0 + 1e-5, 500.0], rank)),
    "clustered": lambda rng, rank: np.sort(1000 * (1 + 1e-3 * rng.standard_normal(rank))),
}


def made(rng, spectrum, n=60, rank=200, targets=50):
    """Eigenvalues, loadings and predictors as a ridge makes them: a direction's share grows with its eigenvalue."""
    values = SPECTRA[spectrum](rng, rank)
    loadings = np.sqrt(values)[:, None] * rng.standard_normal((rank, targets))
    projection = np.sqrt(values) * rng.standard_normal((n, rank))
    observed = rng.standard_normal((n, targets)) + 0.3
    return values, loadings, projection, observed


def the_long_way(values, loadings, projection, observed, alphas, metric):
    return np.array([MEASURES[metric](projection @ (loadings / (values + a)[:, None]), observed) for a in alphas])


@pytest.mark.parametrize("metric", MEASURES)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 2e-4)])
def test_the_scores_are_those_of_the_predictions(rng, spectrum, grid, metric, dtype, tolerance):
    arrays, alphas = made(rng, spectrum), GRIDS[grid]
    expected = the_long_way(*arrays, alphas, metric)
    values, loadings, projection, observed = (torch.as_tensor(array).to(dtype) for array in arrays)
    asked = AlphaScorer(values, projection, torch.as_tensor(alphas).to(dtype), 10**6, metric)
    assert asked.pairs is not None
    found = asked.scores(loadings, observed).double().numpy()
    size = np.maximum(1, np.abs(expected - (metric == "r2")))  # of a bad prediction R2 is large, and so is its rounding
    assert np.abs((found - expected) / size).max() < tolerance


def test_few_targets_are_scored_one_alpha_at_a_time_and_alike(rng):
    values, loadings, projection, observed = (torch.as_tensor(array) for array in made(rng, "even"))
    alphas = torch.as_tensor(GRIDS["decades"])
    few, many = (AlphaScorer(values, projection, alphas, n) for n in (1, 10**6))
    assert few.pairs is None and many.pairs is not None
    torch.testing.assert_close(few.scores(loadings, observed), many.scores(loadings, observed), atol=1e-8, rtol=0)


@pytest.mark.parametrize("n_targets", [1, 10**6])
def test_a_prediction_that_never_changes_has_correlation_zero(rng, n_targets):
    values, loadings, projection, observed = (torch.as_tensor(array).float() for array in made(rng, "even"))
    projection = projection[:1].repeat(len(projection), 1)
    found = AlphaScorer(values, projection, torch.tensor([1.0, 100.0]), n_targets).scores(loadings, observed)
    assert (found == 0).all()


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_the_fast_choice_loses_next_to_nothing(rng, study, monkeypatch):
    """As if this processor had bfloat16: slow without it, but projection."""
    grid = np.logspace(0, 6, 13)
    features, responses, runs = study(rng, n_features=130, n_targets=80, strength=0.5)
    features, responses = features.astype(np.float32), responses.astype(np.float32)
    slow = RidgeEncoder(alphas=grid).fit(features, responses, groups=runs)
    monkeypatch.setattr(alpha_scores, "has_bfloat16", lambda device: True)
    fast = RidgeEncoder(alphas=grid, approximate_alpha_search=True).fit(features, responses, groups=runs)
    np.testing.assert_allclose(fast.cv_scores_, slow.cv_scores_, atol=5e-3)
    assert (fast.cv_scores_ != slow.cv_scores_).any()
    chosen = np.take_along_axis(slow.cv_scores_, np.searchsorted(grid, fast.best_alphas_)[None], axis=0)
    assert (slow.cv_scores_.max(0) - chosen).max() < 1e-3


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_features_that_never_change_predict_the_mean(rng):
    responses = rng.standard_normal((60, 40))
    encoder = RidgeEncoder().fit(np.ones((60, 5)), responses)
    assert (encoder.cv_scores_ == 0).all()
    np.testing.assert_allclose(encoder.predict(np.ones((3, 5))), np.tile(responses.mean(0), (3, 1)), atol=1e-12)
