"""Nuisance signals are taken out by weights of the training scans: what that prevents, and what it recovers."""

import numpy as np
import pytest

from brainbook.encoding import cross_validate, delay
from brainbook.stats import correlation

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


def z_scored_within(runs, values):
    parts = [values[runs == run] for run in np.unique(runs)]
    return np.concatenate([(part - part.mean(0)) / part.std(0) for part in parts])


def residuals(values, signals):
    signals = np.column_stack([np.ones(len(signals)), signals])
    return values - signals @ np.linalg.lstsq(signals, values, rcond=None)[0]


def test_motion_of_the_test_run_is_removed_by_weights_of_the_other_runs(rng, study):
    """The same responses with motion three times as large as they are, and without, in runs with different offsets."""
    features, responses, runs = study(rng, n_targets=20)
    motion = rng.standard_normal((len(runs), 3))
    moved = z_scored_within(runs, responses + 3 * motion @ rng.standard_normal((3, 20)))
    measured = motion + 50 * rng.standard_normal((6, 3))[runs]  # the head lies elsewhere in every run
    clean = cross_validate(features, z_scored_within(runs, responses), runs, (1, 2)).scores.mean()
    with_motion = cross_validate(features, moved, runs, (1, 2)).scores.mean()
    removed = cross_validate(features, moved, runs, (1, 2), nuisance=measured).scores.mean()
    assert clean > 0.5 and with_motion < 0.25
    assert removed == pytest.approx(clean, abs=0.05)


def test_weights_fitted_on_all_scans_leak_and_those_of_the_training_scans_do_not(rng):
    """Responses are noise. Features carry the nuisance signals, as a word rate carries breathing.

    Residuals over all scans are orthogonal to the signals over all scans, so that their products in training are minus
    those in test: the model predicts the opposite of what comes. A perfect score here is 0.
    """
    runs = np.repeat(np.arange(5), 60)
    signals, responses = rng.standard_normal((300, 10)), rng.standard_normal((300, 100))
    features = signals + 0.1 * rng.standard_normal((300, 10))
    leaky = cross_validate(features, residuals(responses, signals), runs, None, 1.0).scores.mean()
    honest = cross_validate(features, responses, runs, None, 1.0, nuisance=signals).scores.mean()
    assert leaky < -0.2  # - sqrt(10 signals / 60 test scans) at most
    assert abs(honest) < 0.02


def test_removal_is_the_regression_on_the_training_scans(rng, study):
    """One fold by hand: features and responses of both sides less what the training scans' weights predict."""
    features, responses, runs = study(rng, n_runs=3)
    signals = delay(rng.standard_normal((len(runs), 2)), (0, 1), runs)
    found = cross_validate(features, responses, runs, None, 5.0, nuisance=signals, dtype="float64", predictions=True)
    centred = np.concatenate([signals[runs == run] - signals[runs == run].mean(0) for run in range(3)])
    train, test = found.splits[1]
    design = np.column_stack([np.ones(len(runs)), centred])
    weights = np.linalg.lstsq(design[train], np.hstack([features, responses])[train], rcond=None)[0]
    x, y = np.split(np.hstack([features, responses]) - design @ weights, [features.shape[1]], axis=1)
    x /= x[train].std(0)
    beta = np.linalg.solve(x[train].T @ x[train] + 5 * np.eye(x.shape[1]), x[train].T @ y[train])
    np.testing.assert_allclose(found.predictions[test], x[test] @ beta + responses.mean(0), atol=1e-5)
    np.testing.assert_allclose(found.fold_scores[1], correlation(x[test] @ beta, y[test]), atol=1e-6)
