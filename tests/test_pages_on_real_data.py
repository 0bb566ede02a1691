"""The pages on real recordings: nothing of a phantom is said, and nothing that only it defines is used."""

import ast
import builtins
from pathlib import Path

import pytest

from brainbook.workflow.notebooks import chapter_notebook

CHAPTERS = ("hemispheres", "layers", "transfer", "transfer_to_brains", "transfer_models", "participants")
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def cells(chapter, data, kind):
    return [cell.source for cell in chapter_notebook(NOTEBOOKS / f"{chapter}.md", data).cells if cell.cell_type == kind]


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("truth", [True, False])
def test_no_cell_uses_a_name_that_no_cell_defines(chapter, truth, tmp_path):
    if truth:
        (tmp_path / "truth").mkdir()
    tree = ast.parse("\n".join(cells(chapter, tmp_path, "code")))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    made |= {(it.asname or it.name).split(".")[0] for node in ast.walk(tree)
             if isinstance(node, ast.Import | ast.ImportFrom) for it in node.names}  # fmt: skip
    made |= {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    assert {node.id for node in names} - made == set()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_on_real_recordings_speaks_of_no_truth(chapter, tmp_path):
    text = "\n".join(cells(chapter, tmp_path, "markdown"))
    for phrase in ("runs on a phantom", "What the phantom knows", "The phantom's truth", "positive control**:"):
        assert phrase not in text
    assert "made from real recordings" in text
