"""What a reader on Windows imports, where two modules of Unix are missing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "brainbook"
UNIX = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "crypt", "curses"}
WITHOUT = f"""
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {sorted(UNIX)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
for name in {sorted(UNIX)!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refuse())
import numpy as np
import brainbook.encoding, brainbook.stats, brainbook.course, brainbook.datasets
from brainbook.store import cached_array
from brainbook.encoding import cross_validate
rng = np.random.default_rng(0)
X = rng.normal(size=(90, 3))
scores = cross_validate(X, X @ rng.normal(size=(3, 2)), np.repeat([1, 2, 3], 30), delays=None).scores
assert scores.min() > 0.9, scores
assert brainbook.course.exercises().shape[0]
assert not [name for name in {sorted(UNIX)!r} if name in sys.modules]
print("fine")
"""


def imports_at_the_top(path: Path) -> set[str]:
    """Modules that an import of a file imports, outside functions."""
    names, waiting = set(), list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        names |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return {name.split(".")[0] for name in names}


def test_no_module_imports_what_only_unix_has():
    found = {path.name: names for path in PACKAGE.rglob("*.py") if (names := imports_at_the_top(path) & UNIX)}
    assert not found


def test_the_rooms_that_compute_are_imported_without_unix():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "fine\n", done.stderr
