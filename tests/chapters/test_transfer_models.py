"""The page that gathers a study's transfers: each setting once, and counts of planted numbers."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters.transfer_models import (
    best_of_many,
    brain_against_controls,
    change_by_model,
    count_gains,
    gather_transfers,
    percent_by_model,
)
from brainbook.errors import ConfigurationError
from brainbook.language_models.sentence_matching.evaluation import interval
from brainbook.workflow import start_run


def planted_run(
    root,
    name,
    model,
    loss="published",
    second=("FR",),
    seed=0,
    correct=520,
    gain=0.01,
    chapters=("transfer", "transfer_to_brains"),
):
    """Write what a run of each of the two chapters leaves: its tables."""
    given = {"model": model, "second": list(second), "loss": loss}
    run = start_run(chapters[0], results=root / "demo" / name, seed=seed, parameters=given)
    rows = [
        {"classifier": classifier, "language": language, "mismatch": kind, **interval(right, 1000)}
        for language in second for kind in ("random", "length")
        for classifier, right in (("length only", 800), ("transfer, head", correct))
    ]  # fmt: skip
    run.save(pd.DataFrame(rows), "accuracy")
    run = start_run(chapters[1], results=root / "demo/brains" / name, seed=seed, parameters=given)
    ends = {"before": 0.1, "after": 0.1 + gain, "change": gain, "lower": gain - 0.005, "upper": gain + 0.005}
    groups = [
        {"group": group, **ends, "percent": 1000 * gain, "p_runs": 0.1, "p_permutation": 0.1, "language": language,
         "model": trained_on}
        for language in (*second, "EN") for group in ("cortex", "visual") for trained_on in ("after", "shuffled")
    ]  # fmt: skip
    run.save(pd.DataFrame(groups), "change_by_group")
    participants = [
        {"participant": f"{row['language']}{person}", "group": row["group"], "value": gain + 0.001 * person,
         "condition": row["language"], "model": row["model"], "language": row["language"]}
        for row in groups for person in range(3)
    ]  # fmt: skip
    run.save(pd.DataFrame(participants), "change_by_participant")


@pytest.fixture
def study(tmp_path):
    planted_run(tmp_path, "transfer", "tiny-causal-joint", "ours", ("FR", "CN"), correct=700)
    planted_run(tmp_path, "apart/brainlm-0", "tiny-brainlm-2", seed=0, correct=510, gain=0.02)
    planted_run(tmp_path, "apart/brainlm-1", "tiny-brainlm-2", seed=1, correct=530, gain=0.04)
    planted_run(tmp_path, "apart/bert", "tiny-bert", correct=505, gain=0.01)
    planted_run(tmp_path, "other", "tiny-bert", correct=900, chapters=("alignment", "alignment"))
    return tmp_path


def test_every_transfer_of_a_study_is_gathered_by_what_differs(study):
    transfers = gather_transfers("demo", study)
    assert transfers.brains == ["tiny-brainlm-2"]
    assert set(transfers.accuracy.model) == {"tiny-causal-joint", "tiny-brainlm-2", "tiny-bert"}
    assert set(transfers.accuracy.correct) == {700, 510, 530, 505}  # the head's alone, and of this chapter's runs
    assert set(zip(transfers.accuracy.model, transfers.accuracy.trained, transfers.accuracy.seed, strict=True)) == {
        ("tiny-causal-joint", "FR+CN", 0), ("tiny-brainlm-2", "FR", 0), ("tiny-brainlm-2", "FR", 1),
        ("tiny-bert", "FR", 0),
    }  # fmt: skip
    assert set(transfers.changes.trained_on) == {"translations", "shuffled"}
    drawn = percent_by_model(transfers.accuracy)
    assert set(drawn.condition) == {"ours", "published, apart"}
    assert set(drawn.panel) == {"English and FR", "English and CN"} and drawn.value.between(50, 70).all()
    changed = change_by_model(transfers.changes)
    assert set(changed.condition) == {"ours", "published, apart", "shuffled translations"}
    assert len(changed) == 2 * (3 + 2 + 2 + 2)  # the cortex alone


def test_a_setting_twice_counts_once_and_never_with_other_numbers(study):
    before = len(gather_transfers("demo", study).accuracy)
    planted_run(study, "again", "tiny-bert", correct=505, gain=0.01)
    assert len(gather_transfers("demo", study).accuracy) == before
    planted_run(study, "again", "tiny-bert", correct=505, gain=0.01 + 1e-6)  # another device
    assert len(gather_transfers("demo", study).changes) == 2 * 2 * 9
    planted_run(study, "again", "tiny-bert", correct=507, gain=0.01)
    with pytest.raises(ConfigurationError, match="model tiny-bert, loss published, trained FR, seed 0"):
        gather_transfers("demo", study)
    with pytest.raises(ConfigurationError, match="give its name"):
        gather_transfers("", study)


def test_tables_of_other_chapters_are_no_transfers(tmp_path):
    planted_run(tmp_path, "other", "tiny-bert", chapters=("alignment", "alignment"))
    with pytest.raises(ConfigurationError, match="no transfer run of study 'demo' has the table 'accuracy'"):
        gather_transfers("demo", tmp_path)


def test_the_best_accuracy_is_corrected_for_being_the_best():
    rows = pd.DataFrame([
        {"model": f"m{i}", "loss": loss, "trained": "FR", "seed": 0, "language": "FR", "mismatch": kind,
         **interval(n, 2000)}
        for kind in ("random", "length")
        for i, (loss, n) in enumerate([("published", 1050), ("published", 1000), ("printed", 1005), ("printed", 990)])
    ])  # fmt: skip
    best = best_of_many(rows).iloc[0]
    p = interval(1050, 2000)["p"]
    assert p < 0.05 < 4 * p == pytest.approx(best.p_corrected)  # alone it would count
    assert (best.model, best.accuracy, best.tried, best.above_chance) == ("m0", 0.525, 4, False)
    assert best_of_many(rows.assign(**interval(1300, 2000))).above_chance.all()
    assert not best_of_many(rows.assign(**interval(700, 2000))).above_chance.any()  # worse than guessing


def test_gains_are_counted_by_their_intervals(study):
    changes = gather_transfers("demo", study).changes
    counts = count_gains(changes).set_index("trained_on")
    assert counts.loc["translations"].tolist() == [9, 9, 0]
    placebo = changes.trained_on == "shuffled"
    mixed = changes.assign(lower=np.where(placebo, -0.03, changes.lower), upper=np.where(placebo, -0.01, changes.upper))
    assert count_gains(mixed).set_index("trained_on").loc["shuffled"].tolist() == [9, 0, 9]


def test_a_brain_is_compared_within_the_same_participants(study):
    transfers = gather_transfers("demo", study)
    participants = transfers.participants.copy()
    participants["value"] += 0.001 * np.random.default_rng(0).standard_normal(len(participants))
    table = brain_against_controls(participants, transfers.brains)
    assert set(table.control) == {"tiny-bert"}  # the causal model had another loss and other pairs
    assert set(table.language) == {"FR", "EN"} and (table.n == 3).all()
    np.testing.assert_allclose(table.difference, 0.03 - 0.01, atol=0.003)
    assert (table.lower > 0).all()
    alone = participants[participants.model != "tiny-bert"]
    assert brain_against_controls(alone, transfers.brains).empty
