"""The table of exercises (`exercises.csv`) with the solutions that belong to it."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import pandas as pd

from brainbook.course import solutions_basics, solutions_brains, solutions_models  # noqa: F401  # they fill SOLUTIONS
from brainbook.course.solution import SOLUTIONS, Solution
from brainbook.errors import ConfigurationError

KINDS = ("warm-up", "practice", "project")


@dataclass(frozen=True)
class Exercise(Solution):
    """A `Solution` with its place in the course: minutes, and a kind ('warm-up', 'practice', 'project')."""

    name: str = ""
    minutes: int = 0
    kind: str = ""


def exercises() -> pd.DataFrame:
    """Return the table of all exercises: chapter, number, minutes, kind, in the order of the book.

    Examples
    --------
    >>> exercises().columns.tolist()
    ['chapter', 'number', 'minutes', 'kind']
    """
    return pd.read_csv(Path(__file__).with_name("exercises.csv"))


@cache
def exercise(name: str) -> Exercise:
    """Return one exercise by its chapter and number, such as 'alignment-1'.

    Raises ConfigurationError, which names the nearest, when there is none of this name.
    """
    table = exercises().assign(name=lambda rows: rows["chapter"] + "-" + rows["number"].astype(str)).set_index("name")
    if name not in table.index or name not in SOLUTIONS:
        near = get_close_matches(str(name), table.index, 3)
        advice = f"did you mean {' or '.join(near)}?" if near else "names are like alignment-1: chapter and number"
        raise ConfigurationError(f"there is no exercise {name!r}: {advice}")
    row = table.loc[name]
    return Exercise(**vars(SOLUTIONS[name]()), name=name, minutes=int(row["minutes"]), kind=row["kind"])
