import time

import pytest
from hypothesis import given, settings, strategies as st

from brainbook.datasets.files import MissingFileError, check_content, is_pointer, read_table
from brainbook.errors import AnnotationError, DatasetError

KEY = "MD5E-s66000000--0123456789abcdef0123456789abcdef.nii.gz"
POINTERS = {
    "posix": (f"/annex/objects/{KEY}\n", "git-annex", "datalad get"),
    "link as text": (f"../../.git/annex/objects/Xx/Yy/{KEY}/{KEY}", "git-annex", "datalad get"),
    "windows": (f"..\\..\\.git\\annex\\objects\\Xx\\Yy\\{KEY}\\{KEY}\r\n", "git-annex", "datalad get"),
    "windows, unlocked": (f"/annex/objects/{KEY}\r\n", "git-annex", "datalad get"),
    "windows, backslashes": (f"\\annex\\objects\\{KEY}\r\n", "git-annex", "datalad get"),
    "lfs": ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS", "git lfs pull"),
    "lfs, windows": ("version https://git-lfs.github.com/spec/v1\r\noid sha256:4d7a\r\n", "Git LFS", "git lfs pull"),
}  # fmt: skip


@pytest.mark.parametrize("name", POINTERS)
def test_pointers_are_called_by_their_name(tmp_path, name):
    content, kind, command = POINTERS[name]
    (tmp_path / "participants.tsv").write_text("participant_id\n")
    path = tmp_path / "l'été 1" / "lppEN_section1.TextGrid"
    path.parent.mkdir()
    path.write_bytes(content.encode())
    assert is_pointer(path)
    with pytest.raises(MissingFileError) as raised:
        check_content(path)
    message = str(raised.value)
    assert f"it is a {kind} pointer" in message and command in message
    assert "'l'\"'\"'été 1/lppEN_section1.TextGrid'" in message  # can be pasted into a shell


@pytest.mark.parametrize("name", ["posix", "lfs"])
@pytest.mark.parametrize("there", [(), ("participants.tsv",), ("participants.tsv", "annotation/a.csv")])
def test_how_to_get_a_file_depends_on_where_its_pointer_lies(tmp_path, name, there):
    """In no dataset there is no command for datalad; ds003643, known by its annotation, comes without a clone, too."""
    content, kind, command = POINTERS[name]
    for each in there:
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text("participant_id\n")
    (tmp_path / "words.csv").write_text(content)
    with pytest.raises(MissingFileError) as raised:
        check_content(tmp_path / "words.csv")
    message = str(raised.value)
    wanted = f"cd {tmp_path} && {command}" if there else "git lfs pull" if kind == "Git LFS" else "Check the path"
    assert wanted in message
    assert ("--dataset ds003643 --include words.csv" in message) == (len(there) == 2)


@pytest.mark.parametrize("content", ["", "version 2 of the words\n", "annexed objects\n", "/annex/things\n", "\\n\n"])
def test_other_short_texts_are_content(tmp_path, content):
    (tmp_path / "a.txt").write_text(content)
    assert check_content(tmp_path / "a.txt") == tmp_path / "a.txt"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column name, n, x; its columns are none"),
        (b"\xb4", "line 1: not text in UTF-8"),
        (b"name,n,x\na,1,2\n\xffb,1,2\n", "line 3: not text in UTF-8"),
        (b"name,n\na,1\n", "has no column x; its columns are name, n"),
        (b"name,n,x,x\na,1,2,3\n", "names more than once the column x"),
        (b"name,n,x\n", "names columns but has no row"),
        (b"name,n,x\na,1,2\n\nb,1\n", "line 4: 2 cells under 3 columns"),
        (b"name,n,x\na,1,2,3\n", "line 2: 4 cells under 3 columns"),
        (b'name,n,x\na,1,2\n"b,1,2\nc,1,2\n', "line 3: a quote is left open"),
        (b"name,n,x\na,1,2\nb,one,2\n", "line 3, column n: 'one' is no whole number"),
        (b"name,n,x\na,1.5,2\n", "line 2, column n: '1.5' is no whole number"),
        (b"name,n,x\na,,2\nb,,2\n", r"line 2, column n: '' is no whole number. Correct it \(as 2 cells\)"),
        (b"name,n,x\na,1e300,2\n", "is no whole number"),
        (b"name,n,x\na,1,inf\n", "column x: 'inf' is no number"),
        (b"name,n,x\na,1,nan\n", "column x: 'nan' is no number"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_place(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"table\.csv.*{message}"):
        read_table(path, {"name": str, "n": int, "x": float})
    with pytest.raises(AnnotationError, match="table"):
        read_table(path, {"name": str, "n": int, "x": float}, error=AnnotationError)


def test_a_hundred_thousand_columns_are_refused_at_once(tmp_path):
    path, began = tmp_path / "table.csv", time.process_time()
    path.write_text("\n".join([",".join(f"x{n}" for n in range(100_000)), ",".join(["0"] * 100_000)]))
    with pytest.raises(DatasetError, match="table.csv names 100,000 columns, more than 10,000"):
        read_table(path, {f"x{n}": float for n in range(100_000)})
    assert time.process_time() - began < 5


def test_what_a_table_may_hold(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b'\xef\xbb\xbfname,n,x,y\r\nNA,01,n/a,"a, b"\r\n null ,2.0,1e-3,\r\n')
    table = read_table(path, {"name": str, "n": int, "x": float}, blank=("x",))
    assert table.name.tolist() == ["NA", "null "] and table.y.tolist() == ["a, b", ""]
    assert table.n.tolist() == [1, 2] and table.n.dtype == int
    assert table.x.isna().tolist() == [True, False] and table.x[1] == 0.001
    path.write_text('name\tn\n5" disk\t3\n')
    assert read_table(path, {"name": str}, others=float, sep="\t").to_dict("list") == {"name": ['5" disk'], "n": [3.0]}


@settings(deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=80), st.text(',\n\r"ab1.\t-e\0', max_size=40).map(lambda t: b"a,b\n" + t.encode())
    )
)
def test_whatever_bytes_give_a_table_or_the_projects_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    for sep in ",\t":
        try:
            table = read_table(path, {"a": int, "b": float}, sep=sep)
        except DatasetError as error:
            assert "fuzz.csv" in str(error)
        else:
            assert len(table) and table.a.dtype == int and table.b.notna().all()
