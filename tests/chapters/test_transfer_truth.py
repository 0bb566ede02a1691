"""The phantom's part of chapter `transfer`: what should gain, what the states hold, and the sentences that say so."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import Features
from brainbook.chapters.transfer.encoding import Change, encode
from brainbook.chapters.transfer.truth import (
    check_told,
    driver_change,
    drivers_told,
    held_by_states,
    sound_told,
    truth_check,
    understood,
    understood_told,
)

RUNS = np.repeat(np.arange(1, 10), 60)


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
    missed = check.assign(seen="no clear change", **{"as expected": False})
    told = understood_told(missed)
    assert "0 of 1 expected gains" in told and "there may be one all the same" in told


def test_a_driver_that_only_the_second_model_holds_is_found_without_noise():
    rng = np.random.default_rng(0)
    before, gained = rng.standard_normal((2, 1, len(RUNS), 6)).astype(np.float32)
    after = np.concatenate([before, gained], axis=2)
    mix = rng.standard_normal((6, 3))
    drivers = {"held": before[0] @ mix, "gained": gained[0] @ mix, "neither": rng.standard_normal((len(RUNS), 2))}
    with pytest.warns(RuntimeWarning):  # alphas at the border: everything, or nothing, can be predicted
        table = driver_change(Features(before, RUNS), Features(after, RUNS), {k: (v, RUNS) for k, v in drivers.items()})
    table = table.set_index("driver")
    assert table.before["held"] > 0.99 and abs(table.before["gained"]) < 0.15 and table.after["gained"] > 0.99
    assert table.lower["gained"] > 1 and table.lower["neither"] < 0 < table.upper["neither"]
    told = drivers_told(table.reset_index().assign(language="FR", model="after").query("driver != 'held'"))
    assert "FR, after transfer: better predicted: gained; worse: nothing" in told


def test_the_truth_check_goes_by_intervals():
    rows = [("meaning", 0.01, 0.03), ("topic", -0.01, 0.03), ("sound", -0.03, -0.01), ("none", 0.01, 0.02)]
    rows += [("word", 0.01, 0.02), ("cortex", 1, 2)]  # nothing is expected of the cortex
    table = truth_check(pd.DataFrame(rows, columns=["group", "lower", "upper"])).set_index("group")
    assert table.seen.tolist() == ["gain", "no clear change", "loss", "gain", "gain"]
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


def planted(**seen):
    """A truth check whose groups were seen to do this: {"FR_topic": "gain", ...}, all others nothing clear."""
    ends = {"gain": (0.01, 0.03), "loss": (-0.03, -0.01), "": (-0.01, 0.02)}
    rows = [
        (language, group, sum(ends[kind]) / 2, *ends[kind])
        for language in ("FR", "CN") for group in ("sound", "word", "topic", "none")
        for kind in [seen.get(f"{language}_{group}", "")]
    ]  # fmt: skip
    return truth_check(pd.DataFrame(rows, columns=["language", "group", "change", "lower", "upper"]))


def test_the_check_in_words_says_where_the_placebo_gains():
    check = planted(FR_topic="gain", FR_word="gain", CN_sound="gain")
    told = check_told(check, planted(FR_topic="gain"))
    assert "2 of 4 expected gains show, by an interval above zero (FR word, FR topic)" in told
    assert "of the 4 groups that must not gain, 1 does (CN sound)" in told
    assert "Trained on shuffled translations, 1 of the same 8 groups gain (FR topic)" in told
    assert (
        "after transfer and not with the shuffled ones: FR word." in told and "not claimed: CN word, CN topic" in told
    )
    told = check_told(planted(FR_topic="gain"), planted(FR_topic="gain", CN_topic="gain"))
    assert "(FR topic, CN topic). No gain shows after transfer that does not" in told
    told = check_told(check, planted())
    assert "0 of the same 8 groups gain. " in told and "No gain shows" not in told
    everything = {f"{language}_{group}": "gain" for language in ("FR", "CN") for group in ("word", "topic")}
    assert "claimed" not in check_told(planted(**everything), planted())


def test_what_is_said_of_sound_follows_its_interval():
    speech = {"FR": 0.095, "CN": 0.002}
    told = sound_told(planted(FR_sound="loss"), planted(FR_sound="gain"), speech)
    assert "listeners of FR lose (-0.0200, -0.0300 to -0.0100; after shuffled translations +0.0200; one bit" in told
    assert "one bit, speech or silence, reaches r = 0.095" in told
    assert "listeners of CN change by no more than their interval" in told and "r = 0.002" in told
    assert "listeners of FR gain" in sound_told(planted(FR_sound="gain"), planted(), speech)
    assert "lose" not in sound_told(planted(), planted(), speech)


def test_what_the_states_predict_in_words_follows_the_table():
    models, drivers = ["after", "after", "shuffled"], ["topic", "sound", "topic"]
    held = pd.DataFrame({"language": "FR", "model": models, "driver": drivers})
    held = held.assign(lower=[0.1, -0.3, -0.1], upper=[0.2, -0.1, 0.1])
    told = drivers_told(held)
    assert "- FR, after transfer: better predicted: topic; worse: sound" in told
    assert "- FR, after shuffled translations: better predicted: nothing; worse: nothing" in told
    assert "better predicted: nothing; worse: topic, sound" in drivers_told(held.assign(lower=-0.3, upper=-0.1))
