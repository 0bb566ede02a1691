"""Tests that stop early: p is the full null's, cut off where each target stops; and it is a p-value."""

import inspect

import numpy as np
import pytest
from scipy.stats import binom

from brainbook.encoding import (
    blocks_with_gaps,
    leave_one_run_out,
    permutation_scores,
    permutation_test,
    sequential_permutation_test,
)
from brainbook.encoding.null_refits import NullRefitter
from brainbook.encoding.permutation import _draw


def cut_off(found, stop_after):
    """p and draws by the rule of Besag & Clifford, one target and one permutation at a time, from all nulls."""
    p, draws = np.full(len(found.score), np.nan), np.zeros(len(found.score), int)
    for target, score in enumerate(found.score):
        if np.isnan(score):
            continue
        reached = 0
        for null in found.null[:, target]:
            draws[target] += 1
            reached += null >= score
            if reached == stop_after:
                p[target] = stop_after / draws[target]
                break
        else:
            p[target] = (reached + 1) / (len(found.null) + 1)
    return p, draws


def mixed(rng, study, n_targets=40, **options):
    """A study whose odd targets hold nothing, number 3 is constant and number 6 has a missing value."""
    features, responses, runs = study(rng, n_targets=n_targets, strength=0.4, **options)
    responses[:, 1::2] = rng.standard_normal(responses[:, 1::2].shape)
    responses[:, 3], responses[5, 6] = 1.0, np.nan
    return features, responses, runs


OPTIONS = {
    "plain": {},
    "phases": {"null": "phase", "seed": 3},
    "no delays, blocks": {"delays": None, "block": 7},
    "nuisance": {"nuisance": np.sin(np.arange(240.0))[:, None], "block": 9},
    "an alpha each": {"alpha": np.tile([5.0, 50.0, 500.0, 5000.0], 10), "block": 16},
    "best of three": {"alpha": [5.0, 50.0, 500.0], "best_of": True, "block": 25},
    "splits": {"splits": blocks_with_gaps(240, 4, 8), "scale": False},
    "scattered tests": {"splits": [(np.arange(first, 240, 2), np.arange(1 - first, 240, 2)) for first in (0, 1)]},
}


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:2 of 40 targets")
@pytest.mark.parametrize("tolerance", [0.0, 0.01])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_p_is_that_of_the_full_null_where_the_target_stops(rng, study, options, tolerance):
    features, responses, runs = mixed(rng, study)
    # 1400 permutations of 40 targets are enough for the map to be made thin, where `tolerance` allows it
    few = {"alpha": 50.0, "delays": (1, 2), "n_permutations": 150, "tolerance": tolerance, **options}
    for wanted, stop_after in ((few, 10), (few, 1), (few | {"n_permutations": 1400, "block": 13}, 20)):
        full = permutation_scores(features, responses, runs, **wanted)
        found = sequential_permutation_test(features, responses, runs, stop_after=stop_after, **wanted)
        p, draws = cut_off(full, stop_after)
        np.testing.assert_array_equal(found.draws, draws)
        np.testing.assert_array_equal(found.p, p)
        np.testing.assert_array_equal(found.score, full.score)
        went_on = draws == wanted["n_permutations"]
        assert went_on.any() and (~went_on).sum() >= 10
        assert np.isnan(found.p[[3, 6]]).all() and np.isfinite(np.delete(found.p, [3, 6])).all()
        assert (found.draws[[3, 6]] == 0).all()


def test_stopping_never_is_the_full_test(rng, study):
    features, responses, runs = mixed(rng, study)
    with pytest.warns(RuntimeWarning, match="2 of 40 targets"):
        found = sequential_permutation_test(features, responses, runs, 50.0, n_permutations=60, stop_after=61)
        score, p = permutation_test(features, responses, runs, 50.0, n_permutations=60)
    np.testing.assert_array_equal(found.p, p)
    np.testing.assert_array_equal(found.score, score)
    assert set(found.draws) == {0, 60}


def test_targets_with_an_effect_draw_all_and_others_few(rng, study):
    features, responses, runs = study(rng, n_targets=120, strength=1.0)
    responses[:, 20:] = rng.standard_normal((len(runs), 100))
    found = sequential_permutation_test(features, responses, runs, 50.0, n_permutations=1000, delays=(1, 2))
    assert (found.draws[:20] == 1000).all() and (found.p[:20] == 1 / 1001).all()
    assert np.median(found.draws[20:]) < 60 and found.draws[20:].mean() < 150 and found.draws.min() >= 10


