"""Intervals against scipy and statsmodels, controls on pairs whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from statsmodels.stats.proportion import proportion_confint

from brainbook.chapters.published import transfer
from brainbook.datasets import make_pairs, read_xnli
from brainbook.errors import ConfigurationError
from brainbook.language_models.sentence_matching.evaluation import (
    accuracy,
    accuracy_table,
    best_threshold,
    cosines,
    interval,
    length_only,
    pairs_needed,
    published_intervals,
    retrieval,
    roc,
)


@settings(deadline=None)
@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_clopper_and_pearsons(counted):
    correct, n = counted
    found = interval(correct, n)
    lower, upper = proportion_confint(correct, n, 0.05, method="beta")
    expected = np.nan_to_num(lower, nan=0.0), np.nan_to_num(upper, nan=1.0)
    np.testing.assert_allclose((found["lower"], found["upper"]), expected, atol=1e-9)
    assert found["lower"] <= found["accuracy"] <= found["upper"]


def test_accuracy_counts_right_answers_of_both_kinds():
    match = np.array([1, 1, 0, 0, 1, 0, 1, 0])
    found = accuracy(match, [1, 0, 0, 1, 1, 0, 1, 0])
    assert (found["n"], found["correct"], found["accuracy"]) == (8, 6, 0.75)
    assert found["p"] == pytest.approx(2 * (28 + 8 + 1) / 256)
    table = accuracy_table(match, {"always": match * 0 + 1, "right": match}, language="FR")
    assert table.accuracy.tolist() == [0.5, 1.0] and table.language.tolist() == ["FR", "FR"]
    with pytest.raises(ConfigurationError):
        accuracy(match, [1, 0])


def test_the_published_accuracy_is_within_the_noise_of_two_thousand_pairs():
    percent = transfer().set_index("quantity").value.astype(str)["english_french_pair_accuracy_best"]
    table = published_intervals(float(percent)).set_index("n")
    assert table.lower[2000] == pytest.approx(0.495, abs=0.002) and table.upper[2000] == pytest.approx(
        0.5395, abs=0.002
    )
    assert not table.excludes_chance[2000] and table.excludes_chance[10_000]


@pytest.mark.parametrize("tries", [1, 4])
def test_how_many_pairs_an_accuracy_needs_is_where_its_intervals_clear_chance(tries):
    n = pairs_needed(51.75, tries)
    limits = [interval(round(0.5175 * size), size)["p"] * tries for size in (n - 1, n, n + 1, n + 250, 4 * n)]
    assert limits[0] > 0.05 and max(limits[1:]) <= 0.05
    lower, _ = proportion_confint(round(0.5175 * n), n, 0.05 / tries, method="beta")
    assert lower > 0.5
    assert 90 < pairs_needed(60) < pairs_needed(55) < pairs_needed(51.75) < pairs_needed(51.75, 4)
    assert pairs_needed(100 - 51.75) == pytest.approx(pairs_needed(51.75), abs=60)  # below chance is no chance either
    with pytest.raises(ConfigurationError, match="50.1% cannot be distinguished from 50%"):
        pairs_needed(50.1)


def test_lengths_tell_random_mismatches_and_not_length_matched_ones(real_xnli):
    sentences = read_xnli(real_xnli)
    for language in ("FR", "CN"):
        found = {}
        for mismatch in ("random", "length"):
            pairs = make_pairs(sentences, "EN", language, group="group", mismatch=mismatch)
            test = pairs.part == "test"
            found[mismatch] = accuracy(pairs.match[test], length_only(pairs)[test] > 0.5)
        assert found["random"]["lower"] > 0.7
        assert found["length"]["lower"] < 0.5 < found["length"]["upper"]


def test_lengths_are_judged_by_the_training_part_alone():
    texts = pd.DataFrame({"EN": ["a" * (i % 37 + 1) + str(i) for i in range(300)]})
    pairs = make_pairs(texts.assign(FR=texts.EN), n=None)
    other = pairs.copy()
    other.loc[other.part != "train", "match"] = 1 - other.match
    np.testing.assert_array_equal(length_only(pairs), length_only(other))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30))
def test_no_threshold_is_better(cases):
    score, match = (np.array(x, float) for x in zip(*cases, strict=True))
    right = lambda threshold: ((score > threshold) == match).mean()  # noqa: E731
    others = [right(t) for t in np.arange(-0.5, 8)]
    assert right(best_threshold(score, match)) == pytest.approx(max(others))


def test_the_area_under_the_curve_and_its_interval():
    rng = np.random.default_rng(0)
    match = np.repeat([0, 1], 200)
    score = rng.standard_normal(400) + match
    curve, area = roc(match, score)
    by_hand = (score[200:, None] > score[None, :200]).mean()  # the chance that a match scores higher
    assert area["auc"] == pytest.approx(by_hand)
    assert np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) == pytest.approx(by_hand)
    assert area["lower"] < by_hand < area["upper"] < area["lower"] + 0.12
    assert roc(match, match)[1]["auc"] == 1


def test_retrieval_finds_translations_and_shares_ties():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 8))
    found = retrieval(vectors, 3 * vectors, ("EN", "CN"))
    assert (found.accuracy == 1).all() and (found.mean_rank == 1).all() and (found.chance == 0.02).all()
    assert found.asked.tolist() == ["EN", "CN"]
    found = retrieval(vectors, np.roll(vectors, 1, axis=0))
    assert (found.accuracy == 0).all() and (found.p > 0.5).all()
    same = retrieval(np.ones((50, 8)), np.ones((50, 8)))
    assert (same.mean_rank == 25.5).all() and (same.accuracy == 0).all()
    noisy = retrieval(vectors, vectors + 2 * rng.standard_normal(vectors.shape))
    ranks = np.argsort(np.argsort(-np.corrcoef(vectors)[0]))  # a sanity check of what a rank is
    assert ranks[0] == 0 and noisy.mean_rank.between(1, 25).all()


def test_cosines():
    first = np.array([[1.0, 0], [3, 4], [0, 0]])
    second = np.array([[0.0, 2], [6, 8], [1, 1]])
    np.testing.assert_allclose(cosines(first, second), [0, 1, 0])
