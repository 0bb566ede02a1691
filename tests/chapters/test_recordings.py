"""Sentences of the chapter on recordings: planted numbers that make another sentence true change it."""

import ast
import builtins
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters.recordings import (
    describe_agreement,
    describe_ceilings,
    describe_lags,
    highest_r,
    word_table,
    words_in_scans,
)
from brainbook.workflow.notebooks import chapter_notebook

CHAPTER = Path(__file__).parents[2] / "notebooks" / "recordings.md"


@pytest.mark.parametrize("kind", ["phantom", "real"])
def test_the_page_defines_what_it_uses_with_and_without_a_truth(tmp_path, kind):
    if kind == "phantom":
        (tmp_path / "truth").mkdir()
    notebook = chapter_notebook(CHAPTER, tmp_path)
    known = {*dir(builtins), "display"}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        tree = ast.parse(cell.source)
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        known |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        known |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                known |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        assert {node.id for node in names} <= known, cell.source
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert ("The phantom's" in prose and "runs on a phantom" in prose) is (kind == "phantom")
    assert ("made from real recordings" in prose) is (kind == "real")
    assert any("truth" in cell.source for cell in notebook.cells if cell.cell_type == "code") is (kind == "phantom")


class TwoSections:
    tr = 2.0

    def scans(self, language):
        return {1: 3, 2: 2}


def test_words_in_scans():
    words = {"EN": pd.DataFrame({"word": list("abacd"), "onset": [0, 1.9, 4, 0.5, 99], "section": [1, 1, 1, 2, 2]})}
    counts = words_in_scans(TwoSections(), words)
    assert counts["EN"].tolist() == [2, 0, 1, 1, 0]  # a word after the last scan is in none
    table = word_table(words, counts).loc["EN"]
    assert (table["words"], table["different words"], table["most in a scan"]) == (5, 4, 2)
    assert table["words per scan"] == pytest.approx(0.8)


def test_agreement_inside_a_section_and_at_its_edges(rng):
    noise, common = rng.normal(size=(2, 200))
    text = describe_agreement(common + 0.5 * noise, common)
    assert "tends to sink with it" in text and "r = 0.9" in text
    assert "does not visibly follow" in describe_agreement(noise, common)
    assert "does not visibly follow" in describe_agreement(np.full(200, np.nan), common)
    noise[[0, 1, -1, -2]] = common[[0, 1, -1, -2]] = 30  # all that they share are the edges
    text = describe_agreement(noise, common)
    assert "whole section the two curves correlate at r = 0.9" in text and "does not visibly follow" in text


def lags(best, r=0.5, participants=2):
    """Every participant of EN and FR has the highest value, `r`, at lag best[language]."""
    rows = [
        (language, f"sub-{language}{number}", run, lag, r if lag == peak else 0.0)
        for language, peak in best.items()
        for number in range(participants)
        for run in (1, 2)
        for lag in range(-6, 7)
    ]
    return pd.DataFrame(rows, columns=["language", "participant", "run", "lag", "value"])


def test_lags():
    text = describe_lags(lags({"EN": 0, "FR": 1}))
    assert "EN +0 scans (r = 0.50), FR +1 scans" in text and "begin together: nothing more is to be dropped" in text
    assert "Of 4 participants 4 have theirs within 1 scan of zero" in text
    text = describe_lags(lags({"EN": 0, "FR": -4}))
    assert "In FR recordings and words do not begin together" in text and "nothing more" not in text
    assert "Of 4 participants 2" in text
    text = describe_lags(lags({"EN": 0, "FR": -4}, r=0.05))
    assert "In EN, FR no lag fits" in text and "begin together" not in text


def test_highest_r_is_reached_by_the_story_itself(rng):
    """What a group has in common correlates with the mean of all as the formula says, from halves that agree at R."""
    n, share = 20, 0.1
    common = rng.normal(size=200_000)
    people = np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=(n, common.size))
    agreement = np.corrcoef(people[: n // 2].mean(axis=0), people[n // 2 :].mean(axis=0))[0, 1]
    assert highest_r(agreement) == pytest.approx(np.corrcoef(common, people.mean(axis=0))[0, 1], abs=0.01)
    assert highest_r(np.array([-0.1, 0, 1])).tolist() == [0, 0, 1]


def test_ceilings():
    pair = pd.DataFrame(
        {"driver": ["word", "none"], "published": [0.6, 0.1], "group": [0.87, 0.4], "ceiling": [0.2, 0]}
    )
    text = describe_ceilings(pair, "EN")
    assert "agree at R = 0.60" in text and "r = 0.87 with" in text and "only 0.20 with" in text
    assert "Nothing drives" in describe_ceilings(pair.assign(driver="none"), "EN")
