"""Exercises that can be checked: `check("alignment-1", answer)` says what is wrong, and does not say the answer."""

from brainbook.course.checking import Feedback, check, given
from brainbook.course.exercises import exercises
from brainbook.course.reading import reading_minutes

__all__ = ["Feedback", "check", "exercises", "given", "reading_minutes"]
