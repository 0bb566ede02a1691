"""Tables of the chapter `recordings`: words, minutes, and what lags say of the clocks."""

import pandas as pd
import pytest

from brainbook.chapters import word_count
from brainbook.chapters.recordings import best_lags, quote, recorded_minutes, word_table


class TwoSections:
    tr = 2.0

    def scans(self, language):
        return {1: 3, 2: 2}

    def starts(self, language):
        return {1: 0.0, 2: 0.0}

    def words(self, language):
        return pd.DataFrame({"word": list("abacd"), "onset": [0, 1.9, 4, 0.5, 99], "section": [1, 1, 1, 2, 2]})

    def participants(self, language):
        return ["sub-EN001", "sub-EN002"]


def test_words_and_minutes_are_counted():
    prince = TwoSections()
    counts = {"EN": word_count(prince, "EN").values[0, :, 0].astype(int)}
    assert counts["EN"].tolist() == [2, 0, 1, 1, 0]  # a word after the last scan is in none
    table = word_table({"EN": prince.words("EN")}, counts).set_index("language").loc["EN"]
    assert (table["words"], table["different words"], table["most in a scan"]) == (5, 4, 2)
    assert table["words per scan"] == pytest.approx(0.8)
    assert recorded_minutes(prince, ["EN"]).iloc[0].tolist() == ["EN", 2, 2, 5, pytest.approx(1 / 6)]


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


def test_best_lags_say_whether_clocks_agree():
    table = best_lags(lags({"EN": 1, "FR": -4})).set_index("language")
    assert table.loc["EN"].tolist() == [1, 0.5, 2, 2, "agree"]
    assert table.loc["FR"].tolist() == [-4, 0.5, 2, 0, "do not agree"]
    assert set(best_lags(lags({"EN": 0, "FR": -4}, r=0.05)).clocks) == {"no lag fits"}


def test_a_quotation_says_its_language_and_escapes_what_could_be_markup():
    assert quote("CN", "从前 <b>") == '> **CN** <span lang="zh">从前 &lt;b&gt; …</span>'
    assert 'lang="en"' in quote("EN", "Once")
