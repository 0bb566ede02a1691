"""Every exercise accepts its right answer, and answers usual and unusual mistakes with a help of their own."""

import re

import numpy as np
import pytest

from brainbook.course import check, exercises, given
from brainbook.course.exercises import KINDS, exercise
from brainbook.errors import ConfigurationError

NAMES = [f"{row.chapter}-{row.number}" for row in exercises().itertuples()]


def wrong_answers(task):
    """The mistakes that are known, and some that nobody foresaw."""
    strange = ["something else", 7] if isinstance(task.right, str) else ["12", [[1.0, 2.0]], np.nan]
    return [*(wrong for wrong, _ in task.mistakes), *strange]


def test_exercises_are_numbered_by_chapter_and_of_a_known_kind():
    table = exercises()
    assert set(table["kind"]) == set(KINDS) and table["minutes"].between(1, 60).all()
    for _, part in table.groupby("chapter"):
        assert part["number"].tolist() == list(range(1, len(part) + 1)) and 2 <= len(part) <= 4
    assert all(isinstance(key, str) and key.isidentifier() for name in NAMES for key in exercise(name).given)


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_is_right_in_every_form(name):
    task = exercise(name)
    forms = [task.right] if isinstance(task.right, str) else [task.right, np.asarray(task.right).tolist()]
    if isinstance(task.right, str):
        forms.append(f"  {task.right.upper()} ")
    for form in forms:
        assert check(name, form)
        assert repr(check(name, form)).startswith("Right. ") and task.praise


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_are_told_apart(name):
    task = exercise(name)
    feedback = [check(name, wrong) for wrong in wrong_answers(task)]
    messages = [each.message for each in feedback]
    assert len(messages) >= 4 and not any(feedback)
    assert len(set(messages)) == len(messages)
    assert [hint for _, hint in task.mistakes] == messages[: len(task.mistakes)]


@pytest.mark.parametrize("name", NAMES)
def test_no_help_gives_the_answer_away(name):
    task = exercise(name)
    hints = " ".join([task.hint, *(hint for _, hint in task.mistakes)])
    if isinstance(task.right, str):
        assert task.right not in hints.lower()
    elif not np.ndim(task.right):
        forms = {f"{task.right:.{digits}g}" for digits in (2, 3, 4)} - {"0", "1"}
        assert not [form for form in forms if re.search(rf"(?<![\w.]){re.escape(form)}(?![\w.])", hints)]


def test_numbers_that_nobody_foresaw_get_a_direction_or_a_place():
    assert "too large" in check("participants-2", 9).message
    assert "too small" in check("participants-2", 3).message
    counts = np.array(exercise("first_model-1").right)
    counts[3] += 1
    assert "1 of 10 values are off, the first at index [3]" in check("first_model-1", counts).message
    assert "The answer has 10 values; yours has 9 values" in check("first_model-1", counts[:9]).message
    assert not check("alice-2", 285)  # one off: whole numbers are compared exactly


@pytest.mark.parametrize(
    "answer", [{"a": 1}, {1}, True, 1 + 2j, [[1], [1, 2]], ["a"], object(), print, [], np.inf, b"x"]
)
def test_anything_can_be_answered(answer):
    for name in ("first_model-1", "participants-2", "alignment-2"):
        feedback = check(name, answer)
        assert not feedback and feedback.message


def test_a_text_is_not_executed(tmp_path):
    marker = tmp_path / "executed"
    for name in ("first_model-1", "alignment-2"):
        check(name, f"__import__('pathlib').Path({str(marker)!r}).touch()")
    assert not marker.exists()


def test_what_is_given_can_be_changed_without_harm():
    name = "first_model-1"
    given(name)["onsets"][:] = 0
    assert given(name)["onsets"].any()
    with pytest.raises(ConfigurationError, match="gives no values"):
        given("alignment-2")
    with pytest.raises(ConfigurationError, match="alignment-1"):
        check("aligment-1", 3)
    assert "dots" in check(name, ...).message
