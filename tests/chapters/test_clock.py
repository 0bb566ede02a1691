import numpy as np
import pandas as pd
import pytest

from brainbook.chapters.clock import clock_errors, clock_errors_by_language


class Reader:
    """Two sections of ten scans of 2 s: one word every second, and a slow start followed by a rush."""

    languages, tr = ("EN",), 2.0

    def words(self, language):
        steady, rush = np.arange(20) + 0.25, np.r_[0.5, 8.5 + np.arange(30) * 0.3]
        onsets = np.concatenate([steady, rush])
        return pd.DataFrame({"onset": onsets, "section": np.repeat([1, 2], [len(steady), len(rush)])})

    def scans(self, language):
        return {1: 10, 2: 10}


def test_errors_of_a_known_clock():
    errors = clock_errors(Reader(), (2, 4)).set_index(["section", "alignment"])
    vla, steady, slow = errors.loc[(1, "VLA")], errors.loc[(1, "FLA 2")], errors.loc[(1, "FLA 4")]
    assert (vla.unplaced, vla.far) == (0, 0) and vla.worst == pytest.approx(0.75)
    assert (steady.unplaced, steady.far) == (0, 0) and steady.end == pytest.approx(-0.25)
    # with four words a scan the last word, heard at 19.25 s, gets the fifth scan, whose middle is at 9 s
    assert slow.worst == pytest.approx(10.25) and slow.end == pytest.approx(-10.25) and slow.unplaced == 0
    rush = errors.loc[(2, "FLA 2")]
    assert rush.unplaced == pytest.approx(11 / 31)  # 20 of 31 words have a scan
    assert rush.rate == 3.1 and errors.loc[(2, "VLA")].far == 0


def test_a_language_is_counted_by_words():
    table = clock_errors_by_language(clock_errors(Reader(), (2,))).set_index("alignment")
    assert table.words["VLA"] == 51 and table.lost["VLA"] == 0
    onsets = np.r_[0.5, 8.5 + np.arange(30) * 0.3][:20]
    far = (np.abs((np.arange(20) // 2 + 0.5) * 2 - onsets) > 2).sum()
    assert table.unplaced["FLA 2"] == pytest.approx(11 / 51)
    assert table.lost["FLA 2"] == pytest.approx((11 + far) / 51) and table.far["FLA 2"] == pytest.approx(far / 40)
