import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import brainbook.plots as charts
from brainbook.plots.look import OKABE_ITO, WIDTH, writable


@pytest.fixture(autouse=True)
def _figures():
    with plt.rc_context():
        charts.style()
        yield
    plt.close("all")


def scores(**extra):
    groups, models = ["visual", "auditory"], ["FLA", "VLA"]
    rows = [
        {"group": group, "condition": model, "value": 0.1 * i + 0.05 * j, **extra}
        for i, group in enumerate(groups)
        for j, model in enumerate(models)
    ]
    return pd.DataFrame(rows)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_text_is_readable_on_a_phone():
    phone = 360 / (WIDTH * 72)  # pixels a point
    assert plt.rcParams["font.size"] * phone > 10.5 and plt.rcParams["xtick.labelsize"] * phone > 9.5
    assert not plt.rcParams["axes.spines.top"] and not plt.rcParams["axes.spines.right"]


def test_colours_are_constant_distinct_and_told_apart_without_red_or_green():
    chosen = charts.colours(["EN", "FR", "CN", "something"])
    assert chosen["EN"] == charts.colours(["CN", "EN"])["EN"] and len(set(chosen.values())) == 4
    # Machado et al. (2009), full deuteranopia, in linear light: the palette stays apart.
    deutan = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    seen = np.array([deutan @ np.array(to_rgb(colour)) ** 2.2 for colour in OKABE_ITO[:6]]).clip(0, 1) ** (1 / 2.2)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(6, 1)]
    assert apart.min() > 0.12


@pytest.mark.parametrize("name", ["$x^$", "a_b$1 and $2", r"\$HOME", "$$"])
def test_names_are_drawn_as_they_are(name):
    """matplotlib would read what stands between two $ as mathematics, and fail at `$x^$` when the page is made."""
    table = scores().replace({"visual": name, "FLA": f"model {name}"})
    figure = charts.scores_by_group(table, title=name).figure
    figure.canvas.draw()
    drawn = [text for text in figure.findobj(Text) if name in text.get_text()]
    assert len(drawn) >= 3 and not any(text._preprocess_math(text.get_text())[1] for text in drawn)
    assert all(text._preprocess_math(text.get_text())[0] == text.get_text() for text in drawn)


def test_scores_stand_where_they_belong():
    ceiling, published = {"visual": 0.4, "auditory": 0.5}, pd.DataFrame(
        {"group": ["visual"], "condition": ["VLA"], "value": [0.33]}
    )  # fmt: skip
    table = scores().assign(lower=lambda t: t.value - 0.02, upper=lambda t: t.value + 0.02)
    ax = charts.scores_by_group(table, ceiling=ceiling, published=published, null=(-0.02, 0.02), title="Scores")
    marks = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(marks["FLA"].get_ydata(), [0.0, 0.1])
    np.testing.assert_allclose(marks["VLA"].get_ydata(), [0.05, 0.15])
    assert (np.asarray(marks["FLA"].get_xdata()) < np.asarray(marks["VLA"].get_xdata())).all()
    stars = [line for line in ax.lines if line.get_marker() == "*"]
    assert len(stars) == 1 and stars[0].get_ydata() == [0.33]
    assert sorted(float(line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "_") == [0.4, 0.4, 0.5, 0.5]
    assert ax.get_ylabel() == "Pearson r" and legend(ax) == ["FLA", "VLA", "ceiling", "published"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["visual", "auditory"]


def test_repeated_rows_are_points_around_their_mean():
    table = pd.concat([scores(), scores().assign(value=lambda t: t.value + 0.1)])
    ax = charts.scores_by_group(table, kind="bars")
    assert sorted(round(bar.get_height(), 6) for bar in ax.patches) == [0.05, 0.1, 0.15, 0.2]
    assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == ".") == 8


def test_layer_profile_rings_the_highest_layer():
    table = pd.DataFrame({"layer": range(7), "value": [0, 1, 2, 5, 2, 1, 0], "series": "meaning"})
    ax = charts.layer_profile(table, preferred=True)
    ring = [line for line in ax.lines if line.get_markersize() == 15][0]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (3, 5)
    assert "Layer" in ax.get_xlabel()


def test_lag_curve_marks_the_peak():
    table = pd.DataFrame({"lag": range(-6, 7), "value": -((np.arange(-6, 7) - 2.0) ** 2), "series": "EN"})
    ax = charts.lag_curve(table, expected=3, seconds_per_lag=2)
    ring = [line for line in ax.lines if line.get_markersize() == 12][0]
    assert ring.get_xdata()[0] == 2
    assert ax.get_xlabel() == "Lag (scans of 2 s)"


def test_words_stand_at_their_onsets():
    words = pd.DataFrame({"word": ["once", "when", "late"], "onset": [0.5, 3.0, 99.0]})
    ax = charts.time_course(np.arange(0, 10, 2.0), {"word rate": np.zeros(5)}, words)
    assert {text.get_text(): text.get_position()[0] for text in ax.texts} == {"once": 0.5, "when": 3.0}


def test_mirror_has_equal_axes_and_names_the_lopsided():
    table = pd.DataFrame({"left": [0.1, 0.3, 0.2], "right": [0.1, 0.1, 0.21], "region": ["a", "b", "c"]})
    ax = charts.mirror_scatter(table.assign(driver="word"), "driver", "region", n_labels=1)
    assert ax.get_xlim() == ax.get_ylim() and "b" in [text.get_text() for text in ax.texts]
    assert "a" not in [text.get_text() for text in ax.texts]


def test_names_in_a_mirror_cover_no_dot_and_no_other_name():
    left = np.array([0.1, 0.12, 0.14, 0.3, 0.32, 0.1, 0.2, 0.3])
    right = np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0.1, 0.2, 0.3])
    table = pd.DataFrame({"left": left, "right": right, "region": [f"superior gyrus {n}" for n in range(8)]})
    ax = charts.mirror_scatter(table.assign(driver="word"), "driver", "region", n_labels=5)
    dots = ax.transData.transform(np.c_[left, right])
    names = [text for text in ax.texts if "gyrus" in text.get_text()]
    places = [text.get_window_extent() and Text.get_window_extent(text) for text in names]
    assert len(places) == 5 and not any(place.count_contains(dots) for place in places)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(places, 2))


def test_forest_reads_from_top_to_bottom():
    table = pd.DataFrame({"label": ["first", "second"], "value": [0.1, 0.2], "lower": 0.0, "upper": 0.3, "truth": 0.15})
    ax = charts.forest(table, truth="truth")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["first", "second"]
    assert ax.yaxis_inverted() and legend(ax) == ["truth"]


def test_panels_share_axes_and_pass_each_its_own_option():
    table = pd.concat([scores(language=language) for language in ("EN", "FR")])
    drawn = charts.panels(charts.scores_by_group, table, "language", ceiling={"EN": {"visual": 0.4}, "FR": {}})
    first, second = drawn.axes
    assert first.get_title(loc="left") == "EN" and first.get_ylim() == second.get_ylim()
    assert first.get_legend() is not None and second.get_legend() is None
    assert [line.get_marker() for line in first.lines].count("_") == 2
    assert [line.get_marker() for line in second.lines].count("_") == 0


def test_chinese_words_never_become_boxes(monkeypatch):
    monkeypatch.setattr("brainbook.plots.look._fonts_with_chinese", list)
    assert writable("小王子") == "···" and writable("prince") == "prince"
    monkeypatch.setattr("brainbook.plots.look._fonts_with_chinese", lambda: ["Noto Sans CJK SC"])
    assert writable("小王子") == "小王子"
