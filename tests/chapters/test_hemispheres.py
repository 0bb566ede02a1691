"""Tables of the chapter `hemispheres`, from scores whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from brainbook.chapters.group_scores import with_agreement
from brainbook.chapters.hemispheres import (
    chinese_advantage,
    compare_with_published,
    difference_by_group,
    difference_by_language,
    hemisphere_means,
    is_occipital,
    laterality_recovered,
    occipital_advantage,
    participants_covariance,
    possible_r,
    predicted_laterality,
    rank_regions,
    scores_of_named,
    undriven_regions,
)
from brainbook.chapters.shared import Features, group_masks, score_participants
from brainbook.stats import laterality_index

LANGUAGES, N_LAYERS, N_REGIONS = ("EN", "FR", "CN"), 7, 148


def readings(table):
    return list(with_agreement(table).data)


def rank(named, columns):
    return rank_regions({language: r for (language, _), r in named.items()}, columns)


def test_best_regions_stand_beside_the_papers(group_scores, columns):
    ranked = rank_regions({name: group_scores.mean(name) for name in LANGUAGES}, columns)
    assert len(ranked) == 3 * N_REGIONS and ranked.reliability.notna().all()
    for _, part in ranked.groupby("language"):
        assert (part.pearson_r.diff().dropna() <= 0).all() and list(part["rank"]) == list(range(1, N_REGIONS + 1))
    table = compare_with_published(ranked)
    assert table.shape == (9, 12) and list(dict.fromkeys(table.index.get_level_values("language"))) == list(LANGUAGES)
    assert table.loc[("CN", 1), ("paper", "r")] == 0.3575 and table["paper", "reliability"].notna().all()
    assert table.loc[("EN", 1), ("ours", "r")] == group_scores.mean("EN").max()


def test_single_participants_are_ranked_by_their_own_scores(columns, scores_of):
    rng = np.random.default_rng(4)
    scores = {language: scores_of(rng, np.full(N_LAYERS, 0.1)) for language in LANGUAGES}
    table = rank(scores_of_named(scores, ["b", "sub-FR057"]), columns)
    assert set(table.language) == set(LANGUAGES), "each language has a participant b here, and nobody is sub-FR057"
    own = scores["FR"].fold_scores[1].mean(axis=0)
    best = table.query("language == 'FR' and rank == 1").iloc[0]
    assert best.pearson_r == own.max() and best.region == columns.region[own.argmax()]
    assert rank(scores_of_named(scores, ["nobody"]), columns).empty


def test_published_regions_are_read_by_what_is_possible_and_not_by_the_reliability():
    """A reliability of .25 of halves of the Chinese participants: .63 with all of them, .137 with one."""
    pole = possible_r(["CN"]).query("region == 'Pole_occipital' and hemisphere == 'lh'").iloc[0]
    assert pole.group == pytest.approx(np.sqrt(2 * pole.reliability / (1 + pole.reliability)))
    assert pole.participant == pytest.approx(0.137, abs=0.003) and pole.group == pytest.approx(0.63, abs=0.01)


def test_sides_are_compared_within_people(group_scores, columns):
    masks = group_masks(columns)
    table = difference_by_group(group_scores, masks, group_scores.scores**2)
    assert list(table.group) == list(masks) and (table.q < 0.001).all()
    np.testing.assert_allclose(table.value, table.left - table.right)
    np.testing.assert_allclose(table["index"], laterality_index(table.left, table.right), atol=0.01)
    assert ((table.index_lower <= table["index"]) & (table["index"] <= table.index_upper)).all()
    means = hemisphere_means(group_scores, masks, columns)
    assert means.query("group == 'visual'").published.notna().all() and len(means) == 9 * 4 * 2
    by_language = difference_by_language(means).set_index(["language", "group"])
    assert by_language.published["EN", "visual"] == pytest.approx(0.127 - 0.113)
    assert (by_language.lower > 0).all() and by_language.value.mean() == pytest.approx(0.04, abs=0.005)


@pytest.fixture(scope="module")
def truth(columns):
    rng = np.random.default_rng(5)
    driver = np.tile(np.resize(["sound", "word", "meaning", "topic", "none"], N_REGIONS // 2), 2)
    side = np.tile(rng.choice(["left", "right", "none"], N_REGIONS // 2), 2)
    side[driver == "none"] = "none"
    strong = np.where(side == "left", "lh", "rh") == columns.hemisphere
    ceiling = np.where(driver == "none", 0.02, np.where(side == "none", 0.25, np.where(strong, 0.3, 0.2)))
    table = columns[["region", "hemisphere"]].assign(driver=driver, side=side, ceiling=ceiling)
    return table.assign(**{f"ceiling_{language}": ceiling for language in LANGUAGES})


def test_laterality_of_perfect_scores_is_recovered(truth):
    rng = np.random.default_rng(6)
    common = truth.ceiling.to_numpy() + 0.02 * rng.normal(size=(9, 1))
    scores = common + 0.02 * rng.normal(size=(9, N_REGIONS))
    classes, pairs = laterality_recovered(scores, truth, scores=True)
    assert classes.covered.all() and not classes.uninformative.any()
    np.testing.assert_allclose(classes.truth, [0.2, -0.2, 0])
    assert 0.85 < pairs.covered.mean() <= 1 and (pairs.driver != "none").all()
    assert pairs[pairs.side != "none"].sign.mean() > 0.95


def responses_with(truth, rng, drivers, n_participants=9):
    """Responses [participants, scans, regions] of a brain whose regions follow `drivers` as well as the truth says."""
    n, p = drivers.shape
    weights = rng.normal(size=(p, n_participants, N_REGIONS)) / np.sqrt(p)
    signal = np.einsum("np,psr->snr", drivers, weights)
    r = np.where(truth.driver == "none", 0.0, truth.ceiling)
    return (r * signal + np.sqrt(1 - r**2) * rng.normal(size=signal.shape)).astype(np.float32)


@pytest.mark.integration
def test_laterality_of_responses_is_recovered_where_that_of_scores_leans(truth):
    """Eight studies: the classes' intervals of covariances hold the truth, those of fitted scores do not."""
    rng = np.random.default_rng(12)
    runs = np.repeat(np.arange(5), 80)
    held, pairs_held, leans, indices = [], [], [], []
    for _ in range(8):
        drivers = rng.normal(size=(len(runs), 40)).astype(np.float32)
        responses = responses_with(truth, rng, np.roll(drivers, 1, axis=0))
        covariances = participants_covariance(Features(drivers[None], runs), 0, responses, alpha=100.0, trim=0)
        classes, pairs = laterality_recovered(covariances, truth)
        held += list(classes.covered)
        pairs_held.append(pairs.covered.mean())
        indices.append((classes.value / classes.truth)[:2])  # the third's truth is 0
        scores = score_participants(Features(drivers[None], runs), responses, list("abcdefghi"), truth, trim=0)
        leaning, _ = laterality_recovered(scores.fold_scores.mean(axis=1), truth, scores=True)
        leans.append((leaning.value / leaning.truth)[:2])
        np.testing.assert_allclose(classes.truth, [0.2, -0.2, 0], atol=1e-12)
    assert np.mean(held) > 0.85 and 0.9 < np.mean(pairs_held) < 0.99
    np.testing.assert_allclose(np.mean(indices, axis=0), 1, atol=0.05)
    assert (np.mean(leans, axis=0) > 1.4).all()


