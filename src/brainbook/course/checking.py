"""Compare an answer with the right one, and with the mistakes that are usually made.

Answers are compared as values: numbers, arrays of numbers, or words to choose from. Nothing of an answer is executed.
"""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from brainbook.course.exercises import Exercise, exercise
from brainbook.errors import ConfigurationError

TOLERANCE = 0.01  # share of the right value that an answer may be off: two digits are enough


@dataclass(frozen=True, repr=False)
class Feedback:
    """What is to be said of an answer. It is true where the answer is right.

    Attributes
    ----------
    right : whether the answer is right.
    message : what is wrong with it, or what the right answer shows.

    Examples
    --------
    >>> bool(check("participants-2", 5))
    False
    """

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{'Right' if self.right else 'Not yet'}. {self.message}"


def check(name: str, answer: object) -> Feedback:
    """Check the answer to an exercise, and say what is wrong with it.

    Parameters
    ----------
    name : chapter and number, such as 'alignment-1'.
    answer : what the exercise asks for: a number, a list or an array of numbers, or a word.

    Returns
    -------
    Feedback, which a notebook shows as a sentence.

    Raises
    ------
    ConfigurationError : there is no exercise of this name.

    Examples
    --------
    >>> check("participants-2", 5)
    Not yet. With five the smallest two-sided p is 2 in 32. Count the sign patterns again.
    """
    task = exercise(name)
    if answer is ...:
        return Feedback(False, "Put your answer in place of the dots.")
    if isinstance(task.right, str):
        return _check_choice(task, answer)
    values = _as_numbers(answer)
    if isinstance(values, str):
        return Feedback(False, values)
    return _check_numbers(task, values)


def given(name: str) -> dict:
    """Return what an exercise gives you to work with: name -> number or array, in the order of its starter code.

    Raises ConfigurationError when there is no exercise of this name, or it gives nothing.

    Examples
    --------
    >>> list(given("alignment-1"))
    ['onsets']
    """
    task = exercise(name)
    if not task.given:
        raise ConfigurationError(f"the exercise {name} gives no values: all that it needs stands in its text")
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in task.given.items()}


def _as_numbers(answer: object) -> np.ndarray | str:
    """Return the answer as an array of floats, or what is wrong with it."""
    if isinstance(answer, str):
        return f"The answer is a number, not the text {answer[:40]!r}: leave out the quotation marks."
    if isinstance(answer, bool) or answer is None:
        return f"The answer is a number or an array of numbers, not {answer!r}."
    try:
        values = np.asarray(answer, float)
    except (TypeError, ValueError):
        kind = "a dictionary" if isinstance(answer, dict) else f"a value of the type {type(answer).__name__}"
        return f"The answer is a number or an array of numbers of one shape; yours is {kind} that holds something else."
    if not np.isfinite(values).all():
        return f"{(~np.isfinite(values)).sum()} of your values are nan or infinite: look for a division by zero."
    return values


def _check_choice(task: Exercise, answer: object) -> Feedback:
    choices = [str(task.right), *(str(wrong) for wrong, _ in task.mistakes)]
    listed = ", ".join(repr(choice) for choice in sorted(choices))
    if not isinstance(answer, str):
        return Feedback(False, f"The answer is one of the words {listed}, in quotation marks.")
    words = " ".join(answer.lower().split())
    if words == task.right:
        return Feedback(True, task.praise)
    for wrong, hint in task.mistakes:
        if words == wrong:
            return Feedback(False, hint)
    near = get_close_matches(words, choices, 1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return Feedback(False, f"{answer[:40]!r} is none of {listed}.{meant}")


def _check_numbers(task: Exercise, values: np.ndarray) -> Feedback:
    if _equal(values, task.right):
        return Feedback(True, task.praise)
    for wrong, hint in task.mistakes:
        if _equal(values, wrong):
            return Feedback(False, hint)
    right = np.asarray(task.right)
    if values.shape != right.shape:
        return Feedback(False, f"The answer has {_shape(right)}; yours has {_shape(values)}. {task.hint}")
    if not right.ndim:
        return Feedback(False, f"Your value is too {'large' if values > right else 'small'}. {task.hint}")
    off = np.argwhere(~np.isclose(values, right, rtol=TOLERANCE, atol=1e-9))
    first = ", ".join(str(place) for place in off[0])
    return Feedback(False, f"{len(off)} of {right.size} values are off, the first at index [{first}]. {task.hint}")


def _equal(values: np.ndarray, expected: object) -> bool:
    """Return whether the values are the expected ones: whole numbers exactly, others to about two digits."""
    expected = np.asarray(expected)
    tolerance = 0 if expected.dtype.kind in "iu" else TOLERANCE
    return values.shape == expected.shape and np.allclose(values, expected, rtol=tolerance, atol=1e-9)


def _shape(values: np.ndarray) -> str:
    if values.ndim == 1:
        return f"{len(values)} values"
    return f"the shape {values.shape}" if values.ndim else "one number"
