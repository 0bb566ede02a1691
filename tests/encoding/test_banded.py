"""Banded ridge: plain ridge where penalties are equal, the known spaces where they are not."""

from contextlib import contextmanager

import numpy as np
import pytest
from himalaya.backend import get_backend, set_backend
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainbook.encoding import (
    BandedRidge,
    RidgeEncoder,
    cross_validate,
    cross_validate_bands,
    explained_variance,
    split_scores,
    variance_partitioning,
)
from brainbook.encoding.banded import band_shares
from brainbook.encoding.splits import inner_splits, leave_one_run_out

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
ALPHAS = np.logspace(0, 4, 5)


@pytest.fixture
def driven(rng):
    """Three spaces; 10 targets each follow the narrow one, the wide one, both, and nothing."""
    runs = np.repeat(np.arange(6), 60)
    spaces = {
        "rate": rng.standard_normal((360, 1)),
        "states": rng.standard_normal((360, 30)),
        "useless": rng.standard_normal((360, 60)),
    }
    rate = np.repeat(spaces["rate"], 10, axis=1)
    states = spaces["states"] @ rng.standard_normal((30, 10)) / np.sqrt(30)
    signal = np.hstack([rate, states, (rate + states) / np.sqrt(2), 0 * rate])
    return spaces, signal + rng.standard_normal((360, 40)), runs


@pytest.mark.parametrize("n_states", [30, 500])
def test_with_equal_penalties_it_is_ridge_regression(rng, n_states):
    """In both forms, of features and of kernels, against RidgeEncoder and against scikit-learn."""
    X = {"rate": rng.standard_normal((120, 2)) + 5, "states": 3 * rng.standard_normal((120, n_states))}
    y = X["states"][:, :4] + X["rate"][:, :1] + rng.standard_normal((120, 4))
    new = {name: rng.standard_normal((20, x.shape[1])) for name, x in X.items()}
    stacked, stacked_new = (np.hstack(list(values.values())) for values in (X, new))
    banded = BandedRidge(alphas=[50.0], n_candidates=1).fit(X, y)
    ours = RidgeEncoder(alphas=[50.0]).fit(stacked, y)
    theirs = make_pipeline(StandardScaler(), Ridge(alpha=50.0)).fit(stacked, y)
    for expected in (ours, theirs):
        np.testing.assert_allclose(banded.predict(new), expected.predict(stacked_new), atol=1e-6)
    np.testing.assert_allclose(np.vstack(list(banded.coef_.values())), ours.weights(), atol=1e-6)
    np.testing.assert_allclose(banded.penalties_, 50)
    columns = BandedRidge({"rate": slice(0, 2), "states": np.arange(2, 2 + n_states)}, [50.0], n_candidates=1)
    np.testing.assert_allclose(columns.fit(stacked, y).predict(stacked_new), banded.predict(new), atol=1e-9)


@pytest.mark.parametrize("trim", [0, 5])
def test_a_cross_validation_with_equal_penalties_is_that_of_ridge(rng, study, trim):
    """The same folds, delays within runs, nuisance signals and centring by the training runs."""
    features, responses, runs = study(rng, n_features=6)
    features[runs == 2] += 10
    nuisance = rng.standard_normal((len(runs), 2))
    options = {"nuisance": nuisance, "trim": trim, "dtype": "float64"}
    expected = cross_validate(features, responses, runs, (1, 2), 20.0, predictions=True, **options)
    spaces = {"a": features[:, :2], "b": features[:, 2:]}
    found = cross_validate_bands(
        spaces, responses, runs, (1, 2), 20.0, n_candidates=1, metric="correlation", predictions=True, **options
    )
    np.testing.assert_allclose(found.fold_scores, expected.fold_scores, atol=1e-6)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    for _, test in found.splits:
        joint = found.predictions.sum(0)[test] * responses.std(0)
        np.testing.assert_allclose(joint - joint.mean(0), _centred(expected.predictions[test]), atol=1e-5)


def _centred(values):
    return values - values.mean(0)


def test_the_known_spaces_are_recovered(driven):
    spaces, responses, runs = driven
    found = cross_validate_bands(spaces, responses, runs, None, ALPHAS, n_candidates=20)
    rate, states, useless = found.space_scores.reshape(3, 4, 10).mean(-1)
    assert rate[0] > 0.4 and abs(states[0]) < 0.04
    assert states[1] > 0.3 and abs(rate[1]) < 0.04
    assert 0.15 < rate[2] < 0.35 and 0.1 < states[2] < 0.35
    assert np.abs(useless).max() < 0.04 and found.scores[30:].mean() == pytest.approx(0, abs=0.04)
    penalties = np.median(found.penalties.mean(0).reshape(3, 4, 10), axis=-1)
    assert penalties[2, 0] > 10 * penalties[0, 0]  # the useless space is shut out, the rate hardly shrunk


