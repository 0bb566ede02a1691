import numpy as np
import pytest

from brainbook.datasets.atlas import destrieux
from brainbook.datasets.little_prince import reliability_by_region
from brainbook.phantom.brain import (
    AUTOCORRELATION,
    LATERALITY,
    Cortex,
    DrivenResponses,
    autoregressive,
    gains,
    plan_regions,
    reliability_of_halves,
    share_from_reliability,
)
from brainbook.phantom.drivers import CELLS, story_drivers, without_slow
from brainbook.phantom.story import tell_story
from brainbook.phantom.volume import make_grid, shape_and_affine
from brainbook.phantom.world import make_world


@pytest.fixture(scope="module")
def cortex():
    return Cortex.make(destrieux(), make_grid(10.0)[1])


def test_reliability_formula_against_simulated_groups():
    """Two averages of n participants who share s of their variance correlate at s / (s + (1 - s) / n)."""
    rng = np.random.default_rng(0)
    for share, n in [(0.1, 3), (0.05, 12), (0.3, 2)]:
        common = np.sqrt(share) * rng.standard_normal(200_000)
        halves = [
            common + np.sqrt(1 - share) * rng.standard_normal((n, 200_000)).mean(axis=0, dtype=float) for _ in range(2)
        ]
        assert np.corrcoef(halves)[0, 1] == pytest.approx(float(reliability_of_halves(share, n)), abs=0.01)
    assert share_from_reliability(reliability_of_halves(0.07, 24.5), 24.5) == pytest.approx(0.07)
    assert share_from_reliability(-0.1, 10) == 0


def test_strengths_give_the_published_reliability_back():
    plan = plan_regions(destrieux(), seed=0)
    published = reliability_by_region().groupby("region")["EN"].mean()
    plain = plan[(plan["driver"] != "none") & (plan["side"] == "none")]
    found = reliability_of_halves(plain["vertex_share_EN"], 24.5)
    np.testing.assert_allclose(found, published.reindex(plain["region"]).clip(0, 0.99), atol=1e-9)


def test_every_driver_has_regions_and_some_regions_have_none():
    plan = plan_regions(destrieux(), seed=0)
    assert len(plan) == 148
    counts = plan["driver"].value_counts()
    assert set(counts.index) == {"sound", "word", "meaning", "topic", "none"}
    assert counts.min() >= 10
    assert (plan.loc[plan["driver"] == "none", "strength"] == 0).all()
    pairs = plan.pivot(index="region", columns="hemisphere", values="vertex_share_EN").pow(0.5)
    index = ((pairs["lh"] - pairs["rh"]) / (pairs["lh"] + pairs["rh"])).reindex(plan["region"]).to_numpy()
    driven = (plan["driver"] != "none").to_numpy()
    np.testing.assert_allclose(index[driven], plan["laterality"][driven], atol=1e-6)
    assert set(plan["laterality"].abs()) == {0.0, LATERALITY}


def test_autoregressive_noise_has_its_variance_and_memory():
    noise = autoregressive((400, 2000), np.random.default_rng(0))
    np.testing.assert_allclose(noise.var(axis=1)[[0, 5, 399]], 1, atol=0.12)
    assert (noise[1:] * noise[:-1]).mean() == pytest.approx(AUTOCORRELATION, abs=0.01)


def test_responses_have_unit_variance_and_stay_alike_within_a_region(cortex):
    plan = plan_regions(cortex.regions, seed=0)
    words = tell_story(60.0, seed=0, languages=("EN",))[0]["EN"]
    n_scans = {s: int(t // 2) + 3 for s, t in words.groupby("section")["offset"].max().items()}
    responses = DrivenResponses(cortex, plan, story_drivers(words, make_world(0), n_scans, CELLS), seed=0)
    weights = responses.weights([1], common=0.6)
    values = np.concatenate([without_slow(responses.response(weights, s)) for s in n_scans])
    driven = np.isin(cortex.regions.region_index, responses.driven)
    np.testing.assert_allclose((values[:, driven] ** 2).mean(axis=0), 1, atol=1e-3)
    assert not values[:, ~driven].any()
    row = responses.driven[3]
    inside = np.corrcoef(values[:, responses.vertices[row]].T)
    assert 0.3 < np.abs(inside).mean() < 0.98  # of one kind, not copies


def test_gains_have_mean_power_one_and_no_side():
    plan = plan_regions(destrieux(), seed=0)
    many = np.stack([gains(plan, 0, [i]) for i in range(400)])
    assert (many**2).mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(many[:, :74], many[:, 74:])


def test_grid_is_the_datasets_at_two_millimetres():
    shape, affine = shape_and_affine(2.0)
    assert shape == (73, 90, 74)
    np.testing.assert_allclose(affine[:3, 3], [-72, -108, -60])
    grid, _ = make_grid(6.0)
    assert grid.shape == (25, 30, 25)
    sums = np.asarray(grid.mixture.sum(axis=1)).ravel()
    np.testing.assert_allclose(sums[sums > 0], 1, atol=1e-5)
    assert (np.asarray((grid.mixture > 0).sum(axis=0)).ravel() > 0).all()  # every vertex is in some voxel
