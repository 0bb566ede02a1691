"""How long a chapter takes to read, from what stands in it."""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # to check an answer takes no notebook format
    from nbformat import NotebookNode

WORDS, CODE_LINES, PICTURES = 150, 15, 2  # that are read in a minute: words, lines of code, figures or tables
_HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell", "parameters", "injected-parameters"}
_EXERCISES = re.compile(r"^(`{3,})\{(?:exercise|solution).*?^\1$", re.MULTILINE | re.DOTALL)
_MARKUP = re.compile(r"^`{3,}.*$|^:\w[\w-]*:.*$|^---$|\{[\w:]+\}|\$+[^$]*\$+", re.MULTILINE)
_HEADING = re.compile(r"^(#{1,4}) (.+)$", re.MULTILINE)


def reading_minutes(notebook: "NotebookNode", skip: Collection[str] = ()) -> float:
    """Estimate the minutes that it takes to read a chapter, without its exercises.

    Parameters
    ----------
    notebook : the chapter as jupytext or nbformat reads it, executed or not.
    skip : titles of sections that are not read, with all that stands below them.

    Returns
    -------
    minutes: a minute for 150 words (the text is dense), for 15 lines of code that are shown, and for two figures or
    tables. Cells between `solution-start` and `solution-end` belong to the exercises.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> reading_minutes(new_notebook(cells=[new_markdown_cell("word " * 300)]))
    2.0
    """
    words = lines = pictures = 0
    solution, skipped = False, 0  # level of the heading whose section is being skipped, 0 for none
    for cell in notebook.cells:
        source = cell.source
        if solution:
            _, end, source = source.partition("{solution-end}")
            solution = not end
        source, start, _ = source.partition("{solution-start}")
        solution = solution or bool(start)
        if cell.cell_type == "markdown":
            for level, title, text in _sections(source):
                if level and (not skipped or level <= skipped):
                    skipped = level if title in skip else 0
                words += 0 if skipped else len(re.findall(r"\w[\w'-]*", f"{title} {text}"))
        elif cell.cell_type == "code" and source and not skipped:
            shown = not _HIDDEN & set(cell.metadata.get("tags", []))
            lines += shown * len([line for line in cell.source.splitlines() if line.strip()])
            pictures += "image" in cell.metadata.get("mystnb", {})
            pictures += len(re.findall(r"^show\(|\.pivot\(", cell.source, re.MULTILINE))
    return words / WORDS + lines / CODE_LINES + pictures / PICTURES


def section_titles(notebook: "NotebookNode") -> list[str]:
    """Return the titles of a chapter's sections, in order; the first is the chapter's own."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [title for text in texts for _, title in _HEADING.findall(_EXERCISES.sub(" ", text))]


def _sections(source: str) -> list[tuple[int, str, str]]:
    """Return (level, title, text) of the parts of a Markdown cell; level 0 for what stands before a heading."""
    pieces = _HEADING.split(_EXERCISES.sub(" ", source))
    parts = [(0, "", pieces[0])]
    parts += [
        (len(marks), title, text) for marks, title, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    ]
    return [(level, title, _MARKUP.sub(" ", text)) for level, title, text in parts]
