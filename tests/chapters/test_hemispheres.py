"""Tables of the chapter on hemispheres and layers, from scores whose truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters.hemispheres.best_regions import (
    compare_with_published,
    possible_r,
    rank_regions,
    rank_regions_of,
    read_published,
)
from brainbook.chapters.hemispheres.group_scores import (
    GroupScores,
    foretold_laterality,
    hemisphere_means,
    laterality_recovered,
    laterality_told,
    layer_of_others,
    leak_test,
    participants_covariance,
    quiet_regions,
    sides_by_group,
    sides_by_language,
    significance_of_regions,
    told,
    verdict,
)
from brainbook.chapters.layers.depth import (
    at_same_depth,
    choice_shares,
    depth_by_region,
    depth_order,
    edges_change,
    fine_tuned,
    profile_table,
    what_depth_adds,
    without_embedding,
)
from brainbook.chapters.shared import Features, ParticipantScores, group_masks, score_participants
from brainbook.datasets.atlas import embedded_destrieux
from brainbook.errors import ConfigurationError
from brainbook.stats import laterality_index
from brainbook.stats.layer_preference import centre_of_mass
from brainbook.workflow.notebooks import notebook_parameters

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LANGUAGES, PEOPLE, RUNS, LAYERS, REGIONS = ("EN", "FR", "CN"), 3, 9, 7, 148


@pytest.fixture(scope="module")
def columns():
    return embedded_destrieux().columns


def scores_of(rng, profile, boost=0.0):
    """Scores of one language's participants: `profile` [layers] in every region, `boost` [regions] on top."""
    layers = profile[:, None, None] + boost + 0.01 * rng.normal(size=(LAYERS, PEOPLE, REGIONS))
    folds = layers[:, :, None] + 0.02 * rng.normal(size=(LAYERS, PEOPLE, RUNS, REGIONS))
    chosen = folds.argmax(axis=0)
    best = np.take_along_axis(folds, chosen[None], axis=0)[0]
    return ParticipantScores(best, layers, chosen, ["a", "b", "c"], embedded_destrieux().columns)


@pytest.fixture(scope="module")
def listeners(columns):
    """The fourth layer is best everywhere, and the left is better than the right by .04."""
    rng = np.random.default_rng(1)
    profile = 0.1 * np.exp(-((np.arange(LAYERS) - 4) ** 2) / 2)
    left = 0.04 * (columns.hemisphere == "lh").to_numpy()
    return GroupScores.of({language: scores_of(rng, profile, 0.05 + left) for language in LANGUAGES})


def test_listeners_stand_one_language_after_the_other(listeners):
    assert listeners.scores.shape == (9, REGIONS) and listeners.profiles.shape == (9, LAYERS, REGIONS)
    assert listeners.chosen.shape == (9, RUNS, REGIONS) and listeners.n_layers == LAYERS
    np.testing.assert_array_equal(listeners.language, np.repeat(LANGUAGES, PEOPLE))
    np.testing.assert_allclose(listeners.mean("FR"), listeners.scores[3:6].mean(axis=0))
    left, right = listeners.sides()
    assert (left.mean() - right.mean()) == pytest.approx(0.04, abs=0.005)


def test_best_regions_stand_beside_the_papers(listeners, columns):
    ranked = rank_regions(listeners, columns)
    assert len(ranked) == 3 * REGIONS and ranked.reliability.notna().all()
    for _, part in ranked.groupby("language"):
        assert (part.pearson_r.diff().dropna() <= 0).all() and list(part["rank"]) == list(range(1, REGIONS + 1))
    table = compare_with_published(ranked)
    assert table.shape == (9, 12) and list(dict.fromkeys(table.index.get_level_values("language"))) == list(LANGUAGES)
    assert table.loc[("CN", 1), ("paper", "r")] == 0.3575 and table["paper", "reliability"].notna().all()
    assert table.loc[("EN", 1), ("ours", "r")] == listeners.mean("EN").max()


