"""The eight sessions by the clock: what the material of each part takes, beside the minutes that the plan gives it.

    python teaching/by_the_clock.py

reads `sessions.csv` (the plan of `book/course.md`, and which sections and exercises each part goes through) and the
chapters as they were executed (`book/chapters`, after `make book`). A part takes what it takes to read its text aloud,
to go through its code and its figures, to run its cells in front of the class, and the minutes that its exercises say.
What is left of the plan is for questions and for the board.
"""

from pathlib import Path

import nbformat
import pandas as pd

from brainbook.course import exercises
from brainbook.course.reading import reading_minutes, section_titles

HERE = Path(__file__).parent
CHAPTERS = HERE.parent / "book" / "chapters"


def sessions() -> pd.DataFrame:
    """The plan: session, minutes, chapter, first and last section, exercises (numbers); "" where a part has none."""
    return pd.read_csv(HERE / "sessions.csv", dtype={"minutes": int, "exercises": str}).fillna("")


def chosen_sections(notebook: nbformat.NotebookNode, first: str, last: str) -> list[str]:
    """Titles from `first` to `last`; ValueError names a section that the chapter does not have."""
    titles = section_titles(notebook)
    if not first:
        return []
    return titles[titles.index(first) : titles.index(last) + 1]


def seconds_of_cells(notebook: nbformat.NotebookNode, sections: list[str]) -> float:
    """Seconds that the cells of these sections took when the chapter was executed."""
    total, here = 0.0, False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            titles = section_titles(nbformat.from_dict({"cells": [cell]}))
            here = titles[-1] in sections if titles else here
        elif here:
            total += cell.metadata.get("papermill", {}).get("duration") or 0
    return total


def material_minutes(part, notebook: nbformat.NotebookNode) -> tuple[float, float, int]:
    """Minutes of one part: of its text, code and figures; of its cells; of its exercises."""
    sections = chosen_sections(notebook, part.first, part.last)
    titles = section_titles(notebook)
    text = 0.0
    if sections:  # what is read up to the last of them, less what stands before the first
        first, last = titles.index(sections[0]), titles.index(sections[-1])
        text = reading_minutes(notebook, titles[last + 1 :]) - reading_minutes(notebook, titles[first:])
    table = exercises()
    own = table[(table.chapter == part.chapter) & table.number.isin([int(it) for it in part.exercises.split()])]
    return text, seconds_of_cells(notebook, sections) / 60, int(own.minutes.sum())


def measure(folder: Path = CHAPTERS) -> pd.DataFrame:
    """The plan with minutes of text, cells and exercises, and what is left for the room; of parts with a chapter."""
    rows = []
    for part in sessions().itertuples():
        if part.chapter:
            notebook = nbformat.read(folder / f"{part.chapter}.ipynb", as_version=4)
            text, cells, work = material_minutes(part, notebook)
            left = part.minutes - text - cells - work
            row = {"session": part.session, "chapter": part.chapter, "from": part.first, "plan": part.minutes}
            rows.append(row | {"text": text, "cells": cells, "exercises": work, "left": left})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parts = measure()
    print(parts.round(1).to_string(index=False))
    sums = parts.groupby("session")[["plan", "text", "cells", "exercises", "left"]].sum()
    sums["tightest part"] = parts.groupby("session").left.min()
    print(f"\nSums of the parts that go through a chapter:\n{sums.round(1).to_string()}")
