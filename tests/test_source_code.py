"""A key of what code means: it changes with every statement, and with nothing that only a reader sees."""

import importlib.util
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest
import yaml

from brainbook import source_code
from brainbook.source_code import PACKAGE, code_cells, code_fingerprint, code_of, reading_once, sources

SOLVER = '''"""Solve."""

from math import pi

GRID = (1.0, 2.0)


class Settings:
    m: int
    n: int = 0

    def get(self):
        y = self.n
        return y


def solve(x):
    """Return twice `x`."""
    # doubled
    return 2 * x + GRID[0] + pi * Settings().get()


def halve(x):
    return x / 2
'''
ASKS = """from brainbook.room.solver import solve
from brainbook.other import name


def ask(x):
    return solve(x), name
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package called brainbook with a room, two files and a table."""
    root = tmp_path / "brainbook"
    (root / "room").mkdir(parents=True)
    for name, text in {"__init__": "", "other": "name = 'table.csv'\n", "room/__init__": "", "asks": ASKS}.items():
        (root / f"{name}.py").write_text(text)
    (root / "room/solver.py").write_text(SOLVER)
    (root / "table.csv").write_text("a\n1\n")
    monkeypatch.setattr(source_code, "PACKAGE", root)
    source_code._files_of.cache_clear()
    yield root
    source_code._files_of.cache_clear()


def key(root):
    return code_fingerprint([root / "asks.py"])


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("room/solver.py", '"""Return twice `x`."""', '"""Double."""', True),
        ("room/solver.py", "# doubled", "# twice, of course", True),
        ("room/solver.py", "(1.0, 2.0)", "(\n    1.0,\n    2.0,\n)", True),
        ("room/solver.py", "2 * x", "3 * x", False),
        ("room/solver.py", "x / 2", "x / 3", True),  # nobody asks for it
        ("room/solver.py", "GRID = (1.0, 2.0)", "GRID = (1.0, 2.0)\nif GRID:\n    GRID = (2.0,)", False),
        ("room/solver.py", "(1.0, 2.0)", "(1.0, 3.0)", False),
        ("room/solver.py", "solve(x)", "solve(x: float) -> float", True),
        ("room/solver.py", "solve(x)", "solve(x, y: int = 0)", False),
        ("room/solver.py", "GRID =", "GRID: tuple[float, ...] =", True),
        ("room/solver.py", "y = self.n", "z: int\n        y: int = self.n", True),
        ("room/solver.py", "n: int = 0", "n: float = 0", False),  # a field: a dataclass reads it
        ("room/solver.py", "m: int", "m: float", False),
        ("room/solver.py", "import pi", "import e, pi", True),
        ("room/solver.py", "import pi", "import pi\nif TYPE_CHECKING:\n    from math import e", True),
        ("room/solver.py", "import pi", "import e as pi", False),
        ("room/solver.py", "from math", "from numpy", False),
        ("asks.py", "solve(x), name", "solve(x + 1), name", False),
        ("table.csv", "1", "2", False),
    ],
)
def test_what_readers_see_does_not_count_and_all_else_does(package, name, old, new, same):
    before = key(package)
    file = package / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert (key(package) == before) is same


def test_names_of_files_do_not_count_but_what_is_imported_does(package):
    before = key(package)
    (package / "room/solver.py").rename(package / "room/ridge.py")
    source_code._files_of.cache_clear()
    asks = package / "asks.py"
    moved = ASKS.replace("room.solver", "room.ridge").splitlines(keepends=True)
    asks.write_text("".join([moved[1], moved[0], *moved[2:]]))  # sorted by name, the imports change places
    assert key(package) == before
    (package / "room/solver.py").write_text(SOLVER.replace("2 *", "3 *"))
    asks.write_text(ASKS)
    source_code._files_of.cache_clear()
    assert key(package) != before


def test_where_an_import_stands_does_not_count(package):
    before = key(package)
    moved = SOLVER.replace("from math import pi", "").replace("    # doubled", "    from math import pi\n")
    (package / "room/solver.py").write_text(moved)
    assert key(package) == before
    (package / "room/solver.py").write_text(moved.replace("from math", "from numpy"))
    assert key(package) != before


