"""Widgets in a real browser, by mouse and keyboard; what they say is checked against numpy and scikit-learn."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from brainbook.plots import widgets

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
pytestmark = pytest.mark.book


@pytest.fixture
def show(tmp_path, page):
    """A function that opens a page with a widget and returns the widget."""

    def show(widget, page=page):
        scripts = ["widgets.js", f"widget_{widget.name}.js"]
        tags = "".join(f'<script src="{(STATIC / name).as_uri()}"></script>' for name in scripts)
        style = f'<link rel="stylesheet" href="{(STATIC / "book.css").as_uri()}">'
        view = '<meta name="viewport" content="width=device-width">'
        file = tmp_path / "page.html"
        file.write_text(
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">{view}<title>A page</title>{style}{tags}'
            f"</head><body><main><h1>A page</h1>{widget._repr_html_()}</main></body></html>",
            encoding="utf-8",
        )
        page.goto(file.as_uri())
        return page.locator("figure.widget")

    return show


def numbers(text: str) -> list[float]:
    return [float(it) for it in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-").replace(",", ""))]


def press(widget, slider: int, *keys: str) -> str:
    """Press keys on one of the widget's sliders; return what the widget then says."""
    for key in keys:
        widget.locator("input").nth(slider).press(key)
    return widget.locator(".widget-text").inner_text()


@pytest.fixture
def alignment(rng):
    onsets = np.round(np.cumsum(rng.exponential(0.5, 140)), 2)
    return widgets.alignment_widget([f"word{k}" for k in range(140)], onsets, n_scans=30), onsets


@pytest.mark.parametrize("per_scan", [1, 4, 5, 12])
def test_alignment_says_how_far_words_lie(show, faults, alignment, per_scan):
    widget, onsets = alignment
    text = press(show(widget), 0, "Home", *["ArrowRight"] * (per_scan - 1))
    scan = np.arange(140) // per_scan
    off = np.abs((scan + 0.5) * 2 - onsets)[scan < 30]
    by_clock = np.abs((onsets // 2 + 0.5) * 2 - onsets)[onsets < 60]
    expected = [np.median(off), off.max(), 100 * (off > 2).sum() / 140, 100 * (scan >= 30).mean()]
    said = numbers(text)
    assert said[0] == per_scan and not faults
    assert said[1:5] == pytest.approx(expected, abs=0.501) and said[1:3] == pytest.approx(expected[:2], abs=0.051)
    assert said[5:] == pytest.approx([np.median(by_clock), by_clock.max()], abs=0.051)


def test_words_stand_above_the_scan_that_fla_gives(show, alignment):
    """Of the scans drawn, the tips of FLA's lines are in the middle of the scan of the word's number."""
    widget, onsets = alignment
    show(widget).locator("input").nth(1).press("Home")
    figure = show(widget)
    press(figure, 0, "Home", *["ArrowRight"] * 3)
    press(figure, 1, "Home")
    width = float(figure.locator("svg").get_attribute("viewBox").split()[2])
    n = figure.locator("svg text", has_text=re.compile(r"^scan \d+$")).count() // 2
    shown = onsets < 2 * n
    lines = figure.locator("svg line")
    ends = [float(line.get_attribute("x2")) for line in lines.all() if float(line.get_attribute("y2")) > 200]
    scan = np.arange(140)[shown] // 4
    assert ends == pytest.approx(np.clip((scan + 0.5) * width / n, 5, width - 5), abs=0.01)


def delayed(counts, runs, delay):
    X = np.full(counts.shape, np.nan)
    for run in np.unique(runs):
        rows = np.flatnonzero(runs == run)
        X[rows[delay:]] = counts[rows[: len(rows) - delay]]
    return X


def test_ridge_in_the_page_is_scikit_learn_s(show, faults, rng):
    runs = np.repeat([1, 2, 3, 4], 60)
    counts = rng.poisson(0.3, (240, 12))
    response = np.convolve(counts @ rng.normal(size=12), [0, 0.2, 1, 0.4])[:240] + rng.normal(size=240)
    made = widgets.ridge_widget(counts, response, runs, training=[1, 2], penalty=10.0)
    figure, noise, train = show(made), np.array(made.data["noise"]), runs < 3
    steps = [((), 10.0, 2, 0.0), ([(0, "End")], 1e6, 2, 0.0), ([(0, "Home"), (1, "Home")], 0.1, 0, 0.0)]
    steps += [([(1, "ArrowRight"), (1, "ArrowRight"), (1, "ArrowRight"), (2, "End")], 0.1, 3, 3.0)]
    for keys, alpha, delay, level in steps:
        for slider, key in keys:
            press(figure, slider, key)
        X, y = delayed(counts, runs, delay), response + level * response.std() * noise
        X = np.where(np.isnan(X), np.nanmean(X[train], axis=0), X)
        X = StandardScaler().fit(X[train]).transform(X)
        predicted = Ridge(alpha).fit(X[train], y[train]).predict(X)
        expected = [np.corrcoef(predicted[part], y[part])[0, 1] for part in (train, ~train)]
        said = numbers(figure.locator(".widget-text").inner_text())
        assert [said[0], said[3]] == pytest.approx(expected, abs=0.0051), (alpha, delay, level)
        assert [said[1], said[4]] == [120, 120]
    assert not faults


def test_sums_show_their_own_pictures(show, faults, rng):
    sums = widgets.possible_sums()
    shade = rng.random((265, 1, 1, 1)) * np.ones((1, 3, 8, 8))
    decoded, operands = {"objects": shade, "digit": 1 - shade}, np.full((9, 3, 8, 8), 60, np.uint8)
    made = widgets.arithmetic_widget(sums.assign(read=sums.answer), decoded, operands)
    figure = show(made)
    press(figure, 0, "Home")
    press(figure, 1, "End")
    text = press(figure, 2, "End", "ArrowLeft")
    assert text.startswith("1 + 9 − 8 = 2. Nearest") and "class mean of 2, as it should be" in text
    row = sums.query("a == 1 and b == 9 and c == 8").index[0]
    read = "e => [...e.querySelectorAll('canvas')].map(c => c.getContext('2d').getImageData(4, 4, 1, 1).data[0])"
    greys = figure.evaluate(read)
    value = 255 * shade[row, 0, 0, 0]
    assert greys == pytest.approx([60, 60, 60, value, 255 - value], abs=9)
    assert "no image has that number" in press(figure, 2, "Home", "ArrowRight", "ArrowRight") + press(figure, 0, "End")
    assert "right in any latent space" in press(figure, 2, "End") and not faults


def test_a_mouse_moves_a_slider(show, alignment):
    figure = show(alignment[0])
    slider = figure.locator("input").first
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] - 4, "y": box["height"] / 2})
    assert slider.input_value() == "12" and "FLA with 12 words" in figure.locator(".widget-text").inner_text()
    assert slider.get_attribute("aria-valuetext") == "12"


def test_a_page_without_scripts_shows_the_picture(browser, show, alignment):
    context = browser.new_context(java_script_enabled=False)
    figure = show(alignment[0], context.new_page())
    assert figure.locator("img").is_visible() and figure.locator("input").count() == 0
    context.close()


def test_a_widget_fits_a_phone_and_is_open_to_all(show, serious, viewports, page, alignment):
    page.set_viewport_size(viewports["phone"])
    figure = show(alignment[0])
    assert not figure.locator("img").is_visible() and figure.locator("label").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 360 and not serious(page)
