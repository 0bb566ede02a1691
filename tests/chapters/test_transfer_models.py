"""The page that gathers a study's transfers: each setting once, and sentences that follow planted numbers."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters.transfer_models import (
    accuracies_told,
    accuracy_wide,
    brain_against_controls,
    brains_told,
    change_by_model,
    gains_told,
    gather_transfers,
    percent_by_model,
)
from brainbook.errors import ConfigurationError
from brainbook.language_models.sentence_matching.evaluation import interval
from brainbook.workflow import start_run


def planted_run(
    root, name, model, loss="published", second=("FR",), seed=0, correct=520, gain=0.01, chapter="transfer"
):
    """What a run of the chapter leaves: its three tables."""
    given = {"model": model, "second": list(second), "loss": loss}
    run = start_run(chapter, results=root / "demo" / name, seed=seed, parameters=given)
    rows = [
        {"classifier": classifier, "language": language, "mismatch": kind, **interval(right, 1000)}
        for language in second for kind in ("random", "length")
        for classifier, right in (("length only", 800), ("transfer, head", correct))
    ]  # fmt: skip
    run.save(pd.DataFrame(rows), "accuracy")
    ends = {"before": 0.1, "after": 0.1 + gain, "change": gain, "lower": gain - 0.005, "upper": gain + 0.005}
    groups = [
        {"group": group, **ends, "percent": 1000 * gain, "p_runs": 0.1, "p_permutation": 0.1, "language": language,
         "model": trained_on}
        for language in (*second, "EN") for group in ("cortex", "visual") for trained_on in ("after", "shuffled")
    ]  # fmt: skip
    run.save(pd.DataFrame(groups), "change_by_group")
    people = [
        {"participant": f"{row['language']}{person}", "group": row["group"], "value": gain + 0.001 * person,
         "condition": row["language"], "model": row["model"], "language": row["language"]}
        for row in groups for person in range(3)
    ]  # fmt: skip
    run.save(pd.DataFrame(people), "change_by_participant")


@pytest.fixture
def study(tmp_path):
    planted_run(tmp_path, "transfer", "tiny-causal-joint", "ours", ("FR", "CN"), correct=700)
    planted_run(tmp_path, "apart/brainlm-0", "tiny-brainlm-2", seed=0, correct=510, gain=0.02)
    planted_run(tmp_path, "apart/brainlm-1", "tiny-brainlm-2", seed=1, correct=530, gain=0.04)
    planted_run(tmp_path, "apart/bert", "tiny-bert", correct=505, gain=0.01)
    planted_run(tmp_path, "other", "tiny-bert", correct=900, chapter="alignment")
    return tmp_path


def test_every_transfer_of_a_study_is_gathered_by_what_differs(study):
    found = gather_transfers("demo", study)
    assert found.brains == ["tiny-brainlm-2"]
    assert set(found.accuracy.model) == {"tiny-causal-joint", "tiny-brainlm-2", "tiny-bert"}
    assert set(found.accuracy.correct) == {700, 510, 530, 505}  # the head's alone, and of this chapter's runs
    assert set(zip(found.accuracy.model, found.accuracy.trained, found.accuracy.seed, strict=True)) == {
        ("tiny-causal-joint", "FR+CN", 0), ("tiny-brainlm-2", "FR", 0), ("tiny-brainlm-2", "FR", 1),
        ("tiny-bert", "FR", 0),
    }  # fmt: skip
    assert set(found.changes.trained_on) == {"translations", "shuffled"}
    wide = accuracy_wide(found.accuracy)
    assert wide["published", "FR"]["tiny-brainlm-2", "FR"] == pytest.approx(52)  # the mean of two seeds
    assert wide["ours", "CN"]["tiny-causal-joint", "FR+CN"] == pytest.approx(70)
    drawn = percent_by_model(found.accuracy)
    assert set(drawn.condition) == {"ours", "published, apart"}
    assert set(drawn.panel) == {"English and FR", "English and CN"} and drawn.value.between(50, 70).all()
    changed = change_by_model(found.changes)
    assert set(changed.condition) == {"ours", "published, apart", "shuffled translations"}
    assert len(changed) == 2 * (3 + 2 + 2 + 2)  # the cortex alone


def test_a_setting_twice_counts_once_and_never_with_other_numbers(study):
    before = len(gather_transfers("demo", study).accuracy)
    planted_run(study, "again", "tiny-bert", correct=505, gain=0.01)
    assert len(gather_transfers("demo", study).accuracy) == before
    planted_run(study, "again", "tiny-bert", correct=505, gain=0.01 + 1e-6)  # another device
    assert len(gather_transfers("demo", study).changes) == 2 * 2 * 9
    planted_run(study, "again", "tiny-bert", correct=507, gain=0.01)
    with pytest.raises(
        ConfigurationError, match="model tiny-bert, loss published, trained FR, seed 0 and other numbers"
    ):
        gather_transfers("demo", study)
    with pytest.raises(ConfigurationError, match="give its name"):
        gather_transfers("", study)


def test_tables_of_other_chapters_are_no_transfers(tmp_path):
    planted_run(tmp_path, "other", "tiny-bert", chapter="alignment")
    with pytest.raises(ConfigurationError, match="no transfer run of study 'demo' has the table 'accuracy'"):
        gather_transfers("demo", tmp_path)


def test_the_best_accuracy_is_corrected_for_being_the_best():
    rows = pd.DataFrame([
        {"model": f"m{i}", "loss": loss, "trained": "FR", "seed": 0, "language": "FR", "mismatch": kind,
         **interval(n, 2000)}
        for kind in ("random", "length")
        for i, (loss, n) in enumerate([("published", 1050), ("published", 1000), ("printed", 1005), ("printed", 990)])
    ])  # fmt: skip
    told = accuracies_told(rows, 51.75)
    p = interval(1050, 2000)["p"]
    assert p < 0.05 < 4 * p  # alone it would count
    assert "best of 4 is m0 (EN-FR, loss: published, asked about FR) with 52.5% (50.3 to 54.7, 2,000 pairs)" in told
    assert f"not to be distinguished from chance (p = {4 * p:.2g} after multiplication by 4)" in told
    assert "published 51.2%; printed 49.9%" in told
    assert "The published 51.75% lies within the interval of 3 of 4" in told
    high = rows.assign(**interval(1300, 2000), trained="FR+CN")
    told = accuracies_told(high, 51.75)
    assert "EN-FR and EN-CN" in told and "above chance" in told and "within the interval of 0 of 4" in told
    low = rows.assign(**interval(700, 2000))
    assert "above chance" not in accuracies_told(low, 51.75)  # worse than guessing is no success


def test_gains_in_words_follow_their_intervals(study):
    changes = gather_transfers("demo", study).changes
    told = gains_told(changes, 3, 15)
    assert "**true translations**, 9 of 9 gain beyond their interval, 0 lose" in told
    assert "from +10 to +40; 5 of 9 lie in the published 3 to 15%" in told
    placebo = changes.trained_on == "shuffled"
    mixed = changes.assign(lower=np.where(placebo, -0.03, changes.lower), upper=np.where(placebo, -0.01, changes.upper))
    assert "**shuffled translations**, 0 of 9 gain beyond their interval, 9 lose" in gains_told(mixed, 3, 15)
    one = changes[(changes.model == "tiny-bert") & (changes.language == "EN")]
    assert "1 of 1 gain beyond their interval (tiny-bert with EN listeners (published)), 0 lose" in gains_told(
        one, 3, 15
    )
    assert "per cent" not in gains_told(changes.assign(percent=np.nan), 3, 15)


def test_a_brain_is_compared_within_the_same_participants(study):
    found = gather_transfers("demo", study)
    people = found.participants.copy()
    people["value"] += 0.001 * np.random.default_rng(0).standard_normal(len(people))
    table = brain_against_controls(people, found.brains)
    assert set(table.control) == {"tiny-bert"}  # the causal model had another loss and other pairs
    assert set(table.language) == {"FR", "EN"} and (table.n == 3).all()
    np.testing.assert_allclose(table.difference, 0.03 - 0.01, atol=0.003)
    assert (table.lower > 0).all()
    assert "gains more in 2 and less in 0" in brains_told(table) and "gains more is more than luck" in brains_told(
        table
    )
    assert "gains less is more than luck" in brains_told(table.assign(lower=-0.3, upper=-0.1))
    none = brain_against_controls(people[people.model != "tiny-bert"], found.brains)
    assert none.empty and "No model that has read brains and no control" in brains_told(none)
    luck = pd.concat([table, table]).assign(lower=[-0.01, 0.001, -0.01, -0.01])
    assert "gains more in 1 and less in 0" in brains_told(luck) and "No difference between the two" in brains_told(luck)
