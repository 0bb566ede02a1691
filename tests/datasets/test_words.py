import re
import string
import time
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from brainbook.datasets import MissingFileError, changed_words, read_words
from brainbook.errors import AnnotationError, BrainbookError, DatasetError

HEADER = ",word,lemma,onset,offset,pos,section"
ROWS = ["0,Once,once,0.1,0.4,ADV,1", "1,when,when,0.4,0.7,ADV,1", "2,the,the,0.05,0.2,DET,2"]
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder, rows=ROWS, header=HEADER, name="lppCN_word_information.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(("\n".join([header, *rows]) + "\n").encode(encoding))
    return path


def table_of(n, language, folder, words=None):
    """A file of n rows a second apart; every row's word is its label unless `words` says otherwise."""
    words = words or {}
    rows = [f"{i},{words.get(i, f'w{i}')},x,{i}.0,{i}.5,NOUN,1" for i in range(n)]
    return write(folder, rows, name=f"lpp{language}_word_information.csv")


def test_columns_order_and_units(tmp_path):
    words = read_words(write(tmp_path))
    assert list(words.columns) == ["word", "onset", "offset", "section"]
    assert words.word.tolist() == ["Once", "when", "the"]
    assert words.section.tolist() == [1, 1, 2]
    np.testing.assert_allclose(words.onset, [0.1, 0.4, 0.05])
    assert words.index.tolist() == [0, 1, 2]


def test_byte_order_mark_and_reordered_columns(tmp_path):
    path = write(tmp_path, ["1,0.3,0.1,你好"], header="section,offset,onset,word", encoding="utf-8-sig")
    assert read_words(path).iloc[0].to_dict() == {"word": "你好", "onset": 0.1, "offset": 0.3, "section": 1}


def test_rows_without_a_word_are_left_out_and_words_like_none_kept(tmp_path):
    texts = ["", "  ", "None", "null", "NA", "nan", " padded ", "325"]
    rows = [f"{i},{text},x,{i},{i}.5,X,1" for i, text in enumerate(texts)]
    assert read_words(write(tmp_path, rows)).word.tolist() == ["None", "null", "NA", "padded", "325"]


def test_blank_rows_may_lack_times(tmp_path):
    words = read_words(write(tmp_path, [ROWS[0], "1,,,,,,", ROWS[2]]))
    assert words.word.tolist() == ["Once", "the"]


@pytest.mark.parametrize(
    ("rows", "row", "what"),
    [
        ([ROWS[0], "1,b,b,0.05,0.7,X,1"], "row 1", "onset 0.05 s lies before that of the word above, 0.1 s"),
        ([ROWS[0], "1,b,b,0.6,0.5,X,1"], "row 1", "offset 0.5 s lies before onset 0.6 s"),
        ([ROWS[0], "7,b,b,0.6,0.7,X,10"], "row 7", "section 10 is not one of the sections 1 to 9"),
        ([ROWS[0], "7,b,b,0.6,0.7,X,1.5"], "row 7", "section 1.5 is not"),
        ([ROWS[0], "7,b,b,0.6,0.7,X,0"], "row 7", "section 0 is not"),
        (["0,b,b,-0.6,0.7,X,1"], "row 0", "onset -0.6 s lies before the start"),
        ([ROWS[0], "1,b,b,soon,0.7,X,1"], "row 1", "onset is 'soon'"),
        ([ROWS[0], "1,b,b,0.7,,X,1"], "row 1", "offset is ''"),
        ([ROWS[0], "1,b,b,0.7,inf,X,1"], "row 1", "offset is 'inf'"),
        ([ROWS[2], "1,b,b,0.7,0.8,X,1"], "row 1", "section 1 follows section 2"),
    ],
)
def test_impossible_rows_are_named(tmp_path, rows, row, what):
    path = write(tmp_path, rows)
    with pytest.raises(AnnotationError) as error:
        read_words(path)
    assert str(path) in str(error.value)
    assert re.search(rf", {row}\b", str(error.value))
    assert what in str(error.value)


