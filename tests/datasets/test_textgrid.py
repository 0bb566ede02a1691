import tracemalloc
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from praatio import textgrid as praatio

from brainbook.datasets import MissingFileError, read_textgrid
from brainbook.errors import AnnotationError, BrainbookError

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STORY = [(0.0, 0.5, "sp"), (0.5, 0.9, "Alice"), (0.9, 1.0, ""), (1.0, 1.4, "was"), (1.4, 2.0, 'so "very" tired')]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def long_form(tiers):
    end = max([entry[1] for entries in tiers.values() for entry in entries], default=1)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, entries) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(entries)}"]
        for index, (start, stop, text) in enumerate(entries, 1):
            lines += [f"        intervals [{index}]:", f"            xmin = {start}", f"            xmax = {stop}"]
            lines += [f"            text = {quoted(text)}"]
    return "\n".join(lines) + "\n"


def short_form(tiers):
    end = max([entry[1] for entries in tiers.values() for entry in entries], default=1)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end), "<exists>", str(len(tiers))]
    for name, entries in tiers.items():
        lines += ['"IntervalTier"', quoted(name), "0", str(end), str(len(entries))]
        lines += [line for start, stop, text in entries for line in (str(start), str(stop), quoted(text))]
    return "\n".join(lines) + "\n"


FORMS = pytest.mark.parametrize("form", [long_form, short_form])


def write(folder, text, name="story.TextGrid", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@FORMS
def test_words_without_silences(tmp_path, form):
    words = read_textgrid(write(tmp_path, form({"word": STORY})))
    assert words.word.tolist() == ["Alice", "was", 'so "very" tired']
    np.testing.assert_allclose(words[["onset", "offset"]], [(0.5, 0.9), (1.0, 1.4), (1.4, 2.0)])
    assert words.section.tolist() == [1, 1, 1]


@FORMS
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_with_a_mark(tmp_path, form, encoding):
    path = write(tmp_path, form({"word": [(0, 1, "王子")]}), "lppCN_section3.TextGrid", encoding)
    words = read_textgrid(path)
    assert words.word.tolist() == ["王子"]
    assert words.section.tolist() == [3]


def test_windows_line_ends_comments_and_scientific_numbers(tmp_path):
    text = long_form({"word": STORY}).replace("xmin = 0.5", "xmin = 5e-1 ! a remark").replace("\n", "\r\n")
    assert read_textgrid(write(tmp_path, text)).onset[0] == 0.5


@FORMS
def test_start_moves_the_clock(tmp_path, form):
    late = [(start + 20, stop + 20, text) for start, stop, text in STORY]
    words = read_textgrid(write(tmp_path, form({"word": late})), start=20, section=2)
    np.testing.assert_allclose(words.onset, [0.5, 1.0, 1.4])
    assert (words.section == 2).all()
    with pytest.raises(AnnotationError, match="'Alice'.*before the start"):
        read_textgrid(write(tmp_path, form({"word": STORY})), start=20)


@FORMS
def test_the_tier_with_the_words(tmp_path, form):
    path = write(tmp_path, form({"phones": [(0, 1, "AH")], "Words": STORY}))
    assert len(read_textgrid(path)) == 3
    assert read_textgrid(path, tier="phones").word.tolist() == ["AH"]
    with pytest.raises(AnnotationError, match="no interval tier is called 'word'; these are: 1 phones, 2 Words"):
        read_textgrid(path, tier="word")
    with pytest.raises(AnnotationError, match="which interval tier"):
        read_textgrid(write(tmp_path, form({"a": STORY, "b": STORY})))
    with pytest.raises(AnnotationError, match="which interval tier"):
        read_textgrid(write(tmp_path, form({})))


@FORMS
def test_two_tiers_of_one_name_are_chosen_by_their_numbers(tmp_path, form):
    text = form({"word": STORY, "one": [(0, 1, "AH")], "two": [(0, 1, "OH")]})
    path = write(tmp_path, text.replace('"one"', '"phones"').replace('"two"', '"phones"'))
    assert len(read_textgrid(path)) == len(read_textgrid(path, tier="word")) == 3
    assert [read_textgrid(path, tier=number).word[0] for number in (1, 2, 3)] == ["Alice", "AH", "OH"]
    with pytest.raises(AnnotationError, match="by its number if two share a name; these are: 1 word, 2 phones, 3 pho"):
        read_textgrid(path, tier="phones")
    with pytest.raises(AnnotationError, match="no interval tier is called 4"):
        read_textgrid(path, tier=4)


@FORMS
def test_overlapping_intervals_and_tiers_without_a_word_are_named(tmp_path, form):
    with pytest.raises(AnnotationError, match=r"line \d+ \('b'\): the interval begins at 0.9 s, before .* ends at 1 s"):
        read_textgrid(write(tmp_path, form({"word": [(0, 1, "a"), (0.9, 2, "b")]})))
    for empty in ([(0, 1, ""), (1, 2, "sil")], [(0, 1, "[noise]"), (1, 2, ",")], []):
        with pytest.raises(AnnotationError, match="no row with a word"):
            read_textgrid(write(tmp_path, form({"word": empty})))


def test_a_quote_that_is_never_closed_costs_little_memory(tmp_path):
    text = short_form({"word": STORY})
    path = write(tmp_path, text[: text.index("Alice")] + "a" * 10_000_000)
    tracemalloc.start()
    with pytest.raises(AnnotationError, match="damaged or cut off"):
        read_textgrid(path)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "pointer",
    [
        "..\\..\\.git\\annex\\objects\\9X\\pQ\\MD5E-s99--d4.TextGrid\\MD5E-s99--d4.TextGrid\r\n",
        "/annex/objects/MD5E-s99--d4.TextGrid\n",
        "version https://git-lfs.github.com/spec/v1\r\noid sha256:4d7a\r\nsize 99\r\n",
    ],
    ids=["Windows", "git-annex", "Git LFS"],
)
def test_a_pointer_is_not_called_damaged(tmp_path, pointer):
    with pytest.raises(MissingFileError, match="not downloaded yet"):
        read_textgrid(write(tmp_path, pointer, "lppFR_section1.TextGrid"))


