"""What the chapter shows of long studies, from numbers that are planted."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import number_sense
from brainbook.chapters.number_sense import STUDIES, chapter_tables, ends_of_training, tables
from brainbook.chapters.number_sense_controls import compare_studies
from brainbook.number_sense import Training
from brainbook.number_sense.claims import VALUES, criteria
from brainbook.workflow import archive_table
from brainbook.workflow.archive import CONSULTED


@pytest.fixture
def made() -> dict[str, pd.DataFrame]:
    """Tables as `run_study` returns them: three seeds that do all that the criteria ask for, 200 looks at each."""
    own = criteria()[list(VALUES)]
    rows = pd.concat([own.assign(seed=seed, value=0.9 + 0.01 * seed) for seed in range(3)], ignore_index=True)
    rows = rows.drop_duplicates([*VALUES, "seed"]).assign(chance=1 / 9, ceiling=1.0, p=0.001)
    about = {"design": "published", "arm": "multimodal", "source": "both"}
    looks = [(seed, 10 * step, -100.0 / step + seed, step) for seed in range(3) for step in range(1, 201)]
    learning = pd.DataFrame(looks, columns=["seed", "step", "validation", "seconds"]).assign(**about)
    pairs = [(seed, n, r, 0.8 * (n == r) + 0.1 * seed) for seed in (0, 1) for n in (1, 2) for r in (1, 2)]
    confusion = pd.DataFrame(pairs, columns=["seed", "number", "read", "share"])
    confusion = confusion.assign(design="published", arm="multimodal", source="oscn", target="cmnist")
    line = pd.DataFrame({"seed": [0, 0, 1, 1], "number": [1, 2, 1, 2], "mean": [1.0, 2, 3, 4], "sd": 1.0})
    return {"evaluation": rows, "confusion": confusion, "number_line": line.assign(**about), "learning": learning}


def test_tables_are_means_over_seeds_with_the_ends_of_every_curve(made):
    found = tables(**made)
    assert set(found) == set(number_sense.TABLES)
    np.testing.assert_allclose(found["confusion"].share, [0.85, 0.05, 0.05, 0.85])
    np.testing.assert_allclose(found["number_line"]["mean"], [2.0, 3.0])
    curves = found["learning"].groupby("seed")
    assert (curves.size() <= number_sense.N_POINTS + 1).all()
    assert (curves.step.max() == 2000).all()
    assert (found["scores"].seeds == 3).all()


def test_a_page_with_one_seed_shows_the_archive_and_one_with_several_its_own(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no verdict" in number_sense.origin_of_verdicts()
    assert chapter_tables(made, 1)[1]  # nothing is archived yet
    assert list(compare_studies()[0]) == ["claim"]
    for name, table in tables(**made).items():
        archive_table("digits", name, table.head(2), "make", commit_of="abc", minutes=1)
    shown, own = chapter_tables(made, 1)
    assert not own
    assert len(shown["scores"]) == 2
    assert list(compare_studies()[0]) == ["claim", "digits"]
    assert "took 1 minutes" in number_sense.origin_of_verdicts()
    shown, own = chapter_tables(made, 3)
    assert own
    assert len(shown["scores"]) > 2


def test_how_training_ended(made):
    """The bound is -100 / look + seed: it gains little late, and a second round one nat more."""
    rule = Training(steps=3000, decay=0.25, patience=3)
    learning = made["learning"]
    row = ends_of_training(learning, rule, learning.assign(validation=learning.validation + 1.0)).iloc[0]
    assert (row.steps, row.stopped_by) == (2000, "rule")
    assert row.bound == pytest.approx(-100 / 200 + 1)
    assert row.gain == pytest.approx(100 / 106 - 100 / 160)  # looks at 1,060 and at 1,600 steps of 2,000
    assert row.share_of_rise == pytest.approx(row.gain / (100 - 100 / 160))
    assert row.gain_of_twice == pytest.approx(1.0)
    limited = ends_of_training(learning, rule.replace(steps=1600))
    assert limited.stopped_by.tolist() == ["limit"]
    assert ends_of_training(learning, rule.replace(patience=None)).stopped_by.tolist() == ["plan"]
    assert "gain_of_twice" not in limited
    assert (
        ends_of_training(learning[learning.step == 10], rule.replace(patience=None)).gain.item() == 0
    )  # a rehearsal has one look


def test_studies_side_by_side(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = tables(**made)
    there = {preset: name for preset, name in STUDIES.items() if preset != "digits_cnn"}  # which nobody ran
    for k, preset in enumerate(there):
        claims = found["claims"].assign(verdict="holds" if k else "does not show here")
        archive_table(preset, "claims", claims.iloc[k % 2 :], "make", commit_of="abc")
        archive_table(preset, "learning", found["learning"], "make", commit_of="abc", minutes=7)
    verdicts, settings = compare_studies()
    assert list(verdicts) == ["claim", *there.values()]
    assert (verdicts["digits"] == "does not show here").all()
    assert (verdicts["MNIST"][verdicts["MNIST"] != "not run"] == "holds").all()
    assert (verdicts == "not run").to_numpy().sum() == len(there) // 2  # the first claim, in every second study
    assert settings.seeds.tolist() == [number_sense.make_study(preset).seeds for preset in there]
    assert set(settings.minutes) == {7}
    assert settings.steps.eq(2000).all()
    assert CONSULTED["digits_cnn", "claims", True] == "none"  # so the page is made anew when it is there


def test_every_archived_study_is_a_preset():
    for preset in STUDIES:
        study = number_sense.make_study(preset)
        assert study.training.patience  # one rule ends the training of all of them
    assert number_sense.make_study("digits_longer").training.rounds == 2
