"""The exercises (`exercises.yaml`): what is given, the right answer, the usual wrong ones, and what is said of each."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.store import read_yaml

KINDS = ("warm-up", "practice", "project")
Answer = float | int | str | list


@dataclass(frozen=True)
class Exercise:
    """What is known of one exercise.

    Attributes
    ----------
    kind : one of `KINDS`. minutes : that it takes.
    right : number, list of numbers, or a word to choose.
    mistakes : (wrong answer, what it says of the way there). Of a choice these are all other words.
    praise : what the right answer shows. hint : what helps with any other wrong number.
    given : what the student works with, name -> number or array, in the order of the starter code.
    """

    kind: str
    minutes: int
    right: Answer
    mistakes: list[tuple[Answer, str]]
    praise: str
    hint: str = ""
    given: dict = field(default_factory=dict)


@cache
def _read() -> dict[str, Exercise]:
    path = Path(__file__).with_name("exercises.yaml")
    read = {}
    for name, entry in read_yaml(path.read_text(encoding="utf-8"), path).items():
        mistakes = [(mistake["answer"], mistake["hint"]) for mistake in entry.pop("mistakes")]
        given = {
            key: np.array(value) if isinstance(value, list) else value for key, value in entry.pop("given", {}).items()
        }
        read[name] = Exercise(mistakes=mistakes, given=given, **entry)
    return read


def exercises() -> pd.DataFrame:
    """Return the table of all exercises: chapter, number, minutes, kind, in the order of the book.

    Examples
    --------
    >>> exercises().columns.tolist()
    ['chapter', 'number', 'minutes', 'kind']
    """
    rows = [(*name.rsplit("-", 1), each.minutes, each.kind) for name, each in _read().items()]
    return pd.DataFrame(rows, columns=["chapter", "number", "minutes", "kind"]).astype({"number": int})


def exercise(name: str) -> Exercise:
    """Return one exercise by its chapter and number, such as 'alignment-1'.

    Raises ConfigurationError, which names the nearest, when there is none of this name.
    """
    if name not in _read():
        near = get_close_matches(str(name), _read(), 3)
        advice = f"did you mean {' or '.join(near)}?" if near else "names are like alignment-1: chapter and number"
        raise ConfigurationError(f"there is no exercise {name!r}: {advice}")
    return _read()[name]
