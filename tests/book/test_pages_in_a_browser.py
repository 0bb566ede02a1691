"""Every page of the built book in a real browser: narrow and wide, light and dark. `make test-book` after `make book`.

axe-core (MPL-2.0, from the package axe-playwright-python) looks for what screen readers and keyboards cannot use.
"""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest

BOOK = Path("_build/html")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = sorted(path.relative_to(BOOK).as_posix() for path in BOOK.glob("book/**/*.html")) if BOOK.is_dir() else []
SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desktop": (1440, 900)}
VIEWPORTS = {name: {"width": width, "height": height} for name, (width, height) in SIZES.items()}
pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not PAGES, reason="no book is built here: `make book`"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)"),
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


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport=VIEWPORTS["desktop"])
    yield context.new_page()
    context.close()


def serious(page) -> list[str]:
    """Return what axe-core finds that is serious or critical: its name and the first element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    return [f"{it['id']}: {it['nodes'][0]['html'][:90]}" for it in found if it["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_for_everyone(page, address, name):
    """No error, no outside request, no sideways scrolling, nothing serious for axe in light and dark."""
    faults = []
    page.on("console", lambda message: message.type == "error" and faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    inside = (address, "data:", "blob:")
    page.on("request", lambda asked: asked.url.startswith(inside) or faults.append(f"outside: {asked.url}"))
    page.goto(f"{address}/{name}", wait_until="load")
    page.wait_for_timeout(100)
    if not page.title() or not page.locator("html").get_attribute("lang"):
        faults.append("no title or no language")
    wide = page.evaluate(
        "[...document.querySelectorAll('div.cell_input pre')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.innerText.slice(0, 60))"
    )
    faults += [f"code scrolls: {text}" for text in wide]
    faults += serious(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)  # colours change by and by
    faults += [f"dark, {fault}" for fault in serious(page)]
    for size in VIEWPORTS.values():
        page.set_viewport_size(size)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        faults += [f"{overflow} px wider than a screen of {size['width']}"] * (overflow > 0)
    assert not faults


def test_search_finds(page, address):
    page.goto(f"{address}/search.html?q=haemodynamic")
    page.wait_for_selector("#search-results li", timeout=10_000)
    assert page.locator("#search-results li").count() >= 2
