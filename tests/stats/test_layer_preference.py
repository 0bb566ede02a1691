import itertools

import numpy as np
import pytest

from brainbook.stats import sign_flip_test
from brainbook.stats.layer_preference import (
    centre_of_mass,
    choice_stability,
    depth_interval,
    edge_advantage,
    edge_distance,
    layers_alike_test,
    most_frequent_layer,
    moved_to_edges,
)

N_LAYERS = 7


def smooth_profiles(rng, *shape):
    """Noise [*shape, layers] whose neighbouring layers go together, as those of a model do."""
    steps = rng.normal(size=(*shape, N_LAYERS)).cumsum(-1)
    return 0.02 * (steps - steps.mean(-1, keepdims=True))


def test_commonest_layer_is_the_mode_over_folds_and_participants():
    chosen = np.array([[[1, 5], [1, 5], [2, 0]], [[3, 0], [1, 5], [2, 0]]])  # participants, folds, targets
    layer, share = most_frequent_layer(chosen, N_LAYERS)
    np.testing.assert_array_equal(layer, [1, 0])
    np.testing.assert_allclose(share, [0.5, 0.5])


def test_stability_counts_pairs_of_folds():
    chosen = np.array([[1, 0], [1, 1], [1, 2]])
    np.testing.assert_allclose(choice_stability(chosen), [1, 0])
    two_of_three = np.array([[3], [3], [5]])
    np.testing.assert_allclose(choice_stability(two_of_three), [1 / 3])
    with pytest.raises(ValueError, match="two folds"):
        choice_stability(chosen[:1])


def test_depth_is_a_number_between_the_layers():
    profile = np.zeros((N_LAYERS, 3)) + 0.1
    profile[2, 0] += 0.1  # one layer stands out
    profile[[1, 4], 1] += 0.1  # two do
    np.testing.assert_allclose(centre_of_mass(profile)[:2], [2, 2.5])
    assert np.isnan(centre_of_mass(profile)[2])
    np.testing.assert_allclose(centre_of_mass(-7 + 3 * profile)[:2], [2, 2.5])  # neither level nor scale count


def test_depth_interval_covers_the_depth_of_the_population(rng):
    truth = 0.05 * np.exp(-((np.arange(N_LAYERS) - 4) ** 2) / 4)
    studies = 400
    scores = truth[:, None] + np.moveaxis(smooth_profiles(rng, 9, studies), -1, 1) * 0.15
    found = depth_interval(scores)
    covered = (found.lower <= centre_of_mass(truth)) & (centre_of_mass(truth) <= found.upper)
    assert 0.88 < covered.mean() <= 0.99
    assert np.median(found.upper - found.lower) < 1.5


def test_a_depth_interval_ends_at_the_first_and_the_last_layer(rng):
    """Participants who prefer the two ends are wide apart; no layer lies beyond those that there are."""
    ends = np.full((2, N_LAYERS, 2), 0.1)
    ends[0, 0] = ends[1, -1] = 0.5
    found = depth_interval(ends)
    np.testing.assert_allclose([found.lower, found.upper], [[0, 0], [N_LAYERS - 1] * 2])


def test_test_of_alike_layers_holds_its_level_with_smooth_profiles(rng):
    scores = np.moveaxis(smooth_profiles(rng, 9, 3000), -1, 1) + rng.normal(0.1, 0.1, (9, 1, 3000))
    _, p = layers_alike_test(scores)
    assert 0.035 < (p <= 0.05).mean() < 0.065
    assert p.min() >= 1 / 2**8


def test_test_of_alike_layers_finds_a_slope(rng):
    scores = np.moveaxis(smooth_profiles(rng, 9, 200), -1, 1) + 0.03 * np.arange(N_LAYERS)[:, None]
    assert (layers_alike_test(scores)[1] < 0.05).mean() > 0.8


def test_random_flips_agree_with_all_flips(rng):
    scores = rng.normal(size=(10, N_LAYERS, 20))
    _, every = layers_alike_test(scores)
    _, some = layers_alike_test(scores, n_flips=500, seed=3)
    np.testing.assert_allclose(every, some, atol=0.08)


def test_sign_flips_equal_brute_force(rng):
    values = rng.normal(0.5, 1, 7)
    means = [abs(np.dot(signs, values)) for signs in itertools.product((1, -1), repeat=7)]
    expected = np.mean(np.array(means) >= abs(values.sum()) - 1e-12)
    assert sign_flip_test(values) == pytest.approx(expected)


def test_sentence_about_edges(rng):
    before = rng.integers(2, 5, (6, 9, 50))
    after = rng.choice([0, 6, 6, 6, 3], before.shape, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    moved = moved_to_edges(before, after, N_LAYERS)
    assert moved["share"].estimate == pytest.approx(0.9, abs=0.02) and moved["share"].p < 1e-6
    assert moved["distance"].lower > 0.5
    stayed = moved_to_edges(before, rng.integers(2, 5, before.shape), N_LAYERS)
    assert abs(stayed["distance"].estimate) < 0.02
    np.testing.assert_allclose(edge_distance([0, 3, 6], N_LAYERS), [1, 0, 1])
    with pytest.raises(ValueError, match="must both be"):
        moved_to_edges(before[0], after[0], N_LAYERS)


def test_advantage_of_the_edges(rng):
    profile = np.array([5.0, 1, 2, 3, 4, 2, 3])
    assert edge_advantage(profile, axis=0) == pytest.approx((5 + 3) / 2 - 12 / 5)
    assert edge_advantage(profile, first=1, axis=0) == pytest.approx((1 + 3) / 2 - 11 / 4)
    scores = rng.normal(size=(4, N_LAYERS, 3))
    assert edge_advantage(scores).shape == (4, 3)
    np.testing.assert_allclose(edge_advantage(scores + 7), edge_advantage(scores))  # the level does not count
    with pytest.raises(ValueError, match="three layers"):
        edge_advantage(scores[:, :2])
