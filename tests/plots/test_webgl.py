import functools
import json
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from brainbook.errors import ConfigurationError
from brainbook.plots import brain_maps
from brainbook.plots.webgl import viewer_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]


@pytest.fixture(scope="module")
def folder(store, regions, tmp_path_factory):
    """A viewer with three maps: all low, all high, and one without values."""
    maps = {"Layer 0": np.zeros(148), "Layer <6>": np.ones(148), "nothing": np.full(148, np.nan)}
    folder = tmp_path_factory.mktemp("book") / "viewer"
    brain_maps.viewer(maps, folder, regions, limits=(0, 1), title="Scores", store=store)
    return folder


def test_viewer_is_whole_and_carries_its_picture(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert '<img src="picture.png" alt="Scores: flat maps of Layer 0, Layer &lt;6&gt;, nothing (Pearson r)">' in page
    assert (folder / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "http://" not in page.split("<body")[1]
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 8e6
    assert [path.name for path in folder.parent.iterdir()] == ["viewer"]


def test_a_second_viewer_replaces_the_first(store, regions, tmp_path):
    for unit in ("Pearson r", "Layer"):
        brain_maps.viewer({"one": np.ones(148)}, tmp_path / "v", regions, unit=unit, store=store)
    page = (tmp_path / "v" / "index.html").read_text(encoding="utf-8")
    assert "<span>Layer</span>" in page and len(list((tmp_path / "v" / "data").iterdir())) == 1


def test_names_of_maps_cannot_end_the_script(store, regions, tmp_path):
    names = ["</script><script>alert(1)</script>", "<!--<script>", 'a & "b"']
    brain_maps.viewer({name: np.ones(148) for name in names}, tmp_path / "v", regions, store=store)
    page = (tmp_path / "v" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "<!--<script" not in page
    written = page.split("const maps = ", 1)[1].split(";\n", 1)[0]
    assert json.loads(written) == names


def test_viewer_refuses_what_it_cannot_show(store, regions, tmp_path):
    with pytest.raises(ConfigurationError, match="colour maps viridis, RdBu_r"):
        brain_maps.viewer({"driver": np.zeros(148)}, tmp_path / "v", regions, categories=["sound"], store=store)
    assert list(tmp_path.iterdir()) == []


def test_frame_has_a_name_and_a_link():
    text = viewer_html("../../v/index.html", "Scores & layers")
    assert 'title="Scores &amp; layers"' in text and '<a href="../../v/index.html">' in text


@pytest.fixture(scope="module")
def page(folder):
    """The viewer in headless Chromium, served over http as the book is."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install -e .[test])"
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium here to open the viewer with (apt-get install chromium)")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 390, "height": 560})
        page.asked, page.problems = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("websocket", lambda socket: page.asked.append(socket.url))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        page.wait_for_selector("body[data-ready=yes]", timeout=120_000)
        page.wait_for_timeout(1500)
        yield page
        browser.close()
    server.shutdown()


def colours_of_the_brain(page):
    """Pixels [n, 3] of the canvas that are not its black background."""
    import io

    from PIL import Image

    page.wait_for_timeout(1500)
    bar = page.locator("#bar").bounding_box()
    shot = page.screenshot(clip={"x": 0, "y": 0, "width": 390, "height": bar["y"]})
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float).reshape(-1, 3)
    return pixels[pixels.max(axis=1) > 30]


def is_yellow(pixels):
    return (pixels[:, 2] < 0.6 * pixels[:, 0]) & (pixels[:, 1] > 0.6 * pixels[:, 0])


def test_brain_is_drawn_and_a_click_switches_the_map(page):
    low = colours_of_the_brain(page)
    assert len(low) > 10_000 and is_yellow(low).mean() < 0.1  # viridis at 0: violet
    page.get_by_role("radio", name="Layer <6>", exact=True).click()
    high = colours_of_the_brain(page)
    assert is_yellow(high).mean() > 0.8  # viridis at 1: yellow
    page.get_by_role("radio", name="nothing", exact=True).click()
    none = colours_of_the_brain(page)
    assert np.ptp(none, axis=1).max() < 40  # the grey folds of the cortex
    assert page.problems == []


def test_arrow_keys_switch_the_map(page):
    page.get_by_role("radio", name="Layer 0", exact=True).click()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Layer <6>"
    assert page.get_by_role("radio", name="Layer <6>", exact=True).get_attribute("aria-checked") == "true"
    assert is_yellow(colours_of_the_brain(page)).mean() > 0.8
    page.keyboard.press("ArrowLeft")
    assert is_yellow(colours_of_the_brain(page)).mean() < 0.1


def test_keyboard_alone_reaches_maps_and_views(page):
    page.evaluate("document.activeElement.blur(); window.focus()")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent"))
    # One stop for all maps (arrow keys go on from there), one for each view.
    assert {"Left", "Right", "Back", "Top", "Folded", "Flat"} <= set(reached)
    assert len({"Layer 0", "Layer <6>", "nothing"} & set(reached)) == 1
    page.keyboard.press("2")
    assert (
        page.evaluate("document.body.dataset.map") == "Layer <6>" and is_yellow(colours_of_the_brain(page)).mean() > 0.8
    )
    page.keyboard.press("1")
    assert page.evaluate("document.body.dataset.map") == "Layer 0"
    page.keyboard.press("9")  # there are three maps
    assert page.evaluate("document.body.dataset.map") == "Layer 0"


def test_buttons_turn_the_brain(page):
    page.get_by_role("button", name="Flat", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("viewer.setMix() === 1", timeout=20_000)
    page.get_by_role("button", name="Top", exact=True).click()
    page.wait_for_function("viewer.setMix() === 0.5 && viewer.controls.altitude < 1", timeout=20_000)


@pytest.mark.parametrize("lacking", ["server", "WebGL"])
def test_a_picture_stands_in_for_what_cannot_be_drawn(page, folder, lacking):
    """Opened from a file, or in a browser without WebGL, the page says why and shows its picture."""
    other = page.context.browser.new_page(viewport={"width": 390, "height": 560})
    if lacking == "WebGL":
        other.add_init_script(
            "const own = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext ="
            " function (kind, ...rest) { return /webgl/.test(kind) ? null : own.call(this, kind, ...rest); };"
            " delete window.WebGLRenderingContext;"
        )
        other.goto(page.url)
    else:
        other.goto(f"file://{folder}/index.html")
    other.wait_for_function(
        "/Here is a picture of it/.test(document.getElementById('why').textContent)", timeout=20_000
    )
    reason = {"server": "only from a server", "WebGL": "no WebGL"}[lacking]
    assert reason in other.locator("#why").inner_text()
    picture = other.locator("#instead img")
    assert picture.is_visible() and picture.evaluate("image => image.naturalWidth") > 300
    assert picture.bounding_box()["width"] <= 390 and not other.locator("#bar").is_visible()
    other.close()


@pytest.mark.integration
def test_nothing_is_fetched_from_elsewhere(page):
    assert page.asked and all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in page.asked)
