"""Words and times from the files of forced aligners, of BIDS, and from tables with any columns."""

import csv
import io
import json
import unicodedata
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from brainbook.datasets import read_timed_words
from brainbook.errors import AnnotationError

WORDS = [("Once", 0.5, 0.8), ("upon", 0.8, 1.0), ("a", None, None), ("time", 1.4, 2.0)]
TIMED = [row for row in WORDS if row[1] is not None]


def gentle(rows):
    words = [
        {"case": "success", "word": word, "alignedWord": "<unk>", "start": start, "end": end}
        if start is not None
        else {"case": "not-found-in-audio", "word": word}
        for word, start, end in rows
    ]
    return json.dumps({"transcript": "", "words": [*words, {"case": "not-found-in-transcript", "word": "uh"}]})


def gentle_csv(rows):
    stream = io.StringIO()
    csv.writer(stream).writerows((word, word.lower(), start, end) for word, start, end in rows)
    return stream.getvalue()


def whisperx(rows):
    words = [{"word": word} | ({"start": a, "end": b, "score": 0.9} if a is not None else {}) for word, a, b in rows]
    return json.dumps({"segments": [{"text": "", "words": words[:2]}, {"text": "", "words": words[2:]}]})


def table(rows):
    return "word,onset,offset\n" + "".join(
        f"{w},{'' if a is None else a},{'' if b is None else b}\n" for w, a, b in rows
    )


def events(rows):
    body = [f"{'n/a' if a is None else a}\t{'n/a' if a is None else b - a}\t{w}\n" for w, a, b in rows]
    return "onset\tduration\tword\n" + "".join(body)


def textgrid(rows, tier="S1 - words"):
    rows = [(word, start, end) for word, start, end in rows if start is not None]
    entries = "".join(f'{start}\n{end}\n"{word}"\n' for word, start, end in rows)
    phones = '"IntervalTier"\n"S1 - phones"\n0\n9\n1\n0\n9\n"AH"\n'
    words = f'"IntervalTier"\n"{tier}"\n0\n9\n{len(rows)}\n{entries}'
    return f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n2\n{words}{phones}'


FILES = {
    "align.json": gentle,
    "align.csv": gentle_csv,
    "whisperx.json": whisperx,
    "words.csv": table,
    "sub-01_events.tsv": events,
    "mfa.TextGrid": textgrid,
}


@pytest.mark.parametrize("name", FILES)
def test_each_format_gives_the_same_words(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name](WORDS))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        words = read_timed_words(path)
    assert words["word"].tolist() == [row[0] for row in TIMED]
    np.testing.assert_allclose(words[["onset", "offset"]].to_numpy(), [row[1:] for row in TIMED])
    assert words["section"].tolist() == [1, 1, 1]
    said = [str(each.message) for each in caught]
    assert name == "mfa.TextGrid" or ["1 of 4 words have no time" in line and "'a'" in line for line in said] == [True]


labels = st.text(st.characters(categories=["Ll", "Lu", "Lo"]), min_size=1, max_size=8).filter(
    lambda word: (
        word.casefold() not in ("sp", "sil", "spn", "nsn", "nan", "na", "none")
        and word.isalnum()
        and word == unicodedata.normalize("NFC", word)
    )
)
stories = st.lists(st.tuples(labels, st.integers(1, 60), st.integers(0, 40)), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(stories, st.sampled_from(sorted(FILES)))
def test_any_words_come_back_as_they_were_written(tmp_path, story, name):
    rows, clock = [], 0.0
    for word, length, gap in story:
        start = clock + gap / 20
        clock = start + length / 20
        rows.append((word, round(start, 3), round(clock, 3)))
    path = tmp_path / name
    path.write_text(FILES[name](rows), encoding="utf-8")
    words = read_timed_words(path)
    assert words["word"].tolist() == [row[0] for row in rows]
    np.testing.assert_allclose(words[["onset", "offset"]].to_numpy(), [row[1:] for row in rows], atol=1e-9)


ODD = [
    "{}",
    "[]",
    "[1]",
    '{"words": [1]}',
    '{"segments": [{}]}',
    '{"words": []}',
    '{"words": [{"word": 1, "start": "x"}]}',
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=80) | st.sampled_from(ODD), st.sampled_from(sorted(FILES)))
def test_no_text_breaks_a_reader(tmp_path, text, name):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    try:
        read_timed_words(path)
    except AnnotationError as error:
        assert name in str(error)


def test_columns_may_have_other_names_and_hold_durations(tmp_path):
    path = tmp_path / "story.tsv"
    path.write_text("token\tstart\tlasts\tpart\nOne\t1\t0.5\t1\ntwo\t2\t0.5\t1\nThree\t0.5\t0.25\t2\n")
    columns = {"word": "token", "onset": "start", "duration": "lasts", "section": "part"}
    words = read_timed_words(path, columns=columns)
    assert words.to_numpy().tolist() == [["One", 1, 1.5, 1], ["two", 2, 2.5, 1], ["Three", 0.5, 0.75, 2]]
    with pytest.raises(AnnotationError, match="story.tsv has no column word, onset"):
        read_timed_words(path)


def test_noise_of_an_aligner_is_no_word(tmp_path):
    path = tmp_path / "mfa.TextGrid"
    path.write_text(
        textgrid([("hello", 0, 1), ("spn", 1, 2), ("<unk>", 2, 3), ("", 3, 4), ("br", 4, 5), ("you", 5, 6)])
    )
    assert read_timed_words(path, drop=["br"])["word"].tolist() == ["hello", "you"]


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.json", "{", "a.json is no JSON"),
        ("a.json", '{"fragments": []}', "no list of objects called 'words'"),
        ("a.csv", "word,onset,offset\nhe,1,2\nshe,one,3\n", r"line 3 \('she'\): onset is 'one'"),
        ("align.csv", "he,he,1,2\nshe,she,2\n", "line 2: 3 cells; gentle writes"),
        ("align.csv", 'he,he,1,2\n"she,she,2,3\nit,"it,3,4\n', "line 2: a quote is left open"),
        (
            "align.json",
            '{"words": [{"word": "he", "start": [1], "end": 2}]}',
            r"onset is '\[1\]', which is no number",
        ),
        ("align.json", '{"words": [{"word": "he", "start": true, "end": 2}]}', "onset is 'True', which is no number"),
        ("align.json", f'{{"words": [{{"word": "he", "start": 1{"0" * 400}, "end": 2}}]}}', "which is no number"),
        ("a.doc", "x", "its name does not tell its format"),
        ("a.csv", "word,onset,offset\nhe,5,6\nshe,1,2\n", r"line 3 \('she'\): onset 1 s lies before"),
        ("a.TextGrid", textgrid(TIMED, tier="speech"), "which interval tier holds the words.*1 speech, 2 S1 - phones"),
    ],
)
def test_damage_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_timed_words(tmp_path / name)


def test_a_section_may_have_any_number(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("word,onset,offset,section\n" + "".join(f"w,{s},{s + 0.5},{s}\n" for s in range(1, 13)))
    assert read_timed_words(path)["section"].tolist() == list(range(1, 13))
    path.write_text("word,onset,offset,section\nw,1,2,0\n")
    with pytest.raises(AnnotationError, match="section 0 is not a whole number from 1 to 10,000"):
        read_timed_words(path)