def test_a_class_whose_scores_are_noise_has_an_uninformative_interval(truth):
    noise = np.random.default_rng(0).normal(size=(3, N_REGIONS)) + 0.05
    classes, _ = laterality_recovered(noise, truth, scores=True)
    known = classes.dropna(subset="value")
    assert list(known.uninformative) == list((known.lower == -1) & (known.upper == 1)) and known.uninformative.any()


def test_fitted_scores_lean_as_predicted(truth):
    weights = {"sound": 8, "word": 64, "meaning": 64, "topic": 32}
    few, many = (predicted_laterality(truth, weights, n_scans).set_index("label") for n_scans in (1200, 10**7))
    np.testing.assert_allclose(few.truth, [0.2, -0.2, 0], atol=1e-9)
    np.testing.assert_allclose(many.value, many.truth, atol=1e-3)
    assert 0.22 < few.value["stronger on the left"] < 0.4 and abs(few.value["alike"]) < 1e-9


def test_undriven_regions_and_what_leaks_into_them(truth):
    rng = np.random.default_rng(7)
    undriven = (truth.driver == "none").to_numpy()
    leak = np.where(undriven, rng.uniform(0, 0.1, N_REGIONS), 0.3)
    truth = truth.assign(**{f"ceiling_{language}": leak for language in LANGUAGES})
    p = {
        language: np.where(undriven, np.exp(-80 * leak * rng.uniform(0.5, 1.5, N_REGIONS)), 1e-4)
        for language in LANGUAGES
    }
    table = undriven_regions(p, truth)
    significant = table[table.significant]
    assert len(table) == 3 * undriven.sum() and len(significant) and (significant.p <= significant.threshold).all()
    leaky = stats.spearmanr(table.leak, -table.p)
    assert leaky.statistic > 0.5 and leaky.pvalue < 1e-6


def test_occipital_regions_are_those_of_the_lobe(columns):
    names = set(columns.region[is_occipital(columns)])
    assert {"Pole_occipital", "G_occipital_sup", "S_calcarine", "G_cuneus", "S_oc_middle_and_Lunatus"} <= names
    assert not names & {
        "G_precuneus",
        "S_parieto_occipital",
        "S_oc-temp_lat",
        "G_temporal_middle",
        "S_collat_transv_post",
    }
    assert len(names) == 11


def test_occipital_first(scores_of_nothing, columns):
    planted = replace(scores_of_nothing, scores=scores_of_nothing.scores + 0.05 * is_occipital(columns))
    table = occipital_advantage(planted, columns)
    assert list(table.who) == list(LANGUAGES) and readings(table) == ["agree with"] * 3
    assert table.value.mean() == pytest.approx(0.05, abs=0.005)
    low = replace(scores_of_nothing, scores=scores_of_nothing.scores - 0.05 * is_occipital(columns))
    assert readings(occipital_advantage(low, columns)) == ["contradict"] * 3


def test_chinese_higher_is_of_independent_people(scores_of_nothing):
    chinese = (scores_of_nothing.language == "CN")[:, None]
    table = chinese_advantage(replace(scores_of_nothing, scores=scores_of_nothing.scores + 0.05 * chinese))
    assert list(table.who) == ["CN less EN", "CN less FR"] and readings(table) == ["agree with"] * 2
    from scipy import stats

    cortex = scores_of_nothing.scores.mean(axis=1)
    expected = stats.ttest_ind(cortex[8:], cortex[:4], equal_var=False)
    assert chinese_advantage(scores_of_nothing).p[0] == pytest.approx(expected.pvalue)
    alone = replace(scores_of_nothing, language=np.repeat("EN", len(scores_of_nothing.language)))
    assert chinese_advantage(alone).empty
