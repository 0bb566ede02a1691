"""Every figure has words beside it: in the sources of the chapters, and on the pages when the book is built."""

import ast
import io
from pathlib import Path

import jupytext
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.md"))
# What the rooms of figures have that draws nothing.
SILENT = {
    "alignment_widget",
    "arithmetic_widget",
    "possible_sums",
    "ridge_widget",
    "style",
    "value_scale",
    "viewer",
    "viewer_html",
    "open_store",
    "own_surface",
    "colours",
    "vertex_values",
}


def drawing_names(notebook) -> set[str]:
    """Names that cells import from brainbook.plots, but for those that draw nothing."""
    names = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("brainbook.plots"):
                    names |= {alias.asname or alias.name for alias in node.names}
    return names - SILENT


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_cell_that_draws_says_what_its_figure_shows(chapter):
    notebook = jupytext.read(chapter)
    drawing, silent = drawing_names(notebook), []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        words = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if calls & drawing and len(words.split()) < 6:
            silent.append(cell.source.strip().splitlines()[-1])
    assert not silent, f"no alternative text (mystnb: image: alt:) for the figures of {silent}"


PAGE = """Page
====

.. image:: told.png
   :alt: A line that rises.

.. image:: {name}.png
{option}
.. raw:: html

   <iframe src="x.html" {attribute}></iframe><img src="y.png" alt="Words.">
"""


@pytest.mark.parametrize(
    ("option", "attribute", "expected"),
    [
        ("   :alt: A dot.", 'title="A brain"', 0),
        ("", 'title="A brain"', 1),
        ("   :alt: silent.png", 'title="A brain"', 1),
        ("   :alt: A dot.", "", 1),
        ("", 'title=""', 2),
    ],
)
def test_a_page_with_a_silent_figure_is_a_warning(tmp_path, monkeypatch, option, attribute, expected):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    for name in ("told", "silent"):
        (tmp_path / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    page = PAGE.format(name="silent", option=option, attribute=attribute)
    (tmp_path / "index.rst").write_text(page, encoding="utf-8")
    warnings = io.StringIO()
    with patch_docutils(), docutils_namespace():
        Sphinx(
            tmp_path, None, tmp_path / "out", tmp_path / "trees", "dummy",
            confoverrides={"extensions": ["alt_text"]}, status=None, warning=warnings,
        ).build()  # fmt: skip
    assert warnings.getvalue().count("has no alternative text") == expected
    assert expected == 0 or "index.rst" in warnings.getvalue()
