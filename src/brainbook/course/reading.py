"""How long a chapter takes to read, from what stands in it."""

import re

import nbformat

WORDS, CODE_LINES, PICTURES = 150, 15, 2  # that are read in a minute: words, lines of code, figures or tables
_HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell", "parameters", "injected-parameters"}
_EXERCISES = re.compile(r"^(`{3,})\{(?:exercise|solution).*?^\1$", re.MULTILINE | re.DOTALL)
_MARKUP = re.compile(r"^`{3,}.*$|^:\w[\w-]*:.*$|^---$|\{[\w:]+\}|\$+[^$]*\$+", re.MULTILINE)


def reading_minutes(notebook: nbformat.NotebookNode) -> float:
    """Estimate the minutes that it takes to read a chapter, without its exercises.

    Parameters
    ----------
    notebook : the chapter as jupytext or nbformat reads it, executed or not.

    Returns
    -------
    minutes: a minute for 150 words (the text is dense), for 15 lines of code that are shown, and for two figures or
    tables. Cells between `solution-start` and `solution-end` belong to the exercises.
    """
    words = lines = pictures = 0
    solution = False
    for cell in notebook.cells:
        if "{solution-start}" in cell.source:
            solution = True
        elif "{solution-end}" in cell.source:
            solution = False
        elif solution:
            continue
        elif cell.cell_type == "markdown":
            words += len(re.findall(r"\w[\w'-]*", _MARKUP.sub(" ", _EXERCISES.sub(" ", cell.source))))
        elif cell.cell_type == "code":
            shown = not _HIDDEN & set(cell.metadata.get("tags", []))
            lines += shown * len([line for line in cell.source.splitlines() if line.strip()])
            pictures += "image" in cell.metadata.get("mystnb", {})
            pictures += len(re.findall(r"^show\(|\.pivot\(", cell.source, re.MULTILINE))
    return words / WORDS + lines / CODE_LINES + pictures / PICTURES