def test_single_participants_are_ranked_by_their_own_scores(columns):
    rng = np.random.default_rng(4)
    scores = {language: scores_of(rng, np.full(LAYERS, 0.1)) for language in LANGUAGES}
    table = rank_regions_of(scores, ["b", "sub-FR057"])
    assert set(table.language) == set(LANGUAGES), "each language has a participant b here, and nobody is sub-FR057"
    own = scores["FR"].fold_scores[1].mean(axis=0)
    best = table.query("language == 'FR' and rank == 1").iloc[0]
    assert best.pearson_r == own.max() and best.region == columns.region[own.argmax()]
    assert rank_regions_of(scores, ["nobody"]).empty


def test_published_regions_are_read_by_what_is_possible_and_not_by_the_reliability():
    """A reliability of .25 of halves of the Chinese participants: .63 with all of them, .137 with one."""
    pole = possible_r(["CN"]).query("region == 'Pole_occipital' and hemisphere == 'lh'").iloc[0]
    assert pole.group == pytest.approx(np.sqrt(2 * pole.reliability / (1 + pole.reliability)))
    assert pole.participant == pytest.approx(0.137, abs=0.003) and pole.group == pytest.approx(0.63, abs=0.01)
    index = pd.MultiIndex.from_tuples([("EN", 1), ("CN", 1)])
    planted = pd.DataFrame(
        {"region": ["a", "b"], "side": "lh", "r": [0.3, 0.35], "reliability": 0.25, "group": 0.6, "participant": 0.14},
        index=index,
    )
    text = read_published(planted)
    assert text.startswith("None of them lies above") and "2 of 2 lie above" in text and "farthest b lh in CN" in text
    assert "r = 0.3500 where 0.140 is shared, 2.5 times" in text
    assert "2 of 2 lie above what a perfect model" in read_published(planted.assign(group=0.2))
    assert "0 of 2 lie above" in read_published(planted.assign(r=0.1)) and "times" not in read_published(
        planted.assign(r=0.1)
    )


def test_depth_is_found_where_it_is(listeners, columns):
    predicted = np.arange(REGIONS) < 40
    table = depth_by_region(listeners, columns, predicted)
    assert (table.layer == 4).mean() > 0.95 and table.stability.min() > 0.4 > 2 / LAYERS
    true_depth = centre_of_mass(0.1 * np.exp(-((np.arange(LAYERS) - 4) ** 2) / 2))
    assert abs(table.depth.median() - true_depth) < 0.15 and (table.upper - table.lower).median() < 0.6
    assert (table.q_alike < 0.05).all() and table.predicted.sum() == 40


def test_flat_profiles_differ_in_nothing(columns):
    rng = np.random.default_rng(2)
    flat = GroupScores.of({language: scores_of(rng, np.full(LAYERS, 0.1)) for language in LANGUAGES})
    table = depth_by_region(flat, columns, np.ones(REGIONS, bool))
    assert (table.p_alike < 0.05).mean() < 0.12 and (table.q_alike < 0.05).mean() < 0.03


def test_edges_are_found_when_preference_moves_there(columns):
    rng = np.random.default_rng(3)
    hill = 0.1 * np.exp(-((np.arange(LAYERS) - 4) ** 2) / 2)
    valley = 0.1 * np.abs(np.arange(LAYERS) - 3) / 3
    before, after = (
        GroupScores.of({language: scores_of(rng, profile) for language in LANGUAGES}, first=1)
        for profile in (hill, valley)
    )
    everywhere = np.ones(REGIONS, bool)
    moved = edges_change(before, after, everywhere).set_index("measure")
    assert (moved.lower > 0).all() and moved.before["share"] < 0.05 < 0.8 < moved.after["share"]
    assert moved.value["advantage"] == pytest.approx(moved.after["advantage"] - moved.before["advantage"])
    stayed = edges_change(before, before, everywhere)
    np.testing.assert_allclose(stayed.value, 0, atol=1e-12)
    shares = choice_shares(after, everywhere)
    assert shares.value.sum() == pytest.approx(1) and list(shares.layer) == list(range(1, LAYERS + 1))


