import numpy as np
import pytest
from scipy import stats

from brainbook.encoding import cross_validate, prediction_covariance
from brainbook.stats import (
    amplitude_index,
    index_of_amplitudes,
    index_of_means,
    laterality_index,
    mean_interval,
    paired_interval,
    score_after_fitting,
)


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
    found = mean_interval(values)
    for column in range(3):
        expected = stats.ttest_1samp(values[:, column], 0)
        assert found.p[column] == pytest.approx(expected.pvalue)
        assert (found.lower[column], found.upper[column]) == pytest.approx(tuple(expected.confidence_interval()))
    table = found.to_frame(group=["a", "b", "c"])
    assert list(table.columns) == ["group", "value", "lower", "upper", "p"]


def test_difference_is_left_minus_right(rng):
    left = rng.normal(0.2, 0.01, (6, 2))
    found = paired_interval(left, rng.normal(0.1, 0.01, (6, 2)))
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
        mean_interval(np.ones((1, 3)))


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


def test_index_of_roots():
    a, b = np.array([0.3, 0.2, 0.0, 0.1]), np.array([0.2, 0.2, 0.1, 0.0])
    np.testing.assert_allclose(amplitude_index(laterality_index(a**2, b**2)), laterality_index(a, b), atol=1e-12)
    found = index_of_amplitudes(np.full((3, 4), a**2), np.full((3, 4), b**2))
    np.testing.assert_allclose(found.estimate[:2], [0.2, 0], atol=1e-12)
    assert np.isnan(found.estimate[2:]).all()


LISTENERS, RUNS, SCANS, UNITS = 6, 5, 60, 40
TRUE_R = np.array([0.45, 0.30])  # left, right: an index of .2


def listeners_responses(rng, features, n_pairs):
    """Responses [scans, listeners x 2 x pairs] to `features`; a pair's two sides follow them each in its own way."""
    n, p = features.shape
    weights = rng.normal(size=(p, LISTENERS, 2, n_pairs)) / np.sqrt(p)
    signal = np.einsum("np,plsi->nlsi", features, weights)
    noise = rng.normal(size=signal.shape)
    r = TRUE_R[:, None]
    return (r * signal + np.sqrt(1 - r**2) * noise).reshape(n, -1)


def indices_of(values):
    """Index of the covariances' roots for each pair, over listeners: values [listeners x 2 x pairs]."""
    left, right = np.moveaxis(values.reshape(LISTENERS, 2, -1), 1, 0)
    return index_of_amplitudes(left, right)


@pytest.fixture(scope="module")
def studies():
    """Stories and responses of many studies: list of (features [scans, units], responses, runs)."""
    rng = np.random.default_rng(11)
    runs = np.repeat(np.arange(RUNS), SCANS)
    found = []
    for _ in range(8):
        features = rng.normal(size=(RUNS * SCANS, UNITS))
        found.append((features, listeners_responses(rng, features, n_pairs=60), runs))
    return found


@pytest.mark.parametrize(
    ("alpha", "units"), [(1e-3, UNITS), (100.0, UNITS), (1e-3, UNITS // 2), (100.0, UNITS // 2)],
    ids=["all of the signal", "all, shrunken", "half of the signal", "half, shrunken"],
)  # fmt: skip
def test_index_of_covariances_is_that_of_the_responses(studies, alpha, units):
    """Whatever the penalty, and where the features hold half of what drives the responses; scores lean outward."""
    truth = laterality_index(*TRUE_R)
    lean, classes, covered = [], [], []
    for features, responses, runs in studies:
        values = prediction_covariance(features[:, :units], responses, runs, alpha, delays=None)
        found = indices_of(values)
        covered.append((found.lower <= truth) & (truth <= found.upper))
        classes.append(amplitude_index(laterality_index(*values.reshape(LISTENERS, 2, -1).mean(axis=(0, 2)))))
        scores = cross_validate(features[:, :units], responses, runs, None, alpha).scores
        lean.append(laterality_index(*scores.reshape(LISTENERS, 2, -1).mean(axis=(0, 2))))
    assert np.mean(classes) == pytest.approx(truth, abs=0.01)
    assert np.mean(lean) > 1.25 * truth
    assert 0.91 < np.mean(covered) < 0.98


def test_a_penalty_chosen_for_each_target_would_lean_too(studies):
    """Why one penalty: where weak targets are shrunk more, their covariance loses more."""
    truth = laterality_index(*TRUE_R)
    indices = []
    for features, responses, runs in studies:
        found = cross_validate(features, responses, runs, None, np.logspace(0, 4, 9), predictions=True)
        share = (found.predictions * responses).mean(axis=0) / responses.var(axis=0)
        indices.append(amplitude_index(laterality_index(*share.reshape(LISTENERS, 2, -1).mean(axis=(0, 2)))))
    assert np.mean(indices) > truth + 0.02


def test_covariance_is_the_share_of_variance_that_the_features_explain(studies):
    shares = [prediction_covariance(x, y, runs, 1e-3, delays=None).reshape(LISTENERS, 2, -1) for x, y, runs in studies]
    np.testing.assert_allclose(np.mean(shares, axis=(0, 1, 3)), TRUE_R**2, atol=0.006)
    features, responses, runs = studies[0]
    responses = responses[:, :3].copy()
    responses[:, 1] = 7.0
    with pytest.warns(RuntimeWarning, match="1 of 3 targets are constant"):
        found = prediction_covariance(features, responses, runs, 1.0, delays=None)
    assert np.isnan(found[1]) and np.isfinite(found[[0, 2]]).all()
