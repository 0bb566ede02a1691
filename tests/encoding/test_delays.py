import numpy as np
import pytest
from nilearn.glm.first_level import glover_hrf
from sklearn.pipeline import make_pipeline

from brainbook.encoding import Delayer, RidgeEncoder, delay, haemodynamic_response, run_slices


def test_delays_look_back_within_the_run_and_never_across():
    features = np.arange(1.0, 11.0)[:, None]
    runs = [1] * 4 + [2] * 6
    delayed = delay(features, (0, 1, 2, -1), runs)
    np.testing.assert_array_equal(delayed[:, 0], features[:, 0])
    np.testing.assert_array_equal(delayed[:, 1], [0, 1, 2, 3, 0, 5, 6, 7, 8, 9])
    np.testing.assert_array_equal(delayed[:, 2], [0, 0, 1, 2, 0, 0, 5, 6, 7, 8])
    np.testing.assert_array_equal(delayed[:, 3], [2, 3, 4, 0, 6, 7, 8, 9, 10, 0])


def test_circular_delays_are_those_of_the_published_script():
    features = np.random.default_rng(0).standard_normal((12, 3))
    expected = np.hstack([np.roll(features, shift, axis=0) for shift in (3, 4)])
    np.testing.assert_array_equal(delay(features, (3, 4), [0] * 6 + [1] * 6, circular=True), expected)


def test_a_run_shorter_than_the_delay_gets_zeros_only():
    assert not delay(np.ones((5, 2)), (3,), [0, 0, 0, 1, 1]).any()


def test_layers_are_delayed_alike():
    layers = np.random.default_rng(0).standard_normal((2, 8, 3)).astype(np.float32)
    delayed = delay(layers, (1, 2), [0] * 4 + [1] * 4)
    assert delayed.shape == (2, 8, 6) and delayed.dtype == np.float32
    np.testing.assert_array_equal(delayed[1], delay(layers[1], (1, 2), [0] * 4 + [1] * 4))


def test_runs_must_be_whole():
    assert run_slices(["b", "b", "a"]) == [slice(0, 2), slice(2, 3)]
    with pytest.raises(ValueError, match="two places"):
        run_slices([1, 1, 2, 1])
    with pytest.raises(ValueError, match="names 3 scans"):
        delay(np.ones((4, 1)), (1,), [0, 0, 1])


def test_a_delayer_delays_within_runs_in_a_pipeline(rng, study):
    features, responses, runs = study(rng, n_runs=3)
    expected = delay(features, (1, 2), runs)
    np.testing.assert_array_equal(Delayer((1, 2), runs=runs).fit_transform(features), expected)
    np.testing.assert_array_equal(Delayer((1, 2)).transform(features, runs=runs), expected)
    train = runs < 2
    pipeline = make_pipeline(Delayer((1, 2)), RidgeEncoder(alphas=[1.0])).fit(features[train], responses[train])
    alone = RidgeEncoder(alphas=[1.0]).fit(delay(features[train], (1, 2)), responses[train])
    np.testing.assert_allclose(pipeline.predict(features[~train]), alone.predict(expected[~train]))


def test_the_haemodynamic_response_is_glovers_and_peaks_where_it_should():
    times = np.arange(0, 32, 0.01)
    ours, theirs = haemodynamic_response(times, peak=5.00533), glover_hrf(0.01, oversampling=1, time_length=32.0)
    assert np.corrcoef(ours[: len(theirs)], theirs[: len(ours)])[0, 1] > 0.9999
    for peak in (4.0, 5.0, 6.5):
        curve = haemodynamic_response(times, peak)
        assert abs(times[curve.argmax()] - peak) < 0.011 and curve.max() == pytest.approx(1, abs=1e-5)
    assert haemodynamic_response(np.array([-1.0, 0.0])).tolist() == [0, 0]