def test_the_first_layer_is_the_first_after_the_embedding():
    """Only the embedding gains: with it as the first layer the sentence on edges would be borne out, wrongly."""
    rng = np.random.default_rng(3)
    flat, embedding = np.full(LAYERS, 0.1), np.where(np.arange(LAYERS) == 0, 0.2, 0.1)
    everywhere, found = np.ones(REGIONS, bool), {}
    for first in (0, 1):
        parts = []
        for profile in (flat, embedding):
            scores = {language: scores_of(rng, profile) for language in LANGUAGES}
            if first:
                scores = {name: cut(part, first) for name, part in scores.items()}
            parts.append(GroupScores.of(scores, first=1))
        found[first] = edges_change(*parts, everywhere).set_index("measure")
    assert verdict(found[0].loc["advantage"]) == "agrees with"
    assert verdict(found[1].loc["advantage"]) == "neither supports nor contradicts"
    with pytest.raises(ConfigurationError, match="first after the embedding"):
        edges_change(*[GroupScores.of(scores)] * 2, everywhere)
    features = without_embedding(Features(np.arange(12.0).reshape(3, 2, 2), np.zeros(2, int)))
    assert features.values[0, 0, 0] == 4


def cut(scores, first):
    """Scores as they are when the layers before `first` are not there to be chosen."""
    layers = scores.layer_scores[first:]
    chosen = layers[:, :, None].repeat(RUNS, axis=2).argmax(axis=0)
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


def test_sides_are_compared_within_people(listeners, columns):
    members = group_masks(columns)
    table = sides_by_group(listeners, members, listeners.scores**2)
    assert list(table.group) == list(members) and (table.q < 0.001).all()
    np.testing.assert_allclose(table.value, table.left - table.right)
    np.testing.assert_allclose(table["index"], laterality_index(table.left, table.right), atol=0.01)
    assert ((table.index_lower <= table["index"]) & (table["index"] <= table.index_upper)).all()
    means = hemisphere_means(listeners, members, columns)
    assert means.query("group == 'visual'").published.notna().all() and len(means) == 9 * 4 * 2
    by_language = sides_by_language(means).set_index(["language", "group"])
    assert by_language.published["EN", "visual"] == pytest.approx(0.127 - 0.113)
    assert (by_language.lower > 0).all() and by_language.value.mean() == pytest.approx(0.04, abs=0.005)


