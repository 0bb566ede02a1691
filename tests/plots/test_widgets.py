"""Widgets carry what was computed, and a picture in words for a page without scripts. How they move: tests/book."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from brainbook.errors import ConfigurationError
from brainbook.plots import widgets


def embedded(widget) -> dict:
    page = widget._repr_html_()
    assert re.search(r'<p class="widget-picture"><img alt="[^"]{30,}" src="data:image/png', page)
    return json.loads(re.search(r"<script[^>]*>(.*)</script>", page)[1])


def test_words_cannot_end_the_script_that_holds_them():
    data = embedded(widgets.alignment_widget(["</script><b>", "b"], np.array([0.5, 2.5]), n_scans=3))
    assert data["words"] == ["</script><b>", "b"] and data["onsets"] == [0.5, 2.5] and data["words_per_scan"] == 1


def test_every_word_has_an_onset():
    with pytest.raises(ConfigurationError, match="2 words and 1 onsets"):
        widgets.alignment_widget(["a", "b"], np.array([1.0]), n_scans=3)


def test_the_picture_of_ridge_is_scikit_learn_s(rng):
    runs = np.repeat([1, 2, 3], 30)
    counts = rng.poisson(0.5, (90, 4))
    counts[:, 3] = 0  # a word that is not said
    response = rng.normal(size=90)
    train = runs < 3
    X = np.full((90, 4), np.nan)
    for run in (1, 2, 3):
        rows = np.flatnonzero(runs == run)
        X[rows[2:]] = counts[rows[:-2]]
    X = np.where(np.isnan(X), np.nanmean(X[train], axis=0), X)
    scaled = StandardScaler().fit(X[train])
    expected = Ridge(10.0).fit(scaled.transform(X[train]), response[train]).predict(scaled.transform(X))
    assert widgets._ridge(counts, response, runs, train, 2, 10.0) == pytest.approx(expected)
    data = embedded(widgets.ridge_widget(counts, response, runs, training=[1, 2]))
    assert data["shown"] == 3 and data["delay"] == 2 and len(data["noise"]) == 90
    assert data["words"][5] == np.repeat(np.arange(4), counts[5]).tolist()
    with pytest.raises(ConfigurationError, match="leave some out"):
        widgets.ridge_widget(counts, response, runs, training=[1, 2, 3])


def test_the_sprite_has_a_row_for_every_sum(rng):
    sums = widgets.possible_sums()
    assert len(sums) == 265 and (sums.a + sums.b - sums.c == sums.answer).all() and sums.answer.between(1, 9).all()
    decoded = {"objects": rng.random((265, 3, 8, 8)), "digit": rng.random((265, 3, 6, 6))}
    numbers = rng.integers(0, 255, (9, 3, 8, 8)).astype(np.uint8)
    data = embedded(widgets.arithmetic_widget(sums.assign(read=sums.answer), decoded, numbers))
    sprite = Image.open(io.BytesIO(base64.b64decode(data["sprite"].partition(",")[2]))).convert("L")
    tiles = np.asarray(sprite).reshape(274, 8, 2, 8).swapaxes(1, 2).astype(float)
    assert data["size"] == 8 and data["nearest"] == sums.answer.tolist()
    assert np.abs(tiles[7, 0] - 255 * decoded["objects"][7].max(axis=0)).max() < 16  # 32 shades of grey
    assert np.abs(tiles[7, 1, 1:7, 1:7] - 255 * decoded["digit"][7].max(axis=0)).max() < 16
    assert tiles[7, 1, 0].max() < 9 and np.abs(tiles[265 + 3, 0] - numbers[3].max(axis=0)).max() < 16
    with pytest.raises(ConfigurationError, match="digit: there must be one image"):
        widgets.arithmetic_widget(sums.assign(read=1), decoded | {"digit": decoded["digit"][1:]}, numbers)
