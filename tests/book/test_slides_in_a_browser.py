"""Slides of the built chapters open from disk without a network and turn by keyboard; none is too tall."""

from pathlib import Path

import pytest

from brainbook.course.slides import write_slides

BOOK = Path("_build/html")
CHAPTERS = sorted(path.name for path in BOOK.glob("book/chapters/*.html"))
TOO_TALL = """() => [...document.querySelectorAll(".slides section:not(.stack)")]
  .map(slide => { Reveal.slide(...Object.values(Reveal.getIndices(slide)).slice(0, 2)); return slide; })
  .filter(slide => slide.scrollHeight > 725).map(slide => slide.innerText.slice(0, 60) + " " + slide.scrollHeight)"""
pytestmark = [pytest.mark.book, pytest.mark.skipif(not CHAPTERS, reason="no book is built here: `make book`")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("slides") / "slides"
    write_slides(BOOK, folder)
    return folder


@pytest.mark.parametrize("name", CHAPTERS)
def test_slides_open_and_turn(page, faults, folder, name):
    page.goto((folder / name).as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    shown = "Reveal.getCurrentSlide().innerText"
    first = page.evaluate(shown)
    page.keyboard.press("ArrowRight")
    assert first and page.evaluate(shown) != first
    assert page.evaluate("Reveal.getTotalSlides()") >= 5
    faults += page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    page.wait_for_timeout(200)
    faults += [f"too tall: {slide}" for slide in page.evaluate(TOO_TALL)]
    assert not faults


def test_the_first_page_lists_all_chapters(page, faults, folder):
    page.goto((folder / "index.html").as_uri())
    assert page.locator("section a").count() == len(CHAPTERS)
    page.locator("section a").first.click()
    page.wait_for_function("window.Reveal && Reveal.isReady() && Reveal.getTotalSlides() > 1")
    assert not faults
