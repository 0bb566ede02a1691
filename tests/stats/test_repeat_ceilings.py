"""Ceilings from repetitions, on simulations whose truth is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from brainbook.stats import correlation, explainable_variance, repeat_ceiling, split_half

SHARES = np.repeat([0.02, 0.1, 0.3, 0.7], 100)


def repeated(rng, n, n_scans=300, memory=0.4):
    """Signals [scans, targets] and n noisy repetitions of them; SHARES of the variance come again."""
    draws = rng.standard_normal((n + 1, n_scans + 50, len(SHARES)))
    signal, *noise = lfilter([1], [1, -memory], draws, axis=1)[:, 50:] * np.sqrt(1 - memory**2)
    return signal, np.sqrt(SHARES) * signal + np.sqrt(1 - SHARES) * np.array(noise)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_the_estimates_have_no_bias(rng, n):
    signal, repeats = repeated(rng, n)
    ceiling = repeat_ceiling(repeats)
    reliability = n * SHARES / (1 + (n - 1) * SHARES)
    one = np.mean([correlation(signal, repetition) for repetition in repeats], axis=0)
    mean = correlation(signal, repeats.mean(0))
    for share in np.unique(SHARES):
        of = share == SHARES
        assert ceiling.explainable_variance[of].mean() == pytest.approx(share, abs=0.012)
        assert ceiling.split_half[of].mean() == pytest.approx(reliability[of].mean(), abs=0.03)
        if share > 0.1:  # the root of a noisy share is biased where the share is small: `largest_r` of a mean is not
            assert ceiling.single[of].mean() == pytest.approx(one[of].mean(), abs=0.02)
            assert ceiling.mean[of].mean() == pytest.approx(mean[of].mean(), abs=0.02)


def test_without_correction_noise_looks_explainable(rng):
    noise = rng.standard_normal((4, 300, 200))
    assert explainable_variance(noise, corrected=False).mean() == pytest.approx(1 / 4, abs=0.01)
    assert explainable_variance(noise).mean() == pytest.approx(0, abs=0.01)


def test_a_scale_or_a_shift_of_a_repetition_changes_nothing(rng):
    _, repeats = repeated(rng, 3)
    changed = repeats * np.array([1, 10, 0.1])[:, None, None] + np.array([0, 100, -5])[:, None, None]
    np.testing.assert_allclose(explainable_variance(changed), explainable_variance(repeats), atol=1e-9)


def test_two_repetitions_are_their_correlation(rng):
    _, repeats = repeated(rng, 2)
    r = correlation(*repeats)
    np.testing.assert_allclose(explainable_variance(repeats), r, atol=1e-12)
    np.testing.assert_allclose(split_half(repeats), 2 * r / (1 + r), atol=1e-12)


def test_what_cannot_be_is_nan_or_refused(rng):
    _, repeats = repeated(rng, 3)
    repeats[1, :, 0], repeats[2, 5, 1] = 7.0, np.nan
    share = explainable_variance(repeats)
    assert np.flatnonzero(np.isnan(share)).tolist() == [0, 1]
    with pytest.raises(ValueError, match="two repetitions or more"):
        repeat_ceiling(repeats[:1])