def test_a_useless_wide_space_costs_less_than_in_plain_ridge(driven):
    spaces, responses, runs = driven
    banded = cross_validate_bands(spaces, responses, runs, None, ALPHAS, n_candidates=20)
    plain = cross_validate(np.hstack(list(spaces.values())), responses, runs, None, ALPHAS, metric="r2")
    gain = (banded.scores - plain.scores)[:30].reshape(3, 10).mean(-1)
    assert gain[0] > 0.05 and (gain > 0).all()  # most where one feature stands beside ninety


def test_it_agrees_with_the_partition_of_two_spaces(driven):
    """The joint R2 is that of `variance_partitioning`; parts agree where the spaces are uncorrelated."""
    spaces, responses, runs = driven
    two = {name: spaces[name] for name in ("rate", "states")}
    banded = cross_validate_bands(two, responses, runs, None, ALPHAS, n_candidates=20)
    parts = variance_partitioning(two["rate"], two["states"], responses, runs, None, ALPHAS)
    difference = np.abs(banded.scores - parts.joint).reshape(4, 10).mean(-1)
    assert difference[:3].max() < 0.02 and difference[3] < 0.03  # a run's mean is taken as known here only
    rate, states = banded.space_scores
    assert np.abs(rate - parts.unique_first).mean() < 0.03 and np.abs(states - parts.unique_second).mean() < 0.03


@pytest.mark.parametrize("metric", ["r2", "correlation"])
def test_parts_add_up_to_the_score_of_their_sum(rng, metric):
    y = rng.standard_normal((80, 5))
    y -= y.mean(0)
    shared = rng.standard_normal((80, 5))
    parts = np.stack([0.3 * y + 0.2 * shared, 0.2 * shared, 0.1 * rng.standard_normal((80, 5))])
    expected = explained_variance(parts.sum(0), y)
    if metric == "correlation":
        expected = [np.corrcoef(parts.sum(0)[:, i], y[:, i])[0, 1] for i in range(5)]
    shares = split_scores(parts, y, metric)
    np.testing.assert_allclose(shares.sum(0), expected, atol=1e-12)
    constant = np.hstack([y, np.ones((80, 1))])
    assert np.isnan(split_scores(np.concatenate([parts, parts[:, :, :1]], axis=2), constant, metric)[:, 5]).all()


@pytest.mark.parametrize("metric", ["r2", "correlation"])
def test_spaces_add_up_in_every_fold(driven, metric):
    spaces, responses, runs = driven
    found = cross_validate_bands(spaces, responses, runs, (1, 2), [100.0], n_candidates=3, metric=metric)
    np.testing.assert_allclose(found.fold_space_scores.sum(1), found.fold_scores)
    if metric == "r2":
        np.testing.assert_allclose(found.space_scores.sum(0), found.scores)
    table = found.to_frame()
    assert len(table) == 120 and table.query("space == 'rate' and target == 3").score.item() == found.space_scores[0, 3]


def test_a_space_may_have_its_own_delays(rng, study):
    features, responses, runs = study(rng, n_features=4)
    spaces = {"late": features, "now": rng.standard_normal((len(runs), 1))}
    found = cross_validate_bands(spaces, responses, runs, {"late": (1, 2), "now": None}, 10.0, n_candidates=1)
    assert found.scores.mean() > 0.3
    with pytest.raises(ValueError, match="give each space its own"):
        cross_validate_bands(spaces, responses, runs, {"late": (1, 2)}, 10.0)


def test_responses_and_features_of_the_test_run_change_no_fit(rng, study):
    features, responses, runs = study(rng, n_runs=4)
    spaces = {"a": features[:, :3], "b": features[:, 3:]}
    options = {"n_candidates": 6, "predictions": True, "dtype": "float64"}
    before = cross_validate_bands(spaces, responses, runs, (1, 2), ALPHAS, **options)
    changed = responses.copy()
    changed[runs == 1] = rng.permutation(changed[runs == 1])  # of the same mean and deviation
    after = cross_validate_bands(spaces, changed, runs, (1, 2), ALPHAS, **options)
    np.testing.assert_allclose(after.penalties[1], before.penalties[1])
    np.testing.assert_allclose(after.predictions[:, runs == 1], before.predictions[:, runs == 1], atol=1e-8)
    assert np.abs(after.predictions[:, runs == 2] - before.predictions[:, runs == 2]).max() > 0.01


