import numpy as np
import pytest

from brainbook.encoding import correlation
from brainbook.stats import group_ceiling, largest_r, noise_ceiling, perfect_r, spearman_brown


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


def test_no_correlation_between_participants_bounds_a_model_and_its_correction_does(rng):
    """A model that is the signal itself, against bounds made of nothing but the noisy responses."""
    share, n = np.repeat([0.0187, 0.1, 0.4], 50), 34
    signal = rng.standard_normal((1200, len(share)))
    responses = np.sqrt(share) * signal + np.sqrt(1 - share) * rng.standard_normal((n, 1200, len(share)))
    halves, alone = group_ceiling(responses, n_halvings=4), noise_ceiling(responses)
    reached = {
        1 / (n / 2): np.mean([correlation(signal, one) for one in responses[:6]], axis=0),
        1: correlation(signal, responses[: n // 2].mean(axis=0)),
        2: correlation(signal, responses.mean(axis=0)),
    }
    for value in np.unique(share):
        of = share == value
        for times, r in reached.items():
            assert largest_r(halves[of].mean(), times) == pytest.approx(r[of].mean(), abs=0.01)
        assert reached[1][of].mean() > halves[of].mean() + 0.02, "the reliability itself is no bound"
        assert perfect_r(alone[of].mean(), n) == pytest.approx(reached[1 / (n / 2)][of].mean(), abs=0.005)
        assert alone[of].mean() < reached[1 / (n / 2)][of].mean() - 0.005


def test_the_figures_of_the_published_maps():
    assert largest_r(0.25) == pytest.approx(0.5) and largest_r(0.25, 2) == pytest.approx(np.sqrt(0.4))
    assert largest_r(0.25, 1 / 17.5) == pytest.approx(0.137, abs=5e-4)
    assert perfect_r(0.0857, 35) == pytest.approx(0.137, abs=5e-4)
    assert largest_r(-0.1) == 0 and perfect_r(-0.1, 3) == 0
    with pytest.raises(ValueError, match="two participants"):
        perfect_r(0.1, 1)


def test_halves_of_the_group(shared):
    share, responses, _ = shared
    expected = share / (share + (1 - share) / 6)
    found = group_ceiling(responses, n_halvings=5)
    for value in (0.25, 0.5, 0.0):
        assert abs((found - expected)[share == value].mean()) < 0.02
    np.testing.assert_allclose(spearman_brown(expected[:1], 2), share[:1] / (share[:1] + (1 - share[:1]) / 12))


def test_scans_that_a_participant_lacks_are_the_mean_of_fewer_others(shared):
    """The others' mean is over those who are there, scan by scan: else its scale would jump."""
    responses = shared[1][:4].copy() + 3.0  # a mean that is not zero, as of uncentred responses
    responses[1, :200, 0] = np.nan
    others = np.nanmean(responses[1:, :, 0], axis=0)
    each = noise_ceiling(responses, keep="each")
    np.testing.assert_allclose(each[0, 0], np.corrcoef(others, responses[0, :, 0])[0, 1])


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
