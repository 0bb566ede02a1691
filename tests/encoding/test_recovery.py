"""From scans to conclusions: known layers and known laterality come out of simulated recordings."""

import numpy as np
import pytest

from brainbook.encoding import cross_validate
from brainbook.stats import index_of_means, laterality_index, paired_interval
from brainbook.stats.layer_preference import choice_stability, depth_interval, layers_alike_test, most_frequent_layer

# regions that nothing drives choose any
pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
N_LAYERS, N_PARTICIPANTS, N_RUNS, N_SCANS, UNITS = 4, 6, 5, 120, 8
STRENGTHS = (0.45, 0.30)  # correlations that a perfect model reaches, on the strong and on the weak side
REPEATS = 12  # regions of each kind


@pytest.fixture(scope="module")
def study():
    """Regions driven by each layer, stronger on the left or on the right, and regions driven by nothing.

    Layers share half of their variance with their neighbours, as those of a model do.
    """
    rng = np.random.default_rng(4)
    scans = N_RUNS * N_SCANS
    steps = rng.normal(size=(N_LAYERS + 1, scans, UNITS))
    layers = (steps[:-1] + steps[1:]) / np.sqrt(2)
    runs = np.repeat(np.arange(N_RUNS), N_SCANS)
    driver = np.concatenate([np.repeat(np.arange(N_LAYERS), REPEATS), np.full(REPEATS, -1)])
    side = np.tile([1, -1], len(driver) // 2)
    responses = []
    for _ in range(N_PARTICIPANTS):
        for sign in (1, -1):  # left, right
            r = np.where(driver < 0, 0.0, np.where(side == sign, *STRENGTHS))
            signal = np.stack([layers[max(layer, 0)] @ rng.normal(size=UNITS) for layer in driver], axis=1)
            signal /= signal.std(0)
            responses.append(r * signal + np.sqrt(1 - r**2) * rng.normal(size=signal.shape))
    found = cross_validate(layers, np.concatenate(responses, axis=1), runs, delays=None, alphas=np.logspace(0, 3, 4))
    scores = found.scores.reshape(N_LAYERS, N_PARTICIPANTS, -1).swapaxes(0, 1)  # participants, layers, 2 x regions
    chosen = found.chosen_layer().reshape(N_RUNS, N_PARTICIPANTS, -1).swapaxes(0, 1)  # participants, runs, 2 x regions
    return driver, side, scores, chosen


def test_layers_come_out(study):
    driver, _, _, chosen = study
    layer, _ = most_frequent_layer(chosen, N_LAYERS)
    driven = np.tile(driver >= 0, 2)
    assert (layer[driven] == np.tile(driver, 2)[driven]).mean() > 0.95
    stability = choice_stability(chosen).mean(axis=0)
    assert stability[driven].mean() > 0.7 > 0.6 > stability[~driven].mean()


def test_depth_has_the_order_of_the_drivers_and_nothing_has_none(study):
    driver, _, scores, _ = study
    driver = np.tile(driver, 2)
    depth = [float(depth_interval(scores[..., driver == layer].mean(-1)).estimate) for layer in range(N_LAYERS)]
    assert (np.diff(depth) > 0.2).all()
    _, p = layers_alike_test(scores)
    smallest = 1 / 2 ** (N_PARTICIPANTS - 1)
    assert (p[driver >= 0] <= smallest + 1e-9).mean() > 0.9  # every participant's profile points the same way
    assert (p[driver < 0] <= 0.05).mean() < 0.2


def test_laterality_comes_out(study):
    driver, side, scores, chosen = study
    best = np.take_along_axis(scores, most_frequent_layer(chosen, N_LAYERS)[0][None, None], axis=1)[:, 0]
    left, right = np.split(best, 2, axis=1)
    truth = laterality_index(*STRENGTHS)
    for sign in (1, -1):
        rows = (driver >= 0) & (side == sign)
        found = index_of_means(left[:, rows].mean(1), right[:, rows].mean(1))
        # Ridge on few scans loses more of a weak response than of a strong one: the index leans outward a little.
        assert np.sign(found.estimate) == sign and abs(found.estimate - sign * truth) < 0.06
        assert paired_interval(left[:, rows].mean(1), right[:, rows].mean(1)).p < 0.01
    single = index_of_means(left[:, driver >= 0], right[:, driver >= 0])
    expected = side[driver >= 0] * truth
    assert ((single.lower <= expected) & (expected <= single.upper)).mean() > 0.85
