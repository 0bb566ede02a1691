"""Figures of the first chapter show what they were given."""

import numpy as np
import pandas as pd
import pytest

from brainbook.plots import first_model


def test_words_stand_over_the_scans_in_which_they_begin():
    ax = first_model.words_in_scans(["a", "fox"], np.array([0.5, 4.2]), np.array([1, 0, 1]), title="Two words")
    places = {text.get_text(): text.get_position()[0] for text in ax.texts if text.get_text().isalpha()}
    assert places == {"a": 0.5, "fox": 4.2}
    assert [text.get_text() for text in ax.texts if text.get_text().isdigit()] == ["1", "0", "1"]
    assert [patch.get_x() for patch in ax.patches] == [0, 2, 4] and ax.get_xlim() == (0, 6)


def test_responses_add_up():
    counts, response = np.array([2, 0, 1, 0]), np.array([0, 1.0, 0.5])
    figure = first_model.summed_responses(counts, np.append(response, 0.0))
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[1].lines}
    assert lines["sum: the expected response"] == pytest.approx(np.convolve(counts, response)[:4])
    assert lines["words of one scan"] == pytest.approx([0, 2, 1, 0])
    assert [bar.get_height() for bar in figure.axes[0].patches] == [2, 0, 1, 0]


def test_r_of_the_curves_that_are_drawn_stands_above_them(rng):
    recorded, predicted = rng.normal(size=(2, 50))
    figure = first_model.prediction_over_recording(
        {"here": (recorded, predicted), "there": (recorded, 3 * recorded + 1)}
    )
    r = np.corrcoef(recorded, predicted)[0, 1]
    assert [ax.get_title(loc="left") for ax in figure.axes] == [f"here: r = {r:.2f}", "there: r = 1.00"]
    assert all(line.get_ydata().std() == pytest.approx(1) for ax in figure.axes for line in ax.lines)


def test_scores_by_penalty_and_marks_on_a_null():
    table = pd.DataFrame({"alpha": [1.0, 10.0], "training": [1.0, 0.8], "held_out": [-0.1, 0.3]})
    ax = first_model.score_by_penalty(table)
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert drawn == {"training runs": [1.0, 0.8], "other runs": [-0.1, 0.3]} and ax.get_ylim()[0] == -0.1
    ax.figure.canvas.draw()
    labels = dict(zip(ax.get_xticks(), (text.get_text() for text in ax.get_xticklabels()), strict=True))
    assert labels[1.0] == "10⁰" and labels[10.0] == "10¹"  # no mathtext, which the book's style does not read
    ax = first_model.score_on_its_scale(np.linspace(-0.1, 0.1, 50), {"score": 0.3, "ceiling": 0.5})
    assert [line.get_label() for line in ax.lines] == ["score: 0.30", "ceiling: 0.50"]
    assert [line.get_xdata()[0] for line in ax.lines] == [0.3, 0.5]
