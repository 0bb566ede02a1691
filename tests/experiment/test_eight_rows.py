"""The eight rows: our means stand beside the right published ones."""

import itertools

import pandas as pd
import pytest

from brainbook import published
from brainbook.errors import ConfigurationError
from brainbook.experiment.eight_rows import beside_published

MODELS = ["mini-albert-v1", "mini-albert-v2", "mini-brainlm-1", "mini-brainlm-2"]


@pytest.fixture
def scores():
    """Two participants: .1 and .3 in every row, so that the mean is .2; and a control that is in no published table."""
    rows = itertools.product([*MODELS, "word count"], ("VLA", "FLA"), ("cortex", "visual", "auditory", "linguistic"))
    return pd.DataFrame(
        [(*row, value) for row in rows for value in (0.1, 0.3)], columns=["model", "alignment", "group", "value"]
    )


def test_every_published_number_stands_once_beside_ours(scores):
    table = beside_published(scores, MODELS)
    assert len(table) == 8 * 4 and table.ours.round(9).eq(20).all()
    wanted = published.alignment().drop(columns=["model", "alignment"]).to_numpy()
    assert sorted(table.published) == sorted(wanted.ravel())
    cell = table.query("model == 'mini-brainlm-2' and alignment == 'FLA' and group == 'cortex'")
    assert cell.published.item() == 11.78


def test_the_published_models_may_run_alone(scores):
    one = scores[scores.model == MODELS[0]].replace({"model": {MODELS[0]: "albert-xlarge-v1"}})
    assert len(beside_published(one, ["albert-xlarge-v1"])) == 8


def test_a_model_without_a_published_row_is_named(scores):
    with pytest.raises(ConfigurationError, match="word count: not in the published table"):
        beside_published(scores, ["word count"])
