"""Coverage: how often intervals hold the truth, over many simulated studies (the large version is in benchmarks)."""

import numpy as np
import pytest
from scipy import stats

from brainbook.encoding import cross_validate, permutation_scores
from brainbook.stats import compare_nulls, compare_runs, fisher_z, null_interval, paired_interval, run_interval

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


@pytest.fixture(scope="module")
def one_participant():
    """Nine runs; two feature spaces that hold the same signal, each under its own noise; 300 targets.

    Targets share the features but not the signal's weights nor the noise, so that the two spaces differ by luck alone.
    """
    rng = np.random.default_rng(5)
    runs = np.repeat(np.arange(9), 30)
    signal = rng.standard_normal((270, 12))
    spaces = [signal + rng.standard_normal(signal.shape) for _ in range(2)]
    responses = 0.12 * signal @ rng.standard_normal((12, 300)) + rng.standard_normal((270, 300))
    return spaces, responses, runs


def test_intervals_of_differences_cover_where_plain_t_intervals_do_not(one_participant):
    spaces, responses, runs = one_participant
    folds = [cross_validate(space, responses, runs, None, alphas=30.0).fold_scores for space in spaces]
    truth = np.mean([np.arctanh(folds[0]) - np.arctanh(folds[1])])  # one truth for all targets, which are alike
    found = compare_runs(*folds)
    covered = ((found.lower <= truth) & (truth <= found.upper)).mean()
    plain = stats.ttest_1samp(np.arctanh(folds[0]) - np.arctanh(folds[1]), 0).confidence_interval(0.95)
    plain_covered = ((plain.low <= truth) & (truth <= plain.high)).mean()
    assert 0.91 < covered < 0.995 and plain_covered < covered - 0.04
    nulls = [permutation_scores(space, responses, runs, 30.0, n_permutations=400, seed=1) for space in spaces]
    by_null = compare_nulls(*nulls)
    assert 0.89 < ((by_null.lower <= truth) & (truth <= by_null.upper)).mean() < 0.99
    shuffled = compare_nulls(nulls[0], permutation_scores(spaces[1], responses, runs, 30.0, n_permutations=400, seed=9))
    assert (by_null.upper - by_null.lower).mean() < (shuffled.upper - shuffled.lower).mean()  # paired is narrower


def test_intervals_on_noise_hold_zero(rng):
    runs = np.repeat(np.arange(6), 30)
    features, responses = rng.standard_normal((180, 10)), rng.standard_normal((180, 300))
    found = run_interval(cross_validate(features, responses, runs, None, alphas=30.0).fold_scores)
    assert 0.02 < (found.p < 0.05).mean() < 0.09
    np.testing.assert_array_equal(found.p < 0.05, (found.lower > 0) | (found.upper < 0))
    by_null = null_interval(permutation_scores(features, responses, runs, 30.0, n_permutations=200))
    assert 0.02 < (by_null.p < 0.05).mean() < 0.09
    np.testing.assert_array_equal(by_null.p < 0.05, (by_null.lower > 0) | (by_null.upper < 0))


def test_over_participants_it_is_students_t_on_fishers_scale(rng):
    first, second = rng.uniform(-0.2, 0.6, (2, 12, 5))
    expected = stats.ttest_rel(np.arctanh(first), np.arctanh(second))
    found = paired_interval(fisher_z(first), fisher_z(second))
    np.testing.assert_allclose(found.p, expected.pvalue)
    np.testing.assert_allclose(found.lower, expected.confidence_interval().low)


def test_scores_that_are_no_correlations_are_compared_as_they_are(rng):
    first, second = rng.standard_normal((2, 9, 4))
    found = compare_runs(first, second, fisher=False)
    np.testing.assert_allclose(found.estimate, (first - second).mean(0))
    half = stats.t.ppf(0.975, 8) * (first - second).std(0, ddof=1) * np.sqrt(1 / 9 + 1 / 8)
    np.testing.assert_allclose(found.upper - found.estimate, half)


def test_nulls_must_match(one_participant):
    spaces, responses, runs = one_participant
    one, two = (permutation_scores(spaces[0], responses, runs, 30.0, n_permutations=n) for n in (3, 4))
    with pytest.raises(ValueError, match="match"):
        compare_nulls(one, two)
