"""The eight rows: our means stand beside the right published ones."""

import itertools

import pandas as pd
import pytest

from brainbook.chapters import published
from brainbook.chapters.alignment import compare_with_published
from brainbook.chapters.alignment_text import describe_published, describe_sources
from brainbook.errors import ConfigurationError

MODELS = ["tiny-albert-v1", "tiny-albert-v2", "tiny-brainlm-1", "tiny-brainlm-2"]


@pytest.fixture
def scores():
    """Three participants: .1, .2 and .3 in every row; and a control that is in no published table."""
    rows = itertools.product([*MODELS, "word count"], ("VLA", "FLA"), ("cortex", "visual", "auditory", "linguistic"))
    people = [("FR", "sub-FR001", 0.1), ("EN", "sub-EN058", 0.2), ("EN", "sub-EN057", 0.3)]
    columns = ["model", "alignment", "group", "language", "participant", "value"]
    return pd.DataFrame([(*row, *one) for row in rows for one in people], columns=columns)


def test_every_published_number_stands_once_beside_ours(scores):
    table = compare_with_published(scores, MODELS)
    assert len(table) == 8 * 4 and table.ours.round(9).eq(20).all()
    wanted = published.alignment().drop(columns=["model", "alignment"]).to_numpy()
    assert sorted(table.published) == sorted(wanted.ravel())
    cell = table.query("model == 'tiny-brainlm-2' and alignment == 'FLA' and group == 'cortex'")
    assert cell.published.item() == 11.78


def test_the_published_models_may_run_alone(scores):
    one = scores[scores.model == MODELS[0]].replace({"model": {MODELS[0]: "albert-xlarge-v1"}})
    assert len(compare_with_published(one, ["albert-xlarge-v1"])) == 8


def test_a_model_without_a_published_row_is_named(scores):
    with pytest.raises(ConfigurationError, match="word count: not in the published table"):
        compare_with_published(scores, ["word count"])


def test_the_first_english_participant_stands_beside_the_published_one(scores):
    assert compare_with_published(scores, MODELS).ours_first.round(9).eq(30).all()
    assert "ours_first" not in compare_with_published(scores[scores.language == "FR"], MODELS)


def test_the_published_table_is_read_with_its_contradictions():
    text = describe_published()
    assert "in their own table it is not: BrainLM1.0 (8.99 against 10.04)" in text
    assert "The entry 1.71 (albert-xlarge-v2, FLA) is not consistent" in text and text.count("The entry") == 1
    assert "gain over the cortex is +2.1; without albert-xlarge-v2 it is +0.4." in text
    whole = published.alignment().replace({"cerebral_cortex": {1.71: 8.0, 8.99: 11.0}})
    text = describe_published(whole)
    assert "so it is in their table, for every model" in text and "The entry" not in text and "without" not in text


def test_whose_scores_they_are_is_counted(scores):
    assert "mean over 3 participants (2 EN, 1 FR)" in describe_sources(scores)
    assert "`ours_first` is the first of ours" in describe_sources(scores)
    french = describe_sources(scores[scores.language == "FR"])
    assert "mean over 1 participant (1 FR)" in french and "ours_first" not in french
