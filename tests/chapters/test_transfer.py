"""The helpers of chapter `transfer` on features and pairs whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import Features, transfer
from brainbook.chapters.transfer.encoding import (
    Change,
    cortex_told,
    each,
    encode,
    forgetting_told,
    regions_told,
    selection_told,
    shared_summary,
    shared_told,
)
from brainbook.chapters.transfer.pairs import (
    Matching,
    accuracy_told,
    areas_told,
    learning_told,
    matching_table,
    reading_table,
    real_tables,
    retrieval_table,
    roc_tables,
)
from brainbook.errors import ConfigurationError
from brainbook.language_models.sentence_matching.evaluation import interval
from brainbook.workflow import archive_table

RUNS = np.repeat(np.arange(1, 10), 60)


@pytest.fixture(scope="module")
def change():
    """Targets 0..9 follow what only the second model has; targets 10..19 what neither has."""
    rng = np.random.default_rng(0)
    after = rng.standard_normal((2, len(RUNS), 6)).astype(np.float32)
    before = (rng.standard_normal(after.shape) + 0.3 * after).astype(np.float32)
    weights = rng.standard_normal((6, 20)) * (np.arange(20) < 10)
    noise = rng.standard_normal((3, len(RUNS), 20)) * 4
    responses = (np.roll(after[1], 2, axis=0) @ weights + noise).astype(np.float32)
    columns = pd.DataFrame({"region": [f"r{i}" for i in range(20)], "hemisphere": "lh"})
    with pytest.warns(RuntimeWarning):  # alphas at the border: half of the targets follow nothing
        return Change(*(encode(Features(x, RUNS), responses, ["a", "b", "c"], columns, 99) for x in (before, after)))


def test_the_change_is_where_it_was_put(change):
    table = change.groups({"gain": np.arange(20) < 10, "nothing": np.arange(20) >= 10}).set_index("group")
    gain, nothing = table.loc["gain"], table.loc["nothing"]
    assert gain.lower > 0.1 and gain.p_permutation == 0.01 and gain.p_runs < 0.001
    assert nothing.lower < 0 < nothing.upper and nothing.p_permutation > 0.05
    assert gain.change == pytest.approx(np.arctanh(gain.after) - np.arctanh(gain.before), abs=1e-6)
    assert gain.percent == pytest.approx(100 * (gain.after / gain.before - 1))
    people = change.participants({"gain": np.arange(20) < 10})
    assert people.participant.tolist() == ["a", "b", "c"] and (people.value > 0.1).all()
    assert np.isnan(nothing.percent)  # a share of nothing
    alone = change.of_participant("b")
    assert (alone["after"][:10] > alone["before"][:10]).all() and np.abs(alone["after"][10:]).max() < 0.2
    assert change.after.layer == 1


def test_what_is_at_the_edges_of_sections_scores_nothing():
    """Speech begins and ends there: features that know no more than that predict nothing inside, null included."""
    rng = np.random.default_rng(0)
    edge = np.tile(np.arange(60) < 6, 9).astype(np.float32)
    responses = (4 * edge[:, None] + rng.standard_normal((2, len(RUNS), 4))).astype(np.float32)
    columns = pd.DataFrame({"region": list("abcd"), "hemisphere": "lh"})
    features = Features((edge[:, None] + 0.01 * rng.standard_normal((1, len(RUNS), 1))).astype(np.float32), RUNS)
    options = {"n_permutations": 9}
    with pytest.warns(RuntimeWarning):  # alphas at the border: nothing is left to be predicted
        inside = encode(features, responses, ["a", "b"], columns, **options)
    whole = encode(features, responses, ["a", "b"], columns, **options, trim=0)
    assert whole.scores.fold_scores.mean() > 0.6 and whole.null.score.mean() > 0.6
    assert np.abs(inside.scores.fold_scores.mean()) < 0.1 and np.abs(inside.null.score.mean()) < 0.1


def test_baselines_need_no_model(monkeypatch):
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (len(RUNS), 1)).astype(np.float32)
    monkeypatch.setattr(transfer, "word_count", lambda prince, language: Features(counts[None], RUNS))
    monkeypatch.setattr(
        transfer, "speech_or_silence", lambda prince, language: Features((counts > 0)[None] * 1.0, RUNS)
    )
    listener = np.roll(counts, 2, axis=0) + 0.5 * rng.standard_normal((len(RUNS), 3))
    columns = pd.DataFrame({"region": list("abc"), "hemisphere": "lh"})
    table = transfer.baselines(None, "EN", listener.astype(np.float32), columns, {"cortex": np.ones(3, bool)})
    value = table.set_index("features").value
    assert value.index.tolist() == ["speech or silence", "word count"]
    assert value["word count"] > 0.8 > value["speech or silence"] > 0.5


def test_regions_that_gain_survive_correction(change):
    regions = change.regions()
    assert (regions.q[:10] < 0.05).sum() >= 8 and (regions.q[10:] < 0.05).sum() <= 1
    assert ((regions.lower < regions.change) & (regions.change < regions.upper)).all()
    assert (regions.q_after[:10] < 0.05).all() and (regions.q_after[10:] < 0.05).sum() <= 1
    assert (regions.q_before[:10] < 0.05).sum() > (regions.q_before[10:] < 0.05).sum()


def test_the_cortex_in_words_follows_its_interval():
    row = {"language": "FR", "before": 0.1, "after": 0.11, "change": 0.01, "lower": -0.01, "upper": 0.03, "percent": 10}
    told = cortex_told(pd.DataFrame([row]), 3, 15)
    assert "FR 0.100 to 0.110 (+0.0100, -0.0100 to +0.0300), +10% (-10% to +30%)" in told
    assert "Half of the interval is 20% (FR) of the correlation before, so a gain of 3% would not show in FR" in told
    sharp = cortex_told(pd.DataFrame([row | {"lower": 0.009, "upper": 0.011}]), 3, 15)
    assert "+10% (+9% to +11%)" in sharp and "would not show" not in sharp and "No percentage" not in sharp
    nothing = cortex_told(pd.DataFrame([row, row | {"language": "CN", "percent": np.nan}]), 3, 15)
    assert "No percentage for CN" in nothing and "would not show in FR." in nothing


def test_changes_are_put_together_with_their_labels(change):
    table = each({("FR", "after"): change, ("FR", "shuffled"): change}, Change.regions)
    assert len(table) == 40 and set(table.condition) == {"FR", "FR, shuffled"} and set(table.language) == {"FR"}
    assert table.index.is_unique and set(table.model) == {"after", "shuffled"}


def test_regions_and_forgetting_in_words_follow_the_tables():
    rows = pd.DataFrame(
        {"language": ["FR", "FR", "FR", "CN"], "change": [0.1, 0.1, -0.1, 0.1], "q": [0.01, 0.2, 0.01, 1]}
    )
    assert "correction: FR 1 up, 1 down; CN 0 up, 0 down." in regions_told(rows)
    assert "FR 2 up, 0 down" in regions_told(rows.assign(q=[0.01, 0.02, 0.2, 1]))
    cortex = pd.DataFrame(
        {"language": ["FR", "EN"], "group": "cortex", "change": -0.01, "lower": -0.02, "upper": -0.005}
    )
    assert "changes by -0.0100 (-0.0200 to -0.0050), a loss by" in forgetting_told(cortex)
    assert "no loss by" in forgetting_told(cortex.assign(upper=0.001))
    assert forgetting_told(cortex[cortex.language == "FR"]) == ""


def test_the_mean_change_is_given_with_how_its_regions_were_chosen():
    rows = pd.DataFrame({"language": "FR", "change": [0.03, 0.01, -0.01], "q_before": 1.0, "q_after": [0.01, 0.2, 0.2]})
    told = selection_told(rows)
    assert "FR +0.0100 over all 3, no mean over the 0 that are predicted before, +0.0300 over the 1 that" in told
    told = selection_told(rows.assign(q_before=[1, 1, 0.01], q_after=0.01))
    assert "-0.0100 over the 1 that are predicted before, +0.0100 over the 3 that are predicted after" in told


@pytest.fixture(scope="module")
def pairs_of_passages():
    from brainbook.language_models.sentence_matching.transfer import phantom_pairs

    return {kind: phantom_pairs(300, ("FR", "CN"), mismatch=kind) for kind in ("random", "length")}


def test_matching_tables_judge_the_test_part_alone(pairs_of_passages):
    pairs = pairs_of_passages
    right = {kind: np.where(table.match == 1, 0.8, 0.1) for kind, table in pairs.items()}
    halves = {
        kind: np.where(table.part == "test", value, 0.5)
        for (kind, table), value in zip(pairs.items(), right.values(), strict=True)
    }
    models = {"knows": Matching(right, right), "tests": Matching(right, halves)}
    table = matching_table(pairs, models).set_index(["classifier", "language", "mismatch"])
    assert set(table.n) == {60} and len(table) == 5 * 2 * 2
    assert (table.accuracy.xs("knows, head") == 1).all() and (table.accuracy.xs("knows, cosine") == 1).all()
    assert (table.accuracy.xs("tests, head") == 1).all()  # what it says of other parts does not count
    assert table.accuracy["length only", "FR", "random"] > table.accuracy["length only", "FR", "length"]
    curves, areas = roc_tables(pairs["random"], models)
    assert (areas.set_index("classifier").auc["knows"] == 1).all() and set(curves.language) == {"FR", "CN"}


def test_retrieval_asks_every_two_languages(pairs_of_passages, monkeypatch):
    from brainbook.chapters import pairs as experiment_pairs

    table = pairs_of_passages["random"]
    rows = pd.concat([
        table.set_index("second").second_row, table.set_index("first").first_row
    ])  # fmt: skip
    row_of = rows[~rows.index.duplicated()]
    vectors = np.random.default_rng(0).standard_normal((int(row_of.max()) + 1, 8))
    monkeypatch.setattr(experiment_pairs, "sentence_vectors", lambda model, tokenizer, texts: vectors[row_of[texts]])
    found = retrieval_table(table, {"oracle": (None, None)}, n=40)
    assert set(zip(found.asked, found.searched, strict=True)) == {
        ("EN", "FR"), ("FR", "EN"), ("EN", "CN"), ("CN", "EN"), ("FR", "CN"), ("CN", "FR"),
    }  # fmt: skip
    assert (found.accuracy == 1).all() and (found.n == 40).all() and (found.chance == 1 / 40).all()


def test_what_a_tokenizer_makes_of_sentences():
    class Tokenizer:
        unk_token_id = 1

        def __call__(self, texts, add_special_tokens, verbose):
            assert not add_special_tokens and not verbose
            return {"input_ids": [[ord(c) if c.isascii() else 1 for c in text] for text in texts]}

    pairs = pd.DataFrame(
        {"first": ["ab", "ab", "abcd"], "second": ["aé", "bééé", "我"], "language": ["FR", "FR", "CN"]}
    )
    table = reading_table(pairs, Tokenizer()).set_index("language")
    assert table.index.tolist() == ["EN", "FR", "CN"] and table.sentences.tolist() == [2, 2, 1]
    assert table.tokens.tolist() == [3, 3, 1]
    assert table.unknown.tolist() == [0, 4 / 6, 1]


def test_accuracies_in_words_follow_the_table():
    names = ("transfer, head", "length only", "no fine-tuning, cosine")
    table = pd.DataFrame([
        {"language": "FR", "mismatch": kind, "classifier": name, **interval(correct, 1000)}
        for kind, counts in {"random": (700, 800, 510), "length": (600, 500, 505)}.items()
        for name, correct in zip(names, counts, strict=True)
    ])  # fmt: skip
    told = accuracy_told(table)
    assert "transfer 70.0% (67.1 to 72.8)" in told and "60.0% (56.9 to 63.1) with length-matched" in told
    assert "80.0% and 50.0%" in told and "51.0% and 50.5%" in told and "beats the published 51.75%" in told
    assert "beats" not in accuracy_told(table.assign(accuracy=table.accuracy.where(table.accuracy != 0.8, 0.5)))


def test_areas_in_words_need_to_beat_lengths_and_the_model_before():
    rows = [("length only", 0.55, 0.52, 0.58), ("no fine-tuning", 0.6, 0.57, 0.63), ("transfer", 0.7, 0.66, 0.74)]
    areas = pd.DataFrame(rows, columns=["classifier", "auc", "lower", "upper"]).assign(language="FR")
    told = areas_told(areas)
    assert "transfer 0.700 (0.660 to 0.740); so transfer knows more than lengths and the model before." in told
    areas.loc[2, "lower"] = 0.6  # within the interval of the model before
    assert "knows more than lengths." in areas_told(areas)
    areas.loc[2, "lower"] = 0.57
    assert "knows no more than either." in areas_told(areas)


def test_learning_in_words_counts_looks_and_pairs():
    table = pd.DataFrame({"series": ["a", "a", "a", "b"], "pairs": [32, 64, 96, 1600],
                          "validation_accuracy": [0.75, np.nan, 0.5, 0.5]})  # fmt: skip
    told = learning_told(table)
    assert "a 75.0% (96 pairs, 2 looks); b 50.0% (1,600 pairs, 1 look)." in told


def test_real_tables_say_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = ("reading", "accuracy", "auc", "retrieval", "learning")
    for name in names[:-1]:
        archive_table("xnli", name, pd.DataFrame({"accuracy": [0.5]}), "make book STUDY=xnli")
    with pytest.raises(ConfigurationError, match="no table learning: run `make book STUDY=xnli`"):
        real_tables("xnli")
    archive_table("xnli", names[-1], pd.DataFrame({"step": [1]}), "make book STUDY=xnli")
    assert list(real_tables("xnli")) == list(names) and not real_tables("xnli")["accuracy"].here


def test_what_is_shared_and_what_is_specific_by_group():
    rng = np.random.default_rng(0)
    levels = {"meaning": (0.3, 0.3, 0.1, 0.1), "sound": (0.3, 0.1, 0.3, 0.1), "none": (0.0, 0.0, 0.0, 0.0)}
    levels["slow"] = (0.3, 0.3, 0.1, 0.3)  # anything that changes as slowly as the right sentences would do
    conditions = ("own", "shared", "left over", "mismatched")
    scores = pd.DataFrame([
        {"language": language, "participant": f"{language}{person}", "condition": condition, "group": group,
         "value": value + 0.02 * rng.standard_normal()}
        for language in ("FR", "CN") for person in range(4)
        for group, values in levels.items() for condition, value in zip(conditions, values, strict=True)
    ])  # fmt: skip
    table = shared_summary(scores, list(levels)).set_index("group")
    assert table["follows more"].to_dict() == {
        "meaning": "shared", "sound": "specific", "none": "neither, by this test",
        "slow": "neither: wrong sentences do as well",
    }  # fmt: skip
    told = shared_told(table.reset_index())
    assert "wrong ones, by an interval over participants (Student's *t*), in: meaning. What" in told
    assert "**meaning** shared; **sound** specific" in told
    assert table["shared - mismatched, lower"]["meaning"] > 0.1 > table["shared - mismatched, lower"]["sound"]
    assert ((table.lower < table["shared - left over"]) & (table["shared - left over"] < table.upper)).all()