def test_point_tiers_are_passed_over(tmp_path):
    text = short_form({"word": STORY}).replace("<exists>\n1", "<exists>\n2")
    path = write(tmp_path, text + '"TextTier"\n"clicks"\n0\n2\n1\n0.7\n"click"\n')
    assert len(read_textgrid(path)) == 3


@FORMS
@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ([(1, 2, "late"), (0, 1, "early")], "'early'.*begins at 0 s, before the one above it ends at 2 s"),
        ([(1, 0.5, "back")], "'back'.*offset 0.5 s lies before onset 1 s"),
        ([(-1, 0.5, "early")], "onset -1 s lies before the start"),
    ],
)
def test_impossible_intervals_are_named(tmp_path, form, entries, what):
    with pytest.raises(AnnotationError, match=r"story\.TextGrid, line \d+ .*" + what):
        read_textgrid(write(tmp_path, form({"word": entries})))


def test_the_line_of_the_message_is_the_line_of_the_word(tmp_path):
    text = short_form({"word": [(1, 2, "late"), (0, 1, "early")]})
    line = text.split("\n").index('"early"') + 1
    with pytest.raises(AnnotationError, match=f"line {line} "):
        read_textgrid(write(tmp_path, text))


@FORMS
def test_cut_off_files_and_other_files(tmp_path, form):
    text = form({"word": STORY})
    with pytest.raises(AnnotationError, match="damaged or cut off"):
        read_textgrid(write(tmp_path, text[: text.index("was") - 2]))
    with pytest.raises(AnnotationError, match="a text is expected, not the end of the file"):
        read_textgrid(write(tmp_path, ""))
    with pytest.raises(AnnotationError, match="not a TextGrid"):
        read_textgrid(write(tmp_path, '"ooTextFile"\n"Pitch 1"\n'))
    with pytest.raises(AnnotationError, match="line 1: not text in UTF-8.*Latin-1.*iconv") as error:
        read_textgrid(write(tmp_path, "été", "lppFR_section1.TextGrid", encoding="latin-1"))
    assert "Chinese" not in str(error.value)


labels = st.text(st.characters(categories=("Lu", "Nd")) | st.sampled_from("é'-你"), min_size=1, max_size=8)
stories = st.lists(st.tuples(labels, st.integers(1, 3000), st.integers(0, 500)), min_size=1, max_size=20)


@QUIET
@given(stories, st.sampled_from([long_form, short_form]))
def test_agrees_with_praatio(tmp_path, story, form):
    clock, entries = 0, []
    for text, length, pause in story:
        text = unicodedata.normalize("NFC", f"x{text}")
        entries.append((clock / 1000, (clock + length) / 1000, text))
        clock += length + pause
    path = write(tmp_path, form({"word": entries}))
    theirs = praatio.openTextgrid(str(path), includeEmptyIntervals=False).getTier("word").entries
    ours = read_textgrid(path)
    assert ours.word.tolist() == [entry.label for entry in theirs]
    np.testing.assert_allclose(ours.onset, [entry.start for entry in theirs])
    np.testing.assert_allclose(ours.offset, [entry.end for entry in theirs])


@QUIET
@given(st.text(max_size=40), st.integers(0, 400), st.integers(0, 40), st.sampled_from([long_form, short_form]))
def test_damage_is_either_read_or_named(tmp_path, noise, position, gone, form):
    text = form({"word": STORY})
    path = write(tmp_path, (text[:position] + noise + text[position + gone :]).encode("utf-8", "replace").decode())
    try:
        words = read_textgrid(path)
    except BrainbookError as error:
        assert str(path) in str(error)
    else:
        assert (words.offset >= words.onset).all()
        assert len(words) and all(any(character.isalnum() for character in word) for word in words.word)


def test_the_real_alice(real_alice):
    (path,) = real_alice.glob("alice_stim_shared/*.TextGrid")
    words = read_textgrid(path, start=20)
    assert len(words) == 2127
    assert words.word[:5].tolist() == ["Alice", "was", "beginning", "to", "get"]
    assert 0 < words.onset[0] < 0.1
    assert words.offset.iloc[-1] < 724
    theirs = praatio.openTextgrid(str(path), includeEmptyIntervals=False).getTier("word").entries
    theirs = [entry for entry in theirs if entry.label != "sp"]
    assert words.word.tolist() == [entry.label for entry in theirs]
    np.testing.assert_allclose(words.onset + 20, [entry.start for entry in theirs])
