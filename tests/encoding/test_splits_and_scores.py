import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score

from brainbook.encoding import (
    LeaveOneRunOut,
    RidgeEncoder,
    blocks_with_gaps,
    correlation,
    explained_variance,
    fisher_mean,
    leave_one_run_out,
    leave_runs_out,
    published_split,
)
from brainbook.stats import laterality_index


def test_leave_one_run_out_tests_every_scan_once_and_never_trains_on_its_run():
    runs = np.repeat([3, 1, 2], [4, 5, 6])
    folds = leave_one_run_out(runs)
    assert [runs[test][0] for _, test in folds] == [3, 1, 2]
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(15))
    assert all(not set(runs[train]) & set(runs[test]) for train, test in folds)
    with pytest.raises(ValueError, match="blocks_with_gaps"):
        leave_one_run_out([0, 0, 0])


@pytest.mark.parametrize("trim", [0, 1])
def test_leaving_several_runs_out_tests_every_used_scan_once_and_never_trains_on_a_run_that_is_tested(trim):
    runs = np.repeat([3, 1, 2, 5, 4], [4, 5, 6, 7, 8])
    used = np.concatenate([test for _, test in leave_one_run_out(runs, trim)])
    folds = leave_runs_out(runs, n_folds=2, trim=trim)
    assert [sorted(set(runs[test])) for _, test in folds] == [[1, 2, 3], [4, 5]]  # runs that follow one another
    for train, test in folds:
        assert not set(runs[train]) & set(runs[test])
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.sort(used))
    single = leave_runs_out(runs, n_folds=5, trim=trim)
    assert all(map(np.array_equal, [test for _, test in single], [test for _, test in leave_one_run_out(runs, trim)]))
    for wrong in (1, 6):
        with pytest.raises(ValueError, match=f"between 2 and the 5 runs, not {wrong}"):
            leave_runs_out(runs, wrong)


def test_leaving_one_run_out_is_a_splitter_of_scikit_learn(rng, study):
    features, responses, runs = study(rng, n_runs=3)
    splitter = LeaveOneRunOut(trim=5)
    assert splitter.get_n_splits(groups=runs) == 3
    expected = [
        RidgeEncoder([1.0]).fit(features[train], responses[train]).score(features[test], responses[test])
        for train, test in leave_one_run_out(runs, trim=5)
    ]
    found = cross_val_score(RidgeEncoder([1.0]), features, responses, cv=splitter, groups=runs)
    np.testing.assert_allclose(found, expected)


def test_blocks_keep_their_distance():
    folds = blocks_with_gaps(103, 4, gap=5)
    assert np.array_equal(np.concatenate([test for _, test in folds]), np.arange(103))
    for train, test in folds:
        assert np.abs(train[:, None] - test).min() == 6
    with pytest.raises(ValueError, match="nothing to train on"):
        blocks_with_gaps(20, 2, gap=15)


def test_the_published_split_trains_on_two_echoes_and_tests_on_a_tenth_of_the_third():
    split = published_split(1000, seed=3)
    assert len(split.train) == 1600 and len(split.validation) == 400 and len(split.test) == 100
    assert np.array_equal(np.sort(np.concatenate([split.train, split.validation])), np.arange(2000))
    assert split.test.min() >= 2000 and split.test.max() < 3000 and len(set(split.test)) == 100


def test_scores_are_those_of_scipy_and_scikit_learn(rng):
    predicted, observed = rng.standard_normal((2, 50, 7))
    observed += predicted + 1e4
    expected = [pearsonr(a, b).statistic for a, b in zip(predicted.T, observed.T, strict=True)]
    np.testing.assert_allclose(correlation(predicted, observed), expected, atol=1e-9)
    expected = r2_score(observed, predicted, multioutput="raw_values")
    np.testing.assert_allclose(explained_variance(predicted, observed), expected)


def test_what_cannot_be_scored_is_nan_and_a_flat_prediction_scores_zero(rng):
    observed = rng.standard_normal((20, 4))
    predicted = observed.copy()
    observed[:, 0] = 3.3
    observed[4, 1] = np.nan
    predicted[:, 2] = 0.1
    scores = correlation(predicted, observed)
    assert np.isnan(scores[:2]).all() and scores[2] == 0 and scores[3] == pytest.approx(1)
    assert np.isnan(explained_variance(predicted, observed)[:2]).all()


def test_many_targets_are_scored_in_blocks(rng, monkeypatch):
    predicted, observed = rng.standard_normal((2, 30, 100))
    whole = correlation(predicted, observed)
    monkeypatch.setattr("brainbook.stats.scores._BLOCK", 30 * 7)
    np.testing.assert_array_equal(correlation(predicted, observed), whole)


def test_the_mean_of_correlations_is_taken_on_fishers_scale():
    scores = np.array([[0.1, np.nan], [0.9, 0.5]])
    np.testing.assert_allclose(fisher_mean(scores), [np.tanh((np.arctanh(0.1) + np.arctanh(0.9)) / 2), 0.5])
    np.testing.assert_allclose(fisher_mean(scores, weights=[3, 0]), [0.1, np.nan])


def test_laterality():
    np.testing.assert_allclose(laterality_index([0.2, 0.0, 0.1, 0.0], [0.1, 0.3, -0.1, 0.0]), [1 / 3, -1, 1, np.nan])