def test_the_number_of_bad_rows_is_told(tmp_path):
    rows = [f"{i},b,b,{5 - i},9,X,1" for i in range(4)]
    with pytest.raises(AnnotationError, match="3 rows are like this"):
        read_words(write(tmp_path, rows))


@pytest.mark.parametrize("column", ["word", "onset", "offset", "section"])
def test_missing_column(tmp_path, column):
    path = write(tmp_path, header=HEADER.replace(column, "other"))
    with pytest.raises(AnnotationError, match=f"has no column {column}; its columns are .*other"):
        read_words(path)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_semicolons_and_tabs_part_cells_too(tmp_path, mark):
    expected = read_words(write(tmp_path))
    path = write(tmp_path, [row.replace(",", mark) for row in ROWS], HEADER.replace(",", mark))
    pd.testing.assert_frame_equal(read_words(path), expected)
    if mark == ";":  # as spreadsheets write numbers in France
        path.write_text(path.read_text().replace("0.", "0,"))
        pd.testing.assert_frame_equal(read_words(path), expected)


def test_other_marks_empty_file_repeated_column(tmp_path):
    with pytest.raises(AnnotationError, match="no column word, onset"):
        read_words(write(tmp_path, header=HEADER.replace(",", "|")))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(AnnotationError, match="no column"):
        read_words(tmp_path / "empty.csv")
    with pytest.raises(AnnotationError, match="names more than once the column onset"):
        read_words(write(tmp_path, header=HEADER.replace("pos", "onset")))


def test_too_many_cells_and_open_quotes(tmp_path):
    with pytest.raises(AnnotationError, match="line 3"):
        read_words(write(tmp_path, [ROWS[0], ROWS[1] + ",1,2,3"]))
    with pytest.raises(AnnotationError, match="line 2: 8 cells under 7 columns"):
        read_words(write(tmp_path, ["surplus," + ROWS[0], *ROWS[1:]]))
    with pytest.raises(AnnotationError, match="line 2: a quote is left open"):
        read_words(write(tmp_path, ['0,"open,x,1,2,X,1']))


def test_stray_quotes_swallow_no_rows(tmp_path):
    rows = ["the,0.0,0.2,1", '"little,0.3,0.5,1', *(f"prince,{i},{i}.4,1" for i in range(1, 40)), 'said",50,50.2,1']
    with pytest.raises(AnnotationError, match="line 3: a quote is left open"):
        read_words(write(tmp_path, rows, header="word,onset,offset,section"))


def test_a_word_that_is_a_quote_costs_itself_only(tmp_path):
    path = write(tmp_path, [ROWS[0], '1,",x,0.4,0.5,X,1', ROWS[2]])
    assert read_words(path).word.tolist() == ["Once", "the"]
    assert changed_words(path)[["row", "was", "why"]].values.tolist() == [[1, '"', "no letter or digit"]]


def test_control_characters_and_a_header_alone_are_refused(tmp_path):
    for code in (0, 7, 27, 0x7F):
        with pytest.raises(AnnotationError, match="line 3: holds (a zero byte|the control character)"):
            read_words(write(tmp_path, [ROWS[0], f"1,w{chr(code)},x,0.4,0.7,X,1"]))
    for rows in ([], ["0,,,,,,", "1,!,x,0,1,X,1"]):
        with pytest.raises(AnnotationError, match="no row with a word"):
            read_words(write(tmp_path, rows))


@pytest.mark.parametrize("onset", ["0x10", "1_0", "True", "١", "1,5", "0.1.2", "²"])
def test_text_is_no_number(tmp_path, onset):
    with pytest.raises(AnnotationError, match=f"onset is '{onset}', which is no number"):
        read_words(write(tmp_path, [ROWS[0], f'1,when,x,"{onset}",20,X,1']))


