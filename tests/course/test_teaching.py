"""What teachers get: right numbers in answers, session plans that add up, and nothing of it among the pages."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COURSE = (ROOT / "book" / "course.md").read_text(encoding="utf-8")


def test_the_numbers_of_the_exam_are_right():
    text = (ROOT / "teaching" / "exam.md").read_text(encoding="utf-8")
    code, space = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL), {}
    assert len(code) == 8 and all("assert" in block for block in code)
    for block in code:
        exec(compile(block, "exam.md", "exec"), space)
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+) \(\d+\)\.\*\*", text, re.MULTILINE)]
    assert numbers == list(range(1, 25)) and text.count("\n*") >= len(numbers)


def test_a_wrong_number_would_be_seen():
    with pytest.raises(AssertionError):
        exec("assert (4 + 1) / 199 == 0.025")


@pytest.mark.parametrize("number", range(1, 9))
def test_a_session_lasts_ninety_minutes(number):
    session = COURSE.partition(f"\n### {number} · ")[2].partition("\n##")[0]
    minutes = [int(it) for it in re.findall(r"^\| (\d+) \|", session, re.MULTILINE)]
    assert sum(minutes) == 90 and "Before:" in session and "Bring:" in session


def test_the_rubric_has_a_hundred_points():
    rubric = (ROOT / "book" / "assignment.md").read_text(encoding="utf-8").partition("## Rubric")[2]
    assert sum(int(it) for it in re.findall(r"^\| \w[\w ]* \| (\d+) \|", rubric, re.MULTILINE)) == 100


def test_the_book_does_not_publish_the_teachers_folder():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert "teaching" in settings["exclude_patterns"]
    assert "teaching" not in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert not [page for page in (ROOT / "book").glob("*.md") if "exam.md" in page.read_text(encoding="utf-8")]
