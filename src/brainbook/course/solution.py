"""What is known of one exercise, and the register of all."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Answer = float | int | str | list | np.ndarray
SOLUTIONS: dict[str, Callable[[], "Solution"]] = {}


@dataclass(frozen=True)
class Solution:
    """The right answer, the usual wrong ones, and what is said of each.

    Attributes
    ----------
    right : number, array of numbers, or a word to choose.
    mistakes : (wrong answer, what it says of the way there). Of a choice these are all other words.
    praise : what the right answer shows. hint : what helps with any other wrong number.
    given : what the student works with, name -> number or array, in the order of the starter code.
    """

    right: Answer
    mistakes: tuple[tuple[Answer, str], ...]
    praise: str
    hint: str = ""
    given: dict = field(default_factory=dict)


def solves(name: str) -> Callable[[Callable[[], Solution]], Callable[[], Solution]]:
    """Register a function without parameters, which returns a `Solution`, for the exercise `name`."""

    def register(build: Callable[[], Solution]) -> Callable[[], Solution]:
        if name in SOLUTIONS:
            raise ValueError(f"two functions solve {name}")
        SOLUTIONS[name] = build
        return build

    return register
