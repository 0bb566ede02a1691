"""What the book's own extensions put on the pages, in a small book of two chapters."""

import io
import re
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).resolve().parents[2]
INTRO = "# Book\n\n```{toctree}\nchapters/recordings\nchapters/alignment\nglossary\n```\n\n```{chapter-table}\n```\n"
GLOSSARY = (
    "# Glossary\n\n```{glossary}\nvoxel\n  A box.\n\nnoise ceiling\nceiling\n  A bound.\n\nrun\n  A recording.\n```\n"
)
TEXT = "Many `voxel` names. Voxels are boxes, and a voxel is small; its noise ceiling is a ceiling. We run them all."


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("book")
    (folder / "book/chapters").mkdir(parents=True)
    (folder / "_toc.yml").write_text("- book/chapters/recordings\n- book/chapters/alignment\n")
    (folder / "book/intro.md").write_text(INTRO)
    (folder / "book/glossary.md").write_text(GLOSSARY)
    lines = {
        "recordings": {"read": "must", "learned": "tell scans from runs", "data": "real"},
        "alignment": {"read": "may", "learned": "lay words on scans", "skip": ["Details"], "data": "phantom"},
    }
    for name, way in lines.items():
        sources = [f"# The {name}\n\n{TEXT}\n\n## Details", "word " * 700]
        cells = [nbformat.v4.new_markdown_cell(source) for source in sources]
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata={"way": way}), folder / f"book/chapters/{name}.ipynb"
        )
    with pytest.MonkeyPatch.context() as patch, patch_docutils(), docutils_namespace():
        patch.syspath_prepend(str(ROOT / "book" / "_ext"))
        settings = {
            "extensions": ["myst_nb", "chapter_line", "glossary_links", "scripts"],
            "nb_execution_mode": "off",
            "root_doc": "book/intro",
            "html_theme": "basic",
            "html_js_files": ["thebe-lite.js", "other.js"],
        }
        warnings = io.StringIO()
        Sphinx(
            folder,
            None,
            folder / "out",
            folder / "trees",
            "html",
            confoverrides=settings,
            status=None,
            warning=warnings,
        ).build()
    found = {
        name: (folder / f"out/book/{name}.html").read_text() for name in ("intro", *(f"chapters/{it}" for it in lines))
    }
    return found | {"warnings": warnings.getvalue()}


def test_a_chapter_says_where_it_stands(pages):
    first, second = pages["chapters/recordings"], pages["chapters/alignment"]
    assert all(it in first for it in ("Chapter 0", "must read", "real recordings", "Next:")) and "Before:" not in first
    assert all(it in second for it in ("Chapter 1", "may be skipped", "(you can tell scans from runs)", "phantom"))
    assert re.search(r"A first reading may leave out: ‘Details’\.", second) and "1 min (5 with all sections)" in second
    assert 'href="recordings.html"' in second.partition("Before:")[2][:120]


def test_the_table_has_all_chapters(pages):
    table = pages["intro"].partition("<table")[2].partition("</table>")[0]
    assert table.count("<tr") == 3 and 'href="chapters/alignment.html"' in table and "1 / 5" in table
    assert "3: 43 min" in table  # exercises of the chapter called recordings


def test_terms_are_linked_once_and_everyday_words_never(pages):
    links = re.findall(r"<a [^>]*glossary-link[^>]*>([^<]+)<", pages["chapters/recordings"])
    assert links == ["Voxels", "noise ceiling"]
    assert 'href="../glossary.html#term-voxel"' in pages["chapters/recordings"]
    assert "glossary-link" not in pages["intro"]


def test_pages_load_no_script_of_thebe(pages):
    assert "thebe-lite.js" not in pages["intro"] and "other.js" in pages["intro"]
