"""Planted numbers: every sentence of the chapter `pitfalls` changes when the numbers would make another one true."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import pitfalls_text as text
from brainbook.chapters.pitfalls.protocols import CHOICES


def scores(**changed):
    """Mean r by choice: .01 for all, but for those that are named (the module's names, in lower case)."""
    r = pd.Series(0.01, index=list(CHOICES))
    for name, value in changed.items():
        r["careful" if name == "careful" else getattr(text, name.upper())] = value
    return r


def verdict(**lower):
    table = pd.DataFrame({"choice": list(CHOICES), "moves": 0.1, "lower": -0.1, "upper": 0.3})
    for name, value in lower.items():
        table.loc[table.choice == getattr(text, name.upper()), ["moves", "lower"]] = value, value
    return table


def test_the_names_of_choices_are_those_of_the_table():
    names = (text.ECHOES, text.PUBLISHED, text.ONE_FIFTH, text.FIVE_FOLDS, text.SHUFFLED, text.UNFILTERED)
    assert {*names, text.ON_TEST, text.INSIDE, text.CIRCULAR, text.SINGLE} < set(CHOICES)


def test_leaks_are_explained_only_where_they_show():
    leaking = text.describe_leaks(scores(), verdict(unfiltered=0.2, on_test=0.2, inside=0.0), 5)
    assert "share slow noise" in leaking and "too good" in leaking and "adds **+0.100 (-0.100 to +0.300)**" in leaking
    quiet = text.describe_leaks(scores(), verdict(), 5)
    assert "no more than chance" in quiet and "no difference that shows" in quiet
    alone = verdict()
    alone = alone[~alone.choice.isin([text.ECHOES, text.PUBLISHED, text.ONE_FIFTH, text.FIVE_FOLDS])]
    assert "cannot be made here" in text.describe_leaks(scores(), alone, 5)


@pytest.mark.parametrize(
    ("circular", "single", "expected"),
    [(0.1, 0.1, "neither costs"), (0.0, 0.1, "only this costs power: circular"), (0.0, 0.0, "both cost power")],
)
def test_costs_are_those_beyond_chance(circular, single, expected):
    best = scores(careful=0.11, circular=circular, single=single)
    assert expected in text.describe_costs(scores(), best, 0.02)
    assert "true features 0.110" in text.describe_costs(scores(), best, 0.02)
    assert "true features" not in text.describe_costs(best, best, 0.02)  # real recordings


def test_a_leak_hides_a_signal_or_does_not():
    nothing = scores(published=0.4, careful=0.0)
    assert "hides the signal" in text.describe_drowning(scores(published=0.38, careful=0.03), nothing)
    assert "still shows" in text.describe_drowning(scores(published=0.9, careful=0.3), nothing)
    assert "could be hidden" in text.describe_drowning(scores(published=0.38, careful=-0.01), nothing)
    assert "does not measure" in text.describe_drowning(scores(published=0.1, careful=0.3), nothing)
    assert text.describe_drowning(scores(), scores().drop(text.PUBLISHED)) == ""


def test_one_fifth_and_five_folds_are_compared():
    assert "change little" in text.describe_folds(scores(one_fifth=0.20, five_folds=0.201))
    assert "the two differ" in text.describe_folds(scores(one_fifth=0.20, five_folds=0.10))
    assert text.describe_folds(scores().drop(text.ONE_FIFTH)) == ""


def test_a_leak_raises_all_vertices_or_some():
    some = pd.Series(np.linspace(-0.1, 0.1, 11))
    assert "any vertex" in text.describe_scatter(some, some + 1)
    assert "spares some" in text.describe_scatter(some, some)


def levels(scans, null, echoes=0.05):
    table = pd.DataFrame({"choice": list(CHOICES), "share_p_scans": scans, "share_p_null": null})
    table.loc[table.choice == text.ECHOES, ["share_p_scans", "share_p_null"]] = 1.0, echoes
    table.loc[table.choice == text.PUBLISHED, ["share_p_scans", "share_p_null"]] = 1.0, echoes
    return table


def test_levels_of_choices():
    right = text.describe_levels(levels(0.3, 0.05))
    assert "not independent" in right and "may be right" in right and "under 15 of 15" in right
    assert "no remedy" in text.describe_levels(levels(0.3, 0.05, echoes=0.6))
    wrong = text.describe_levels(levels(0.05, 0.3))
    assert "not independent" not in wrong and "under 2 of 15" in wrong


def test_tests_are_sorted_by_their_level():
    level = pd.Series({"refitted permutations": 0.05, "Pearson's p, n = scans": 0.2, "Pearson's p, n = vertices": 0.4})
    said = text.describe_tests(level)
    assert "Near it or below: refitted permutations 5%." in said and "wrong *n*" in said
    said = text.describe_tests(1 - level)
    assert "Near it or below: none of them" in said and "no more than with scans" in said


def test_calibration_and_coverage_name_what_fails():
    names = ("alpha fixed beforehand", "own alpha a target (median of its folds)", "best of five alphas (best_of=True)")
    names = [*(f"refitted, {name}" for name in names), "corrected t-test over runs"]
    table = pd.DataFrame({"test": names, "called": [0.05, 0.09, 0.05, 0.04], "standard_error": 0.01})
    assert f"are called by: {names[1]} (9.0%)." in text.describe_calibration(table)
    assert "are called by: none of them" in text.describe_calibration(table.assign(called=0.05))
    worst = pd.DataFrame({"what": ["score"], "interval": ["plain t"], "coverage": [0.9], "standard_error": [0.01]})
    several = pd.DataFrame({"participants": [3, 8], "coverage": [0.95, 0.94]})
    assert "plain t for the score (90.0%)" in text.describe_coverage(worst, several)
    assert "more: none of them" in text.describe_coverage(worst.assign(coverage=0.95), several)


def edges(bit, model=0.1, careful=0.02, elsewhere=0.0, null=0.0):
    rows = [("model", coding, trim, "sound", model if coding == "zeros" and not trim else careful)
            for coding in ("zeros", "centred") for trim in (0, 4, 8)]  # fmt: skip
    rows += [("model", coding, trim, "word", 0.05 + (elsewhere if coding == "centred" else 0))
             for coding in ("zeros", "centred") for trim in (0, 4, 8)]  # fmt: skip
    rows += [("word count", "centred", trim, "sound", 0.07) for trim in (0, 4, 8)]
    rows += [(text.BIT, "zeros", trim, "sound", value) for trim, value in zip((0, 4, 8), bit, strict=True)]
    rows += [(text.BIT, "zeros", trim, "word", 0.0) for trim in (0, 4, 8)]
    rows += [("model", "zeros", 0, "null phantom", null)]
    return pd.DataFrame(rows, columns=["features", "coding", "trim", "group", "r"])


def test_edges_are_read_from_the_table():
    said = text.describe_edges(edges((0.14, np.nan, np.nan)), 8, "null phantom")
    assert "scores 0.100 in sound" in said and "no sign of language" in said and "model scores 0.020" in said
    assert "From 4 trimmed scans on" in said and "safe side" in said and "no null finds this" in said
    assert "a good part" in text.describe_edges(edges((0.05, 0.0, 0.0)), 8, "null phantom")
    assert "little of the model's" in text.describe_edges(edges((0.012, 0.0, 0.0)), 8, "null phantom")
    assert "inside the sections" in text.describe_edges(edges((0.14, 0.1, 0.1)), 8, "null phantom")
    assert "do no harm" in text.describe_edges(edges((0.0, 0.0, 0.0)), 8, "null phantom")
    assert "make little here" in text.describe_edges(edges((0.14, 0, 0), careful=0.09), 8, "null phantom")
    assert "too small to compare" in text.describe_edges(edges((0.14, 0, 0), model=0.01), 8, "null phantom")
    assert "too few here" in text.describe_edges(edges((0.14, 0.1, 0.0)), 4, "null phantom")
    assert "by -0.040 at most (word)" in text.describe_edges(edges((0.14, 0, 0), elsewhere=-0.04), 8, "null phantom")
    assert "a null shows this" in text.describe_edges(edges((0.14, 0.0, 0.0), null=0.09), 8, "null phantom")


def test_groups_are_judged_by_the_one_that_follows_nothing():
    table = pd.DataFrame({"sound": [0.06, 0.4], "none": [0.0, 0.3]}, index=["careful", text.PUBLISHED])
    assert "all of them language regions" in text.describe_groups(table, "none")
    table.loc[text.PUBLISHED, "none"] = 0.1
    assert "stand apart" in text.describe_groups(table, "none")
    real = table.rename(columns={"none": "visual"}, index={text.PUBLISHED: text.UNFILTERED})
    said = text.describe_groups(real, None)
    assert "range from 0.000 to 0.060" in said and text.UNFILTERED in said


def test_verdicts_and_alice():
    table = pd.DataFrame({"choice": ["a", "b"], "verdict": ["harms", "does nothing"]})
    said = text.describe_verdict(table)
    assert "of nothing: a." in said and "explains: none of them." in said and "seen here: b." in said
    said = text.describe_alice(scores(careful=0.05, unfiltered=0.3, circular=0.0))
    assert f"as well ({text.UNFILTERED})" in said and "mostly miss" in said
    said = text.describe_alice(scores(careful=0.5, circular=0.4))
    assert "as well" not in said and "mostly miss" not in said


def test_echoes_share_most_or_part():
    assert ": most of what" in text.describe_shared(0.8) and ": part of what" in text.describe_shared(0.2)
