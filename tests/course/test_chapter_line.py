"""The way through the book: minutes, marks, one closing section of one name, terms that are linked."""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest

from brainbook.course import check, exercises, given, reading_minutes
from brainbook.course.reading import section_titles

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import chapter_line  # noqa: E402
import glossary_links  # noqa: E402

NAMES = [page.rpartition("/")[2] for page in chapter_line.chapter_pages(ROOT)]
MOST_MINUTES = 30
NEED_RECORDINGS = {"recordings-1", "first_model-4"}
CODE = re.compile(r"^```\{code-cell\}.*?\n(?::.*\n\n)?(.*?)^```", re.MULTILINE | re.DOTALL)


def solutions_of(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```\{solution-start\} (\S+)\n(.*?)^```\{solution-end\}", text, re.MULTILINE | re.DOTALL)


def cell(kind: str, source: str, **metadata):
    make = nbformat.v4.new_markdown_cell if kind == "text" else nbformat.v4.new_code_cell
    return make(source, metadata=metadata)


@pytest.mark.parametrize("name", NAMES)
def test_every_chapter_says_how_to_read_it(name):
    notebook = jupytext.read(ROOT / "notebooks" / f"{name}.md")
    chapter = chapter_line.read_chapter(notebook, f"book/chapters/{name}", 1)
    assert chapter, f"notebooks/{name}.md lacks the line `way:` in its front matter (see book/_ext/chapter_line.py)"
    assert chapter.read in ("must", "may") and chapter.data in chapter_line.BADGES
    titles = section_titles(notebook)
    assert not [title for title in chapter.skip if title not in titles], (
        "sections to skip that the chapter does not have"
    )
    assert chapter.all_minutes <= MOST_MINUTES, "divide the chapter, or fold code that is no part of its lesson"
    assert titles.count("What to remember") == 1
    assert titles.count("Exercises") == int(name in set(exercises()["chapter"]))
    assert titles[-1] == "Where these numbers come from"


@pytest.mark.parametrize("name", NAMES)
def test_exercises_on_the_page_are_those_of_the_table(name):
    """Each with its kind and minutes, starter code, and a solution that the page runs and checks."""
    text = (ROOT / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    rows = exercises().query("chapter == @name")
    expected = [(f"{row.kind}, {row.minutes} minutes", f"{name}-{row.number}") for row in rows.itertuples()]
    assert re.findall(r"^```\{exercise\} ?(.*)\n:label: (.*)$", text, re.MULTILINE) == expected
    solutions = solutions_of(text)
    assert [label for label, _ in solutions] == [label for _, label in expected]
    for label, solution in solutions:
        code = "".join(CODE.findall(solution))
        assert f'check("{label}", ' in code and f'    check("{label}", answer)' in text


@pytest.mark.parametrize("name", NAMES)
def test_solutions_are_right(name):
    """The code of each solution, but for those that need the page's recordings: these run when the book is built."""
    text = (ROOT / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    answers = {}

    def note(label, answer):
        answers[label] = check(label, answer)

    for label, solution in solutions_of(text):
        if label not in NEED_RECORDINGS:
            exec(compile("".join(CODE.findall(solution)), label, "exec"), {"np": np, "check": note, "given": given})
            assert answers[label], answers[label].message


def test_minutes_are_those_of_words_code_and_pictures():
    shown = {"mystnb": {"image": {"alt": "A line."}}}
    cells = [
        cell("text", "# Title\n\n" + "word " * 149),  # a minute
        cell("code", "\n".join(["x = 1"] * 15)),  # a minute
        cell("code", "plot(x)", tags=["hide-input"], **shown),
        cell("code", "show(table)", tags=["hide-input"]),  # two pictures: a minute
        cell("text", "```{exercise} warm-up, 5 minutes\n:label: x-1\n" + "word " * 500 + "\n```"),
        cell("text", "```{solution-start} x-1\n```"),
        cell("code", "\n".join(["x = 1"] * 50)),
        cell("text", "```{solution-end}\n```\n\n## Skipped\n\n" + "word " * 300),
        cell("code", "y = 1\n" * 30),
        cell("text", "### Below\n\n" + "word " * 300 + "\n\n## Read\n\n" + "word " * 149),  # a minute
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert reading_minutes(notebook, ["Skipped"]) == pytest.approx(4, abs=0.05)
    assert reading_minutes(notebook) == pytest.approx(4 + 4 + 2, abs=0.05)


def test_a_chapter_knows_what_recordings_it_shows():
    line = {"read": "must", "learned": "do it"}
    phantom = cell("text", "```{admonition} Phantom\n```", tags=["phantom"])
    real = cell("text", "```{admonition} Real recordings\n```", tags=["real"])
    for cells, said, expected in [([phantom], {}, "phantom"), ([real], {}, "real"), ([], {"data": "images"}, "images")]:
        notebook = nbformat.v4.new_notebook(cells=[cell("text", "# Title"), *cells], metadata={"way": line | said})
        assert chapter_line.read_chapter(notebook, "book/chapters/x", 3).data == expected
    assert chapter_line.read_chapter(nbformat.v4.new_notebook(), "book/chapters/x", 1) is None


def test_cost_is_read_from_the_table_of_provenance():
    html = "<tr><th>12</th><td>wall time (s)</td><td>41.3</td></tr><tr><td>peak memory (GB)</td><td>1.27</td></tr>"
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    assert chapter_line.cost(notebook) == ("41 s", "1.3 GB")
    assert chapter_line.cost(nbformat.v4.new_notebook()) == ("–", "–")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Voxels are boxes", "Voxel"),
        ("a noise ceiling of .3", "noise ceiling"),
        ("reVLAted", None),
        ("the VLA of words", "VLA"),
        ("vla", None),
        ("sub-voxel", None),
    ],
)
def test_terms_are_found_as_whole_words(text, found):
    match = glossary_links.pattern_of(("voxel", "ceiling", "noise ceiling", "VLA")).search(text)
    assert (match and match[1]) == found