def test_words_without_a_time_are_counted_and_dropped_if_asked(tmp_path):
    rows = [
        "0,before,b,-0.4,0.1,X,1",
        ROWS[0],
        "2,a,a,n/a,0.5,X,1",
        "3,b,b,0.5,n/a,X,1",
        ROWS[1].replace("1,", "4,", 1),
    ]
    path = write(tmp_path, rows)
    with pytest.raises(AnnotationError, match="row 2 .*onset is 'n/a'.*drop_untimed=True"):
        read_words(path)
    with pytest.raises(AnnotationError, match="row 0 .*onset -0.4 s .* \\(2 rows are like this\\).*drop_untimed=True"):
        read_words(write(tmp_path, [*rows[:1] * 2, *rows[1:2]]))
    assert read_words(write(tmp_path, rows), drop_untimed=True).word.tolist() == ["Once", "when"]
    with pytest.raises(AnnotationError, match="onset is 'soon'"):  # damage is not dropped
        read_words(write(tmp_path, [*rows, "5,x,x,soon,9,X,1"]), drop_untimed=True)


def test_a_hundred_thousand_columns_take_no_time(tmp_path):
    header, row = HEADER + ",x" * 100_000, ROWS[0] + ",0" * 100_000
    begun = time.monotonic()
    assert len(read_words(write(tmp_path, [row, row.replace("0.1", "0.2")], header))) == 2
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("encoding", ["latin-1", "gbk"])
def test_wrong_encoding_names_the_line(tmp_path, encoding):
    word = "été" if encoding == "latin-1" else "小王子"
    path = write(tmp_path, [ROWS[0], f"1,{word},x,0.4,0.7,X,1"], encoding=encoding)
    with pytest.raises(AnnotationError, match="line 3: not text in UTF-8.*Chinese files"):
        read_words(path)
    french = path.rename(tmp_path / "lppFR_word_information.csv")
    with pytest.raises(AnnotationError, match="line 3: not text in UTF-8.*Latin-1") as error:
        read_words(french)
    assert "Chinese" not in str(error.value)


def test_lost_letters_are_named(tmp_path):
    with pytest.raises(AnnotationError, match="line 3: holds a replacement character"):
        read_words(write(tmp_path, [ROWS[0], "1,\ufffdt\ufffd,x,0.4,0.7,X,1"]))


def test_pointers_and_missing_files_say_how_to_get_them(tmp_path):
    folder = tmp_path / "annotation" / "EN"
    folder.mkdir(parents=True)
    (tmp_path / "participants.tsv").touch()
    pointer = folder / "lppEN_word_information.csv"
    pointer.write_text("/annex/objects/MD5E-s1234567--0123456789abcdef0123456789abcdef.csv\n")
    with pytest.raises(MissingFileError, match="not downloaded yet.*datalad get annotation/EN/lppEN_word"):
        read_words(pointer)
    pointer.unlink()
    pointer.symlink_to("../../.git/annex/objects/ab/cd/MD5E-s1/MD5E-s1.csv")
    with pytest.raises(MissingFileError, match="not downloaded yet"):
        read_words(pointer)
    with pytest.raises(DatasetError, match="does not exist"):
        read_words(folder / "other.csv")
    with pytest.raises(AnnotationError, match="is a folder"):
        read_words(folder)


def test_english_bad_rows_are_dropped_by_label(tmp_path):
    words = read_words(table_of(15_376, "EN", tmp_path))
    assert len(words) == 15_373
    assert not {"w3919", "w6775", "w6781"} & set(words.word)
    assert {"w3918", "w3920"} <= set(words.word)


def test_labels_count_and_not_positions(tmp_path):
    rows = [f"{label},w{label},x,{i},{i}.5,X,1" for i, label in enumerate((3918, 3919, 3920))]
    path = write(tmp_path, rows, name="lppEN_word_information.csv")
    with pytest.warns(UserWarning, match="3 rows where ds003643 has 15376"):
        assert read_words(path).word.tolist() == ["w3918", "w3920"]


def test_french_bad_rows_are_mended(tmp_path):
    path = table_of(12_300, "FR", tmp_path, words={5326: "", 12249: "i"})
    words = read_words(path).set_index("onset").word
    assert len(words) == 12_297
    assert words[[3332.0, 3379.0, 4587.0, 5326.0, 11257.0, 12249.0]].tolist() == [
        "de",
        "trois",
        "l",
        "première",
        "À",
        "il",
    ]
    assert 3333.0 not in words.index