@pytest.fixture(scope="module")
def truth(columns):
    rng = np.random.default_rng(5)
    driver = np.tile(np.resize(["sound", "word", "meaning", "topic", "none"], REGIONS // 2), 2)
    side = np.tile(rng.choice(["left", "right", "none"], REGIONS // 2), 2)
    side[driver == "none"] = "none"
    strong = np.where(side == "left", "lh", "rh") == columns.hemisphere
    ceiling = np.where(driver == "none", 0.02, np.where(side == "none", 0.25, np.where(strong, 0.3, 0.2)))
    table = columns[["region", "hemisphere"]].assign(driver=driver, side=side, ceiling=ceiling)
    return table.assign(**{f"ceiling_{language}": ceiling for language in LANGUAGES})


def test_laterality_of_perfect_scores_is_recovered(truth):
    rng = np.random.default_rng(6)
    common = truth.ceiling.to_numpy() + 0.02 * rng.normal(size=(9, 1))
    scores = common + 0.02 * rng.normal(size=(9, REGIONS))
    classes, pairs = laterality_recovered(scores, truth, scores=True)
    assert ((classes.lower <= classes.truth) & (classes.truth <= classes.upper)).all()
    np.testing.assert_allclose(classes.truth, [0.2, -0.2, 0])
    assert 0.85 < pairs.covered.mean() <= 1 and (pairs.driver != "none").all()
    assert pairs[pairs.side != "none"].sign.mean() > 0.95


def responses_with(truth, rng, drivers, n_participants=9):
    """Responses [participants, scans, regions] of a brain whose regions follow `drivers` as well as the truth says."""
    n, p = drivers.shape
    weights = rng.normal(size=(p, n_participants, REGIONS)) / np.sqrt(p)
    signal = np.einsum("np,psr->snr", drivers, weights)
    r = np.where(truth.driver == "none", 0.0, truth.ceiling)
    return (r * signal + np.sqrt(1 - r**2) * rng.normal(size=signal.shape)).astype(np.float32)


def test_laterality_of_responses_is_recovered_where_that_of_scores_leans(truth):
    """Eight studies: the classes' intervals of covariances hold the truth, those of fitted scores do not."""
    rng = np.random.default_rng(12)
    runs = np.repeat(np.arange(5), 80)
    held, pairs_held, leans, indices = [], [], [], []
    for _ in range(8):
        drivers = rng.normal(size=(len(runs), 40)).astype(np.float32)
        responses = responses_with(truth, rng, np.roll(drivers, 1, axis=0))
        covariances = participants_covariance(drivers, responses, runs, alpha=100.0, trim=0)
        classes, pairs = laterality_recovered(covariances, truth)
        held += list((classes.lower <= classes.truth) & (classes.truth <= classes.upper))
        pairs_held.append(pairs.covered.mean())
        indices.append(classes.value / classes.truth)
        scores = score_participants(Features(drivers[None], runs), responses, list("abcdefghi"), truth, trim=0)
        leaning, _ = laterality_recovered(scores.fold_scores.mean(axis=1), truth, scores=True)
        leans.append(leaning.value / leaning.truth)
        np.testing.assert_allclose(classes.truth, [0.2, -0.2, 0], atol=1e-12)
    assert np.mean(held) > 0.85 and 0.9 < np.mean(pairs_held) < 0.99
    np.testing.assert_allclose(np.mean(indices, axis=0)[:2], 1, atol=0.05)
    assert (np.mean(leans, axis=0)[:2] > 1.4).all()


def test_laterality_is_told_with_its_coverage(truth):
    classes, pairs = laterality_recovered(np.tile(truth.ceiling.to_numpy() ** 2, (3, 1)), truth)
    text = laterality_told(classes.assign(series="perfect model"), pairs.assign(model="perfect model"))
    assert text.startswith("**Perfect model:** the 95% intervals hold the truth in 3 of 3 classes")
    assert "in 2 of 2 lopsided classes, whose indices are 1.00 times the true ones" in text
    vague = classes.assign(series="perfect model", lower=[-1.0, -0.3, -0.1], upper=1.0)
    text = laterality_told(vague, pairs.assign(model="perfect model"))
    assert "3 of 3 classes (1 of them by reaching from -1 to 1, which says nothing)" in text


def test_fitted_scores_lean_as_foretold(truth):
    weights = {"sound": 8, "word": 64, "meaning": 64, "topic": 32}
    few, many = (foretold_laterality(truth, weights, n_scans).set_index("label") for n_scans in (1200, 10**7))
    np.testing.assert_allclose(few.truth, [0.2, -0.2, 0], atol=1e-9)
    np.testing.assert_allclose(many.value, many.truth, atol=1e-3)
    assert 0.22 < few.value["stronger on the left"] < 0.4 and abs(few.value["alike"]) < 1e-9


def test_quiet_regions_and_what_leaks_into_them(truth):
    rng = np.random.default_rng(7)
    quiet = (truth.driver == "none").to_numpy()
    leak = np.where(quiet, rng.uniform(0, 0.1, REGIONS), 0.3)
    truth = truth.assign(**{f"ceiling_{language}": leak for language in LANGUAGES})
    p = {language: np.where(quiet, np.exp(-80 * leak * rng.uniform(0.5, 1.5, REGIONS)), 1e-4) for language in LANGUAGES}
    table = quiet_regions(p, truth)
    found = table[table.significant]
    assert len(table) == 3 * quiet.sum() and len(found) and (found.p <= found.threshold).all()
    rho, probability = leak_test(table)
    assert rho > 0.5 and probability < 1e-6
    alone = {language: np.where(quiet, rng.uniform(0.01, 1, REGIONS), 1e-4) for language in LANGUAGES}
    assert leak_test(quiet_regions(alone, truth))[1] > 1e-3


def test_profiles_have_intervals_over_participants(listeners):
    members = {"few": np.arange(REGIONS) < 5, "nobody": np.zeros(REGIONS, bool)}
    table = profile_table(listeners.profiles, members)
    assert set(table.series) == {"few"} and len(table) == LAYERS and (table.lower < table.value).all()
    added = what_depth_adds(listeners.profiles, {"all": np.ones(REGIONS, bool)})
    profile = 0.1 * np.exp(-((np.arange(LAYERS) - 4) ** 2) / 2)
    assert added.value[0] == pytest.approx(profile[3:].mean() - profile[0], abs=0.002)


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_only_what_follows_the_features_is_significant(columns):
    rng = np.random.default_rng(8)
    runs, n = np.repeat(np.arange(5), 60), 300
    features = Features(rng.normal(size=(2, n, 4)).astype(np.float32), runs)
    signal = np.roll(features.values[1] @ rng.normal(size=4), 1)
    responses = rng.normal(size=(3, n, 20)).astype(np.float32)
    responses[..., :8] += 0.7 * signal[:, None]
    table = pd.DataFrame({"region": [f"r{i}" for i in range(20)], "hemisphere": "lh"})
    scores = {"EN": score_participants(features, responses, ["a", "b", "c"], table)}
    layer = layer_of_others({**scores, "FR": scores["EN"]}, "FR")
    assert layer == 1 and layer_of_others(scores, "EN") == 0  # nobody else was recorded: the middle of two layers
    p = significance_of_regions(features, 1, responses, n_permutations=200)
    assert (p[:8] < 0.01).all() and (p[8:] < 0.05).mean() <= 0.25


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_a_layer_of_others_keeps_the_level_and_a_layer_of_one_s_own_does_not():
    """Nothing drives 150 lone regions; each is tested with a layer of 12, chosen by it or by somebody else's."""
    rng = np.random.default_rng(10)
    runs, n = np.repeat(np.arange(4), 40), 150
    table = pd.DataFrame({"region": [f"r{i}" for i in range(n)], "hemisphere": "lh"})
    features = Features(rng.normal(size=(12, len(runs), 2)).astype(np.float32), runs)
    tested, somebody_else = rng.normal(size=(2, 1, len(runs), n)).astype(np.float32)
    p = np.stack([significance_of_regions(features, layer, tested, n_permutations=50) for layer in range(12)])
    rejected = {}
    for name, responses in (("own", tested), ("other", somebody_else)):
        scores = score_participants(features, responses, ["a"], table, alphas=[1e3, 1e4])
        chosen = [
            layer_of_others({"theirs": replace(scores, chosen_layers=scores.chosen_layers[..., [i]])}, "tested")
            for i in range(n)
        ]
        rejected[name] = np.mean(p[chosen, np.arange(n)] <= 0.05)
    assert rejected["other"] < 0.1 < 0.15 < rejected["own"]


def test_order_of_depth_is_a_slope():
    rng = np.random.default_rng(9)
    members = {name: np.arange(40) // 10 == place for place, name in enumerate(("sound", "word", "meaning", "topic"))}
    slopes = np.repeat(np.arange(4), 10) * 0.01  # r a layer
    profiles = np.arange(LAYERS)[:, None] * slopes + 0.002 * rng.normal(size=(9, LAYERS, 40))
    found = depth_order(profiles, members)
    assert found.estimate == pytest.approx(0.01 * np.arange(3, 7).mean(), abs=0.002) and found.lower > 0
    assert depth_order(profiles, dict(reversed(members.items()))).upper < 0


def test_results_are_told_with_their_intervals():
    row = pd.Series({"value": 0.0244, "lower": 0.008, "upper": 0.04})
    assert told(row) == "+0.024 (+0.008 to +0.040)" and verdict(row) == "agrees with"
    assert verdict(pd.Series({"lower": -0.2, "upper": 0.1})) == "neither supports nor contradicts"
    assert verdict(pd.Series({"lower": -0.2, "upper": -0.1})) == "contradicts"


def test_transfer_refuses_what_it_does_not_know():
    with pytest.raises(ConfigurationError, match="give pairs and second"):
        fine_tuned("tiny-causal", {"pairs": 10, "second": ["FR"], "steps": 3})


def test_both_chapters_fine_tune_the_same_model():
    """The chapter on transfer keeps the model that this one reads, if their parameters agree; else it is made twice."""
    ours, theirs = (notebook_parameters(NOTEBOOKS / f"{name}.md") for name in ("hemispheres_and_layers", "transfer"))
    assert ours["transfer"] == {key: theirs[key] for key in ("pairs", "passage", "second", "settings")}
    assert (ours["context"], ours["stride"]) == (theirs["context"], theirs["stride"])
    assert ours["before"] == theirs["model"] and theirs["sentences"] == "phantom"
