"""What cross_validate promises: nothing of a test run is seen before it is scored, and odd inputs are named."""

import numpy as np
import pytest

from brainbook.encoding import (
    BorderWarning,
    EncodingDesign,
    RidgeEncoder,
    blocks_with_gaps,
    correlation,
    cross_validate,
    delay,
    fisher_mean,
    permutation_scores,
)

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


def test_known_signal_is_found_and_noise_is_not(rng, study):
    features, responses, runs = study(rng, n_targets=20, strength=1.0)
    responses[:, 10:] = rng.standard_normal((len(runs), 10))
    found = cross_validate(features, responses, runs, (1, 2))
    # signal and noise have equal variance: a perfect model would reach sqrt(1/2)
    assert 0.6 < found.scores[:10].mean() < 0.75 and abs(found.scores[10:].mean()) < 0.06


def test_predictions_are_those_that_were_scored_in_the_responses_units(rng, study):
    features, responses, runs = study(rng)
    responses = responses * 3 + 100
    found = cross_validate(features, responses, runs, (1, 2), predictions=True)
    for place, (_, test) in enumerate(found.splits):
        np.testing.assert_allclose(
            correlation(found.predictions[test], responses[test]), found.fold_scores[place], atol=1e-4
        )
    np.testing.assert_allclose(found.scores, fisher_mean(found.fold_scores))
    assert abs((responses - found.predictions).mean()) < 0.5


def test_layers_share_the_work_but_not_the_results(rng, study):
    features, responses, runs = study(rng)
    layers = np.stack([features, rng.standard_normal(features.shape), features + 1])
    together = cross_validate(layers, responses, runs, (1, 2))
    assert together.fold_scores.shape == (3, 6, 10)
    for layer in range(3):
        alone = cross_validate(layers[layer], responses, runs, (1, 2))
        np.testing.assert_allclose(together.fold_scores[layer], alone.fold_scores, atol=1e-6)
    wider = cross_validate([features, np.hstack([features, features])], responses, runs, (1, 2))
    np.testing.assert_allclose(wider.scores[0], together.scores[0], atol=1e-6)


def test_the_layer_is_chosen_inside_the_training_runs(rng, study):
    """On noise the best of many layers looks good on test scans; chosen inside, it does not."""
    runs = np.repeat(np.arange(5), 30)
    layers, responses = rng.standard_normal((8, 150, 10)), rng.standard_normal((150, 200))
    found = cross_validate(layers, responses, runs, None)
    assert found.scores.max(0).mean() > 0.08
    assert abs(found.scores_of_chosen_layer().mean()) < 0.02
    features, responses, runs = study(rng)
    found = cross_validate(np.stack([rng.standard_normal(features.shape), features]), responses, runs, (1, 2))
    assert (found.chosen_layer() == 1).mean() > 0.95


def test_a_planted_leak_is_caught(rng, study):
    """A feature is far larger in one run than in the others. Scaled with that run in sight it would be crushed there.

    Scaled by the training runs alone, the run's own values change nothing of the model that predicts it.
    """
    features, responses, runs = study(rng, n_runs=4, n_features=3)
    changed = features.copy()
    changed[runs == 2] *= 1000  # a linear model's test prediction for run 2 is stretched, and nothing else changes
    honest = cross_validate(features, responses, runs, None, alphas=10.0, predictions=True, dtype="float64")
    leaky = cross_validate(changed, responses, runs, None, alphas=10.0, predictions=True, dtype="float64")
    np.testing.assert_allclose(leaky.fold_scores[2], honest.fold_scores[2], atol=1e-6)
    scaled = changed / changed.std(0)  # what z-scoring before splitting does
    peeked = cross_validate(scaled, responses, runs, None, alphas=10.0, scale=False, dtype="float64")
    assert np.abs(peeked.fold_scores[2] - honest.fold_scores[2]).max() > 0.01


def test_responses_of_the_test_run_choose_no_alpha(rng, study):
    features, responses, runs = study(rng, n_features=40, strength=0.3)
    other = responses.copy()
    other[runs == 3] = rng.standard_normal(other[runs == 3].shape)
    one, two = (cross_validate(features, y, runs, (1, 2), dtype="float64") for y in (responses, other))
    np.testing.assert_array_equal(one.best_alphas[3], two.best_alphas[3])
    assert (one.best_alphas != two.best_alphas).any()


def test_a_single_run_is_cut_into_blocks(rng, study):
    features, responses, _ = study(rng, n_runs=1, length=200)
    found = cross_validate(
        features, responses, np.zeros(200), (1, 2), splits=blocks_with_gaps(200, 5, gap=6), predictions=True
    )
    assert found.scores.mean() > 0.5 and np.isfinite(found.predictions).all()


def test_constant_and_missing_targets_are_nan_and_said(rng, study):
    features, responses, runs = study(rng)
    responses[:, 2] = 5.0
    responses[7, 4] = np.nan
    with pytest.warns(RuntimeWarning, match="2 of 10 targets"):
        found = cross_validate(features, responses, runs, (1, 2), predictions=True)
    bad = np.isnan(found.scores)
    assert np.flatnonzero(bad).tolist() == [2, 4]
    assert np.isnan(found.best_alphas[:, bad]).all() and np.isnan(found.predictions[:, bad]).all()
    with pytest.warns(RuntimeWarning, match="2 of 10 targets"):
        encoder = RidgeEncoder().fit(features, responses, groups=runs)
    assert np.flatnonzero(np.isnan(encoder.best_alphas_)).tolist() == [2, 4]
    assert np.isnan(encoder.predict(features)[:, bad]).all() and np.isfinite(encoder.predict(features)[:, ~bad]).all()