def test_bad_rows_that_break_the_order_are_mended_first(tmp_path):
    rows = ["3918,a,x,10,11,X,1", "3919,b,x,nothing,4,X,1", "3920,c,x,12,13,X,1"]
    path = write(tmp_path, rows, name="lppEN_word_information.csv")
    with pytest.warns(UserWarning):
        assert read_words(path).word.tolist() == ["a", "c"]


def test_a_phantom_and_other_files_keep_all_their_rows(tmp_path):
    folder = tmp_path / "annotation" / "EN"
    folder.mkdir(parents=True)
    path = table_of(7000, "EN", folder)
    with pytest.warns(UserWarning, match="mend=False"):
        assert len(read_words(path)) == 6997
    assert len(read_words(path, mend=False)) == 7000
    (tmp_path / "dataset_description.json").write_text('{\n "Name": "A brainbook Phantom"\n}')
    assert len(read_words(path)) == 7000
    (tmp_path / "dataset_description.json").unlink()
    (tmp_path / "truth").mkdir()
    assert len(read_words(path)) == 7000
    assert len(read_words(table_of(7000, "CN", folder))) == 7000


def is_itself(word: str) -> bool:
    """Whether a word cannot be taken for UTF-8 that was read as a Western encoding, as 'Ã‰' is 'É'."""
    try:
        return word.encode("cp1252", "surrogateescape").decode("utf-8") == word
    except UnicodeError:
        return True


words_with_times = st.lists(
    st.tuples(
        st.text(st.characters(categories=("Lu", "Lo", "Nd")) | st.sampled_from("é'\",;你"), min_size=1).filter(
            is_itself
        ),
        st.integers(1, 2000),
        st.integers(0, 900),
    ),
    min_size=1,
    max_size=30,
)


@QUIET
@given(words_with_times)
@example([("ÂŠ", 1, 0)])  # letters that would decode to a control character
def test_any_table_comes_back_as_it_was_written(tmp_path, entries):
    onset = np.cumsum([gap for _, gap, _ in entries]) / 1000
    table = pd.DataFrame(
        {
            "word": [f"x{unicodedata.normalize('NFC', word)}" for word, _, _ in entries],
            "onset": onset,
            "offset": onset + np.array([length for _, _, length in entries]) / 1000,
            "section": np.minimum(1 + np.arange(len(entries)) // 4, 9),
        }
    )
    path = tmp_path / "words.csv"
    table.to_csv(path)
    words = read_words(path)
    assert words.word.tolist() == table.word.tolist()
    np.testing.assert_allclose(words[["onset", "offset"]], table[["onset", "offset"]], atol=1e-9)
    assert words.section.tolist() == table.section.tolist()


@QUIET
@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 30))
def test_damage_is_either_read_or_named(tmp_path, noise, position, gone):
    content = "\n".join([HEADER, *ROWS]).encode()
    path = tmp_path / "words.csv"
    path.write_bytes(content[:position] + noise + content[position + gone :])
    try:
        words = read_words(path)
    except BrainbookError as error:
        assert str(path) in str(error)
    else:
        assert set(words.section) <= set(range(1, 10))
        assert (words.offset >= words.onset).all()
        assert words.groupby("section").onset.apply(lambda onset: onset.is_monotonic_increasing).all()
        assert len(words) <= content.count(b"\n") + noise.count(b"\n") + noise.count(b"\r")
        assert all(any(character.isalnum() for character in word) for word in words.word)


@QUIET
@given(st.text(string.printable, max_size=300))
def test_arbitrary_text_never_fails_unnamed(tmp_path, text):
    path = tmp_path / "words.csv"
    path.write_text(",word,onset,offset,section\n" + text, encoding="utf-8")
    try:
        read_words(path)
    except BrainbookError as error:
        assert str(path) in str(error)