def test_responses_may_lie_in_a_file(rng, study, tmp_path):
    features, responses, runs = study(rng, n_targets=30, strength=0.2)
    np.save(tmp_path / "responses.npy", responses)
    mapped = np.load(tmp_path / "responses.npy", mmap_mode="r")
    options = {"n_permutations": 100, "block": 8}
    found = sequential_permutation_test(features, mapped, runs, 50.0, **options)
    np.testing.assert_array_equal(found.p, sequential_permutation_test(features, responses, runs, 50.0, **options).p)


def test_fewer_permutations_are_made(rng, study, monkeypatch):
    """Columns that go through the map, counted: close to the draws that the targets needed."""
    from brainbook.encoding.null_refits import LowRankMap

    features, responses, runs = study(rng, n_targets=300, strength=0.0)
    made, call = [], LowRankMap.__call__
    monkeypatch.setattr(LowRankMap, "__call__", lambda one, y: made.append(y.shape[1]) or call(one, y))
    found = sequential_permutation_test(features, responses, runs, 50.0, n_permutations=1000, tolerance=0)
    assert found.draws.sum() <= sum(made) < 1.2 * found.draws.sum() < 0.15 * 300 * 1000


class Exchangeable:
    """Null scores and scores alike from one distribution, in place of a block of refits."""

    def __init__(self, n_targets, limit):
        rng = np.random.default_rng(0)
        self.score, self.nulls = rng.random(n_targets), rng.random((limit, n_targets), dtype=np.float32)

    def null(self, kept, start, stop):
        for first in range(start, stop, 7):
            yield self.nulls[first : min(first + 7, stop), kept]


def test_p_is_uniform_on_its_values_where_scores_are_exchangeable():
    limit, h, n = 400, 10, 20_000
    reached, draws = _draw(Exchangeable(n, limit), limit, h)
    p = np.where(reached >= h, h / draws, (reached + 1) / (limit + 1))
    possible = np.append(np.arange(1, h + 1) / (limit + 1), h / np.arange(h, limit + 1))
    for level in possible[::5]:  # P(p <= level) is level itself
        assert binom.cdf((p <= level).sum(), n, level) > 1e-5 and binom.sf((p <= level).sum() - 1, n, level) > 1e-5
    expected = h + (h / np.arange(h + 1, limit + 1)).sum()  # P(still drawing after k) is h / (k + 1)
    assert abs(draws.mean() - expected) < 4 * draws.std() / np.sqrt(n)
    assert (draws[reached < h] == limit).all() and set(draws[reached == h]) <= set(range(h, limit + 1))


@pytest.mark.integration
@pytest.mark.parametrize("options", [{"alpha": 20.0}, {"alpha": [2.0, 20.0, 200.0], "best_of": True}])
def test_the_level_is_held_on_null_studies(options):
    runs, p = np.repeat(np.arange(6), 20), []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        features, responses = rng.standard_normal((120, 15)), rng.standard_normal((120, 40))
        found = sequential_permutation_test(features, responses, runs, n_permutations=199, seed=seed, **options)
        p.append(found.p)
    for level in (0.05, 0.1, 0.25, 0.5):  # values that p can take: 10 / 200, 10 / 100, ...
        shares = np.mean(np.array(p) <= level, axis=1)  # of a study, whose targets share features and permutations
        assert abs(shares.mean() - level) < 3.5 * shares.std() / np.sqrt(len(shares))


def test_options_are_those_of_permutation_scores_and_wrong_ones_are_named(rng, study):
    features, responses, runs = study(rng)
    wanted = set(inspect.signature(NullRefitter).parameters) - {"features", "responses", "runs", "alpha", "options"}
    wanted |= {"splits", "trim", "nuisance", "scale"}
    given = {
        "null": "phase",
        "n_permutations": 3,
        "seed": 1,
        "delays": (1,),
        "splits": leave_one_run_out(runs),
        "trim": 0,
    }
    given |= {"nuisance": None, "scale": True, "best_of": False, "device": "cpu", "tolerance": 0.0, "block": 4}
    assert set(given) == wanted
    assert sequential_permutation_test(features, responses, runs, 1.0, **given).draws.max() == 3
    for wrong in (0, -1, 2.5):
        with pytest.raises(ValueError, match="stop_after"):
            sequential_permutation_test(features, responses, runs, 1.0, stop_after=wrong)
    with pytest.raises(ValueError, match="best_of"):
        sequential_permutation_test(features, responses, runs, [1.0, 10.0])
    with pytest.raises(TypeError, match="permutation"):
        sequential_permutation_test(features, responses, runs, 1.0, permutation=10)
