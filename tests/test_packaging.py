"""The two lists of packages are one, and the layout keeps its promises."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "brainbook"

# From top to bottom: a room may import the rooms below it, and the leaves, which every room may use.
ROOMS = (
    "chapters",
    "workflow",
    "course",
    "plots",
    "language_models",
    "phantom",
    "number_sense",
    "datasets",
    "encoding",
    "stats",
)
LEAVES = {"errors", "store", "source_code", "checkpoints", "training", "lazy_imports"}
ALONE = {
    "number_sense": {"stats"},
    "plots": set(),
    "datasets": {"encoding"},
    "course": set(),
}  # what these import of the rooms below them


def statements(path: Path) -> list[ast.AST]:
    """All statements of a file but for what stands below `if TYPE_CHECKING:`, unless it is the list of a room."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.name != "__init__.py":
        typing = [it for it in tree.body if isinstance(it, ast.If) and ast.unparse(it.test).endswith("TYPE_CHECKING")]
        tree.body = [it for it in tree.body if it not in typing]
    return list(ast.walk(tree))


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in statements(path):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "brainbook":
                names = [f"brainbook.{alias.name}" for alias in node.names if alias.name != "__version__"]
        rooms |= {name.split(".")[1] for name in names if name.startswith("brainbook.")}
    return rooms


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_design_allows(room):
    allowed = ALONE.get(room, set(ROOMS[ROOMS.index(room) + 1 :])) | LEAVES | {room}
    files = sorted((PACKAGE / room).rglob("*.py"))
    wrong = {file.name: imported_rooms(file) - allowed for file in files if imported_rooms(file) - allowed}
    assert files and not wrong


def test_every_folder_is_a_room():
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)


def module_imports(root: Path) -> dict[str, set[str]]:
    """{module: modules of this package that it imports, also in functions}; an `__init__` stands for what it holds."""
    graph = {}
    for path in root.rglob("*.py"):
        name = ".".join(("brainbook", *path.relative_to(root).with_suffix("").parts))
        graph[name] = {
            imported
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("brainbook")
            for alias in node.names
            for imported in (node.module, f"{node.module}.{alias.name}")
        }
    return {name: imported & graph.keys() for name, imported in graph.items()}


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import themselves through others."""
    reached = {name: set(found) for name, found in graph.items()}
    for middle in graph:
        for name in graph:
            if middle in reached[name]:
                reached[name] |= reached[middle]
    return [name for name in graph if name in reached[name]]


def test_no_module_imports_itself_through_others():
    assert not circles(module_imports(PACKAGE))


def test_a_circle_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    from brainbook.b import x\n")
    (tmp_path / "b.py").write_text("from brainbook import a\n")
    assert sorted(circles(module_imports(tmp_path))) == ["brainbook.a", "brainbook.b"]


def test_the_import_check_sees_an_import(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from brainbook.number_sense import VAE\n    from brainbook import store\n")
    assert imported_rooms(file) == {"number_sense", "store"}


def installed_by(extras: set[str], project: dict) -> set[str]:
    """Names of the packages that some extras bring, with those that they bring in turn; '' is the package alone."""
    wanted = set(project["dependencies"]) if "" in extras else set()
    for extra in extras - {""}:
        for item in project["optional-dependencies"][extra]:
            inner = re.fullmatch(r"brainbook\[(.*)\]", item)
            wanted |= installed_by(set(inner[1].split(",")), project) if inner else {item}
    return {re.split(r"[<>=~! ]", item)[0].lower().replace("-", "_") for item in wanted}


def test_environment_installs_the_same_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    extras = re.search(r"-e \.\[(.*)\]", " ".join(pip)).group(1).split(",")
    everything = set(project["optional-dependencies"])
    assert installed_by(set(extras), project) == installed_by(everything, project)
    assert "-c constraints.txt" in pip
    assert not [item for item in pip if not item.startswith(("-e", "-c"))], "packages are listed in pyproject only"
    python = next(item for item in environment["dependencies"] if str(item).startswith("python"))
    assert python.split(",")[0] == "python" + project["requires-python"]
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.search(r"EXTRAS := (.*)", makefile).group(1).split(",")) == set(extras)
    dockerfile = (ROOT / ".binder/Dockerfile").read_text()
    assert "make install" in dockerfile and "pip install --quiet -c constraints.txt" in dockerfile


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = installed_by({"", *project["optional-dependencies"]}, project)
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("-", "_") for line in lines if "==" in line}
    assert not names - pinned


def test_the_lowest_versions_are_those_that_a_weekly_job_installs():
    """constraints-lowest.txt has each lower bound of pyproject.toml, and a pin for what has none of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    items = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    bounds = {match[1]: match[2] for item in items if (match := re.fullmatch(r"([\w-]+)>=([\w.]+)", item))}
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and line[0] != "#")
    wrong = {name: bound for name, bound in bounds.items() if Version(pins.get(name, "0")) != Version(bound)}
    assert bounds and not wrong


MODULES = {"bs4": "beautifulsoup4", "PIL": "pillow", "cortex": "pycortex", "sklearn": "scikit_learn", "yaml": "pyyaml"}
ROOMS_OF = {  # what each extra is for: pip install 'brainbook[data]' is enough for these
    "": ("encoding", "stats"),
    "data": ("datasets", "phantom"),
    "models": ("language_models", "number_sense", "training.py", "checkpoints.py", "store.py"),
    "maps": ("plots",),
    "book": ("chapters", "workflow", "course", "source_code.py", "__main__.py"),
}
OPTIONAL = {
    "datasets": {"datasets", "soundfile", "librosa"},
    "plots": {"matplotlib_inline"},
    "workflow": {"openneuro"},
}  # asked for by name, in a function
BROUGHT = {
    "IPython": "ipykernel",
    "jupyter_client": "ipykernel",
    "markupsafe": "jupyter-book",
    "myst_nb": "jupyter-book",
}  # by a package that is listed


@pytest.mark.parametrize("extra", ROOMS_OF)
def test_an_extra_brings_what_its_rooms_import(extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = installed_by({"", extra}, project)
    for room in ROOMS_OF[extra]:
        paths = [PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).rglob("*.py")
        missing = {
            name
            for path in paths
            for name in third_party_imports(path) - OPTIONAL.get(room, set())
            if MODULES.get(name, name).lower() not in installed
            and BROUGHT.get(name, "").replace("-", "_") not in installed
        }
        assert not missing, f"{room} imports {missing}, which the extra {extra!r} does not bring"


def third_party_imports(path: Path) -> set[str]:
    names = set()
    for node in statements(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"brainbook"}


def test_rooms_of_every_extra_import_only_rooms_of_extras_that_it_brings():
    levels = {"": {""}, "data": {"", "data"}, "models": {"", "data", "models"}}
    for extra, below in levels.items():
        allowed = {room.removesuffix(".py") for each in below for room in ROOMS_OF[each]}
        allowed |= LEAVES - {"training", "checkpoints"}
        for room in ROOMS_OF[extra]:
            paths = [PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).rglob("*.py")
            assert not {name for path in paths for name in imported_rooms(path)} - allowed, room


def test_no_file_outgrows_its_subject():
    long = {file.name: n for file in PACKAGE.rglob("*.py") if (n := len(file.read_text().splitlines())) > 400}
    assert not long


def test_notebooks_define_nothing():
    pattern = re.compile(r"^(def|class) ", re.MULTILINE)
    assert not [path.name for path in (ROOT / "notebooks").glob("*.md") if pattern.search(path.read_text())]
