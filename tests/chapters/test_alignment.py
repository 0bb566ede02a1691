"""Scores against the scans left out at the edges, and sentences that follow the numbers they are given."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import Features
from brainbook.chapters.alignment import scores_by_trim
from brainbook.chapters.alignment_text import describe_controls, describe_drivers, describe_trim
from brainbook.encoding import cross_validate


def test_scores_by_trim_are_those_of_cross_validation(rng):
    runs = np.repeat([1, 2, 3], 50)
    wide = Features([rng.standard_normal((150, 2)), rng.standard_normal((150, 3))], runs)
    layers = Features(rng.standard_normal((2, 150, 4)), runs)
    responses = rng.standard_normal((2, 150, 5))
    members = {"all": np.ones(5, bool), "two": np.arange(5) < 2}
    table = scores_by_trim({"wide": wide, "layers": layers}, responses, members, trim=6, trims=(0,))
    for name, values in {"wide": np.hstack(wide.values), "layers": layers.values[1]}.items():
        for trim in (0, 6):
            scores = np.mean(
                [cross_validate(values, one, runs, alphas=1e3, trim=trim).scores for one in responses], axis=0
            )
            rows = table[(table.features == name) & (table.trim == trim)].set_index("group").value
            np.testing.assert_allclose([rows["all"], rows["two"]], [scores.mean(), scores[:2].mean()], atol=1e-6)
    long = scores_by_trim({"layers": layers}, responses, members, trim=6, trims=(0, 20, 21))
    assert set(long.trim) == {0, 6, 20}, "with 21 left out at each edge 8 of 50 scans remain: too few for a score"


def trims(**scores):
    rows = [(name, t, "auditory", r) for name, row in scores.items() for t, r in zip((0, 8, 16), row, strict=True)]
    return pd.DataFrame(rows, columns=["features", "trim", "group", "value"])


def test_what_is_lost_at_the_edges_is_named():
    text = describe_trim(trims(bit=(0.1, 0.001, 0.0), count=(0.14, 0.08, 0.081)), "auditory")
    assert "bit 0.100 to 0.001; count 0.140 to 0.080" in text and "Nothing is left of bit:" in text
    assert "16 scans instead changes no score by more than 0.01" in text
    text = describe_trim(trims(bit=(0.1, 0.09, 0.09), count=(0.14, 0.08, 0.03)), "auditory")
    assert "Nothing is left" not in text and "still changes count by 0.050" in text


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (0.2, "0.100 more than the count. Its"),
        (0.1, "as much as the count: nothing"),
        (0.04, "0.060 less than the count: nothing"),
    ],
)
def test_a_model_is_compared_with_the_count_of_words(model, said):
    scores = {("m", "VLA"): model, ("m", "FLA"): 0.004, ("u", "VLA"): 0.03}
    scores |= {("word count", "VLA"): 0.1, ("speech or silence", "VLA"): -0.002}
    text = describe_controls(pd.Series(scores), "m", "u", "auditory")
    assert said in text and f"training adds {model - 0.03:+.3f}" in text and "nothing is left (0.004)" in text
    assert "Under FLA 0.050 is left" in describe_controls(pd.Series(scores | {("m", "FLA"): 0.05}), "m", "u", "x")


def test_what_drives_regions_is_read_from_the_scores():
    values = {"m": (0.02, 0.05, 0.001), "word count": (0.2, 0.0, 0.002), "true drivers": (0.3, 0.1, -0.003)}
    rows = {
        (name, "VLA", g): r for name, row in values.items() for g, r in zip(("sound", "word", "none"), row, strict=True)
    }
    text = describe_drivers(pd.Series(rows), "m")
    assert "**sound**: 0.020 of 0.300; **word**: 0.050 of 0.100" in text
    assert "predicts the regions of sound better" in text and "Of sound the model finds less than a tenth" in text
    assert "stay within 0.003 of zero" in text
    rows |= {("m", "VLA", "sound"): 0.25, ("word count", "VLA", "none"): -0.08}
    text = describe_drivers(pd.Series(rows), "m")
    assert "better than" not in text and "less than a tenth" not in text
    assert "do not stay at zero: word count under VLA is 0.080 away" in text
