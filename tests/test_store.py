import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from brainbook.errors import ConfigurationError
from brainbook.source_code import PACKAGE
from brainbook.store import atomic_write, cached_array, fingerprint, read_json, read_yaml, write_json


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    with atomic_write(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]


def test_content_is_on_disk_before_it_has_its_name_and_then_the_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: seen.append((os.fstat(descriptor).st_ino, list(tmp_path.glob("a*"))))
    )
    path = tmp_path / "a.json"
    write_json(path, {"b": 1})
    assert seen == [(path.stat().st_ino, []), (tmp_path.stat().st_ino, [path])]


def test_the_temporary_file_keeps_the_suffixes(tmp_path):
    with atomic_write(tmp_path / "bold.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"x")


def test_json_round_trip(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "path": tmp_path, "n": np.int64(3), "x": np.arange(2)})
    assert read_json(tmp_path / "a.json") == {"b": [1, 2.5, None], "path": str(tmp_path), "n": 3, "x": [0, 1]}


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


DIFFERENT = [  # pairs that a careless key takes for the same
    (np.array(["x"], object), np.array(["y"], object)),
    ({"a:1;b": 2}, {"a": 1, "b": 2}),
    ({"1": 0}, {1: 0}),
    (np.ma.masked_array([1, 2], [False, True]), np.ma.masked_array([1, 2], [True, False])),
    (np.ma.masked_array([1, 2], [False, False]), np.array([1, 2])),
    (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    (pd.DataFrame({"a": ["1"]}), pd.DataFrame({"a": [1]})),
    (pd.DataFrame({"a": [None]}), pd.DataFrame({"a": [""]})),
    ({1, 2}, [1, 2]),
    (["a", "b"], ["a;b"]),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_things_have_different_fingerprints(left, right):
    assert fingerprint(left) != fingerprint(right)


def test_equal_things_have_one_fingerprint():
    texts = ["".join(["a", "b"]), "abc"[:2]]  # two objects of one value
    assert fingerprint(np.array(texts[:1], object)) == fingerprint(np.array(texts[1:], object))
    assert fingerprint(np.int64(3)) == fingerprint(3)
    assert fingerprint({"b", "a"}) == fingerprint({"a", "b"})
    hidden = [np.ma.masked_array([1, value], [False, True]) for value in (2, 3)]
    assert fingerprint(hidden[0]) == fingerprint(hidden[1]), "what a mask hides does not count"
    with pytest.raises(TypeError):
        fingerprint(np.array([object()], object))


@pytest.mark.parametrize("content", ["", "[1]", "\ufffd", '{"a": ' + "[" * 100_000])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ConfigurationError, match="a.json"):
        read_json(tmp_path / "a.json")


ASK = """
import numpy as np
from brainbook import solver
from brainbook.store import cached_array
print(solver.ask(cached_array, "kept"))
"""
SOLVER = """
import numpy as np
from brainbook.product import product
def ask(cached_array, folder):
    return cached_array(folder, "scores", {"x": 1}, lambda: np.array([product(1.0)])).tolist()
"""


def test_an_array_is_made_anew_when_the_code_that_made_it_changed(tmp_path):
    """In a copy of the package with a solver of its own, asked by one process after the other."""
    copy = tmp_path / "src/brainbook"
    copy.mkdir(parents=True)
    for name in ("errors", "lazy_imports", "source_code", "store"):
        shutil.copy(PACKAGE / f"{name}.py", copy)
    (copy / "__init__.py").write_text("")
    (copy / "solver.py").write_text(SOLVER)

    def asked(product: str) -> str:
        (copy / "product.py").write_text(f"def product(x):\n    {product}\n")
        time.sleep(0.02)  # the clock of the file system is coarse: these files are older than the process
        process = subprocess.run([sys.executable, "-c", ASK], env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
                                 cwd=tmp_path, capture_output=True, text=True, check=True)  # fmt: skip
        return process.stdout.strip()

    assert asked("return 2 * x") == "[2.0]"
    assert asked("return 2 * x  # twice") == "[2.0]" and len(list(tmp_path.glob("kept/*.npy"))) == 1
    assert asked("return 3 * x") == "[3.0]"


def test_an_array_is_computed_once_for_the_same_inputs(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return np.arange(6.0).reshape(2, 3)

    first = cached_array(tmp_path, "states", {"model": "a"}, compute)
    again = cached_array(tmp_path, "states", {"model": "a"}, compute, mmap=True)
    assert len(calls) == 1
    np.testing.assert_array_equal(first, again)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1
    cached_array(tmp_path, "states", {"model": "b"}, compute)
    cached_array(None, "states", {"model": "b"}, compute)
    assert len(calls) == 3


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("left", [0, 1, 60, 128, 140, "\n", "header"])
def test_a_torn_array_is_computed_again(tmp_path, left, mmap):
    cached_array(tmp_path, "a", {}, lambda: np.arange(9.0))
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    damage = {"\n": b"\n", "header": whole.replace(b"'<f8', '", b"'<f8', nan'")}
    path.write_bytes(damage[left] if left in damage else whole[:left])
    again = cached_array(tmp_path, "a", {}, lambda: np.arange(9.0) + 1, mmap=mmap)
    np.testing.assert_array_equal(again, np.arange(9.0) + 1)
    np.testing.assert_array_equal(np.load(path), again)


def test_arrays_of_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="[Oo]bject"):
        cached_array(tmp_path, "bad", {}, lambda: np.array([{}], dtype=object))
    assert not list(tmp_path.glob("*.npy")) and not list(tmp_path.glob(".writing-*"))


def slowly(folder, journal):
    """Compute the same array as three other processes, for a while, and tell that it was computed here."""

    def compute():
        with journal.open("a") as stream:
            stream.write("computed\n")
        time.sleep(0.5)
        return np.arange(3.0)

    np.testing.assert_array_equal(cached_array(folder, "states", {"model": "a"}, compute), [0, 1, 2])


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
    while not (journal.exists() and journal.read_text()):
        time.sleep(0.01)
    killed.kill()
    killed.join()
    slowly(tmp_path, journal)
    assert journal.read_text() == "computed\n" * 2


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"written out, its aliases .* are more than 100,000 values"),
        ("a: &a [*a]", "written out"),
        ("a: &a {b: *a}", "written out"),
        ("a: 1\nb: 2\na: 3", "line 3: not YAML .the key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "line 1: not YAML .the key 'b' stands twice"),
        ("a: " + "[" * 5000, "not YAML"),
        ("a: !!python/object/apply:os.system [id]", "not YAML"),
        ("a: 2020-13-45", "not YAML .month must be in"),
        ("a: !!timestamp 2001", "not YAML"),
        ("? [a]\n: b", "not YAML"),
        ("1: b", "keys and their values"),
        ("- 1", "keys and their values"),
        ("", "keys and their values"),
        ("a: " + "x" * 600_000, "600,003 characters, more than 500,000"),
    ],
    ids=str,
)
def test_yaml_that_could_mislead_or_grow_is_refused(text, message):
    began = time.process_time()
    with pytest.raises(ConfigurationError, match=f"mine.yaml.*{message}"):
        read_yaml(text, "mine.yaml")
    assert time.process_time() - began < 3


def test_yaml_as_people_write_it():
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, a: 3}\nagain: [*base, *base]"
    base = {"a": 1, "b": 2}
    assert read_yaml(text, "x") == {"base": base, "own": {"a": 3, "b": 2}, "again": [base, base]}
