import numpy as np
import pytest
from scipy import stats

from brainbook.encoding.hemispheres import hemisphere_difference, index_of_means, over_participants
from brainbook.encoding.laterality import laterality_index, score_after_fitting


def test_index_is_the_published_ratio():
    left, right = np.array([0.2, 0.1, -0.1, 0.0]), np.array([0.1, 0.1, 0.1, 0.0])
    np.testing.assert_allclose(laterality_index(left, right)[:3], [1 / 3, 0, -1])
    assert np.isnan(laterality_index(left, right)[3])


def test_index_of_single_noisy_targets_explodes_and_that_of_means_does_not(rng):
    truth = 0.25  # r of .05 and .03 under noise of .03
    left, right = 0.05 + 0.03 * rng.standard_normal((200, 500)), 0.03 + 0.03 * rng.standard_normal((200, 500))
    single = laterality_index(left, right)
    assert single.std() > 0.5
    of_means = laterality_index(left.mean(1), right.mean(1))
    assert of_means.std() < 0.05 and abs(of_means.mean() - truth) < 0.01


def test_interval_over_participants_is_students(rng):
    values = rng.normal(0.1, 0.2, (8, 3))
    found = over_participants(values)
    for column in range(3):
        expected = stats.ttest_1samp(values[:, column], 0)
        assert found.p[column] == pytest.approx(expected.pvalue)
        assert (found.lower[column], found.upper[column]) == pytest.approx(tuple(expected.confidence_interval()))
    table = found.table(group=["a", "b", "c"])
    assert list(table.columns) == ["group", "value", "lower", "upper", "p"]


def test_difference_is_left_minus_right(rng):
    left = rng.normal(0.2, 0.01, (6, 2))
    found = hemisphere_difference(left, rng.normal(0.1, 0.01, (6, 2)))
    assert (found.lower > 0.05).all() and (found.upper < 0.15).all()


@pytest.mark.parametrize(("left", "right"), [(0.10, 0.06), (0.05, 0.05), (0.03, 0.06)])
def test_interval_of_the_index_covers_the_truth(rng, left, right):
    participants, studies = 6, 4000
    common = rng.normal(0, 0.01, (participants, studies))  # a good listener is good on both sides
    noise = rng.normal(0, 0.015, (2, participants, studies))
    found = index_of_means(left + common + noise[0], right + common + noise[1])
    truth = (left - right) / (left + right)
    covered = (found.lower <= truth) & (truth <= found.upper)
    assert 0.93 < covered.mean() < 0.97


def test_index_of_nothing_is_anything(rng):
    scores = rng.normal(0.0, 0.02, (2, 5, 500))
    found = index_of_means(scores[0], scores[1])
    known = np.isfinite(found.estimate)
    wide = (found.lower == -1) & (found.upper == 1)
    assert wide[known].mean() > 0.85
    assert (~known).mean() > 0.4  # of two means around 0, one is negative more often than not


def test_one_participant_has_no_interval():
    with pytest.raises(ValueError, match="two or more"):
        index_of_means(np.ones((1, 3)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="two or more"):
        over_participants(np.ones((1, 3)))


@pytest.mark.parametrize("r", [0.15, 0.3, 0.6])
def test_fitting_costs_what_is_foretold(rng, r):
    n, p, targets = 400, 40, 600
    signal = rng.normal(size=(2 * n, p))
    weights = rng.normal(size=(p, targets)) / np.sqrt(p)
    y = r * signal @ weights + np.sqrt(1 - r**2) * rng.normal(size=(2 * n, targets))
    fitted = np.linalg.lstsq(signal[:n], y[:n], rcond=None)[0]
    predicted = signal[n:] @ fitted
    scores = [np.corrcoef(predicted[:, t], y[n:, t])[0, 1] for t in range(targets)]
    assert np.mean(scores) == pytest.approx(score_after_fitting(r, p, n), abs=0.015)


def test_index_of_fitted_scores_leans_outward_but_not_beyond_twice():
    left, right = 0.3, 0.2
    true = laterality_index(left, right)
    leans = [
        laterality_index(*(score_after_fitting(side, weights, 1200) for side in (left, right)))
        for weights in (1, 10, 64, 10_000)
    ]
    assert (np.diff([true, *leans]) > 0).all() and leans[-1] < 2 * true