def test_inner_folds_stay_inside_the_training_scans():
    runs = np.repeat(np.arange(7), 12)
    splits = leave_one_run_out(runs, trim=2)
    for n_folds, expected in ((None, 6), (4, 4)):
        folds = inner_splits(splits, 3, n_folds)
        tested = [splits[3][0][test] for _, test in folds]
        assert len(folds) == expected and 3 not in runs[np.concatenate(tested)]
        np.testing.assert_array_equal(np.sort(np.concatenate(tested)), splits[3][0])
        for train, test in folds:
            assert not np.intersect1d(*(runs[splits[3][0][scans]] for scans in (train, test))).size
    with pytest.raises(ValueError, match="three runs or more"):
        inner_splits(leave_one_run_out(np.repeat([0, 1], 10)), 0)


def test_unusable_targets_are_nan_and_the_others_unchanged(driven):
    spaces, responses, runs = driven
    options = {"delays": None, "alphas": [100.0], "n_candidates": 4}
    expected = cross_validate_bands(spaces, responses[:, :6], runs, **options)
    bad = responses[:, :6].copy()
    bad[:, 1], bad[5, 4] = 3.0, np.nan
    with pytest.warns(RuntimeWarning, match="2 of 6 targets"):
        found = cross_validate_bands(spaces, bad, runs, **options)
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [1, 4]
    np.testing.assert_allclose(found.scores[[0, 2, 3, 5]], expected.scores[[0, 2, 3, 5]], atol=1e-6)


def test_himalayas_backend_is_what_it_was(driven):
    spaces, responses, runs = driven
    before = get_backend().name
    set_backend("torch")
    try:
        cross_validate_bands(spaces, responses[:, :2], runs, None, 10.0, n_candidates=2)
        BandedRidge(n_candidates=2, cv=3).fit(spaces, responses[:, :2])
        with pytest.raises(ValueError, match="metric"):
            BandedRidge(metric="r3").fit(spaces, responses)
        assert get_backend().name == "torch"
    finally:
        set_backend(before)


@pytest.mark.parametrize("width", [3, 200])
def test_tensors_give_what_arrays_give(driven, monkeypatch, width):
    """As on a GPU, whose backend of himalaya holds everything in torch's tensors."""
    from brainbook.encoding import banded

    @contextmanager
    def torch_backend(device):
        try:
            yield set_backend("torch")
        finally:
            set_backend("numpy")

    spaces, responses, runs = driven
    spaces = {"rate": spaces["rate"], "states": np.tile(spaces["states"], 7)[:, :width]}
    arguments = spaces, responses[:, :5], runs, None, ALPHAS
    expected = cross_validate_bands(*arguments, n_candidates=4, dtype="float64")
    monkeypatch.setattr(banded, "_himalaya_backend", torch_backend)
    found = cross_validate_bands(*arguments, n_candidates=4, dtype="float64")
    np.testing.assert_allclose(found.fold_space_scores, expected.fold_space_scores, atol=1e-6)


def test_one_choice_for_all_targets(driven):
    spaces, responses, runs = driven
    found = cross_validate_bands(spaces, responses[:, :12], runs, None, ALPHAS, n_candidates=8, per_target=False)
    np.testing.assert_allclose(found.penalties, np.repeat(found.penalties[:, :, :1], 12, axis=2))
    assert found.space_scores[0, :10].mean() > 0.4


def test_shares_begin_with_plain_ridge_and_each_space_alone():
    shares = band_shares(3, 12)
    assert shares.shape == (12, 3) and (shares > 0).all()
    np.testing.assert_allclose(shares.mean(1), 1)
    np.testing.assert_allclose(shares[0], 1)
    np.testing.assert_allclose(shares[1:4], 3 * np.eye(3), atol=1e-4)
    np.testing.assert_array_equal(shares, band_shares(3, 12))
    assert np.abs(band_shares(3, 12, seed=1)[4:] - shares[4:]).max() > 0.1


def test_spaces_that_cannot_be_are_named(rng):
    y = rng.standard_normal((30, 2))
    with pytest.raises(ValueError, match="'b' \\(30,\\)"):
        BandedRidge().fit({"a": np.ones((30, 2)), "b": np.ones(30)}, y)
    with pytest.raises(ValueError, match="it holds none"):
        BandedRidge().fit({}, y)
    with pytest.raises(ValueError, match=r"\['a'\] contain NaN"):
        BandedRidge().fit({"a": np.full((30, 1), np.nan)}, y)
    banded = BandedRidge(alphas=[1.0], n_candidates=1).fit({"a": rng.standard_normal((30, 2))}, y[:, 0])
    assert banded.predict({"a": np.ones((4, 2))}).shape == (4,)
    with pytest.raises(ValueError, match="the spaces of fit"):
        banded.predict({"b": np.ones((4, 2))})
