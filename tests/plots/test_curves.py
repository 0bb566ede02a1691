import matplotlib

matplotlib.use("Agg")
import itertools

import numpy as np
import pandas as pd

from brainbook.plots import alignment_error, loss_curves, panels, score_by_trim, scores_by_group, words_on_scans
from brainbook.plots.signals import apart


def test_every_word_is_joined_to_both_scans():
    onsets = np.array([0.1, 0.9, 2.2, 5.0])
    figure = words_on_scans(["a", "b", "c", "d"], onsets, onsets + 0.3, n_scans=3, words_per_scan=2)
    ax = figure.axes[0]
    marks = {(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1}
    # VLA: scans 0, 0, 1, 2 (centres 1, 1, 3, 5 s); FLA, two words a scan: 0, 0, 1, 1.
    assert {x for x, y in marks if y == 1.0} == {1.0, 3.0, 5.0}
    assert {x for x, y in marks if y == 0.0} == {1.0, 3.0}
    assert {"a", "b", "c", "d"} <= {text.get_text() for text in ax.texts}


def test_a_scan_outside_the_drawing_is_pointed_at():
    figure = words_on_scans(["a"], np.array([0.5]), np.array([0.7]), first_word=40, n_scans=2, words_per_scan=5)
    arrows = [line for line in figure.axes[0].lines if line.get_marker() == ">"]
    assert len(arrows) == 1 and arrows[0].get_xdata()[0] == 4.0


def test_errors_are_drawn_by_language():
    line = np.column_stack([np.arange(30.0), np.linspace(0, 3, 30)])
    ax = alignment_error({"EN": [line, line], "FR": [line]})
    assert [handle.get_text() for handle in ax.get_legend().get_texts()] == ["EN", "FR"]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.linspace(0, 3, 30)[7:-7])  # a straight drift stays straight
    assert "(s)" in ax.get_ylabel() and "(s)" in ax.get_xlabel()


def test_scores_are_drawn_against_the_scans_left_out():
    rows = [(name, trim, group, trim / 10) for group in "ab" for name in ("x", "y") for trim in (0, 8)]
    table = pd.DataFrame(rows, columns=["features", "trim", "group", "value"])
    axes = score_by_trim(table, chosen=8).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["a", "b"]
    for ax in axes:
        lines = {line.get_label(): line for line in ax.lines}
        np.testing.assert_array_equal(lines["y"].get_xydata(), [[0, 0], [8, 0.8]])
        assert any(list(line.get_xdata()) == [8, 8] for line in ax.lines)


def test_a_legend_does_not_take_the_width_of_narrow_panels():
    names, codes = ("speech or silence", "word count"), ("zeros", "centred")
    rows = [(*key, 0.1) for key in itertools.product(names, codes, (0, 8), "abcd")]
    table = pd.DataFrame(rows, columns=["features", "coding", "trim", "group", "value"])
    figure = score_by_trim(table, chosen=8, coding="coding", columns=2)
    figure.canvas.draw()
    assert min(ax.get_position().width for ax in figure.axes) > 0.3
    assert len(figure.legends) == 1 and not any(ax.get_legend() for ax in figure.axes)


def test_loss_curves_show_what_is_left_after_the_first_tenth():
    steps = np.arange(1, 101)
    table = pd.DataFrame({"step": steps, "part": "training", "loss": np.where(steps <= 10, 50.0, 2.0)})
    checked = pd.DataFrame({"step": [50, 100], "part": "validation", "loss": [1.0, 1.5]})
    ax = loss_curves(pd.concat([table, checked]))
    np.testing.assert_allclose(ax.get_ylim(), (0.95, 2.1))
    assert [list(line.get_ydata())[-1] for line in ax.lines] == [2.0, 1.5]


def test_upright_words_keep_a_line_apart_in_order_and_inside():
    places = np.sort(np.random.default_rng(0).uniform(0, 12, 30))
    moved = apart(places, 0, 12)
    assert np.diff(moved).min() >= 12 / 33 - 1e-9 and moved.min() >= 0 and moved.max() <= 12
    np.testing.assert_array_equal(apart(np.array([1.0, 6.0, 11.0]), 0, 12), [1, 6, 11])


def test_a_series_looks_alike_in_every_panel_and_stands_in_the_legend():
    """Also one that the first panel lacks."""
    rows = [("one", "a", 1.0), ("two", "a", 2.0), ("two", "b", 3.0)]
    table = pd.DataFrame(rows, columns=["panel", "condition", "value"]).assign(group="g")
    figure = panels(scores_by_group, table, by="panel")
    drawn = {float(line.get_ydata()[0]): line for ax in figure.axes for line in ax.lines if line.get_markersize() == 8}
    assert drawn[1].get_color() == drawn[2].get_color() != drawn[3].get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert not any(ax.get_legend() for ax in figure.axes)
