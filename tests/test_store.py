import json
import multiprocessing
import os
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainbook.store import fingerprint, keep_array, whole_file, write_json


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    with whole_file(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]


def test_content_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: seen.append((os.fstat(descriptor).st_size, list(tmp_path.glob("a*"))))
    )
    write_json(tmp_path / "a.json", {"b": 1})
    assert seen == [((tmp_path / "a.json").stat().st_size, [])]


def test_the_temporary_file_keeps_the_suffixes(tmp_path):
    with whole_file(tmp_path / "bold.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"x")


def test_json_round_trip(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "path": tmp_path})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2.5, None], "path": str(tmp_path)}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(plain, plain)
def test_fingerprints_differ_exactly_when_the_content_does(left, right):
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (fingerprint(left) == fingerprint(right)) == same


def test_fingerprint_sees_dtype_shape_files_and_frames(tmp_path):
    ones = np.ones(4, dtype=np.float32)
    file = tmp_path / "f"
    file.write_text("a")
    before = fingerprint(file)
    file.write_text("b")
    assert fingerprint(file) != before
    assert len({fingerprint(ones), fingerprint(ones.reshape(2, 2)), fingerprint(ones.astype(float))}) == 3
    assert fingerprint(pd.DataFrame({"a": [1]})) != fingerprint(pd.DataFrame({"a": [2]}))


def test_an_array_is_computed_once_for_the_same_inputs(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return np.arange(6.0).reshape(2, 3)

    first = keep_array(tmp_path, "states", {"model": "a"}, compute)
    again = keep_array(tmp_path, "states", {"model": "a"}, compute, mmap=True)
    assert len(calls) == 1
    np.testing.assert_array_equal(first, again)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1
    keep_array(tmp_path, "states", {"model": "b"}, compute)
    keep_array(None, "states", {"model": "b"}, compute)
    assert len(calls) == 3


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("left", [0, 1, 60, 128, 140, "\n", "header"])
def test_a_torn_array_is_computed_again(tmp_path, left, mmap):
    keep_array(tmp_path, "a", {}, lambda: np.arange(9.0))
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    damage = {"\n": b"\n", "header": whole.replace(b"'<f8', '", b"'<f8', nan'")}
    path.write_bytes(damage[left] if left in damage else whole[:left])
    again = keep_array(tmp_path, "a", {}, lambda: np.arange(9.0) + 1, mmap=mmap)
    np.testing.assert_array_equal(again, np.arange(9.0) + 1)
    np.testing.assert_array_equal(np.load(path), again)


def test_arrays_of_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="[Oo]bject"):
        keep_array(tmp_path, "bad", {}, lambda: np.array([{}], dtype=object))
    assert not list(tmp_path.glob("*.npy")) and not list(tmp_path.glob(".writing-*"))


def slowly(folder, journal):
    """Compute the same array as three other processes, for a while, and tell that it was computed here."""

    def compute():
        with journal.open("a") as stream:
            stream.write("computed\n")
        time.sleep(0.5)
        return np.arange(3.0)

    np.testing.assert_array_equal(keep_array(folder, "states", {"model": "a"}, compute), [0, 1, 2])


def test_of_processes_that_want_the_same_array_one_computes_it(tmp_path):
    context = multiprocessing.get_context("fork")
    asking = [context.Process(target=slowly, args=(tmp_path, tmp_path / "journal")) for _ in range(4)]
    for process in asking:
        process.start()
    for process in asking:
        process.join(30)
    assert [process.exitcode for process in asking] == [0] * 4
    assert (tmp_path / "journal").read_text() == "computed\n"


def test_the_lock_of_a_killed_process_is_gone(tmp_path):
    journal = tmp_path / "journal"
    killed = multiprocessing.get_context("fork").Process(target=slowly, args=(tmp_path, journal))
    killed.start()
    while not journal.exists():
        time.sleep(0.01)
    killed.kill()
    killed.join()
    slowly(tmp_path, journal)
    assert journal.read_text() == "computed\n" * 2
