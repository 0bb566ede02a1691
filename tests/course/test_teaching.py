"""What teachers get: right numbers in answers, session plans that add up, and nothing of it among the pages."""

import importlib.util
import re
from pathlib import Path

import jupytext
import nbformat
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


def clock():
    spec = importlib.util.spec_from_file_location("by_the_clock", ROOT / "teaching" / "by_the_clock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("number", range(1, 9))
def test_the_parts_that_are_timed_are_those_of_the_plan(number):
    """`teaching/by_the_clock.py` times the parts of the plan, by sections and exercises that are there."""
    plan = clock().sessions().query("session == @number")
    session = COURSE.partition(f"\n### {number} · ")[2].partition("\n##")[0]
    assert plan.minutes.tolist() == [int(it) for it in re.findall(r"^\| (\d+) \|", session, re.MULTILINE)]
    for part in plan[plan.chapter != ""].itertuples():
        notebook = jupytext.read(ROOT / "notebooks" / f"{part.chapter}.md")
        assert not part.first or clock().chosen_sections(notebook, part.first, part.last)
        text, _, work = clock().material_minutes(part, notebook)
        assert 0 < text + work <= part.minutes, part


def test_cells_are_timed_by_their_section():
    text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    first, second, third = (code("x", metadata={"papermill": {"duration": seconds}}) for seconds in (1.0, 10.0, 100.0))
    cells = [text("# A"), first, text("## B\n\nwords"), second, text("more"), code("y"), text("## C"), third]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert clock().seconds_of_cells(notebook, ["B"]) == 10 and clock().seconds_of_cells(notebook, ["B", "C"]) == 110
