import numpy as np
import pytest

from brainbook.encoding import haemodynamic_response, lag_check


@pytest.fixture
def speech(rng):
    counts = rng.poisson(5, 300).astype(float)
    runs = np.repeat([1, 2, 3], 100)
    curve = haemodynamic_response(np.arange(0, 32, 2.0))
    response = np.concatenate([np.convolve(counts[runs == r], curve)[:100] for r in (1, 2, 3)])
    return counts, response, runs


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_the_best_lag_is_the_one_that_was_put_in(speech, rng, late):
    counts, response, runs = speech
    shifted = np.concatenate([np.roll(response[runs == r], late) for r in (1, 2, 3)])
    noisy = shifted[:, None] + rng.standard_normal((300, 4)) * response.std()
    found = lag_check(counts, noisy, runs).groupby("lag")["value"].mean()
    assert found.idxmax() == late
    assert found.max() > 0.4


def test_values_are_numpys_correlations_of_the_scans_that_overlap(speech):
    counts, response, runs = speech
    found = lag_check(counts, response, runs, lags=(0, 2)).set_index(["run", "lag"])["value"]
    assert found.loc[2, 0] == pytest.approx(1.0)
    part = response[runs == 2]
    assert found.loc[2, 2] == pytest.approx(np.corrcoef(part[:-2], part[2:])[0, 1])


def test_too_short_runs_have_no_value_and_wrong_shapes_are_refused(speech):
    counts, response, runs = speech
    short = lag_check(counts[:12], response[:12], np.ones(12), lags=(0, 6))
    assert short["value"].notna().tolist() == [True, False]
    with pytest.raises(ValueError, match="same scans"):
        lag_check(counts[:-1], response, runs)
