"""Tables of the chapter `layers`, from scores whose truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brainbook.chapters.group_scores import GroupScores, with_agreement
from brainbook.chapters.layers import (
    OWN,
    SHARED,
    at_same_depth,
    choice_shares,
    compare_penalties,
    depth_by_region,
    depth_gain,
    depth_order,
    diversity_change,
    edges_change,
    effective_layers,
    encode_vertices,
    last_layer_advantage,
    profile_table,
    without_embedding,
)
from brainbook.chapters.shared import Features, ParticipantScores, group_masks
from brainbook.errors import ConfigurationError
from brainbook.stats.layer_preference import centre_of_mass
from brainbook.workflow.notebooks import notebook_parameters

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LANGUAGES, N_RUNS, N_LAYERS, N_REGIONS = ("EN", "FR", "CN"), 9, 7, 148


def readings(table):
    return list(with_agreement(table).data)


def test_depth_is_found_where_it_is(group_scores, columns):
    predicted = np.arange(N_REGIONS) < 40
    table = depth_by_region(group_scores, columns, predicted)
    assert (table.layer == 4).mean() > 0.95 and table.stability.min() > 0.4 > 2 / N_LAYERS
    true_depth = centre_of_mass(0.1 * np.exp(-((np.arange(N_LAYERS) - 4) ** 2) / 2))
    assert abs(table.depth.median() - true_depth) < 0.15 and (table.upper - table.lower).median() < 0.6
    assert (table.q_alike < 0.05).all() and table.predicted.sum() == 40


def test_flat_profiles_differ_in_nothing(columns, scores_of):
    rng = np.random.default_rng(2)
    flat = GroupScores.of({language: scores_of(rng, np.full(N_LAYERS, 0.1)) for language in LANGUAGES})
    table = depth_by_region(flat, columns, np.ones(N_REGIONS, bool))
    assert (table.p_alike < 0.05).mean() < 0.12 and (table.q_alike < 0.05).mean() < 0.03


def test_edges_are_found_when_preference_moves_there(columns, scores_of):
    rng = np.random.default_rng(3)
    hill = 0.1 * np.exp(-((np.arange(N_LAYERS) - 4) ** 2) / 2)
    valley = 0.1 * np.abs(np.arange(N_LAYERS) - 3) / 3
    before, after = (
        GroupScores.of({language: scores_of(rng, profile) for language in LANGUAGES}, first=1)
        for profile in (hill, valley)
    )
    everywhere = np.ones(N_REGIONS, bool)
    moved = edges_change(before, after, everywhere).set_index("measure")
    assert (moved.lower > 0).all() and moved.before["share"] < 0.05 < 0.8 < moved.after["share"]
    assert moved.value["advantage"] == pytest.approx(moved.after["advantage"] - moved.before["advantage"])
    stayed = edges_change(before, before, everywhere)
    np.testing.assert_allclose(stayed.value, 0, atol=1e-12)
    shares = choice_shares(after, everywhere)
    assert shares.value.sum() == pytest.approx(1) and list(shares.layer) == list(range(1, N_LAYERS + 1))


def test_the_first_layer_is_the_first_after_the_embedding(scores_of):
    """Only the embedding gains: with it as the first layer the sentence on edges would be borne out, wrongly."""
    rng = np.random.default_rng(3)
    flat, embedding = np.full(N_LAYERS, 0.1), np.where(np.arange(N_LAYERS) == 0, 0.2, 0.1)
    everywhere, found = np.ones(N_REGIONS, bool), {}
    for first in (0, 1):
        parts = []
        for profile in (flat, embedding):
            scores = {language: scores_of(rng, profile) for language in LANGUAGES}
            if first:
                scores = {name: cut(part, first) for name, part in scores.items()}
            parts.append(GroupScores.of(scores, first=1))
        found[first] = edges_change(*parts, everywhere).set_index("measure")
    assert readings(found[0])[2] == "agree with"
    assert readings(found[1])[2] == "neither support nor contradict"
    with pytest.raises(ConfigurationError, match="first after the embedding"):
        edges_change(*[GroupScores.of(scores)] * 2, everywhere)
    features = without_embedding(Features(np.arange(12.0).reshape(3, 2, 2), np.zeros(2, int)))
    assert features.values[0, 0, 0] == 4


def cut(scores, first):
    """Scores as they are when the layers before `first` are not there to be chosen."""
    layers = scores.layer_scores[first:]
    chosen = layers[:, :, None].repeat(N_RUNS, axis=2).argmax(axis=0)
    return ParticipantScores(scores.fold_scores, layers, chosen, scores.participants, scores.columns)


def test_named_layers_lie_at_the_same_depth_of_a_shallow_model():
    assert at_same_depth((1, 4, 12, 16, 24), 24) == [1, 4, 12, 16, 24]
    assert at_same_depth((1, 4, 12, 16, 24), 12) == [1, 2, 6, 8, 12] and at_same_depth((1, 4, 12, 16, 24), 6) == [
        1,
        3,
        4,
        6,
    ]
    with pytest.raises(ConfigurationError, match="1 to 24"):
        at_same_depth((0, 4), 6)


def test_profiles_have_intervals_over_participants(group_scores):
    masks = {"few": np.arange(N_REGIONS) < 5, "nobody": np.zeros(N_REGIONS, bool)}
    table = profile_table(group_scores.profiles, masks)
    assert set(table.series) == {"few"} and len(table) == N_LAYERS and (table.lower < table.value).all()
    added = depth_gain(group_scores.profiles, {"all": np.ones(N_REGIONS, bool)})
    profile = 0.1 * np.exp(-((np.arange(N_LAYERS) - 4) ** 2) / 2)
    assert added.value[0] == pytest.approx(profile[3:].mean() - profile[0], abs=0.002)


def test_order_of_depth_is_a_slope():
    rng = np.random.default_rng(9)
    masks = {name: np.arange(40) // 10 == place for place, name in enumerate(("sound", "word", "meaning", "topic"))}
    slopes = np.repeat(np.arange(4), 10) * 0.01  # r a layer
    profiles = np.arange(N_LAYERS)[:, None] * slopes + 0.002 * rng.normal(size=(9, N_LAYERS, 40))
    found = depth_order(profiles, masks)
    assert found.estimate == pytest.approx(0.01 * np.arange(3, 7).mean(), abs=0.002) and found.lower > 0
    assert depth_order(profiles, dict(reversed(masks.items()))).upper < 0


@pytest.mark.parametrize("chapter", ["hemispheres", "layers", "transfer_to_brains"])
def test_chapters_fine_tune_the_same_model(chapter):
    """They read the model that the chapter on transfer caches, if their parameters agree; else it is made twice."""
    ours, theirs = (notebook_parameters(NOTEBOOKS / f"{name}.md") for name in (chapter, "transfer"))
    if chapter == "transfer_to_brains":
        shared = ours.keys() & theirs.keys() - {"results"}
        assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}
        assert {"pairs", "settings", "loss", "control_steps"} <= shared
    else:
        brains = notebook_parameters(NOTEBOOKS / "transfer_to_brains.md")
        assert ours["transfer"] == {key: theirs[key] for key in ("pairs", "passage", "second", "settings")}
        assert (ours["context"], ours["stride"]) == (brains["context"], brains["stride"])
        assert ours["before"] == theirs["model"] and theirs["sentences"] == "phantom"


def test_a_last_layer_that_is_good_everywhere_ties_no_group(scores_of_nothing, columns):
    masks = group_masks(columns)
    last = (np.arange(scores_of_nothing.n_layers) == scores_of_nothing.n_layers - 1)[:, None]
    visual = replace(scores_of_nothing, profiles=scores_of_nothing.profiles + 0.05 * last * masks["visual"])
    assert readings(last_layer_advantage(visual, masks)) == ["agree with"] * 2
    everywhere = last_layer_advantage(
        replace(scores_of_nothing, profiles=scores_of_nothing.profiles + 0.05 * last), masks
    )
    assert readings(everywhere)[0] == "agree with" and everywhere.value[1] == pytest.approx(0, abs=0.01)


def test_diversity_is_counted_in_layers(scores_of_nothing, rng):
    regions = np.ones(N_REGIONS, bool)
    np.testing.assert_allclose(effective_layers(scores_of_nothing, regions), scores_of_nothing.n_layers, rtol=0.02)
    two = replace(scores_of_nothing, chosen=rng.integers(0, 2, scores_of_nothing.chosen.shape))
    np.testing.assert_allclose(effective_layers(two, regions), 2, rtol=0.02)
    assert readings(diversity_change(scores_of_nothing, two, regions)) == ["agree with"]
    assert readings(diversity_change(two, scores_of_nothing, regions)) == ["contradict"]


@pytest.fixture
def fits():
    rng = np.random.default_rng(0)
    runs = np.repeat([1, 2, 3, 4], 30)
    values = rng.standard_normal((120, 5))
    features = Features(values[None], runs)
    responses = values @ rng.standard_normal((5, 12)) + 2 * rng.standard_normal((120, 12))
    responses[:, [0, 7]] = 0  # outside the image
    groups = np.arange(12) // 4
    return {
        OWN: encode_vertices(features, responses, 0),
        SHARED: encode_vertices(features, responses, 0, alpha_groups=groups),
    }


@pytest.mark.filterwarnings("ignore:2 of 12 targets")
def test_means_are_over_vertices_that_have_a_score(fits):
    significant = np.arange(12) < 6
    table = compare_penalties(fits, significant).set_index("penalties")
    good = np.setdiff1d(np.arange(12), [0, 7])
    assert (table.vertices == 10).all()
    for name, fit in fits.items():
        np.testing.assert_allclose(table.mean_r[name], fit.scores[good].mean())
        np.testing.assert_allclose(table.mean_r_significant[name], fit.scores[[1, 2, 3, 4, 5]].mean())
        np.testing.assert_allclose(table.median_penalty[name], np.median(fit.best_alphas[:, good]))


@pytest.mark.filterwarnings("ignore:2 of 12 targets")
def test_nothing_is_said_of_significant_regions_where_there_are_none(fits):
    table = compare_penalties(fits, np.zeros(12, bool))
    assert table.mean_r_significant.isna().all()


def test_a_run_that_is_too_short_for_a_score_counts_in_no_mean(rng, scores_of):
    scores = {language: scores_of(rng, np.full(N_LAYERS, 0.1)) for language in LANGUAGES}
    whole = GroupScores.of(scores).scores
    part = scores["FR"]
    part.fold_scores[:, 4] = np.nan
    group = GroupScores.of(scores)
    others = np.delete(part.fold_scores, 4, axis=1).mean(axis=1)
    np.testing.assert_allclose(group.scores[group.language == "FR"], others)
    np.testing.assert_array_equal(group.scores[group.language != "FR"], whole[group.language != "FR"])
    part.fold_scores[:, :, 0] = np.nan
    assert np.isnan(part.mean_scores[:, 0]).all() and np.isfinite(part.mean_scores[:, 1:]).all()
