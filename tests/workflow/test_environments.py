"""A study runs for another user, without a home, in an odd folder, locale and time zone. More: `environments.py`."""

from collections import Counter

import environments
import pytest

from brainbook.workflow import archived_table

pytestmark = pytest.mark.integration


def test_a_study_runs_where_all_is_odd():
    if reason := environments.lacking():
        pytest.skip(reason)
    with environments.open_folder() as place:
        assert not environments.fault(place, environments.ODD)


def test_combinations_are_drawn_evenly_and_once():
    drawn = environments.draw(24, seed=0)
    assert len(set(drawn)) == 24 and drawn[0] == environments.ODD
    for place, values in enumerate(environments.AXES.values()):
        counts = Counter(case[place] for case in drawn)
        assert set(counts) == set(values) and max(counts.values()) - min(counts.values()) <= 3
    assert len(environments.draw(1000, seed=1)) == 72


def test_the_archived_table_says_what_the_page_says():
    rows = archived_table("promises", "environments").rows
    assert rows["tried"].min() >= 1 and rows["failed"].sum() == 0
