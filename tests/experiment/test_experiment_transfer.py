"""The helpers of chapter `transfer` on features and pairs whose truth is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brainbook.errors import ConfigurationError
from brainbook.experiment import Features
from brainbook.experiment.pairs import (
    Matching,
    accuracy_told,
    matching_table,
    reading_table,
    real_tables,
    retrieval_table,
    roc_tables,
)
from brainbook.experiment.transfer import (
    Change,
    driver_change,
    drivers_told,
    encode,
    held_by_states,
    shared_summary,
    truth_check,
    understood,
    understood_told,
)
from brainbook.language_models.matching_evaluation import interval
from brainbook.study import keep

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
    assert change.after.layer == 1


def test_regions_that_gain_survive_correction(change):
    regions = change.regions()
    assert (regions.q[:10] < 0.05).sum() >= 8 and (regions.q[10:] < 0.05).sum() <= 1
    assert ((regions.lower < regions.change) & (regions.change < regions.upper)).all()


def test_the_analysis_sees_a_model_that_has_understood(rng):
    drivers = {name: (rng.standard_normal((len(RUNS), 3)), RUNS) for name in ("sound", "word", "meaning", "topic")}
    ignorant = Features(rng.standard_normal((2, len(RUNS), 4)).astype(np.float32), RUNS)
    knowing = understood(ignorant, SimpleNamespace(drivers=lambda language: drivers), "FR")
    assert knowing.values.shape == (2, len(RUNS), 13) and knowing.values.dtype == np.float32
    np.testing.assert_array_equal(knowing.values[:, :, :4], ignorant.values)
    followed = {"meaning": slice(0, 5), "sound": slice(5, 10)}
    responses = rng.standard_normal((2, len(RUNS), 10))
    for name, place in followed.items():
        responses[:, :, place] += np.roll(drivers[name][0], 2, axis=0) @ rng.standard_normal((3, 5))
    columns = pd.DataFrame({"region": [f"r{i}" for i in range(10)], "hemisphere": "lh"})
    with pytest.warns(RuntimeWarning):  # alphas at the border: without understanding nothing is predicted
        seen = [encode(x, responses.astype(np.float32), ["a", "b"], columns, 49) for x in (ignorant, knowing)]
    found = Change(*seen).groups({name: np.isin(np.arange(10), np.r_[place]) for name, place in followed.items()})
    check = truth_check(found).set_index("group")
    assert check["as expected"].all() and check.seen["meaning"] == "gain"
    assert "shows 1 of 1 expected gains, and 0 of 1 that must not be. So the analysis finds" in understood_told(check)
    lucky = check.assign(seen="gain", **{"as expected": check.expected == "gain"})
    told = understood_told(lucky)
    assert "1 of 1 that must not be. (An interval of 95% errs" in told and "So the analysis finds" in told
    missed = check.assign(seen="not told from zero", **{"as expected": False})
    told = understood_told(missed)
    assert "0 of 1 expected gains" in told and "there may be one all the same" in told


@pytest.fixture(scope="module")
def pairs_of_passages():
    from brainbook.language_models.transfer import phantom_pairs

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
    from brainbook.experiment import pairs as experiment_pairs

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


def test_real_tables_say_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = ("reading", "accuracy", "auc", "retrieval", "learning")
    for name in names[:-1]:
        keep("xnli", name, pd.DataFrame({"accuracy": [0.5]}), "make book STUDY=xnli")
    with pytest.raises(ConfigurationError, match="no table learning: run `make book STUDY=xnli`"):
        real_tables("xnli")
    keep("xnli", names[-1], pd.DataFrame({"step": [1]}), "make book STUDY=xnli")
    assert list(real_tables("xnli")) == list(names) and not real_tables("xnli")["accuracy"].here


def test_a_driver_that_only_the_second_model_holds_is_found_without_noise():
    rng = np.random.default_rng(0)
    before, gained = rng.standard_normal((2, 1, len(RUNS), 6)).astype(np.float32)
    after = np.concatenate([before, gained], axis=2)
    mix = rng.standard_normal((6, 3))
    drivers = {"held": before[0] @ mix, "gained": gained[0] @ mix, "neither": rng.standard_normal((len(RUNS), 2))}
    with pytest.warns(RuntimeWarning):  # alphas at the border: everything, or nothing, can be foretold
        table = driver_change(Features(before, RUNS), Features(after, RUNS), {k: (v, RUNS) for k, v in drivers.items()})
    table = table.set_index("driver")
    assert table.before["held"] > 0.99 and abs(table.before["gained"]) < 0.15 and table.after["gained"] > 0.99
    assert table.lower["gained"] > 1 and table.lower["neither"] < 0 < table.upper["neither"]
    told = drivers_told(table.reset_index().assign(language="FR", model="after").query("driver != 'held'"))
    assert "FR, after transfer: better foretold gained; worse nothing" in told


def test_the_truth_check_goes_by_intervals():
    rows = [("meaning", 0.01, 0.03), ("topic", -0.01, 0.03), ("sound", -0.03, -0.01), ("none", 0.01, 0.02)]
    rows += [("word", 0.01, 0.02), ("cortex", 1, 2)]  # nothing is expected of the cortex
    table = truth_check(pd.DataFrame(rows, columns=["group", "lower", "upper"])).set_index("group")
    assert table.seen.tolist() == ["gain", "not told from zero", "loss", "gain", "gain"]
    assert table["as expected"].tolist() == [True, False, True, False, True]


def test_states_that_hold_the_scene_are_told_from_those_that_do_not(rng):
    from brainbook.language_models import phantom_targets
    from brainbook.phantom.story import words_with_truth

    words = words_with_truth(200, 3, "FR").rename(columns={"story": "section"})
    heard, targets = phantom_targets(words)
    states = rng.standard_normal((2, len(words), 8)).astype(np.float32)
    knowing = states.copy()
    knowing[1, heard, :4] += 5 * targets["scene"]
    truth = SimpleNamespace(words=lambda language: words)
    table = held_by_states({("FR", "before"): states, ("FR", "after"): knowing}, truth)
    r2 = table.pivot_table(index="model", columns="target", values="r2")
    assert r2.scene["after"] > 0.7 and r2.scene["before"] < 0.05 and (r2[["word", "sense"]] < 0.2).all(axis=None)


def test_what_is_shared_and_what_is_specific_by_group():
    rng = np.random.default_rng(0)
    levels = {"meaning": (0.3, 0.3, 0.1, 0.1), "sound": (0.3, 0.1, 0.3, 0.1), "none": (0.0, 0.0, 0.0, 0.0)}
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
    }  # fmt: skip
    assert table["shared - mismatched, lower"]["meaning"] > 0.1 > table["shared - mismatched, lower"]["sound"]
    assert ((table.lower < table["shared - left over"]) & (table["shared - left over"] < table.upper)).all()
