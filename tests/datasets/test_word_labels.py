"""Labels that are no words, damaged ones, and what the real annotation of ds003643 is known for."""

import string

import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

from brainbook.datasets import changed_words, read_textgrid, read_words
from brainbook.datasets.word_labels import as_written

NO_WORDS = ["spn", "SPN", "<unk>", "[noise]", "{NS}", "(laughs)", "&nbsp;", "\u200b", "!", "—", "...", '"', "#NAME?"]


@pytest.mark.parametrize("label", NO_WORDS)
def test_labels_that_are_no_words_are_dropped_with_a_reason(label):
    word, why = as_written(label)
    assert word == "" and why


@pytest.mark.parametrize("label", ["", " ", "sp", "SIL", "sil", "#"])
def test_pauses_are_dropped_without_a_word(label):
    assert as_written(label) == ("", "")


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ('na\\i"ve', "naïve"),
        ("it\\` ll", "it'll"),
        ("\\` the", "the"),
        ("gar\\c,on", "garçon"),
        ("\\e'te\\e'", "éteé"),
        ("c\\oeur", "cœur"),
        ("R&amp;D", "R&D"),
        ("pre\u200bmier", "premier"),
        ("e\u0301te\u0301", "été"),
    ],
)
def test_damaged_labels_are_repaired(label, word):
    assert as_written(label)[0] == word and as_written(label)[1]


@given(st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x17F, categories=("Lu", "Ll")), min_size=1))
@example("été")
@example("À")
@settings(deadline=None)
def test_utf8_that_was_read_as_latin1_is_read_again(word):
    garbled = word.encode().decode("latin-1")
    if garbled == garbled.strip():  # else a byte was taken for a space, and is lost
        assert as_written(garbled)[0] == word


@given(st.text(string.ascii_letters + "éèàçïœÀ" + "'-", min_size=1).filter(lambda t: any(c.isalnum() for c in t)))
@settings(deadline=None)
def test_words_stay_as_they_are(word):
    if word.casefold() not in ("sp", "sil", "spn", "nsn"):
        assert as_written(word) == (word, "")


def test_punctuation_and_apostrophes_are_mended_in_the_dataset_only():
    for label, word in (("volcanoes;", "volcanoes"), ("mean—", "mean"), ("«Tu", "Tu"), ("hasnt", "hasn't")):
        assert as_written(label) == (label, "")
        assert as_written(label, "EN")[0] == word
    for word in ("apparent", "-il", "j'", "want", "i—i"):
        assert as_written(word, "EN") == (word, "")
    assert as_written("cant", "FR") == ("cant", "")


def test_the_real_english_table(real_annotation):
    path = real_annotation / "EN" / "lppEN_word_information.csv"
    words, changes = read_words(path), changed_words(path)
    assert len(words) == 15_376 - 31 - 3  # blank rows (n't that hangs on the word before), and known bad ones
    assert words.word.str.fullmatch(r"[a-zï]+(['-][a-z]+)*|[0-9]+").all()
    made = changes.set_index("row")["is"]
    assert made.loc[[278, 333, 4683, 5068, 5074, 9262, 14830]].tolist() == [
        "true", "hasn't", "volcanoes", "325", "330", "false", "naïve"
    ]  # fmt: skip
    assert changes.loc[changes["is"] == "", "row"].tolist() == [3919, 6775, 6781]
    assert len(changes) == 37 and list(changes.columns) == ["row", "was", "is", "why"]
    raw = pd.read_csv(path, index_col=0, dtype={"word": str}, keep_default_na=False).word
    assert (raw[changes.row].to_numpy() == changes.was).all()  # row is the label in the file
    assert raw.ne("").sum() - 3 == len(words)


def test_the_real_english_textgrids_lose_their_commas(real_annotation):
    paths = sorted((real_annotation / "EN").glob("*.TextGrid"))
    words = pd.concat([read_textgrid(path) for path in paths])
    changes = pd.concat([changed_words(path) for path in paths])
    assert (changes.was == ",").sum() == 21
    assert set(changes["is"][changes.was.isin([",", "!", "—", "?"])]) == {""}
    made = dict(zip(changes.was, changes["is"], strict=True))
    assert made["mean—"] == "mean" and made["six_hundred_twelve"] == "612" and made["\\` reign"] == "reign"
    assert words.word.str.fullmatch(r"[a-z]+(['—-][a-z]+)*|[0-9]+").all()
    assert sorted(words.section.unique()) == [1, 2, 3, 4, 5, 6]


def test_the_real_french_and_chinese_words(real_annotation):
    path = real_annotation / "CN" / "lppCN_word_information.csv"
    assert len(read_words(path)) == 16_009 and changed_words(path).empty
    files = sorted((real_annotation / "FR").glob("*.csv"))
    labels = pd.concat([pd.read_csv(file, dtype=str, keep_default_na=False).text for file in files])
    made = [as_written(label, "FR") for label in labels]
    words = pd.Series([word for word, _ in made if word])
    assert len(words) == 15_258 - 23 - 2  # 23 times a spreadsheet's error, 2 times '...'
    assert words.str.fullmatch(r"[A-Za-zÀ-ÿœŒ0-9-]+(['-][A-Za-zÀ-ÿœ]+)*'?").all()
