"""Pages of chapters, with and without a known truth: every name that a cell or a sentence uses is there."""

import ast
import builtins
import re
from itertools import product
from pathlib import Path

import pytest

from brainbook.workflow.notebooks import chapter_notebook

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHAPTERS = ("recordings", "alignment", "pitfalls", "alice", "story")
ARCHIVED = ("alice", "story")  # which read archived tables where their data is absent


def names_of(tree):
    """Names that a cell uses, and those that it makes."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return {node.id for node in names}, made


@pytest.mark.parametrize("chapter, kind", [*product(CHAPTERS, ["phantom", "real"]), *product(ARCHIVED, ["absent"])])
def test_a_page_has_what_its_cells_and_sentences_use(tmp_path, chapter, kind):
    if kind == "phantom":
        (tmp_path / "truth").mkdir()
    data = tmp_path / "nowhere" if kind == "absent" else tmp_path
    notebook = chapter_notebook(NOTEBOOKS / f"{chapter}.md", data)
    known, glued, spread = {*dir(builtins), "display"}, set(), set()
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        tree = ast.parse(cell.source)
        used, made = names_of(tree)
        known |= made
        assert used <= known, cell.source
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "glue"]
        glued |= {keyword.arg for call in calls for keyword in call.keywords}
        if any(keyword.arg is None for call in calls for keyword in call.keywords):  # glue(**series): its index
            spread |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert set(re.findall(r"\{glue:text\}`(\w+)", prose)) <= glued | spread


@pytest.mark.parametrize("kind", ["phantom", "real"])
@pytest.mark.parametrize("chapter", ["recordings", "alignment"])
def test_a_page_says_whether_its_recordings_are_simulated(tmp_path, chapter, kind):
    if kind == "phantom":
        (tmp_path / "truth").mkdir()
    notebook = chapter_notebook(NOTEBOOKS / f"{chapter}.md", tmp_path)
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert ("runs on a phantom" in prose) is (kind == "phantom")
    assert ("made from real recordings" in prose) is (kind == "real")
    assert any("truth" in cell.source for cell in notebook.cells if cell.cell_type == "code") is (kind == "phantom")
