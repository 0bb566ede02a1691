"""Files that are damaged, mistaken or hostile: each is read, or refused by an error of the project that names it.

`HYPOTHESIS_PROFILE=long pytest tests/damage` searches at length; `tests/conftest.py` has the counts. inputs/ holds what
such a search (another one, of 2026) found: the smallest file of each raw exception.
"""

import shutil
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from brainbook.errors import BrainbookError

from .kinds import KINDS

pytestmark = pytest.mark.integration

INPUTS = Path(__file__).with_name("inputs")
SECONDS = 5.0  # of processor time that a small file may take, whatever it holds
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))
TOKENS = [
    *(
        b'"',
        b"\0",
        b"\n",
        b"\r",
        b",",
        b"\t",
        b";",
        b"nan",
        b"inf",
        b"1e999",
        b"-1",
        b"9" * 25,
        b"0",
        b"1",
        b"1.5",
        b"NA",
    ),
    *(
        b"\xff",
        b"\x80",
        b"\x7f" * 4,
        b"\xff" * 4,
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\xd8\x00",
        b"null",
        b"true",
        b"n/a",
    ),
    *(b"[" * 50, b"[" * 5000, b"{", b"}", b"&a [*a]", b"*a", b"!!timestamp 2001", b"2020-13-45", b": ", b"- ", b"**"),
    *(b"..", b"/", b"~nobody", b"$", b"${X}", b"<script>", b""),
]
places = st.floats(0, 1)
texts = st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace"))
noise = st.sampled_from(TOKENS) | st.binary(max_size=12) | texts
damage = st.one_of(
    st.tuples(st.just("cut"), places),
    st.tuples(st.just("flip"), places, st.integers(0, 7)),
    st.tuples(st.just("put"), places, noise, st.integers(0, 30)),
    st.tuples(st.just("twice"), places, st.integers(1, 200)),
    st.tuples(st.just("exchange"), st.integers(0, 30), st.integers(0, 30)),
)


def damaged(content: bytes, what: str, *how) -> bytes:
    """Return a file's content with one damage."""
    if what == "exchange":
        lines = content.split(b"\n")
        one, other = (number % len(lines) for number in how)
        lines[one], lines[other] = lines[other], lines[one]
        return b"\n".join(lines)
    at = min(int(how[0] * len(content)), max(len(content) - 1, 0))
    if what == "cut":
        return content[:at]
    if what == "flip":
        return content[:at] + bytes(byte ^ 1 << how[1] for byte in content[at : at + 1]) + content[at + 1 :]
    if what == "put":
        return content[:at] + how[1] + content[at + how[2] :]
    return content[: at + how[1]] + content[at:]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Writes a kind's sound file, in a folder of its own; returns its path and content."""
    written: dict[str, tuple[Path, bytes]] = {}

    def write(name: str) -> tuple[Path, bytes]:
        if name not in written:
            path = tmp_path_factory.mktemp("kind") / KINDS[name].name
            path.parent.mkdir(parents=True, exist_ok=True)
            KINDS[name].write(path)
            written[name] = path, path.read_bytes()
        path, content = written[name]
        path.write_bytes(content)
        return path, content

    return write


def read(name: str, path: Path) -> BrainbookError | None:
    """Read a file that may be damaged; return how it was refused. Whatever else is raised fails the test."""
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            KINDS[name].read(path)
        return None
    except BrainbookError as error:
        assert not KINDS[name].names or path.name in str(error), str(error)
        return error
    finally:
        assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("name", KINDS)
def test_a_sound_file_is_read(sound, name):
    path, _ = sound(name)
    assert read(name, path) is None


@pytest.mark.parametrize("name", KINDS)
@QUIET
@given(damages=st.lists(damage, min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused_by_name(sound, name, damages):
    path, content = sound(name)
    for what in damages:
        content = damaged(content, *what)
    path.write_bytes(content)
    read(name, path)


@pytest.mark.parametrize("path", sorted(INPUTS.glob("*/*")), ids=lambda path: f"{path.parent.name} {path.name}")
def test_what_once_raised_another_error_is_refused(sound, path):
    name = path.parent.name
    file, _ = sound(name)
    shutil.copyfile(path, file)
    assert read(name, file) is not None
