import numpy as np
import pytest
from scipy.signal import lfilter

from brainbook.encoding import haemodynamic_response, response_shape

TR, N_RUNS, LENGTH = 1.5, 6, 150
DELAYS = range(-2, 12)


@pytest.fixture
def recording(rng):
    """A haemodynamic response to one feature and a flat one to another, which goes with the first, in noise."""
    runs = np.repeat(np.arange(N_RUNS), LENGTH)
    shared = rng.standard_normal(len(runs))
    feature, other = (shared + rng.standard_normal(len(runs)) for _ in range(2))
    curve = haemodynamic_response(np.arange(0, 30, TR), peak=5.0)
    noise = lfilter([1], [1, -0.4], rng.standard_normal((len(runs), 200)), axis=0)
    signal = np.zeros(len(runs))
    for run in range(N_RUNS):
        signal[runs == run] = np.convolve(feature[runs == run], curve)[:LENGTH]
    return runs, feature, other, curve, signal[:, None] + 2 * other[:, None] + 3 * noise


def test_the_shape_is_the_true_one_and_its_interval_covers_it(recording):
    runs, feature, other, curve, responses = recording
    shape = response_shape(feature, responses, runs, DELAYS, TR, others=other)
    truth = np.concatenate([[0, 0], curve[:12]])
    interval = shape.interval()
    np.testing.assert_allclose(shape.seconds, np.arange(-2, 12) * 1.5)
    np.testing.assert_allclose(interval.estimate.mean(1), truth, atol=0.1)
    covered = (interval.lower <= truth[:, None]) & (truth[:, None] <= interval.upper)
    assert 0.93 < covered.mean() < 0.97  # of 14 delays x 200 targets
    assert abs(interval.estimate.mean(1)).argmax() == 2 + round(5 / TR)
    alone = response_shape(feature, responses, runs, DELAYS, TR).interval().estimate.mean(1)
    assert alone[2] > 0.5  # without the other feature its effect at delay 0 is taken for this one's


def test_its_weights_are_those_of_statsmodels(recording):
    import statsmodels.api as sm

    runs, feature, _, _, responses = recording
    shape = response_shape(feature, responses[:, :2], runs, (0, 1, 2), TR, trim=4)
    of_run = np.flatnonzero(runs == 3)[4:-4]
    design = sm.add_constant(np.column_stack([feature[of_run - shift] for shift in (0, 1, 2)]))
    expected = sm.OLS(responses[of_run, 1], design).fit().params[1:]
    np.testing.assert_allclose(shape.weights[3, :, 1], expected)


def test_a_table_for_the_figure(recording):
    runs, feature, _, _, responses = recording
    shape = response_shape(feature, responses[:, :2], runs, (1, 2, 3), TR)
    table = shape.to_frame({"series": ["a", "b"]})
    assert list(table) == ["series", "seconds", "value", "lower", "upper"] and len(table) == 6
    row = table[(table.series == "b") & (table.seconds == 4.5)].iloc[0]
    assert row.value == pytest.approx(shape.weights[:, 2, 1].mean())
    with pytest.raises(ValueError, match="3 names"):
        shape.to_frame(["a", "b", "c"])


def test_what_cannot_be_estimated_is_named(recording):
    runs, feature, _, _, responses = recording
    with pytest.raises(ValueError, match="run 0 has 16 scans for 135 weights"):
        response_shape(feature, responses, runs, range(135))
    with pytest.raises(ValueError, match="run 2: a feature does not vary"):
        response_shape(np.where(runs == 2, 1.0, feature), responses, runs)
    with pytest.raises(ValueError, match=r"feature must be \[scans\]"):
        response_shape(np.column_stack([feature, feature]), responses, runs)
