"""The chapter's last sentences: planted tables, other sentences."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters.hemispheres.conclusions import conclude, conclude_with_truth, read_gain, read_sides
from brainbook.chapters.layers.depth import read_edges
from brainbook.stats import Interval


def claim(lower, upper):
    row = {"value": (lower + upper) / 2, "lower": lower, "upper": upper, "before": 0.3, "after": 0.4}
    return pd.DataFrame([row, row], index=["share", "advantage"])


@pytest.mark.parametrize(
    ("ends", "word"),
    [((0.1, 0.2), "agrees with"), ((-0.2, -0.1), "contradicts"), ((-0.1, 0.2), "neither supports nor contradicts")],
)
def test_the_sentence_on_edges_follows_its_intervals(ends, word):
    text = read_edges(claim(*ends), n_blocks=6, n_named=5)
    assert text.count(word) == 2 and "30% of the cases before and 40% after (drawing lots: 33%)" in text
    assert "two of 5 *are* the edges: 40%" in text and "two of 4 *are* the edges: 50%" in read_edges(claim(*ends), 6, 4)


def test_conclusions_follow_their_tables():
    regions = pd.DataFrame({"predicted": [True, True, False], "q_alike": [0.01, 0.2, 0.01]})
    paper = pd.DataFrame({"r": [0.3, 0.1], "participant": 0.14})
    apart = pd.DataFrame({"group": ["visual"], "value": 0.1, "lower": 0.05, "upper": 0.15})
    text = conclude(np.array([True, True, False]), regions, claim(0.1, 0.2), paper, apart, 9)
    assert "2 of 3 regions" in text and "1 of the 2 published best values" in text and "50% of the predicted" in text
    assert "agrees with it, counted" in text and "visual (+0.100 (+0.050 to +0.150)) differ" in text
    nothing = conclude(np.zeros(3, bool), regions.assign(predicted=False), claim(-0.1, 0.2), paper, apart[:0], 9)
    assert "no region is predicted" in nothing and "no group of regions differs" in nothing
    assert "neither supports nor contradicts it, counted" in nothing


def test_conclusions_with_the_truth_follow_it():
    regions = pd.DataFrame({"ceiling": [0.3, 0.2, 0.0]})
    driven, anywhere = np.array([True, True, False]), np.array([True, False, False])
    added = pd.DataFrame({"value": [-0.01, 0.02, 0.0]}, index=["sound", "topic", "none"])
    classes = pd.DataFrame({"series": "language model", "lower": [-1, 0.1, 0.3], "upper": [1, 0.3, 0.4], "truth": 0.2})
    text = conclude_with_truth(regions, anywhere, driven, 80.0, added, Interval(0.01, 0.0, 0.02), classes)
    assert "Of 2 regions that the phantom drives 1 are found, of 1 others 0" in text
    assert "0.30 in the driven regions that were found and 0.20 in the driven regions that were missed" in text
    assert "between -0.010 (sound) and +0.020 (topic)" in text and "in 2 of three classes" in text
    assert "1 of the language model's intervals reach from -1 to 1" in text
    every = conclude_with_truth(regions, driven, driven, 80.0, added, Interval(0.01, 0.0, 0.02), classes[1:])
    assert "missed" not in every and "reach from -1" not in every


def test_gains_are_said_over_all_regions_first():
    text = read_gain(Interval(0.01, 0.0, 0.02), Interval(0.02, 0.01, 0.03), 9, 148)
    assert text.index("all 148 regions changes by +0.010") < text.index("significant in some language by +0.020")
    assert "leans towards a gain" in text and "leans" not in read_gain(Interval(0.01, 0.0, 0.02), None, 9, 148)


def test_published_sides_are_read_by_their_signs():
    rows = pd.DataFrame({"language": ["EN", "FR"], "published": [0.01, -0.02], "lower": -0.05, "upper": 0.05})
    apart = pd.DataFrame({"group": ["visual"], "value": 0.1, "lower": 0.05, "upper": 0.15, "q": 0.01})
    text = read_sides(rows, apart, 3, 9)
    assert "go both ways: EN +0.010, FR -0.020" in text and "0.10 wide" in text and "differ in visual (+0.100" in text
    left = read_sides(rows.assign(published=0.01), apart[:0], 3, 9)
    assert "all go to the left" in left and "no group differs" in left
    assert "go to the right" in read_sides(rows.assign(published=-0.01), apart[:0], 3, 9)
