"""Arrays of results as tables: every element in a row of its own, under its own labels, and nothing else."""

import numpy as np
import pandas as pd

from brainbook.stats.frames import target_frame


def test_every_element_stands_under_its_labels():
    values = np.random.default_rng(0).normal(size=(2, 3, 4))
    names = pd.DataFrame({"region": list("abca"), "hemisphere": ["lh", "lh", "lh", "rh"]})
    found = target_frame(names, {"layer": [5, 7], "fold": list("xyz")}, score=values, twice=2 * values)
    rows = [
        (*names.iloc[target], layer, fold, values[i, j, target], 2 * values[i, j, target])
        for i, layer in enumerate([5, 7])
        for j, fold in enumerate("xyz")
        for target in range(4)
    ]
    expected = pd.DataFrame(rows, columns=["region", "hemisphere", "layer", "fold", "score", "twice"])
    pd.testing.assert_frame_equal(found, expected)
