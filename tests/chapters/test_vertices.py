"""Fits at every vertex: what is said of shared penalties is what the scores say."""

import numpy as np
import pytest

from brainbook.chapters.layers.vertices import OWN, SHARED, cost_of_points, penalties_compared, penalties_told
from brainbook.encoding import cross_validate

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning", "ignore:2 of 12 targets")


@pytest.fixture
def ways():
    rng = np.random.default_rng(0)
    runs = np.repeat([1, 2, 3, 4], 30)
    features = rng.standard_normal((120, 5))
    responses = features @ rng.standard_normal((5, 12)) + 2 * rng.standard_normal((120, 12))
    responses[:, [0, 7]] = 0  # outside the image
    groups = np.arange(12) // 4
    return {
        OWN: cross_validate(features, responses, runs, None),
        SHARED: cross_validate(features, responses, runs, None, alpha_groups=groups),
    }


def test_means_are_over_vertices_that_have_a_score(ways):
    significant = np.arange(12) < 6
    table = penalties_compared(ways, significant).set_index("penalties")
    good = np.setdiff1d(np.arange(12), [0, 7])
    assert (table.vertices == 10).all()
    for name, found in ways.items():
        np.testing.assert_allclose(table.mean_r[name], found.scores[good].mean())
        np.testing.assert_allclose(table.mean_r_significant[name], found.scores[[1, 2, 3, 4, 5]].mean())
        np.testing.assert_allclose(table.median_penalty[name], np.median(found.best_alphas[:, good]))
    gain = table.mean_r[SHARED] - table.mean_r[OWN]
    assert f"{gain:+.4f} over all vertices and by" in penalties_told(table.reset_index(), ways)


def test_nothing_is_said_of_significant_regions_where_there_are_none(ways):
    table = penalties_compared(ways, np.zeros(12, bool))
    assert table.mean_r_significant.isna().all() and "significant" not in penalties_told(table, ways)


def test_points_cost_by_their_number():
    table = cost_of_points(n_scans=3000).set_index("targets")
    own = table.loc["points of one's own cortex"]
    assert own["GB a participant"] == 250_000 * 3000 * 4 / 1e9 and own["GB of 112"] == 336.0
    assert own["times a vertex fit"] == pytest.approx(250_000 / 20_484, abs=0.01)
