"""Every page of the built book in a real browser: narrow and wide, light and dark. `make test-book` after `make book`.

axe-core (MPL-2.0, from the package axe-playwright-python) looks for what screen readers and keyboards cannot use.
"""

import functools
import http.server
import re
import threading
from pathlib import Path

import pytest

BOOK = Path("_build/html")
PAGES = sorted(path.relative_to(BOOK).as_posix() for path in BOOK.glob("book/**/*.html")) if BOOK.is_dir() else []
HEAVIEST = 1_500_000  # bytes that opening a page loads, its viewers apart
UNMARKED = """() => {
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    if (!/[\\u4e00-\\u9fff]/.test(data) || parentElement.closest("[lang=zh], script, style")) continue;
    found.push(data.trim().slice(0, 40));
  }
  return found;
}"""
pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not PAGES, reason="no book is built here: `make book`"),
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=BOOK))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_for_everyone(page, faults, serious, viewports, address, name):
    """No error, no outside request, no sideways scrolling, not heavy, nothing serious for axe in light and dark."""
    loaded = []
    page.on("requestfinished", lambda asked: loaded.append(asked))
    page.goto(f"{address}/{name}", wait_until="load")
    page.wait_for_timeout(100)
    own = [asked for asked in loaded if asked.frame == page.main_frame]
    weight = sum(asked.sizes()["responseBodySize"] for asked in own)
    faults += [f"weighs {weight / 1e6:.2f} MB"] * (weight > HEAVIEST)
    faults += [f"loaded for nothing: {it.url}" for it in own if re.search("thebe.*js|mathjax", it.url)]
    faults += head_faults(page)
    faults += [f"Chinese without lang: {text}" for text in page.evaluate(UNMARKED)]
    wide = page.evaluate(
        "[...document.querySelectorAll('div.cell_input pre')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.innerText.slice(0, 60))"
    )
    faults += [f"code scrolls: {text}" for text in wide]
    faults += serious(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)  # colours change by and by
    faults += [f"dark, {fault}" for fault in serious(page)]
    for size in viewports.values():
        page.set_viewport_size(size)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        faults += [f"{overflow} px wider than a screen of {size['width']}"] * (overflow > 0)
    assert not faults


def head_faults(page) -> list[str]:
    """Return what the head of a page lacks: title, language, icon, description, social picture."""
    wanted = {
        "language": "html[lang]",
        "icon": "link[rel=icon]",
        "description": "meta[name=description]",
        "social picture": "meta[property='og:image']",
    }
    lacking = [name for name, selector in wanted.items() if page.locator(selector).count() != 1]
    return [f"none or several in the head: {name}" for name in lacking + ["title"] * (not page.title())]


def test_search_finds(page, faults, address):
    page.goto(f"{address}/search.html?q=haemodynamic")
    page.wait_for_selector("#search-results li", timeout=10_000)
    assert page.locator("#search-results li").count() >= 2 and not faults


def test_search_opens_from_the_keyboard(page, faults, address):
    page.goto(f"{address}/{PAGES[0]}")
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input").fill("penalty")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li", timeout=10_000)
    assert page.locator("#search-results li").count() >= 2 and not faults


@pytest.mark.parametrize("name", ["alignment", "first_model", "number_sense"])
def test_the_widget_of_a_chapter_answers(page, faults, address, name):
    if f"book/chapters/{name}.html" not in PAGES:
        pytest.skip(f"the chapter {name} is not built")
    page.goto(f"{address}/book/chapters/{name}.html")
    widget = page.locator(f"figure.widget[data-widget={name}]")
    before = widget.locator(".widget-text").inner_text()
    widget.locator("input[type=range]").first.focus()
    page.keyboard.press("ArrowRight")
    assert before and widget.locator(".widget-text").inner_text() != before and not faults


def test_one_switch_hides_all_code_on_every_page(page, faults, address):
    page.goto(f"{address}/book/chapters/first_model.html")
    code = page.locator("div.cell_input:visible")
    shown = code.count()
    page.get_by_role("button", name="Hide code").focus()
    page.keyboard.press("Enter")
    assert shown > 5 and code.count() == 0 and page.locator("figure img:visible").count()
    page.goto(f"{address}/book/chapters/recordings.html")
    assert page.locator("div.cell_input:visible").count() == 0
    page.get_by_role("button", name="Show code").click()
    assert page.locator("div.cell_input:visible").count() and not faults
