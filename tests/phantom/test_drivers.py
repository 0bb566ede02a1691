import numpy as np
import pytest

from brainbook.encoding import haemodynamic_response
from brainbook.phantom.drivers import CELLS, convolve, on_clock, slow_basis, without_slow, word_drivers
from brainbook.phantom.story import tell_story
from brainbook.phantom.world import make_world


@pytest.fixture(scope="module")
def words():
    return tell_story(60.0, seed=0, languages=("EN",))[0]["EN"]


def test_word_drivers_follow_their_definitions(words):
    world = make_world(0)
    drivers = word_drivers(words, world)
    first = words[words["section"] == 2].index
    state = np.zeros(16)
    for row in first:
        concept, meant, scene = words.loc[row, ["concept", "meant", "scene"]]
        expected = world.vectors[concept] if concept >= 0 else np.zeros(16)
        np.testing.assert_allclose(drivers["word"][row], expected)
        if meant >= 0:
            state = 0.7 * state + world.interactions[scene, meant]
            np.testing.assert_allclose(drivers["meaning"][row], state)
        else:
            assert not drivers["meaning"][row].any()
    assert (drivers["sound"][:, 0] == 1).all()


def test_clock_counts_words_in_scans_and_fine_steps_add_up(words):
    section = words[words["section"] == 1]
    drivers = {k: v[: len(section)] for k, v in word_drivers(words, make_world(0)).items()}
    n_scans = int(np.ceil(section["offset"].max() / 2)) + 2
    scans, fine = on_clock(section, drivers, n_scans), on_clock(section, drivers, n_scans, CELLS)
    counts = np.histogram(section["onset"], np.arange(n_scans + 1) * 2.0)[0]
    np.testing.assert_array_equal(scans["sound"][:, 0], counts)
    for name in ("sound", "word", "meaning"):
        np.testing.assert_allclose(fine[name].reshape(n_scans, CELLS, -1).sum(axis=1), scans[name], atol=1e-12)
    np.testing.assert_allclose(fine["topic"].reshape(n_scans, CELLS, -1).mean(axis=1), scans["topic"], atol=1e-12)
    assert not scans["topic"][-1].any()  # silence after the story


def test_convolution_is_the_sum_of_responses_to_single_events():
    fine = np.zeros((40 * CELLS, 1))
    fine[[10, 63]] = [[1.0], [2.0]]
    middles = (np.array([10, 63]) + 0.5) * 2 / CELLS
    times = np.arange(40) * 2.0 + 1
    expected = sum(a * haemodynamic_response(times - t, 5.5) for a, t in zip((1.0, 2.0), middles, strict=True))
    # the stored curve has steps of 0.25 s, on which these lags lie
    np.testing.assert_allclose(convolve(fine, 5.5)[:, 0], expected, atol=1e-4)
    assert not convolve(fine, 5.5)[:2].any()  # nothing before the event


def test_slow_time_courses_go_and_fast_ones_stay():
    basis = slow_basis(150)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    times = np.arange(150) * 2.0
    slow, fast = np.cos(2 * np.pi * times / 300), np.sin(2 * np.pi * times / 30)
    assert without_slow(slow).std() < 0.05 * slow.std()
    assert without_slow(fast).std() > 0.98 * fast.std()
