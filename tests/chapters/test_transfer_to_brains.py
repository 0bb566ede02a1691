"""Encoding before and after transfer, and what a phantom knows of it, on features whose truth is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import Features
from brainbook.chapters.transfer_to_brains import encoding
from brainbook.chapters.transfer_to_brains.encoding import (
    Change,
    change_by_selection,
    concat_changes,
    encode,
    shared_summary,
)
from brainbook.chapters.transfer_to_brains.truth import (
    add_true_features,
    driver_change,
    held_by_states,
    truth_check,
)

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
    return Change(*(encode(Features(x, RUNS), responses, ["a", "b", "c"], columns, 99) for x in (before, after)))


def test_the_change_is_where_it_was_put(change):
    table = change.groups({"gain": np.arange(20) < 10, "nothing": np.arange(20) >= 10}).set_index("group")
    gain, nothing = table.loc["gain"], table.loc["nothing"]
    assert gain.lower > 0.1 and gain.p_permutation == 0.01 and gain.p_runs < 0.001
    assert nothing.lower < 0 < nothing.upper and nothing.p_permutation > 0.05
    assert gain.change == pytest.approx(np.arctanh(gain.after) - np.arctanh(gain.before), abs=1e-6)
    assert gain.percent == pytest.approx(100 * (gain.after / gain.before - 1))
    participants = change.participants({"gain": np.arange(20) < 10})
    assert participants.participant.tolist() == ["a", "b", "c"] and (participants.value > 0.1).all()
    assert np.isnan(nothing.percent)  # a share of nothing
    alone = change.of_participant("b")
    assert (alone["after"][:10] > alone["before"][:10]).all() and np.abs(alone["after"][10:]).max() < 0.2


def test_what_is_at_the_edges_of_sections_scores_nothing():
    """Speech begins and ends there: features that know no more than that predict nothing inside, null included."""
    rng = np.random.default_rng(0)
    edge = np.tile(np.arange(60) < 6, 9).astype(np.float32)
    responses = (4 * edge[:, None] + rng.standard_normal((2, len(RUNS), 4))).astype(np.float32)
    columns = pd.DataFrame({"region": list("abcd"), "hemisphere": "lh"})
    features = Features((edge[:, None] + 0.01 * rng.standard_normal((1, len(RUNS), 1))).astype(np.float32), RUNS)
    options = {"n_permutations": 9}
    inside = encode(features, responses, ["a", "b"], columns, **options)
    whole = encode(features, responses, ["a", "b"], columns, **options, trim=0)
    assert whole.scores.fold_scores.mean() > 0.6 and whole.null.score.mean() > 0.6
    assert np.abs(inside.scores.fold_scores.mean()) < 0.1 and np.abs(inside.null.score.mean()) < 0.1


def test_baselines_need_no_model(monkeypatch):
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (len(RUNS), 1)).astype(np.float32)
    monkeypatch.setattr(encoding, "word_count", lambda prince, language: Features(counts[None], RUNS))
    monkeypatch.setattr(
        encoding, "speech_or_silence", lambda prince, language: Features((counts > 0)[None] * 1.0, RUNS)
    )
    listener = np.roll(counts, 2, axis=0) + 0.5 * rng.standard_normal((len(RUNS), 3))
    columns = pd.DataFrame({"region": list("abc"), "hemisphere": "lh"})
    table = encoding.baselines(None, "EN", listener.astype(np.float32), columns, {"cortex": np.ones(3, bool)})
    value = table.set_index("features").value
    assert value.index.tolist() == ["speech or silence", "word count"]
    assert value["word count"] > 0.8 > value["speech or silence"] > 0.5


def test_regions_that_gain_survive_correction(change):
    regions = change.regions()
    assert (regions.q[:10] < 0.05).sum() >= 8 and (regions.q[10:] < 0.05).sum() <= 1
    assert ((regions.lower < regions.change) & (regions.change < regions.upper)).all()
    assert (regions.q_after[:10] < 0.05).all() and (regions.q_after[10:] < 0.05).sum() <= 1
    assert (regions.q_before[:10] < 0.05).sum() > (regions.q_before[10:] < 0.05).sum()


def test_changes_are_put_together_with_their_labels(change):
    table = concat_changes({("FR", "after"): change, ("FR", "shuffled"): change}, "regions")
    assert len(table) == 40 and set(table.condition) == {"FR", "FR, shuffled"} and set(table.language) == {"FR"}
    assert table.index.is_unique and set(table.model) == {"after", "shuffled"}


def test_the_mean_change_depends_on_how_regions_were_selected():
    rows = pd.DataFrame(
        {"language": "FR", "change": [0.03, 0.01, -0.01], "q": [0.01, 0.2, 0.01], "q_before": 1.0, "q_after": 0.01}
    )
    row = change_by_selection(rows.assign(q_after=[0.01, 0.2, 0.2])).iloc[0]
    assert (row.up, row.down) == (1, 1) and row["all"] == pytest.approx(0.01)
    assert np.isnan(row["predicted before"]) and row["predicted after"] == pytest.approx(0.03)


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
    assert table["shared - mismatched, lower"]["meaning"] > 0.1 > table["shared - mismatched, lower"]["sound"]
    assert ((table.lower < table["shared - left over"]) & (table["shared - left over"] < table.upper)).all()


def test_the_analysis_sees_a_model_that_has_understood(rng):
    drivers = {name: (rng.standard_normal((len(RUNS), 3)), RUNS) for name in ("sound", "word", "meaning", "topic")}
    ignorant = Features(rng.standard_normal((2, len(RUNS), 4)).astype(np.float32), RUNS)
    knowing = add_true_features(ignorant, SimpleNamespace(drivers=lambda language: drivers, tr=2.0), "FR")
    assert knowing.values.shape == (2, len(RUNS), 13) and knowing.values.dtype == np.float32
    np.testing.assert_array_equal(knowing.values[:, :, :4], ignorant.values)
    followed = {"meaning": slice(0, 5), "sound": slice(5, 10)}
    responses = rng.standard_normal((2, len(RUNS), 10))
    for name, place in followed.items():
        responses[:, :, place] += np.roll(drivers[name][0], 2, axis=0) @ rng.standard_normal((3, 5))
    columns = pd.DataFrame({"region": [f"r{i}" for i in range(10)], "hemisphere": "lh"})
    seen = [encode(x, responses.astype(np.float32), ["a", "b"], columns, 49) for x in (ignorant, knowing)]
    changes = Change(*seen).groups({name: np.isin(np.arange(10), np.r_[place]) for name, place in followed.items()})
    check = truth_check(changes.assign(language="FR")).set_index("group")
    assert check["as expected"].all() and check.seen["meaning"] == "gain"


def test_a_driver_that_only_the_second_model_holds_is_found_without_noise():
    rng = np.random.default_rng(0)
    before, gained = rng.standard_normal((2, 1, len(RUNS), 6)).astype(np.float32)
    after = np.concatenate([before, gained], axis=2)
    mix = rng.standard_normal((6, 3))
    drivers = {"held": before[0] @ mix, "gained": gained[0] @ mix, "neither": rng.standard_normal((len(RUNS), 2))}
    table = driver_change(Features(before, RUNS), Features(after, RUNS), {k: (v, RUNS) for k, v in drivers.items()})
    table = table.set_index("driver")
    assert table.before["held"] > 0.99 and abs(table.before["gained"]) < 0.15 and table.after["gained"] > 0.99
    assert table.lower["gained"] > 1 and table.lower["neither"] < 0 < table.upper["neither"]


def test_the_truth_check_goes_by_intervals():
    rows = [("meaning", 0.01, 0.03), ("topic", -0.01, 0.03), ("sound", -0.03, -0.01), ("none", 0.01, 0.02)]
    rows += [("word", 0.01, 0.02), ("cortex", 1, 2)]  # nothing is expected of the cortex
    table = truth_check(pd.DataFrame(rows, columns=["group", "lower", "upper"]).assign(language="FR")).set_index(
        "group"
    )
    assert table.seen.tolist() == ["gain", "no clear change", "loss", "gain", "gain"]
    assert table["as expected"].tolist() == [True, False, True, False, True]


def test_states_that_hold_the_scene_differ_from_those_that_do_not(rng):
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
