"""A browser for the tests of this folder, and what axe-core finds in a page."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desktop": (1440, 900)}
VIEWPORTS = {name: {"width": width, "height": height} for name, (width, height) in SIZES.items()}


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
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


@pytest.fixture
def faults(page) -> list[str]:
    """What goes wrong on `page` from now on: errors of the console and requests that leave this machine."""
    found = []
    page.on("console", lambda message: message.type == "error" and found.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    inside = ("http://127.0.0.1:", "file:", "data:", "blob:")
    page.on("request", lambda asked: asked.url.startswith(inside) or found.append(f"outside: {asked.url}"))
    return found


@pytest.fixture
def serious():
    """A function: what axe-core finds on a page that is serious or critical, its name and the first element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(page) -> list[str]:
        found = axe.run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
        return [f"{it['id']}: {it['nodes'][0]['html'][:90]}" for it in found if it["impact"] in ("serious", "critical")]

    return find


@pytest.fixture(scope="session")
def viewports() -> dict[str, dict]:
    return VIEWPORTS
