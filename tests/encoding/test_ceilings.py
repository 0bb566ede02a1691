import numpy as np
import pytest

from brainbook.encoding import correlation, group_ceiling, noise_ceiling, split_half, stretch


@pytest.fixture
def shared(rng):
    """Twelve participants; a quarter, half and none of the variance is shared."""
    share = np.repeat([0.25, 0.5, 0.0], 20)
    common = rng.standard_normal((600, 60))
    return share, np.sqrt(share) * common + np.sqrt(1 - share) * rng.standard_normal((12, 600, 60)), common


def test_the_ceiling_is_what_others_share(shared):
    share, responses, _ = shared
    expected = share / np.sqrt(share + (1 - share) / 11)
    found = noise_ceiling(responses)
    for value in (0.25, 0.5, 0.0):
        assert abs(found[share == value].mean() - expected[share == value].mean()) < 0.01
    each = noise_ceiling(responses, np.repeat(np.arange(6), 100), keep="each")
    assert each.shape == (12, 60)
    np.testing.assert_allclose(each[3], correlation(np.delete(responses, 3, 0).mean(0), responses[3]), atol=0.06)


def test_a_perfect_model_of_what_is_shared_stays_near_the_ceiling(shared):
    share, responses, common = shared
    best = np.mean([correlation(common, one) for one in responses], axis=0)
    ceiling = noise_ceiling(responses)
    assert (best[share > 0] >= ceiling[share > 0] - 0.01).all() and (best - ceiling)[share > 0].max() < 0.08


def test_halves_of_the_group(shared):
    share, responses, _ = shared
    expected = share / (share + (1 - share) / 6)
    found = group_ceiling(responses, n_halvings=5)
    for value in (0.25, 0.5, 0.0):
        assert abs((found - expected)[share == value].mean()) < 0.02
    np.testing.assert_allclose(stretch(expected[:1], 2), share[:1] / (share[:1] + (1 - share[:1]) / 12))


def test_repetitions_give_the_ceiling_of_a_stimulus_model(shared):
    share, responses, common = shared
    found, truth = split_half(responses[:3]), correlation(common, responses[0])
    assert abs((found - truth)[share > 0].mean()) < 0.01


def test_what_a_participant_lacks_does_not_count(shared):
    _, responses, _ = shared
    without = responses.copy()
    without[2, :, 5] = np.nan
    expected = noise_ceiling(np.delete(responses, 2, 0), keep="each")
    each = noise_ceiling(without, keep="each")
    assert np.isnan(each[2, 5])
    np.testing.assert_allclose(np.delete(each, 2, 0)[:, 5], expected[:, 5])
    assert np.isfinite(noise_ceiling(without)).all()
    with pytest.raises(ValueError, match="two participants"):
        noise_ceiling(responses[:1])
