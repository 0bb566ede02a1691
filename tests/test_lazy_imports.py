"""Nobody waits for torch who lists runs: what the command line and a chapter's first cell import."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from brainbook.lazy_imports import lazy_names
from brainbook.source_code import PACKAGE

pytestmark = pytest.mark.integration

HEAVY = ("torch", "transformers", "accelerate", "nilearn", "sklearn", "statsmodels", "himalaya", "cortex")
FOR_NOTEBOOKS_ONLY = ("matplotlib", "IPython", "papermill", "nibabel", "scipy")
LAZY_ROOMS = sorted(
    file.parent.name for file in PACKAGE.glob("*/__init__.py") if "lazy_names(" in file.read_text(encoding="utf-8")
)
FOR_READERS_ONLY = ("jupytext", "nbformat")
CODE = f"""
import sys
from brainbook.__main__ import main
for command in (["list", "demo"], ["archive"], ["status", "demo"], ["check", "demo"]):
    main(command)
    unwanted = {HEAVY + FOR_READERS_ONLY} + (() if command[0] == "check" else {FOR_NOTEBOOKS_ONLY})  # opens them
    print(f"{{command[0]}}:", *(name for name in unwanted if name in sys.modules))
print("commands:", len(sys.modules))
from brainbook.chapters import alignment
from brainbook.plots import style
from brainbook.workflow import start_run
print("alignment:", *(name for name in {HEAVY} if name in sys.modules))
print("modules:", len(sys.modules))
"""


def test_commands_and_a_first_cell_import_nothing_that_takes_seconds():
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", CODE], cwd=root, capture_output=True, text=True, check=True)
    said = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert {said[name] for name in ("list", "status", "check", "archive", "alignment")} == {""}
    assert int(said["commands"]) < 1500
    assert int(said["modules"]) < 2000  # 1,500 when this was written; with torch and transformers it would be 4,000


@pytest.mark.parametrize("room", LAZY_ROOMS)
def test_what_a_room_promises_is_there(room):
    module = importlib.import_module(f"brainbook.{room}")
    submodules = {path.stem for path in (PACKAGE / room).iterdir() if path.is_dir() or path.suffix == ".py"}
    assert not submodules & set(module.__all__), "a submodule of that name would hide it"
    assert set(module.__all__) <= set(dir(module))
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {(alias.name, alias.asname) for node in imports for alias in node.names}
    own = imported - {("TYPE_CHECKING", None), ("lazy_names", None)}
    assert own == {(name, name) for name in module.__all__}, "`X as X` says to type checkers that X is public"


def test_names_are_fetched_once_and_unknown_ones_refused(tmp_path):
    file = tmp_path / "__init__.py"
    file.write_text("if TYPE_CHECKING:\n    from brainbook.errors import DatasetError, ModelError\n")
    fetch, names, public = lazy_names("brainbook.stats", str(file))
    import brainbook.stats as room
    from brainbook.errors import ModelError

    assert fetch("ModelError") is ModelError and room.ModelError is ModelError
    assert public == ["DatasetError", "ModelError"]
    assert {"DatasetError", "__name__"} <= set(names())
    del room.ModelError
    with pytest.raises(AttributeError, match="'brainbook.stats' has no attribute 'torch'"):
        fetch("torch")


def test_a_package_that_is_not_installed_is_named_with_the_extra_that_brings_it(tmp_path):
    (tmp_path / "__init__.py").write_text("if TYPE_CHECKING:\n    from no_such_package import Regions\n")
    fetch, *_ = lazy_names("brainbook.datasets", str(tmp_path / "__init__.py"))
    with pytest.raises(ModuleNotFoundError, match=r"needs no_such_package: pip install 'brainbook\[data\]'"):
        fetch("Regions")
