"""A study runs for another user, without a home, in an odd folder, locale and time zone. More: `environments.py`."""

from collections import Counter

import environments
import pytest


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
