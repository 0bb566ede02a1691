"""Widgets: figures of a page that a reader can move. The data is computed here and embedded; scripts only draw it.

The scripts are `book/_static/widget*.js`. Where none runs (a notebook, a page without JavaScript) the picture is shown.
"""

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from brainbook.errors import ConfigurationError
from brainbook.plots.first_model import prediction_over_recording
from brainbook.plots.latents import equation_strip
from brainbook.plots.signals import words_on_scans

NUMBERS = range(1, 10)


@dataclass(frozen=True)
class Widget:
    """A widget as Jupyter and the book show it: a figure of HTML with a picture and, for the page's script, its data.

    name : of the script that moves it, `book/_static/widget_<name>.js`. data : what JSON can hold. alt : the picture in
    words.
    """

    name: str
    title: str
    data: Mapping
    picture: Figure
    alt: str

    def _repr_html_(self) -> str:
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        title, alt = html.escape(self.title), html.escape(self.alt)
        return (
            f'<figure class="widget" data-widget="{self.name}" role="group" aria-label="{title}">'
            f'<p class="widget-title">{title}</p>'
            f'<p class="widget-picture"><img alt="{alt}" src="{_data_uri(_picture_of(self.picture))}"></p>'
            f'<script type="application/json">{data}</script></figure>'
        )


def alignment_widget(
    words: Sequence[str], onsets: np.ndarray, n_scans: int, tr: float = 2.0, language: str = ""
) -> Widget:
    """Return the widget in which a slider changes how many words fixed-length alignment gives to a scan.

    Parameters
    ----------
    words, onsets : all words of one section, in order; seconds since its first scan.
    n_scans : scans of the section.

    It begins in the middle of the section, with as many words per scan as are spoken on average.
    """
    onsets = np.round(np.asarray(onsets, float), 2)
    if not len(words) or len(words) != len(onsets):
        raise ConfigurationError(f"{len(words)} words and {len(onsets)} onsets: give one onset for each word")
    rate, first = max(1, round(len(words) / n_scans)), n_scans // 2
    shown = np.flatnonzero((onsets >= first * tr) & (onsets < (first + 6) * tr))
    picture = words_on_scans(
        [words[int(k)] for k in shown], onsets[shown], onsets[shown] + 0.2, int(shown[0]) if len(shown) else 0,
        first * tr, tr=tr, words_per_scan=rate, title=f"{language} words on scans: {rate} words per scan",
    )  # fmt: skip
    data = {"words": list(words), "onsets": onsets.tolist(), "n_scans": int(n_scans), "tr": tr}
    data |= {"words_per_scan": rate, "first_scan": first}
    alt = f"Words between the scan that each alignment gives them to; fixed-length alignment gives {rate} to a scan."
    return Widget("alignment", "Try it: can a fixed number of words follow the clock?", data, picture, alt)


def ridge_widget(
    counts: np.ndarray,
    response: np.ndarray,
    runs: np.ndarray,
    training: Sequence[int],
    tr: float = 2.0,
    penalty: float = 1000.0,
    delay: float = 4.0,
    seed: int = 0,
) -> Widget:
    """Return the widget in which sliders change penalty, delay and added noise of a ridge regression.

    Parameters
    ----------
    counts : integers [scans, words], how often each word begins in a scan.
    response : array [scans], one region's recording.
    runs : integers [scans], ascending.
    training : the runs that the regression is fitted to; the first of the others is drawn.
    delay : seconds by which the words are moved later at first. seed : of the noise that can be added.
    """
    training = [int(run) for run in training]
    others = [int(run) for run in np.unique(runs) if run not in training]
    if not others or not set(training) <= set(runs):
        raise ConfigurationError(f"training runs {training} of the runs {np.unique(runs).tolist()}: leave some out")
    scans = round(delay / tr)
    shown = runs == others[0]
    predicted = _ridge(counts, response, runs, np.isin(runs, training), scans, penalty)
    name = f"run {others[0]}, words {scans * tr:g} s before"
    picture = prediction_over_recording({name: (response[shown], predicted[shown])}, tr)
    data = {
        "tr": tr, "penalty": penalty, "delay": scans, "most_delay": round(12 / tr), "n_words": counts.shape[1],
        "words": [np.repeat(np.arange(len(row)), row).tolist() for row in counts.astype(int)],
        "runs": [int(run) for run in runs], "training": training, "shown": others[0],
        "response": np.round(response, 4).tolist(),
        "noise": np.random.default_rng(seed).standard_normal(len(response)).round(3).tolist(),
    }  # fmt: skip
    alt = f"The recording of one region in run {others[0]}, which was not trained on, and the prediction over it."
    return Widget("first_model", "Try it: penalty, delay and noise", data, picture, alt)