def test_a_function_stands_for_its_module_and_what_that_imports(package, monkeypatch):
    spec = importlib.util.spec_from_file_location("solver", package / "room/solver.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert code_of(module.solve) is None, "written after this process began: nobody knows which state is executed"
    source_code._code_of_definition.cache_clear()
    monkeypatch.setattr(source_code, "BEGAN", source_code.BEGAN + 1e6)
    assert code_of(module.solve) == code_fingerprint([(package / "room/solver.py", "solve")])
    assert code_of(module.solve) != code_of(module.halve)
    spaces = [{}, {}]
    for space, factor in zip(spaces, (2, 3), strict=True):  # typed, in no file
        exec(f"def f(x):\n    return {factor} * x", space)
    assert code_of(spaces[0]["f"]) != code_of(spaces[1]["f"])


@pytest.mark.parametrize(
    "asks",
    [
        "import brainbook.room.solver as it\n\ndef ask(x):\n    return it.solve(x)\n",
        "from brainbook.room import solver\n\ndef ask(x):\n    return solver.solve(x)\n",
        "def ask(x):\n    from brainbook.room.solver import solve as s\n\n    return s(x)\n",
        "from brainbook.room import solver\n\ndef ask(x, of=solver):\n    return of.solve(x)\n",
        "from brainbook.room import double\n\ndef ask(x):\n    return double(x)\n",
        "from brainbook import room\n\ndef ask(x):\n    return room.double(x)\n",
    ],
)
@pytest.mark.parametrize("first", ["", "if TYPE_CHECKING:\n    "])  # at import, or at first use
def test_every_way_to_name_a_function_is_followed(package, asks, first):
    (package / "room/__init__.py").write_text(f"{first}from brainbook.room.solver import solve as double\n")
    (package / "asks.py").write_text(asks)
    before = key(package)
    (package / "room/solver.py").write_text(SOLVER.replace("2 *", "3 *"))
    assert key(package) != before


def test_what_two_names_stand_for_cannot_be_exchanged(package):
    both = "from brainbook.room.solver import solve as {}, halve as {}\n\ndef ask(x):\n    return f(x), g(2 * x)\n"
    keys = []
    for names in (("f", "g"), ("g", "f")):
        (package / "asks.py").write_text(both.format(*names))
        keys.append(key(package))
    assert keys[0] != keys[1]


def test_all_that_runs_is_rested_on():
    """Watch a small encoding: every definition of the package that is executed is among those that count."""
    from brainbook.chapters.shared import Features, score_participants

    rng = np.random.default_rng(0)
    runs = np.repeat([1, 2, 3], 40)
    features = Features(rng.normal(size=(2, 120, 3)).astype(np.float32), runs)
    responses = rng.normal(size=(1, 120, 4)).astype(np.float32)
    executed = set()

    def watch(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)) and not code.co_name.startswith("<"):
            executed.add((Path(code.co_filename), code.co_qualname.split(".")[0]))

    score_participants(features, responses, ["a"], None, device="cpu", trim=2)  # what is imported now is not called
    sys.setprofile(watch)
    try:
        score_participants(features, responses, ["a"], None, device="cpu", trim=2)
    finally:
        sys.setprofile(None)
    names = set()
    shared = PACKAGE / "chapters/shared.py"  # the features that are given are of a class there, an annotation says
    for file, number in source_code._reached([(shared, "score_participants"), (shared, "Features")]):
        names |= {(file, name) for name, numbers in source_code._module(file).bound.items() if number in numbers}
    assert len(executed) > 20 and executed <= names


def test_cached_scores_rest_on_the_solver():
    wanted = {PACKAGE / "encoding/ridge_design.py", PACKAGE / "encoding/cross_validation.py"}
    assert wanted <= set(sources((PACKAGE / "chapters/shared.py", "score_participants")))


def test_code_cells_of_a_notebook_are_those_that_jupytext_reads():
    notebooks = sorted((Path(__file__).parents[1] / "notebooks").glob("*.md"))
    odd = (
        "````{code-cell}\n---\ntags: [a]\n---\n\nx = '''\n```\n'''\n````\n"
        "\n```{code-cell} ipython3\n:name: b\n```\n\n```python\n```\n"
    )
    for text in [odd, *(path.read_text(encoding="utf-8") for path in notebooks)]:
        cells = [cell for cell in jupytext.reads(text, fmt="md:myst").cells if cell.cell_type == "code"]
        read = [((yaml.safe_load(options) or {}).get("tags", []), source) for options, source in code_cells(text)]
        assert read == [(cell.metadata.get("tags", []), cell.source) for cell in cells]


def test_files_are_read_once_within_the_block_and_anew_after_it(package):
    before = key(package)
    with reading_once():
        assert key(package) == before
        (package / "other.py").write_text("name = 'another.csv'\n")
        assert key(package) == before
    assert key(package) != before
