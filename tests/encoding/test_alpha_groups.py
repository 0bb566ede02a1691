"""Alphas shared by groups of targets, chosen on some of each group."""

import numpy as np
import pytest

from brainbook.encoding import RidgeEncoder, cross_validate, delay

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
ALPHAS = np.logspace(0, 5, 6)


@pytest.fixture
def cortex(rng, study):
    """Twelve targets in three groups that lie mixed: one follows the features well, one weakly, one not."""
    features, responses, runs = study(rng, n_targets=12, strength=1.0)
    groups = np.tile(["strong", "weak", "none"], 4)
    responses += rng.standard_normal(responses.shape) * np.where(groups == "weak", 4, 0)
    responses[:, groups == "none"] = rng.standard_normal((len(runs), 4))
    return features, responses, runs, groups


def test_groups_of_one_target_choose_as_each_target_does(cortex):
    features, responses, runs, _ = cortex
    own = cross_validate(features, responses, runs, (1, 2), ALPHAS)
    grouped = cross_validate(features, responses, runs, (1, 2), ALPHAS, alpha_groups=np.arange(12)[::-1])
    np.testing.assert_array_equal(grouped.best_alphas, own.best_alphas)
    np.testing.assert_allclose(grouped.fold_scores, own.fold_scores, atol=1e-6)
    np.testing.assert_allclose(grouped.inner_scores, own.inner_scores, atol=1e-6)


def test_one_group_chooses_as_all_targets_together_do(cortex):
    features, responses, runs, _ = cortex
    together = cross_validate(features, responses, runs, (1, 2), ALPHAS, per_target=False)
    grouped = cross_validate(features, responses, runs, (1, 2), ALPHAS, alpha_groups=np.zeros(12))
    np.testing.assert_array_equal(grouped.best_alphas, together.best_alphas)
    np.testing.assert_allclose(
        grouped.inner_scores, together.inner_scores.mean(1, keepdims=True).repeat(12, 1), atol=1e-5
    )


@pytest.mark.parametrize("sample", [4, 2, 1])
def test_a_group_takes_the_alpha_of_the_best_mean_score_of_its_sample(cortex, sample):
    features, responses, runs, groups = cortex
    delayed = delay(features, (1, 2), runs)
    found = cross_validate(delayed, responses, runs, None, ALPHAS, alpha_groups=groups, group_sample=sample)
    for fold, run in enumerate(np.unique(runs)):
        train = runs != run
        encoder = RidgeEncoder(alphas=ALPHAS).fit(delayed[train], responses[train], groups=runs[train])
        for name in np.unique(groups):
            members = np.flatnonzero(groups == name)
            asked = {4: members, 2: members[[0, -1]], 1: members[:1]}[sample]
            scores = encoder.cv_scores_[:, asked].mean(1)
            assert (found.best_alphas[fold, members] == ALPHAS[scores.argmax()]).all()
            np.testing.assert_allclose(found.inner_scores[fold, members], scores.max(), atol=1e-4)


def test_layers_are_chosen_by_group_and_scores_remain_each_targets_own(rng, cortex):
    features, responses, runs, groups = cortex
    layers = [
        rng.standard_normal(features.shape),
        features,
        features[:, ::-1] + 3 * rng.standard_normal(features.shape),
    ]
    found = cross_validate(layers, responses, runs, (1, 2), ALPHAS, alpha_groups=groups)
    chosen = found.chosen_layer()
    assert (chosen[:, groups == "strong"] == 1).all()
    assert all((chosen[:, groups == name] == chosen[:, groups == name][:, :1]).all() for name in np.unique(groups))
    fold, target = 2, 3
    at = float(found.best_alphas[1, fold, target])
    alone = cross_validate(features, responses[:, [target]], runs, (1, 2), at)
    np.testing.assert_allclose(found.fold_scores[1, fold, target], alone.fold_scores[fold, 0], atol=1e-5)


def test_unusable_targets_neither_count_nor_get_an_alpha(cortex):
    features, responses, runs, groups = cortex
    spoiled = responses.copy()
    spoiled[:, 3] = np.nan  # of the strong ones
    spoiled[:, groups == "none"] = 7.0
    with pytest.warns(RuntimeWarning, match="5 of 12 targets"):
        found = cross_validate(features, spoiled, runs, (1, 2), ALPHAS, alpha_groups=groups, predictions=True)
    good = np.isin(groups, ["strong", "weak"]) & (np.arange(12) != 3)
    rest = cross_validate(features, responses[:, good], runs, (1, 2), ALPHAS, alpha_groups=groups[good])
    np.testing.assert_array_equal(found.best_alphas[:, good], rest.best_alphas)
    for values in (found.best_alphas, found.inner_scores, found.fold_scores):
        assert np.isnan(values[:, ~good]).all() and np.isfinite(values[:, good]).all()


def test_a_single_alpha_is_taken_by_all(cortex):
    features, responses, runs, groups = cortex
    found = cross_validate(features, responses, runs, (1, 2), 30.0, alpha_groups=groups)
    assert (found.best_alphas == 30).all() and np.isnan(found.inner_scores).all()


def test_what_cannot_be_grouped_is_named(cortex):
    features, responses, runs, groups = cortex
    with pytest.raises(ValueError, match=r"alpha_groups must be \[12 targets\], not \(11,\)"):
        cross_validate(features, responses, runs, (1, 2), ALPHAS, alpha_groups=groups[:-1])
    with pytest.raises(ValueError, match="ask for one of them"):
        cross_validate(features, responses, runs, (1, 2), ALPHAS, alpha_groups=groups, per_target=False)
    with pytest.raises(ValueError, match="group_sample"):
        cross_validate(features, responses, runs, (1, 2), ALPHAS, alpha_groups=groups, group_sample=0)
    for missing in (np.nan, None):
        with pytest.raises(ValueError, match="missing labels"):
            cross_validate(
                features, responses, runs, (1, 2), ALPHAS, alpha_groups=np.array([missing, *groups[1:]], object)
            )
    with pytest.warns(RuntimeWarning, match="12 of 12 targets"):
        found = cross_validate(features, np.ones_like(responses), runs, (1, 2), ALPHAS, alpha_groups=groups)
    assert np.isnan(found.scores).all()
