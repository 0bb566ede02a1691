"""The two lists of packages are one, and the layout keeps its promises."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "brainbook"

# Which rooms a room may import; the leaves are files that every room may use.
ALLOWED = {
    "stimuli": set(),
    "recordings": {"stimuli"},
    "encoding": set(),
    "figures": set(),
    "phantom": {"recordings", "stimuli", "encoding"},  # both rooms of datasets, whose layouts it writes and reads
    "language_models": {"stimuli", "training", "phantom"},
    "numbers": {"training"},
    "training": set(),
}
LEAVES = {"errors", "store", "source_code", "checkpoints"}


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "brainbook":
                names = [f"brainbook.{alias.name}" for alias in node.names if alias.name != "__version__"]
        rooms |= {name.split(".")[1] for name in names if name.startswith("brainbook.")}
    return rooms


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_design_allows(room):
    files = sorted((PACKAGE / room).glob("*.py")) or [PACKAGE / f"{room}.py"]
    allowed = ALLOWED[room] | LEAVES | {room}
    if room == "phantom":
        allowed |= {"published"}  # the ceilings by region
    wrong = {file.name: imported_rooms(file) - allowed for file in files if imported_rooms(file) - allowed}
    assert not wrong


def test_the_import_check_sees_an_import(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from brainbook.number_sense import VAE\n    from brainbook import store\n")
    assert imported_rooms(file) == {"numbers", "study"}


def test_environment_installs_the_same_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    extras = re.search(r"-e \.\[(.*)\]", " ".join(pip)).group(1).split(",")
    assert set(extras) == set(project["optional-dependencies"])
    assert "-c constraints.txt" in pip
    assert not [item for item in pip if not item.startswith(("-e", "-c"))], "packages are listed in pyproject only"
    python = next(item for item in environment["dependencies"] if str(item).startswith("python"))
    assert python.split(",")[0] == "python" + project["requires-python"]
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.search(r"EXTRAS := (.*)", makefile).group(1).split(",")) == set(extras)


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    names = {re.split(r"[<>=\[ ]", item)[0].lower() for item in wanted}
    pinned = {
        line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    assert not names - pinned


def test_no_file_outgrows_its_subject():
    long = {file.name: n for file in PACKAGE.rglob("*.py") if (n := len(file.read_text().splitlines())) > 450}
    assert not long


def test_notebooks_define_nothing():
    pattern = re.compile(r"^(def|class) ", re.MULTILINE)
    assert not [path.name for path in (ROOT / "notebooks").glob("*.md") if pattern.search(path.read_text())]
