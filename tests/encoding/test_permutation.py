"""Nulls: the linear map is the cross-validation, rearrangements keep what they should, and levels are held."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from statsmodels.stats.multitest import multipletests

from brainbook.encoding import (
    blocks_with_gaps,
    cross_validate,
    delay,
    fisher_mean,
    permutation_p,
    permutation_scores,
    permutation_test,
)
from brainbook.encoding.null_refits import LowRankMap, Permutations, fold_correlations
from brainbook.stats import fdr

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


@pytest.mark.parametrize("with_nuisance", [False, True])
@pytest.mark.parametrize("n_features", [5, 80], ids=["primal", "dual"])
def test_the_score_is_that_of_cross_validation(rng, study, n_features, with_nuisance):
    features, responses, runs = study(rng, n_runs=4, n_features=n_features)
    responses[:, 3] = 1.0
    nuisance = rng.standard_normal((len(runs), 2)) if with_nuisance else None
    alphas = np.repeat([10.0, 500.0], 5)
    with pytest.warns(RuntimeWarning, match="1 of 10 targets"):
        found = permutation_scores(
            features, responses, runs, alphas, n_permutations=2, delays=(1, 2), nuisance=nuisance, block=3
        )
        parts = [
            cross_validate(features, responses, runs, (1, 2), alphas=alpha, nuisance=nuisance).scores
            for alpha in (10.0, 500.0)
        ]
    np.testing.assert_allclose(found.score, np.concatenate([parts[0][:5], parts[1][5:]]), atol=1e-5)
    assert np.isnan(found.score[3]) and np.isnan(found.p()[3]) and np.isnan(found.null[:, 3]).all()


@pytest.mark.parametrize("null", ["shift", "phase"])
def test_each_permutation_is_a_refit(rng, study, null):
    features, responses, runs = study(rng, n_runs=3, length=31)
    found = permutation_scores(features, responses, runs, 50.0, null=null, n_permutations=3, seed=4)
    size = torch.as_tensor((responses - responses.mean(0)) / responses.std(0), dtype=torch.float32)
    for drawn, permuted in zip(found.null, Permutations(runs, null, 3, seed=4).of(size), strict=True):
        again = cross_validate(features, permuted[:, 0].numpy(), runs, None, alphas=50.0).scores
        np.testing.assert_allclose(drawn, again, atol=1e-4)


def test_a_shift_keeps_values_and_a_phase_keeps_the_spectrum(rng):
    runs = np.repeat([0, 1, 2], [40, 31, 25])
    responses = torch.as_tensor(rng.standard_normal((96, 4)))
    for shifted in torch.cat(list(Permutations(runs, "shift", 5, seed=0).of(responses, at_once=2)), dim=1).unbind(1):
        for run in range(3):
            one, two = responses[runs == run].numpy(), shifted[runs == run].numpy()
            assert any(np.array_equal(np.roll(one, shift, axis=0), two) for shift in range(len(one)))
    for turned in torch.cat(list(Permutations(runs, "phase", 5, seed=0).of(responses, at_once=2)), dim=1).unbind(1):
        for run in range(3):
            one, two = responses[runs == run].numpy(), turned[runs == run].numpy()
            spectra = [np.abs(np.fft.rfft(part, axis=0)) for part in (one, two)]
            np.testing.assert_allclose(spectra[0], spectra[1], atol=1e-9)
            # targets keep their relations
            np.testing.assert_allclose(np.corrcoef(one.T), np.corrcoef(two.T), atol=1e-7)
            assert np.abs(one - two).max() > 0.5


@pytest.mark.parametrize("null", ["shift", "phase"])
def test_permutations_depend_on_the_seed_and_not_on_how_many_are_made_at_once(rng, null):
    runs, responses = np.repeat([0, 1], 30), torch.as_tensor(rng.standard_normal((60, 3)))
    first = torch.cat(list(Permutations(runs, null, 7, seed=1).of(responses)), dim=1)
    again = torch.cat(list(Permutations(runs, null, 7, seed=1).of(responses, at_once=3)), dim=1)
    other = torch.cat(list(Permutations(runs, null, 7, seed=2).of(responses)), dim=1)
    more = torch.cat(list(Permutations(runs, null, 9, seed=1).of(responses)), dim=1)
    assert first.shape == (60, 7, 3) and torch.allclose(first, again) and not torch.allclose(first, other)
    assert torch.allclose(more[:, :7], first)


def test_refitted_nulls_hold_their_level_and_fixed_predictions_do_not():
    """The careful reader's own trap, in small: 30 null studies of 30 targets each."""
    runs = np.repeat(np.arange(6), 20)
    tests = np.arange(120).reshape(6, 20)
    called = {"refitted": [], "pooled": [], "best of": [], "fixed": []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        features, responses = rng.standard_normal((120, 15)), rng.standard_normal((120, 30))
        options = {"n_permutations": 99, "seed": seed}
        found = permutation_scores(features, responses, runs, 20.0, **options)
        called["refitted"].append(found.p() <= 0.05)
        called["pooled"].append(found.p(pooled=True) <= 0.05)
        best = permutation_scores(features, responses, runs, [2.0, 20.0, 200.0], best_of=True, **options)
        called["best of"].append(best.p() <= 0.05)
        predicted = cross_validate(features, responses, runs, None, alphas=20.0, predictions=True).predictions
        permuted = next(Permutations(runs, "shift", 99, seed).of(torch.as_tensor(responses), at_once=99)).flatten(1)
        null = fold_correlations(torch.as_tensor(predicted).repeat(1, 99), permuted.float(), tests)
        null = fisher_mean(null.numpy()).reshape(99, 30)
        called["fixed"].append((1 + (null >= found.score).sum(0)) / 100 <= 0.05)
    share = {name: np.mean(values) for name, values in called.items()}
    assert all(0.025 < share[name] < 0.08 for name in ("refitted", "pooled", "best of"))
    assert share["fixed"] > share["refitted"] + 0.025


def test_effects_are_found_by_target_and_by_region(rng, study):
    features, responses, runs = study(rng, n_targets=30, strength=0.5)
    responses[:, 15:] = rng.standard_normal((len(runs), 15))
    x = delay(features, (1, 2), runs)
    score, p = permutation_test(x, responses, runs, alpha=20.0, n_permutations=199, seed=0)
    assert (p[:15] <= 0.01).mean() > 0.9 and (p[15:] <= 0.01).mean() < 0.15 and score[:15].min() > score[15:].mean()
    found = permutation_scores(x, responses, runs, 20.0, n_permutations=199)
    names, means, p_region = found.regions(np.repeat(["driven", "not"], 15))
    assert names.tolist() == ["driven", "not"] and p_region[0] == 1 / 200 and p_region[1] > 0.05
    np.testing.assert_allclose(means, [found.score[:15].mean(), found.score[15:].mean()])
    assert (found.family_p() >= found.p()).all() and found.p(pooled=True)[:15].max() < 0.05
    assert found.p(pooled=True).min() < 1 / 200


def test_a_single_run_with_blocks(rng, study):
    features, responses, _ = study(rng, n_runs=1, length=200)
    score, p = permutation_test(
        features, responses, np.zeros(200), 20.0, n_permutations=99, delays=(1, 2), splits=blocks_with_gaps(200, 4, 8)
    )
    assert (p <= 0.05).mean() > 0.9 and score.mean() > 0.4


def test_a_thin_product_is_nearly_the_map(rng):
    mapping = torch.as_tensor(rng.standard_normal((200, 20)) @ rng.standard_normal((20, 200)), dtype=torch.float32)
    mapping += 1e-3 * torch.as_tensor(rng.standard_normal((200, 200)), dtype=torch.float32)
    responses = torch.as_tensor(rng.standard_normal((200, 50)), dtype=torch.float32)
    thin, whole = LowRankMap(mapping, 0.01), LowRankMap(mapping, 0)
    assert whole.inner is None and thin.inner.shape[1] <= 20
    r = [pearsonr(a, b).statistic for a, b in zip(thin(responses).T, whole(responses).T, strict=True)]
    assert min(r) > 0.999


def test_false_discovery_rates_are_those_of_statsmodels(rng):
    p = rng.uniform(0, 1, (3, 40)) ** 3
    for method, theirs in {"bh": "fdr_bh", "by": "fdr_by"}.items():
        np.testing.assert_allclose(fdr(p, method).ravel(), multipletests(p.ravel(), method=theirs)[1])
    p[0, 3] = np.nan
    known = np.isfinite(p)
    np.testing.assert_allclose(fdr(p)[known], multipletests(p[known], method="fdr_bh")[1])
    assert np.isnan(fdr(p)[0, 3])


def test_wrong_requests_are_named(rng, study):
    features, responses, runs = study(rng)
    with pytest.raises(ValueError, match="best_of"):
        permutation_test(features, responses, runs, alpha=[1.0, 10.0])
    with pytest.raises(ValueError, match="shift"):
        permutation_test(features, responses, runs, alpha=1.0, null="shuffle")
    with pytest.raises(ValueError, match="method"):
        fdr([0.1], "bonferroni")


def test_a_permutation_that_moves_nothing_reaches_the_score(study, rng):
    """Of one run, some circular shifts are by no scan: they tie with the score, at any precision."""
    score = np.array([0.44173, 0.1, np.nan])
    null = np.array([[0.44173 - 3e-8, 0.0, 0.0], [0.2, 0.0999, 0.0]], np.float32)
    np.testing.assert_array_equal(permutation_p(score, null), [2 / 3, 1 / 3, np.nan])
    features, responses, runs = study(rng, n_runs=1, length=48, n_features=3, strength=5.0)
    splits = blocks_with_gaps(len(responses), 4, gap=1)
    scores = permutation_scores(features, responses, runs, 1.0, n_permutations=400, splits=splits)
    unmoved = np.abs(scores.null - scores.score).max(axis=1) < 1e-5
    assert unmoved.any()
    assert (scores.p() >= (1 + unmoved.sum()) / 401).all()


@pytest.mark.parametrize("alpha", [1.0, 1e3])
@pytest.mark.parametrize("width", [1, 400])  # fewer features than scans, and more
def test_features_that_do_not_vary_in_a_test_fold_score_nothing_there(rng, alpha, width):
    """Such as 'speech or silence' where nobody is silent: rounding must not be scored in their place."""
    bit = np.ones((362, 1), np.float32)
    bit[279] = 0
    x = bit @ rng.standard_normal((1, width)).astype(np.float32)
    y, runs = rng.standard_normal((362, 50)).astype(np.float32), np.zeros(362, int)
    splits = blocks_with_gaps(362, 6, gap=8)[1:4]  # no silence, and no padding at the beginning
    options = {"splits": splits, "n_permutations": 5, "delays": (1, 2, 3, 4)}
    scores = permutation_scores(x, y, runs, alpha, **options)
    assert np.abs(scores.score).max() < 1e-6 and np.abs(scores.null).max() < 1e-6