def _ridge(
    counts: np.ndarray, response: np.ndarray, runs: np.ndarray, train: np.ndarray, delay: int, penalty: float
) -> np.ndarray:
    """Fit ridge regression on standardised, delayed counts in the scans `train`; predict all scans."""
    X = np.full(counts.shape, np.nan)
    same = np.arange(len(runs)) >= delay
    same[delay:] &= runs[delay:] == runs[: len(runs) - delay]
    X[same] = counts[np.flatnonzero(same) - delay]
    X = np.where(np.isnan(X), np.nanmean(X[train], axis=0), X)
    deviation = X[train].std(axis=0)
    X = (X - X[train].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    mean = response[train].mean()
    gram = X[train].T @ X[train] + penalty * np.eye(X.shape[1])
    return mean + X @ np.linalg.solve(gram, X[train].T @ (response[train] - mean))


def possible_sums() -> pd.DataFrame:
    """Return all sums a + b - c of numbers 1 to 9 whose answer is one, each once (a <= b): columns a, b, c, answer."""
    grid = [(a, b, c) for a in NUMBERS for b in NUMBERS for c in NUMBERS if a <= b and a + b - c in NUMBERS]
    table = pd.DataFrame(grid, columns=["a", "b", "c"])
    return table.assign(answer=table.a + table.b - table.c)


def arithmetic_widget(sums: pd.DataFrame, decoded: Mapping[str, np.ndarray], numbers: np.ndarray) -> Widget:
    """Return the widget in which sliders choose a, b and c, and what a + b - c decodes to is shown.

    Parameters
    ----------
    sums : `possible_sums` with a column `read`, the number whose mean latent lies nearest to the sum's.
    decoded : by name, images [sums, 3, height, width], 0 to 1; shown in grey.
    numbers : one image of each number, uint8 [9, 3, height, width].
    """
    if wrong := [name for name, images in decoded.items() if len(images) != len(sums)]:
        raise ConfigurationError(f"{', '.join(wrong)}: there must be one image for each of the {len(sums)} sums")
    side = max(max(np.shape(images)[-2:]) for images in [*decoded.values(), numbers])
    columns = [_grey_tiles(images, side) for images in decoded.values()]
    operands = np.pad(_grey_tiles(numbers, side), ((0, 0), (0, side * (len(columns) - 1))))
    sprite = Image.fromarray(np.vstack([np.hstack(columns), operands]))
    start = sums[(sums.a != sums.c) & (sums.b != sums.c)].iloc[0]
    triple = [int(start[name]) for name in "abc"]
    data = {
        "sums": sums[["a", "b", "c"]].to_numpy().tolist(), "nearest": sums["read"].astype(int).tolist(),
        "decoded": list(decoded), "size": side, "start": triple,
        "sprite": _data_uri(sprite.quantize(32)),
    }  # fmt: skip
    row = sums.index.get_loc(start.name)
    first = {name: images[[row]] for name, images in decoded.items()}
    picture = equation_strip(start.to_frame().T, numbers, first)
    a, b, c = triple
    alt = f"Images of {a}, {b} and {c}, and what the sum of their latents, {a} + {b} - {c}, decodes to."
    return Widget("number_sense", "Try it: calculate with latents", data, picture, alt)


def _grey_tiles(images: np.ndarray, side: int) -> np.ndarray:
    """Return images [n, 3, height, width], uint8 or 0..1, one below the other: their brightest channel, on black."""
    images = np.asarray(images)
    scaled = images if images.dtype == np.uint8 else np.clip(images, 0, 1) * 255
    grey = scaled.max(axis=1).round().astype(np.uint8)
    borders = [((side - length) // 2, side - length - (side - length) // 2) for length in grey.shape[1:]]
    return np.pad(grey, [(0, 0), *borders]).reshape(-1, side)


def _picture_of(figure: Figure) -> Image.Image:
    """Draw a figure, with the colours that it has, and close it: the widget shows it."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150)
    plt.close(figure)
    return Image.open(stream).convert("RGB").quantize(64)


def _data_uri(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
