"""Words on another clock, of another language, or twice there: named, with the section and a count."""

import numpy as np
import pandas as pd
import pytest

from brainbook.datasets import check_clock, read_words
from brainbook.errors import AnnotationError

SECONDS = {1: 50.0, 2: 60.0, 3: 55.0}
WORDS = {"EN": "the fox and the king said it was in you", "FR": "le renard et la rose que je un il de",
         "CN": "小 王子 看见 了 一 朵 花 在 这里 他"}  # fmt: skip


def story(language="EN"):
    """One word per half second, to a second before the end of each section's audio."""
    tables = []
    for section, seconds in SECONDS.items():
        onset = np.arange(0, seconds - 1, 0.5)
        words = np.resize(WORDS[language].split(), len(onset))
        tables.append(pd.DataFrame({"word": words, "onset": onset, "offset": onset + 0.4, "section": section}))
    return pd.concat(tables, ignore_index=True)


def on_the_whole_storys_clock(table):
    begin = table.section.map({1: 0.0, 2: 50.0, 3: 110.0})
    return table.assign(onset=table.onset + begin, offset=table.offset + begin)


def test_words_on_their_sections_clock_pass():
    check_clock(story(), SECONDS, "words.csv")
    late = story()
    late.loc[97, "offset"] = 51.9  # a little after the end of the audio
    check_clock(late, SECONDS, "words.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(onset=t.onset * 1000, offset=t.offset * 1000), "section 1: 98 of 98 .*milliseconds"),
        (on_the_whole_storys_clock, r"section 2: 94 of 118 words lie after the end of its audio \(60 s\), the last at "
                                    r"108.9 s \(a clock that runs on"),
        (lambda t: t.assign(offset=t.offset.where(t.index != 97, 53)), "section 1: 1 of 98 words .* the last at 53 s"),
        (lambda t: t.assign(onset=t.onset / 2, offset=t.offset / 2), "section 1: its 98 words end at 24.45 s of 50 s"),
        (lambda t: t.assign(onset=t.onset / 60, offset=t.offset / 60), "section 1: its 98 words end at .*minutes"),
    ],
    ids=["milliseconds", "running on", "one word late", "scans", "minutes"],
)  # fmt: skip
def test_words_on_another_clock_are_counted(change, message):
    with pytest.raises(AnnotationError, match=f"words.csv, {message}"):
        check_clock(change(story()), SECONDS, "words.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(onset=t.onset * 1000, offset=t.offset * 1000), "longer than 400 s.*milliseconds"),
        (lambda t: t.assign(onset=0.0), "section 1: all 98 words begin at 0 s"),
        (lambda t: t.loc[t.index.repeat(2)], r"row 1 \('the'\): the row stands there twice \(324 rows are like this"),
    ],
    ids=["milliseconds", "all 0", "doubled"],
)
def test_a_table_that_cannot_be_true_by_itself(tmp_path, change, message):
    path = tmp_path / "words.csv"
    change(story()).reset_index(drop=True).to_csv(path)
    with pytest.raises(AnnotationError, match=message):
        read_words(path)


@pytest.mark.parametrize("language", ["EN", "FR", "CN"])
@pytest.mark.parametrize("named", ["EN", "FR", "CN"])
def test_words_of_another_language_are_named(tmp_path, language, named):
    path = tmp_path / f"lpp{named}_word_information.csv"
    table = story(named)
    table.loc[table.section == 2, "word"] = story(language).word
    table.to_csv(path)
    if language == named:
        assert len(read_words(path)) == len(table)
    else:
        with pytest.raises(AnnotationError, match=f"section 2: 1?[0-9]0?[0-9]?% of its 118 words .* of {language}"):
            read_words(path)


def test_real_tables_lie_on_the_datasets_clock(real_annotation):
    from importlib.resources import files

    scans = pd.read_csv(files("brainbook.datasets").joinpath("little_prince_scans.csv"))
    for language in ("EN", "CN"):
        path = real_annotation / language / f"lpp{language}_word_information.csv"
        mine = scans[scans.language == language]
        seconds = dict(zip(mine.section, mine.audio_seconds, strict=True))
        words = read_words(path)
        check_clock(words, seconds, path)
        with pytest.raises(AnnotationError, match="section 1: .*milliseconds"):
            check_clock(words.assign(onset=words.onset * 1e3, offset=words.offset * 1e3), seconds, path)
