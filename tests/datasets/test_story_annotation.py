"""The annotation of Le Petit Prince without recordings: a tiny made-up one, and the real one where it is."""

import shutil

import numpy as np
import pandas as pd
import pytest

from brainbook.datasets import StoryAnnotation
from brainbook.errors import AnnotationError, DatasetError


def test_words_of_all_languages_on_the_published_clock(made_up_annotation):
    story = StoryAnnotation(made_up_annotation)
    assert story.languages == ("EN", "FR", "CN")
    for code in story.languages:
        words = story.words(code)
        assert list(words.columns) == ["word", "onset", "offset", "section"] and len(words) == 9 * 400
        assert words.section.value_counts().tolist() == [400] * 9 and "#" not in set(words.word)
    assert story.scans("EN")[1] == 282 and story.audio_seconds("FR")[9] == 667.9


def test_values_go_with_their_words(made_up_annotation):
    story = StoryAnnotation(made_up_annotation)
    values, words = story.word_values("EN"), story.words("EN")
    np.testing.assert_array_equal(values.frequency, np.where(words.word == "one", 9.0, 5.0))
    np.testing.assert_array_equal(values.surprisal, np.arange(len(words)) % 7)
    assert list(story.word_values("FR")) == []
    assert story.amplitude("CN") == {} and story.amplitude("EN")[3].amplitude.iloc[[0, -1]].tolist() == [0.2, 0.0]


def test_what_is_missing_or_of_other_words_is_named(made_up_annotation, tmp_path):
    with pytest.raises(DatasetError, match=r"holds no EN/.*ds003643"):
        StoryAnnotation(tmp_path)
    root = shutil.copytree(made_up_annotation, tmp_path / "story")
    (root / "FR" / "lppFR_section4.TextGrid.csv").unlink()  # nine sections or none
    (root / "EN" / "section5_rms.csv.gz").unlink()
    table = pd.read_csv(root / "CN" / "gpt2_surprisal.csv")
    table.assign(onset=table.onset + 0.5).to_csv(root / "CN" / "gpt2_surprisal.csv", index=False)
    story = StoryAnnotation(root)
    with pytest.raises(DatasetError, match="'FR' is not in"):
        story.words("FR")
    with pytest.raises(DatasetError, match=r"section5_rms.csv.gz is missing"):
        story.amplitude("EN")
    with pytest.raises(AnnotationError, match=r"no surprisal for \d+% of the words"):
        story.word_values("CN")


def test_the_real_annotation(real_annotation):
    story = StoryAnnotation(real_annotation)
    assert {code: len(story.words(code)) for code in story.languages} == {"EN": 15_342, "FR": 15_233, "CN": 16_009}
    assert list(story.word_values("EN")) == ["frequency", "surprisal"] and len(story.amplitude("EN")) == 9
