import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from brainbook.plots.latents import (
    confusion_grid,
    equation_strip,
    image_grid,
    latent_maps,
    learning_curves,
    number_line_chart,
    scores,
)

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_image_grid_shows_each_image_in_its_place(rng):
    rows = {"a": rng.random((3, 3, 8, 8)), "b": rng.integers(0, 255, (2, 3, 6, 6), dtype=np.uint8)}
    figure = image_grid(rows, columns=["1", "2", "3"], title="t")
    axes = np.array(figure.axes).reshape(2, 3)
    np.testing.assert_array_equal(axes[1, 1].images[0].get_array(), np.moveaxis(rows["b"][1], 0, -1))
    assert not axes[1, 2].images
    assert [ax.get_title() for ax in axes[0]] == ["1", "2", "3"]


def test_latent_maps_draw_every_point(rng):
    points = {"alone": rng.random((20, 2)), "both": rng.random((20, 2))}
    colour = rng.choice(["red", "green"], 20)
    figure = latent_maps(points, {"number": np.resize(np.arange(1, 10), 20), "colour": colour})
    by_number, by_colour = figure.axes[0], figure.axes[3]
    assert [ax.get_title() for ax in figure.axes[:4]] == ["alone", "both", "", ""]
    assert len(by_number.texts) == 20
    assert sum(len(line.get_xdata()) for line in by_colour.lines) == 20
    assert [text.get_text() for text in by_colour.get_legend().get_texts()] == ["green", "red"]


def test_confusions_stand_in_rows_of_what_was_shown():
    table = pd.DataFrame([(n, r, float(n == 2 and r == 5)) for n in range(1, 10) for r in range(1, 10)],
                         columns=["number", "read", "share"]).assign(source="a", target="b")  # fmt: skip
    figure = confusion_grid(table, {"a to b": ("a", "b")})
    assert figure.axes[0].images[0].get_array()[1, 4] == 1
    assert figure.axes[0].images[0].get_array().sum() == 1


def test_learning_curves_have_a_panel_per_arm_and_a_line_per_seed():
    rows = [(arm, seed, step, -100.0 / step) for arm in "xy" for seed in (0, 1) for step in (1, 2, 4)]
    table = pd.DataFrame(rows, columns=["arm", "seed", "step", "validation"])
    table = table.assign(design="published", source="both")
    longer = table[table.arm == "x"].assign(step=2 * table.step, validation=table.validation + 50)
    figure = learning_curves({"n": table, "2 n": longer}, title="t")
    assert figure.axes[0].get_ylim()[1] > 25  # where the longer one ends
    assert [ax.get_title() for ax in figure.axes] == ["x", "y"]
    assert len([line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]) == 4
    ends = [line.get_xdata() for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert [list(end) for end in ends] == [[4], [4]]  # only the first study's ends are marked


def test_number_line_averages_seeds():
    table = pd.DataFrame({"number": np.tile(np.arange(1, 10), 2), "mean": [1.0] * 9 + [3.0] * 9, "sd": 0.5})
    ax = number_line_chart({"both": table, "alone": table})
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata().astype(float), 2.0)


def test_scores_stand_between_chance_and_ceiling():
    table = pd.DataFrame({"made": ["a", "a", "b"], "arm": ["x", "y", "x"], "value": [0.5, 0.6, 0.7],
                          "lower": 0.4, "upper": 0.9, "chance": 1 / 9, "ceiling": [1.0, 1.0, np.nan]})  # fmt: skip
    ax = scores(table, "made", "arm", "accuracy", title="t")
    labels = [label.get_text() for label in ax.get_legend().get_texts()]
    assert labels == ["x", "y", "chance", "classifier on real images"]
    np.testing.assert_allclose({line.get_label(): line.get_ydata() for line in ax.lines}["x"], [0.5, 0.7])


def test_equation_strip_has_operands_and_results(rng):
    equations = pd.DataFrame({"a": [1], "b": [9], "c": [8], "answer": [2]})
    images = rng.integers(0, 255, (9, 3, 8, 8), dtype=np.uint8)
    figure = equation_strip(equations, images, {"model": rng.random((1, 3, 8, 8))})
    assert len(figure.axes) == 4
    assert all(ax.images for ax in figure.axes)
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), np.moveaxis(images[8], 0, -1))
    assert figure.axes[0].get_ylabel() == "1 + 9 - 8 = 2"


def test_arms_keep_their_colour_whatever_stands_beside_them():
    def rows(*arms):
        return pd.DataFrame({"made": "digits", "arm": arms, "value": 0.5})

    arms = ("unimodal", "multimodal", "private", "untrained", "pixels")
    some, every = (
        {line.get_label(): line.get_color() for line in scores(rows(*chosen), "made", "arm", "accuracy").lines}
        for chosen in (("multimodal", "pixels"), arms)
    )
    assert some["multimodal"] == every["multimodal"]
    assert some["pixels"] == every["pixels"]
    assert len({every[arm] for arm in arms}) == 5
