"""Where runs begin and end: padding that stands for the mean, trimmed scans, short runs and runs of dead targets."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainbook.encoding import (
    ConstantFeatures,
    RidgeEncoder,
    correlation,
    cross_validate,
    delay,
    fisher_mean,
    fold_weights,
    leave_one_run_out,
    permutation_scores,
    prediction_covariance,
    sequential_permutation_test,
    variance_partitioning,
)
from brainbook.stats import run_interval

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


def moved(features, runs, delays):
    """Delayed copies side by side, NaN where there is nothing to copy: pandas' own shift within groups."""
    return np.hstack([pd.DataFrame(features).groupby(runs).shift(shift) for shift in delays])


@pytest.mark.parametrize("with_nuisance", [False, True], ids=["", "nuisance"])
@pytest.mark.parametrize("n_features", [4, 90], ids=["primal", "dual"])
def test_a_constant_added_to_features_changes_nothing(rng, study, n_features, with_nuisance):
    features, responses, runs = study(rng, n_runs=4, n_features=n_features, n_targets=6)
    nuisance = rng.standard_normal((len(runs), 2)) if with_nuisance else None
    options = {"delays": (1, 2), "nuisance": nuisance}
    found = {
        shift: [
            cross_validate(features + shift, responses, runs, dtype="float64", **options).fold_scores,
            permutation_scores(features + shift, responses, runs, 10.0, n_permutations=3, **options).null,
            sequential_permutation_test(features + shift, responses, runs, 10.0, n_permutations=20, **options).score,
            prediction_covariance(features + shift, responses, runs, 10.0, delays=(1, 2)),
        ]
        for shift in (0, 10, 1000)
    }
    for shift in (10, 1000):
        for mine, theirs in zip(found[shift], found[0], strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
    raw = cross_validate(delay(features + 1000, (1, 2), runs), responses, runs, None, nuisance=nuisance)
    assert np.abs(raw.fold_scores - found[0][0]).max() > 0.1  # what zeros beside a thousand do


@pytest.mark.parametrize("trim", [0, 1, 5])
@pytest.mark.parametrize("n_features", [4, 90], ids=["primal", "dual"])
def test_scores_are_those_of_a_pipeline_that_imputes_the_training_mean(rng, study, n_features, trim):
    features, responses, runs = study(rng, n_runs=4, n_features=n_features, n_targets=5)
    features += 50
    x = moved(features, runs, (1, 3))
    place = np.concatenate([np.arange(40)] * 4)
    inner = (place >= trim) & (place < 40 - trim)
    found = cross_validate(features, responses, runs, (1, 3), 20.0, trim=trim, dtype="float64", predictions=True)
    for fold in range(4):
        train, test = inner & (runs != fold), inner & (runs == fold)
        peer = make_pipeline(SimpleImputer(), StandardScaler(), Ridge(20.0)).fit(x[train], responses[train])
        predicted = peer.predict(x[test])
        np.testing.assert_allclose(found.fold_scores[fold], correlation(predicted, responses[test]), atol=1e-8)
        np.testing.assert_allclose(found.predictions[test], predicted, atol=1e-5)
    assert np.isnan(found.predictions[~inner]).all()
    refitted = permutation_scores(features, responses, runs, 20.0, n_permutations=2, delays=(1, 3), trim=trim)
    np.testing.assert_allclose(refitted.score, found.scores, atol=1e-5)


def test_trimmed_folds_leave_out_both_ends_of_every_run():
    runs = np.repeat(["b", "a", "c"], [20, 15, 30])
    for (train, test), run in zip(leave_one_run_out(runs, trim=3), "bac", strict=True):
        expected = {name: np.flatnonzero(runs == name)[3:-3] for name in "bac"}
        np.testing.assert_array_equal(test, expected.pop(run))
        np.testing.assert_array_equal(train, np.sort(np.concatenate(list(expected.values()))))
    with pytest.raises(ValueError, match="run a has 15 scans: trim=8 at each end leaves none"):
        leave_one_run_out(runs, trim=8)
    for wrong in (-1, 2.5):
        with pytest.raises(ValueError, match="trim must be a whole number"):
            leave_one_run_out(runs, trim=wrong)


def test_what_switches_on_and_off_with_the_run_scores_at_its_edges_only(rng):
    """Features that know nothing but 'speech or silence', responses that follow speech, and nothing else."""
    runs = np.repeat(np.arange(5), 60)
    speech = np.tile(np.r_[np.zeros(3), np.ones(52), np.zeros(5)], 5)[:, None]
    features = speech * (1 + 0.05 * rng.standard_normal((300, 6)))
    responses = 2 * delay(speech, (1, 2), runs) @ np.ones((2, 8)) + rng.standard_normal((300, 8))
    whole, inner = (cross_validate(features, responses, runs, trim=trim).scores.mean() for trim in (0, 10))
    assert whole > 0.4 and abs(inner) < 0.1


def test_the_test_keeps_its_level_when_edges_are_trimmed():
    """Responses that have an onset and an end of their own at the edges, as features have: 30 null studies."""
    runs, place = np.repeat(np.arange(6), 40), np.tile(np.arange(40), 6)
    edge = 5.0 * ((place < 5) | (place >= 35))[:, None]
    called = {0: [], 6: []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        features, responses = rng.standard_normal((240, 6)) + edge, rng.standard_normal((240, 30)) + edge
        for trim, calls in called.items():
            found = permutation_scores(features, responses, runs, 20.0, n_permutations=59, seed=seed, trim=trim)
            calls.append(found.p() <= 0.05)
    assert 0.025 < np.mean(called[6]) < 0.08 and np.mean(called[0]) > 0.9


def test_a_fold_of_two_scans_has_no_score_and_is_named(rng, study):
    features, responses, runs = study(rng, n_runs=4, length=30, n_targets=3)
    runs[-2:] = 9
    with pytest.warns(RuntimeWarning, match=r"fewer than 10 test scans: run 9 \(2\)"):
        found = cross_validate(features, responses, runs, None)
    assert np.isnan(found.fold_scores[4]).all() and np.isfinite(found.fold_scores[:4]).all()
    np.testing.assert_allclose(found.scores, fisher_mean(found.fold_scores[:4], weights=[27, 27, 27, 25]))
    with pytest.warns(RuntimeWarning, match=r"run 9 \(2\)"):
        refitted = permutation_scores(features, responses, runs, 10.0, n_permutations=2)
        at = cross_validate(features, responses, runs, None, 10.0)
    np.testing.assert_allclose(refitted.score, at.scores, atol=1e-5)
    with pytest.raises(ValueError, match="every fold has fewer than 10 test scans"):
        cross_validate(features[:20], responses[:20], np.arange(20) // 5, None, 10.0)


def test_runs_weigh_by_their_scans_less_three(rng, study):
    features, responses, _ = study(rng, n_runs=1, length=100, strength=0.5)
    runs = np.repeat([0, 1, 2], [60, 27, 13])
    found = cross_validate(features, responses, runs, None, 10.0)
    np.testing.assert_array_equal(fold_weights(found.splits), [57, 24, 10])
    z = np.arctanh(found.fold_scores)
    np.testing.assert_allclose(found.scores, np.tanh(np.average(z, axis=0, weights=[57, 24, 10])), atol=1e-9)
    refitted = permutation_scores(features, responses, runs, 10.0, n_permutations=2)
    np.testing.assert_allclose(refitted.score, found.scores, atol=1e-5)
    shares = cross_validate(features, responses, runs, None, 10.0, metric="r2")
    np.testing.assert_allclose(shares.scores, np.average(shares.fold_scores, axis=0, weights=[60, 27, 13]))


@pytest.mark.parametrize("metric", ["correlation", "r2"])
def test_a_target_that_is_dead_in_one_run_is_scored_on_the_others(rng, study, metric):
    features, responses, runs = study(rng, n_runs=5, n_targets=4)
    responses = responses * 3 + 1e4
    responses[runs == 2, 1] = 9990.3
    with pytest.warns(RuntimeWarning, match="constant in .* a fold: 1 in run 2"):
        found = cross_validate(features, responses, runs, (1, 2), metric=metric)
    assert np.isnan(found.fold_scores[2, 1]) and np.isnan(found.fold_scores).sum() == 1
    alone = np.delete(found.fold_scores[:, 1], 2)
    expected = fisher_mean(alone) if metric == "correlation" else alone.mean()
    np.testing.assert_allclose(found.scores[1], expected, atol=1e-9)


def test_alphas_are_chosen_on_the_runs_in_which_a_target_lives(rng, study):
    features, responses, runs = study(rng, n_runs=5, n_targets=4)
    responses[runs == 2, 1] = 0.5
    encoder = RidgeEncoder(alphas=[1.0, 100.0]).fit(features, responses, groups=runs)
    splits = leave_one_run_out(runs)
    each = [
        correlation(RidgeEncoder([alpha]).fit(features[a], responses[a]).predict(features[b]), responses[b])
        for alpha in (1.0, 100.0)
        for a, b in splits
    ]
    expected = np.nanmean(np.reshape(each, (2, 5, 4)), axis=1)
    np.testing.assert_allclose(encoder.cv_scores_, expected, atol=1e-5)
    with pytest.warns(RuntimeWarning, match="1 in run 2"):
        found = cross_validate(features, responses, runs, None, [1.0, 100.0])
    inner = RidgeEncoder(alphas=[1.0, 100.0]).fit(features[runs > 0], responses[runs > 0], groups=runs[runs > 0])
    np.testing.assert_allclose(found.inner_scores[0], inner.cv_scores_.max(axis=0), atol=1e-5)


def test_refits_leave_out_the_runs_in_which_a_target_is_dead(rng, study):
    features, responses, runs = study(rng, n_runs=4, n_targets=5)
    responses[runs == 1, 3] = -2.0
    responses[:, 4] = np.where(runs == 0, np.arange(len(runs)) % 7, 1.0)  # where it varies, it was constant in training
    options = {"n_permutations": 40, "delays": (1, 2)}
    found = permutation_scores(features, responses, runs, 10.0, **options)
    with pytest.warns(RuntimeWarning, match="1 in run 0, 2 in run 1, 1 in run 2"):
        expected = cross_validate(features, responses, runs, (1, 2), 10.0).scores
    assert np.isnan(expected).tolist() == [False] * 4 + [True]
    np.testing.assert_allclose(found.score, expected, atol=1e-5)
    early = sequential_permutation_test(features, responses, runs, 10.0, stop_after=41, **options)
    np.testing.assert_allclose(early.p, found.p())


def test_features_that_never_change_are_said(rng, study):
    features, responses, runs = study(rng)
    with pytest.warns(ConstantFeatures, match="all features are constant"):
        found = cross_validate(np.full((len(runs), 3), 0.3), responses, runs)
    np.testing.assert_array_equal(found.fold_scores, 0)
    edges = (np.arange(len(runs)) % 40 < 5)[:, None].astype(float)  # they vary in trimmed scans only
    with pytest.warns(ConstantFeatures, match="layer 1 are constant"):
        cross_validate([features, edges], responses, runs, trim=5)


def test_intervals_over_runs_leave_out_folds_without_a_score(rng):
    scores = rng.uniform(0.1, 0.5, (6, 3))
    scores[2, 1] = np.nan
    scores[1:, 2] = np.nan
    found, without = run_interval(scores), run_interval(np.delete(scores[:, [1]], 2, axis=0))
    for name in ("estimate", "lower", "upper", "p"):
        np.testing.assert_allclose(getattr(found, name)[1], getattr(without, name)[0])
    assert np.isfinite(found.lower[0]) and np.isnan(found.lower[2])


def test_shares_of_variance_leave_out_folds_without_a_score(rng, study):
    features, responses, runs = study(rng, n_runs=4, n_targets=3)
    responses[runs == 1, 2] = 0.0
    with pytest.warns(RuntimeWarning, match="1 in run 1"):
        found = variance_partitioning(features[:, :2], features[:, 2:], responses, runs, (1, 2), [10.0])
    assert np.isfinite(found.joint).all() and np.isnan(found.fold_unique_second[1, 2])
    np.testing.assert_allclose(found.unique_second[2], np.nanmean(found.fold_unique_second[:, 2]))
