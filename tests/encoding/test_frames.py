"""Results as tables: every number stands beside the target, fold and layer that it belongs to."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brainbook.encoding import (
    BandedScores,
    CrossValidation,
    PermutationScores,
    ResponseShape,
    SequentialTest,
    VariancePartition,
)
from brainbook.stats import RepeatCeiling, fdr

NAMES = pd.DataFrame({"region": ["a", "b", "a"], "hemisphere": ["lh", "lh", "rh"]}, index=[5, 6, 7])


@pytest.fixture
def scored(rng):
    layers = [rng.random(shape) for shape in ((4, 3), (4, 2, 3), (4, 2, 3), (4, 2, 3))]
    splits = [(np.arange(10), np.arange(10, 20)), (np.arange(10, 20), np.arange(10))]
    return CrossValidation(*layers, None, np.array([1.0, 10.0]), splits)


def test_scores_of_layers_and_folds(scored):
    table = scored.to_frame(NAMES)
    assert list(table) == ["region", "hemisphere", "layer", "score", "alpha"] and len(table) == 12
    row = table.query("layer == 2 and region == 'a' and hemisphere == 'rh'").iloc[0]
    assert row.score == scored.scores[2, 2] and row.alpha == scored.best_alphas[2, :, 2].mean()  # the median of two
    folds = scored.to_frame(["x", "y", "z"], folds=True)
    assert list(folds) == ["target", "layer", "fold", "score", "alpha", "inner_score"] and len(folds) == 24
    row = folds.query("layer == 3 and fold == 1 and target == 'y'").iloc[0]
    assert row.score == scored.fold_scores[3, 1, 1] and row.inner_score == scored.inner_scores[3, 1, 1]
    arrays = ("scores", "fold_scores", "best_alphas", "inner_scores")
    one = replace(scored, **{name: getattr(scored, name)[0] for name in arrays})
    assert list(one.to_frame()) == ["target", "score", "alpha"] and one.to_frame().target.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="2 names for 3 targets"):
        one.to_frame(["x", "y"])


def test_tests_and_partitions(rng):
    permuted = PermutationScores(np.array([0.5, 0.1, np.nan]), rng.normal(0, 0.1, (99, 3)).astype(np.float32))
    table = permuted.to_frame(NAMES)
    np.testing.assert_array_equal(table.p, permuted.p())
    assert list(table) == ["region", "hemisphere", "score", "p", "family_p"] and fdr(table.p)[0] < 0.05
    sequential = SequentialTest(permuted.score, permuted.p(), np.array([99, 10, 0])).to_frame()
    assert sequential.loc[1].to_dict() == {"target": 1, "score": 0.1, "p": permuted.p()[1], "draws": 10}
    partition = VariancePartition(*rng.random((3, 3)), rng.random((2, 3))).to_frame()
    total = partition.unique_first + partition.unique_second + partition.shared
    np.testing.assert_allclose(total, partition.joint)
    ceiling = RepeatCeiling(*rng.random((4, 3))).to_frame(NAMES)
    assert list(ceiling)[2:] == ["explainable_variance", "split_half", "single", "mean"]


def test_spaces_and_delays(rng):
    splits = [(np.arange(10), np.arange(10, 20)), (np.arange(10, 20), np.arange(10))]
    parts, penalties = rng.random((2, 2, 3)), rng.random((2, 2, 3))
    bands = BandedScores(["rate", "states"], parts.sum(1).mean(0), parts.sum(1), parts, penalties, None, "r2", splits)
    row = bands.to_frame().query("space == 'states' and target == 2").iloc[0]
    assert row.score == pytest.approx(parts[:, 1, 2].mean()) and row.penalty == penalties[:, 1, 2].mean()
    shape = ResponseShape(np.array([0.0, 2.0]), rng.random((4, 2, 3)))
    row = shape.to_frame(["x", "y", "z"]).query("target == 'z' and seconds == 2").iloc[0]
    assert row.value == pytest.approx(shape.weights[:, 1, 2].mean()) and row.lower < row.value < row.upper
