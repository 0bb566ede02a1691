"""What the book's own extensions put on the pages, in a small book of two chapters."""

import io
import re
import sys
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import launch  # noqa: E402

INTRO = (
    "# Book\n\n```{toctree}\nchapters/recordings\nchapters/alignment\nglossary\n```\n\n```{chapter-table}\n```\n\n"
    "```{class-table} 30 10\n```\n\n"
    "```{chapter-cards}\n```\n"
)
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
COST = "<tr><td>wall time (s)</td><td>120.0</td></tr><tr><td>peak memory (GB)</td><td>0.5</td></tr>"
ABOUT = {"image": {"alt": "A dot."}, "figure": {"name": "fig-recordings-dot", "caption": "One dot."}}
GLOSSARY = (
    "# Glossary\n\n```{glossary}\nvoxel\n  A box.\n\nnoise ceiling\nceiling\n  A bound.\n\nrun\n  A recording.\n```\n"
)
EXTENSIONS = [
    "chapter_line",
    "glossary_links",
    "scripts",
    "figures",
    "launch",
    "chapter_cards",
    "languages",
]
TEXT = "Many `voxel` names. Voxels are boxes, and a voxel is small; its noise ceiling is a ceiling. We run them all."


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("book")
    (folder / "book/chapters").mkdir(parents=True)
    (folder / "_toc.yml").write_text("- book/chapters/recordings\n- book/chapters/alignment\n")
    (folder / "book/intro.md").write_text(INTRO)
    (folder / ".binder").mkdir()
    (folder / ".binder/begin.py").write_text((ROOT / ".binder/begin.py").read_text())
    (folder / "book/glossary.md").write_text(GLOSSARY)
    lines = {
        "recordings": {"read": "must", "learned": "tell scans from runs", "data": "real"},
        "alignment": {"read": "may", "learned": "lay words on scans", "skip": ["Details"], "data": "phantom"},
    }
    for name, way in lines.items():
        read = "In {numref}`fig-recordings-dot`, and not in {numref}`fig-recordings-gone`."
        question = "**The question of this chapter:** what is *in* the folder?"
        sources = [f"# The {name}\n\n{TEXT}\n\n{question}\n\n## Details\n\n{read}", "word " * 700]
        sources += ['<figure class="widget" data-widget="alignment"></figure>'] * (name == "alignment")
        cells = [nbformat.v4.new_markdown_cell(source) for source in sources]
        drawn = [nbformat.v4.new_output("display_data", {"image/png": DOT})]
        metadata = {"mystnb": ABOUT}
        cost = [nbformat.v4.new_output("display_data", {"text/html": f"<table>{COST}</table>"})]
        if name == "recordings":
            cells.append(nbformat.v4.new_code_cell("draw()", outputs=drawn, metadata=metadata))
            cells.append(nbformat.v4.new_code_cell("show(run.provenance())", outputs=cost))
        cells.append(
            nbformat.v4.new_code_cell("results = 'mine'", metadata={"tags": ["injected-parameters", "remove-cell"]})
        )
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata={"way": way}), folder / f"book/chapters/{name}.ipynb"
        )
    with pytest.MonkeyPatch.context() as patch, patch_docutils(), docutils_namespace():
        patch.syspath_prepend(str(ROOT / "book" / "_ext"))
        settings = {
            "extensions": ["myst_nb", "sphinx_design", *EXTENSIONS],
            "myst_enable_extensions": ["colon_fence"],
            "book_repository": "https://github.com/owner/name",
            "numfig": True,
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
    notebook = (folder / "out/notebooks/recordings.ipynb").read_text()
    card = (folder / "book/_static/generated/cards/recordings.png").read_bytes()
    return found | {"warnings": warnings.getvalue(), "notebook": notebook, "card": card}


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


def test_a_class_takes_its_students_times(pages):
    """Thirty students on ten cores; a chapter whose cost is not known is left out."""
    table = pages["intro"].rpartition("<table")[2].partition("</table>")[0]
    assert [re.sub("<[^>]+>", "", it).strip() for it in re.findall(r"<td.*?</td>", table, re.DOTALL)] == [
        "The recordings", "120 s", "0.5 GB", "6 min", "15 GB",
    ]  # fmt: skip


def test_terms_are_linked_once_and_everyday_words_never(pages):
    links = re.findall(r"<a [^>]*glossary-link[^>]*>([^<]+)<", pages["chapters/recordings"])
    assert links == ["Voxels", "noise ceiling"]
    assert 'href="../glossary.html#term-voxel"' in pages["chapters/recordings"]
    assert "glossary-link" not in pages["intro"]


def test_pages_load_no_script_of_thebe(pages):
    assert "thebe-lite.js" not in pages["intro"] and "other.js" in pages["intro"]


def test_figures_have_numbers_and_those_that_were_not_drawn_have_none(pages):
    page = pages["chapters/recordings"]
    assert re.search(r"<figcaption>.*?Fig\. 1.*?One dot\.", page, re.DOTALL)
    read = page.partition("In ")[2][:300]
    assert 'href="#fig-recordings-dot"' in read and "the figure (not drawn here)" in page
    assert "numref" not in pages["warnings"] and "fig-" not in pages["warnings"]


def test_a_chapter_can_be_taken_along_as_a_notebook_that_runs_by_itself(pages):
    page, notebook = pages["chapters/recordings"], nbformat.reads(pages["notebook"], as_version=4)
    assert 'href="../../notebooks/recordings.ipynb" download' in page
    assert "colab.research.google.com/github/owner/name/blob/notebooks/recordings.ipynb" in page
    assert "mybinder.org/v2/gh/owner/name/HEAD" in page
    begin, *others = notebook.cells
    assert 'REPOSITORY = "https://github.com/owner/name"' in begin.source
    assert not [cell for cell in others if "mine" in cell.source]  # the parameters of the run that made the page
    assert "{numref}" not in pages["notebook"] and "In the figure" in pages["notebook"]


def test_a_card_has_the_question_and_a_small_picture_of_its_chapter(pages):
    cards = pages["intro"].partition("chapter-cards")[2]
    assert "card" not in pages["warnings"] and "design" not in pages["warnings"]
    assert cards.count("What is in the folder?") == 2 and 'alt="A dot."' in cards and "0 · The recordings" in cards
    assert pages["card"].startswith(b"\x89PNG") and len(pages["card"]) < 20_000


def test_without_a_repository_nothing_is_offered_outside_of_the_book():
    assert launch.launch_links("", "alignment") == {}
    assert launch.launch_links("https://example.org/owner/name", "alignment") == {}


def test_what_only_sphinx_reads_becomes_words():
    box = "```{admonition} Phantom\n:class: warning\nSimulated {cite:p}`li2022petit`.\n```"
    assert launch.readable(box) == "> **Phantom**\n> \n> Simulated [li2022petit]."
    exercise = "```{exercise} warm-up, 3 minutes\n:label: x-1\nHow many?\n\n    answer = ...\n```"
    assert launch.readable(exercise) == "> **Exercise: warm-up, 3 minutes**\n> \n> How many?\n> \n>     answer = ..."
    assert launch.readable("A [page](alignment) and {doc}`words <x>`.") == "A [page](alignment) and words."
    assert launch.readable("```{solution-start} x-1\n:class: dropdown\n```\nNow.").strip() == "Now."


def test_the_head_of_a_page_says_what_it_is_about(pages):
    page = pages["chapters/recordings"]
    assert re.search(r'<meta name="description" content="Many voxel names\. Voxels are [^"]*"', page)
    assert '<meta property="og:image" content="../../_images/flatmap.png"' in page and 'og:title" content="The' in page


def test_what_may_be_skipped_is_marked(pages):
    assert re.search(r'<section class="[^"]*may-skip[^"]*" id="details">', pages["chapters/alignment"])
    assert "may-skip" not in pages["chapters/recordings"]


def test_a_page_loads_the_scripts_of_its_own_widgets(pages):
    assert "widget_alignment.js" in pages["chapters/alignment"] and "widgets.js" not in pages["chapters/recordings"]


def test_pictures_are_loaded_when_a_reader_comes_near(pages):
    assert re.search(r'<img loading="lazy" [^>]*alt="A dot\."', pages["chapters/recordings"])