def test_one_alpha_for_all_targets(rng, study):
    features, responses, runs = study(rng)
    found = cross_validate(features, responses, runs, (1, 2), per_target=False)
    assert (found.best_alphas == found.best_alphas[:, :1]).all()


@pytest.mark.parametrize("alphas", [[1.0, -2.0], [0.0], [np.nan], []])
def test_alphas_must_be_positive(rng, study, alphas):
    features, responses, runs = study(rng)
    with pytest.raises(ValueError, match="alphas"):
        cross_validate(features, responses, runs, (1, 2), alphas)
    with pytest.raises(ValueError, match="alphas"):
        RidgeEncoder(alphas=alphas).fit(features, responses)


def test_what_cannot_work_is_named(rng, study):
    features, responses, runs = study(rng, n_runs=2)
    with pytest.raises(ValueError, match="three runs or more"):
        cross_validate(features, responses, runs, (1, 2))
    assert np.isfinite(cross_validate(features, responses, runs, (1, 2), alphas=10.0).scores).all()
    with pytest.raises(ValueError, match="responses 79"):
        cross_validate(features, responses[:-1], runs, (1, 2), alphas=1.0)
    features[3, 2] = np.nan
    with pytest.raises(ValueError, match="features hold NaN"):
        cross_validate(features, responses, runs, (1, 2))
    with pytest.raises(ValueError, match="contains infinity"):
        cross_validate(np.nan_to_num(features), np.where(responses > 2, np.inf, responses), runs, None, alphas=1.0)


def test_choices_at_the_border_of_the_grid_are_reported(rng, study):
    features, responses, runs = study(rng, n_features=3, strength=10.0)
    with pytest.warns(BorderWarning, match="fell on the smallest alpha, 1e"):
        encoder = RidgeEncoder(alphas=[1e4, 1e5]).fit(delay(features, (1, 2), runs), responses, groups=runs)
    assert encoder.border_ == (1.0, 0.0)


def test_nuisance_signals_that_repeat_each_other_count_once(rng, study):
    features, responses, runs = study(rng)
    signals = rng.standard_normal((len(runs), 2))
    responses = responses + 5 * signals[:, :1]
    once = cross_validate(features, responses, runs, (1, 2), nuisance=signals, dtype="float64")
    repeated = np.column_stack([signals, signals @ [2.0, -1.0], np.ones(len(runs))])  # a mixture and a constant
    again = cross_validate(features, responses, runs, (1, 2), nuisance=repeated, dtype="float64")
    np.testing.assert_allclose(again.fold_scores, once.fold_scores, atol=1e-8)
    assert once.scores.mean() > cross_validate(features, responses, runs, (1, 2)).scores.mean() + 0.1
    signals[3, 1] = np.nan
    with pytest.raises(ValueError, match="nuisance must be finite"):
        cross_validate(features, responses, runs, (1, 2), nuisance=signals)
    with pytest.raises(ValueError, match="nuisance must be finite"):
        cross_validate(features, responses, runs, (1, 2), nuisance=signals[:-1])


@pytest.mark.parametrize("n_features", [4, 300])
def test_features_that_say_nothing_in_training_change_nothing(rng, study, n_features):
    """One is constant; one varies in the test run only, where it is huge."""
    features, responses, runs = study(rng, n_features=n_features)
    dead = np.zeros((len(runs), 2))
    dead[:, 0] = 3.0
    dead[runs == 2, 1] = 1e4 * rng.standard_normal((runs == 2).sum())
    alone = cross_validate(features, responses, runs, None, 10.0)
    beside = cross_validate(np.hstack([features, dead]), responses, runs, None, 10.0)
    np.testing.assert_allclose(beside.fold_scores[2], alone.fold_scores[2], atol=1e-4)
    with pytest.warns(RuntimeWarning, match="all features are constant"):
        nothing = cross_validate(dead[:, :1], responses, runs, None, 10.0)
    np.testing.assert_array_equal(nothing.fold_scores, 0)


def test_fewer_scans_than_folds(rng):
    features, responses = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    encoder = RidgeEncoder(cv=10, metric="r2").fit(features, responses)
    assert np.isfinite(encoder.predict(features)).all() and np.isfinite(encoder.best_alphas_).all()


def test_a_design_serves_scores_and_nulls(rng, study):
    features, responses, runs = study(rng, n_runs=4)
    design = EncodingDesign(features, runs, (1, 2), trim=5, scale=False)
    expected = cross_validate(features, responses, runs, (1, 2), 10.0, trim=5, scale=False)
    np.testing.assert_array_equal(cross_validate(design, responses, alphas=10.0).fold_scores, expected.fold_scores)
    refitted = permutation_scores(design, responses, alpha=10.0, n_permutations=2)
    np.testing.assert_allclose(refitted.score, expected.scores, atol=1e-5)
    with pytest.raises(ValueError, match="one feature space"):
        permutation_scores(features[None], responses, runs, 10.0)
