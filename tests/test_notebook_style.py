"""Notebooks only narrate: short cells that a linter accepts, no plumbing."""

import ast
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MOST_LINES, MOST_COLUMNS = 10, 88


def code_cells(path: Path) -> list[str]:
    """The source of the code cells, without the cell of parameters."""
    cells = jupytext.read(path).cells
    return [it.source for it in cells if it.cell_type == "code" and "parameters" not in it.metadata.get("tags", [])]


def faults(source: str) -> list[str]:
    """What a cell has that does not belong into a notebook."""
    first, tree = source.strip().splitlines()[0], ast.parse(source)
    long = [f"{len(source.splitlines())} lines: {first}"] if len(source.splitlines()) > MOST_LINES else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            long.append(f"defines a function or class: {first}")
        if isinstance(node, COMPREHENSIONS) and sum(isinstance(it, COMPREHENSIONS) for it in ast.walk(node)) > 1:
            long.append(f"nested comprehension: {ast.unparse(node)[:60]}")
        if isinstance(node, ast.Attribute) and node.attr in ("simplefilter", "filterwarnings"):
            long.append(f"silences a warning: {first}")
        if isinstance(node, ast.Attribute) and node.attr in ("style", "to_html", "to_markdown"):
            long.append(f"formats a table, instead of `show`: {first}")
    return long


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_plain(path):
    assert not [fault for cell in code_cells(path) for fault in faults(cell)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_name_is_glued_for_one_value(path):
    """Sentences above the second `glue` of a name would show its second value."""
    values: dict[str, set] = {}
    for node in (node for cell in code_cells(path) for node in ast.walk(ast.parse(cell))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "glue":
            for keyword in node.keywords:
                values.setdefault(keyword.arg, set()).add(ast.unparse(keyword.value))
    assert not [name for name, given in values.items() if name and len(given) > 1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_figures_have_a_number_and_are_read(path):
    """Each has words for those who cannot see it, a caption, a name, and a sentence that refers to it by that name."""
    cells = jupytext.read(path).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for about in (cell.metadata["mystnb"] for cell in cells if "image" in cell.metadata.get("mystnb", {})):
        figure = about["figure"]
        assert (
            figure["name"].startswith(f"fig-{path.stem}-") and figure["caption"].endswith(".") and about["image"]["alt"]
        )
        assert f"{{numref}}`{figure['name']}`" in prose, f"no sentence reads {figure['name']}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_linter_accepts_notebooks(path, tmp_path):
    script = tmp_path / f"{path.stem}.py"
    jupytext.write(jupytext.read(path), script, fmt="py:percent")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", f"--line-length={MOST_COLUMNS}"]
    chosen = "--select=F,B,UP,NPY,SIM"  # a cell may end with an expression that is shown: no B018
    done = subprocess.run([*command, chosen, "--ignore=B018", script], capture_output=True, text=True)
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    wide = [line for line in lines if len(line) > MOST_COLUMNS]
    assert not wide
    assert done.returncode == 0, done.stdout


def test_faults_are_seen():
    assert [fault.split(":")[0] for fault in faults("\n".join(["x = 1"] * 11))] == ["11 lines"]
    assert "nested" in faults("[[a for a in b] for b in c]")[0]
    assert "silences" in faults("import warnings\nwarnings.simplefilter('ignore')")[0]
    assert "defines" in faults("f = lambda x: x")[0]
