"""Charts of scores, estimates and pairs: tidy tables in, matplotlib axes out.

Tables are tidy data frames: one row is one mark. Where a mark has an interval, the table has the columns `lower` and
`upper`, in the unit of `value`; what the interval is (over runs, over participants, of a bootstrap) is for the caller
to say in the text. Every series has a marker of its own as well as a colour. Functions draw on `ax` (a new figure when
it is None) and return that axes, or the figure when it has several. `panels` makes small multiples of any of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from brainbook.plots.look import (
    GREY,
    OKABE_ITO,
    WIDTH,
    figure_of,
    finish,
    finish_figure,
    mark_style,
    new_axes,
    series_styles,
)


def scores_by_group(
    table: pd.DataFrame,
    value: str = "value",
    group: str = "group",
    condition: str = "condition",
    points: pd.DataFrame | None = None,
    kind: str = "dots",
    ceiling: Mapping | pd.DataFrame | None = None,
    published: Mapping | pd.DataFrame | None = None,
    null: tuple[float, float] | pd.DataFrame | None = None,
    unit: str = "Pearson r",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw scores of several conditions within several groups, side by side.

    Parameters
    ----------
    table : columns `group`, `condition`, `value`, and perhaps `lower` and `upper`. Several rows of one group and
        condition are taken as points (runs, participants): their mean is the mark. Without a condition column there is
        one condition.
    points : the single runs or participants behind the marks: same columns, drawn small and pale.
    kind : "dots" or "bars" (bars start at 0).
    ceiling : upper limit by group: a mapping, or a table with `group`, `value` and perhaps `condition`; a black tick.
    published : published values, in the same forms; an open star.
    null : what chance gives: (low, high) for all groups, or a table with `group`, `lower`, `upper`; a grey band.
    """
    ax = new_axes(ax)
    table = table if condition in table else table.assign(**{condition: unit})
    groups, styles = list(dict.fromkeys(table[group])), series_styles(table[condition])
    step = 0.8 / max(len(styles), 1)
    shift = {name: (j - (len(styles) - 1) / 2) * step for j, name in enumerate(styles)}
    for low, high, *at in _null_bands(null, group):
        ends = (groups.index(at[0]) - 0.45, groups.index(at[0]) + 0.45) if at else (-0.6, len(groups) - 0.4)
        ax.fill_between(ends, low, high, color=GREY, alpha=0.2, linewidth=0, zorder=0)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    for name, options in styles.items():
        rows = table[table[condition] == name]
        means = rows.groupby(group, sort=False)[value].mean()
        x = np.array([groups.index(g) for g in means.index]) + shift[name]
        single = points[points[condition] == name] if points is not None and condition in points else points
        single = rows if single is None and len(rows) > len(means) else single
        if single is not None:
            single = single[single[group].isin(groups)]
            centre = single[group].map(groups.index) + shift[name] + _spread(single[group], step)
            ax.plot(centre, single[value], ".", color=options["color"], alpha=0.45, markersize=5)
        if kind == "bars":
            ax.bar(x, means, width=step * 0.9, color=options["color"], alpha=0.85, label=options["label"])
        else:
            ax.plot(x, means, linestyle="", markersize=8, zorder=3, **options)
        if {"lower", "upper"} <= set(rows) and len(rows) == len(means):
            ends = rows.set_index(group).loc[means.index]
            colour = "black" if kind == "bars" else options["color"]
            ax.vlines(x, ends["lower"], ends["upper"], color=colour, linewidth=2)
    marks = []
    for values, marker, label in ((ceiling, "_", "ceiling"), (published, "*", "published")):
        if values is None:
            continue
        marks.append(Line2D([], [], **mark_style(marker), label=label))
        if isinstance(values, pd.DataFrame):
            values = values.set_index([group, condition] if condition in values else group)[value].to_dict()
        for name in styles:
            for place, of_group in enumerate(groups):
                height = values.get((of_group, name), values.get(of_group))
                if height is not None:
                    ax.plot(place + shift[name], height, **mark_style(marker))
    group_axis(ax, groups, unit)
    return finish(ax, title, (ax.get_legend_handles_labels()[0] if len(styles) > 1 else []) + marks)


def group_axis(ax: Axes, groups: Sequence, unit: str) -> None:
    """Write the names of groups below their places 0, 1, 2 ..., at an angle where they are long."""
    ax.set_xticks(range(len(groups)), [str(name) for name in groups])
    if max(len(line) for name in groups for line in str(name).split("\n")) * len(groups) > 52:
        plt.setp(ax.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    ax.set(ylabel=unit, xlim=(-0.6, len(groups) - 0.4))


def _null_bands(null: tuple[float, float] | pd.DataFrame | None, group: str) -> list[tuple]:
    """Return (low, high) of a band for all groups, or (low, high, group) of each."""
    if isinstance(null, pd.DataFrame):
        return list(null[["lower", "upper", group]].itertuples(index=False, name=None))
    return [] if null is None else [tuple(null)]


def _spread(groups: pd.Series, step: float) -> np.ndarray:
    """Return sideways offsets that keep the points of one group and condition apart, in order of appearance."""
    rank = groups.groupby(groups).cumcount()
    return ((rank + 0.5) / groups.map(groups.value_counts()) - 0.5).to_numpy(float) * step * 0.7


def mirror_scatter(table: pd.DataFrame, group: str, label: str, n_labels: int = 6, title: str | None = None) -> Axes:
    """Draw left against right, a dot for each region; on the diagonal both hemispheres are alike.

    `table` has one row per region with the columns left, right, `group` (the dots' colours) and `label`: the `n_labels`
    regions farthest from the diagonal are named.
    """
    ax = new_axes(None, (WIDTH, WIDTH))
    for name, options in series_styles(table[group]).items():
        rows = table[table[group] == name]
        ax.plot(rows["left"], rows["right"], linestyle="", markersize=6, alpha=0.85, **options)
    low, high = np.nanmin(table[["left", "right"]]), np.nanmax(table[["left", "right"]])
    margin = 0.06 * (high - low or 1)
    limits = (low - margin, high + margin)
    ax.plot(limits, limits, color=GREY, linewidth=1, zorder=0)
    ax.text(0.03, 0.97, "right higher", transform=ax.transAxes, va="top", color=GREY)
    ax.text(0.97, 0.03, "left higher", transform=ax.transAxes, ha="right", color=GREY)
    ax.set(xlabel="Left hemisphere (Pearson r)", ylabel="Right hemisphere (Pearson r)")
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    finish(ax, title, ax.get_legend_handles_labels()[0])
    far = table.loc[(table["left"] - table["right"]).abs().nlargest(n_labels).index]
    _name_dots(ax, far[label].astype(str), far[["left", "right"]].to_numpy(), table[["left", "right"]].to_numpy())
    return ax


def _name_dots(ax: Axes, names: Iterable[str], spots: np.ndarray, dots: np.ndarray) -> None:
    """Write each name near its spot [names, x and y], where it covers the fewest of all dots and of the other names."""
    ax.figure.canvas.draw()  # from here on places are final
    covered, limits = ax.transData.transform(dots[np.isfinite(dots).all(axis=1)]), ax.get_window_extent()
    sides = [(1, 0), (-1, 0), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7), (0, 1), (0, -1)]
    boxes: list[Bbox] = []
    for name, spot in zip(names, spots, strict=True):
        found: list[tuple[int, int, Text, Bbox]] = []
        for distance in (7, 14, 24, 36, 50):  # points
            for x, y in sides:
                text = ax.annotate(
                    name, spot, xytext=(distance * x, distance * y), textcoords="offset points", fontsize=10,
                    ha={1: "left", 0: "center", -1: "right"}[int(np.sign(x))], va="center" if not y else "baseline",
                    arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8} if distance > 7 or y else None,
                    path_effects=[withStroke(linewidth=2.5, foreground="white")],
                )  # fmt: skip
                text.get_window_extent()  # finds its place
                box = Text.get_window_extent(text).padded(3)  # without its line
                inside = limits.contains(box.x0, box.y0) and limits.contains(box.x1, box.y1)
                cost = box.count_contains(covered) + box.count_overlaps(boxes) + (0 if inside else 100)
                found.append((cost, len(found), text, box))
        _, _, chosen, box = min(found)
        boxes.append(box)
        for _, _, other, _ in found:
            if other is not chosen:
                other.remove()


def forest(
    table: pd.DataFrame,
    label: str = "label",
    value: str = "value",
    series: str | None = None,
    reference: float | Mapping = 0.0,
    from_reference: bool = False,
    truth: str | None = None,
    published: str | None = None,
    unit: str = "Difference in Pearson r",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates with their intervals, one row per label, read from top to bottom.

    `table` has the columns `label`, `value`, perhaps `lower` and `upper`, and perhaps columns that hold the truth or a
    published value of the row. With `series`, several estimates share a row. `reference` is the vertical line (0,
    chance, the reference protocol; by series if a mapping); `from_reference` draws each estimate as a stem from it,
    which shows an inflation as a length.
    """
    labels = list(dict.fromkeys(table[label]))
    wrapped = [
        fill(str(text), 25, break_long_words=False, break_on_hyphens=False) for text in labels
    ]  # wide ones leave no room for the axes
    lines_each = max((text.count("\n") + 1 for text in wrapped), default=1)
    several, series = series is not None, series or "series"
    table = table if several else table.assign(series="estimate")
    styles = series_styles(table[series])
    ax = new_axes(ax, (WIDTH, 1.2 + 0.36 * len(labels) * max(1, 0.6 * len(styles), 0.7 * lines_each)))
    own = isinstance(reference, Mapping)
    lines: Any = reference if own else dict.fromkeys(styles, reference)
    names_of_row = {text: list(rows.unique()) for text, rows in table.groupby(label)[series]}
    for name, options in styles.items():
        rows, colour = table[table[series] == name], options["color"]
        ranks = [names_of_row[text].index(name) - (len(names_of_row[text]) - 1) / 2 for text in rows[label]]
        y = rows[label].map(labels.index).to_numpy(float) + 0.7 / len(styles) * np.array(ranks)
        if name in lines:
            line = {"color": colour, "linestyle": "--"} if own else {"color": GREY}
            ax.axvline(lines[name], linewidth=1, zorder=0, **line)
        if from_reference:
            ax.hlines(y, lines.get(name, 0.0), rows[value], color=colour, linewidth=2, alpha=0.5)
        if {"lower", "upper"} <= set(rows):
            ax.hlines(y, rows["lower"], rows["upper"], color=colour, linewidth=2)
        ax.plot(rows[value], y, linestyle="", markersize=7, **options)
        for column, marker in ((truth, "|"), (published, "*")):
            if column:
                ax.plot(rows[column], y, **mark_style(marker))
    for row in range(1, len(labels), 2) if len(styles) > 1 else ():  # which marks belong to one row
        ax.axhspan(row - 0.5, row + 0.5, color="#000000", alpha=0.05, linewidth=0, zorder=-1)
    ax.set_yticks(range(len(labels)), wrapped)
    ax.set(xlabel=unit, ylim=(len(labels) - 0.4, -0.6))
    ax.xaxis.set_major_locator(MaxNLocator(6))  # labels such as -0.075 are wide
    extra = [(truth, "|", "truth"), (published, "*", "published")]
    marks = [Line2D([], [], **mark_style(marker), label=name) for column, marker, name in extra if column]
    return finish(ax, title, (ax.get_legend_handles_labels()[0] if several else []) + marks)


def inflation(
    table: pd.DataFrame,
    title: str = "What each choice does to the mean correlation",
    targets: str = "vertices",
    chance: float | None = None,
) -> Figure:
    """Draw mean r under each choice of protocol, as stems from the value of the first choice, the reference protocol.

    Parameters
    ----------
    table : columns choice, data (a colour for each), mean_r.
    targets : what r was averaged over, for the axis.
    chance : a grey band around zero, as wide as chance alone moves the mean.
    """
    reference = table[table.choice == table.choice.iloc[0]].set_index("data").mean_r.to_dict()
    unit = f"Mean Pearson r over {targets}"
    ax = forest(table, "choice", "mean_r", "data", reference, from_reference=True, unit=unit, title=title)
    if chance:
        ax.axvspan(-chance, chance, color=GREY, alpha=0.2, linewidth=0)
    return figure_of(ax)


def called_significant(
    table: pd.DataFrame,
    by: str,
    columns: dict[str, str],
    nominal: float = 0.05,
    title: str = "Where nothing is: called significant",
) -> Figure:
    """Draw the share of targets called significant where there is no effect, beside the nominal rate.

    Parameters
    ----------
    table : one row for each value of `by`.
    by : the column that names the rows.
    columns : column of shares -> its name in the legend.
    nominal : the level of the tests, drawn as a line.
    """
    shares = table.rename(columns=columns).melt(by, list(columns.values()), "series")
    unit = f"Share of vertices with p ≤ {nominal:g}"
    ax = forest(shares, by, series="series", reference=nominal, from_reference=True, unit=unit, title=title)
    ax.set_xlim(-0.02, 1.02)
    return figure_of(ax)


def accuracy_intervals(table: pd.DataFrame, published: pd.DataFrame | None = None, title: str | None = None) -> Figure:
    """Draw accuracies with exact intervals against chance, below them the published one for several sizes of test part.

    Parameters
    ----------
    table : columns label, accuracy, lower, upper, and series (the kind of mismatch).
    published : columns n, accuracy, lower, upper.
    """
    if published is not None:
        labels = [f"published, if n = {n:,}" for n in published.n]
        table = pd.concat([table, published.assign(label=labels, series="published")])
    percent = table.assign(**(100 * table[["accuracy", "lower", "upper"]]))
    ax = forest(percent, value="accuracy", series="series", reference=50, unit="Accuracy (%)", title=title)
    return figure_of(ax)


def histograms(
    values: Mapping[str, Mapping[str, np.ndarray]], unit: str, title: str | None, bins: np.ndarray
) -> Figure:
    """Draw outlines of histograms, one panel below the other: name of the panel -> name of the series -> values."""
    size = (WIDTH, 0.9 + 1.25 * len(values))
    figure, axes = plt.subplots(len(values), 1, figsize=size, sharex=True, squeeze=False, layout="constrained")
    for ax, (panel, series) in zip(axes[:, 0], values.items(), strict=True):
        for (name, of_series), colour, style in zip(series.items(), OKABE_ITO, ("-", "--", ":", "-."), strict=False):
            options = {"color": colour, "linestyle": style, "linewidth": 2, "label": name}
            ax.hist(of_series, bins, density=True, histtype="step", **options)
        ax.set(yticks=[])
        ax.spines["left"].set_visible(False)
        ax.set_title(panel, fontsize=12, loc="left", pad=3)
    axes[-1, 0].set_xlabel(unit)
    return finish_figure(figure, title, axes[0, 0] if len(series) > 1 else None)


def cosine_histograms(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Draw the cosines of matching and of mismatched pairs, one panel for each model.

    `table` has the columns model, match (1, 0), cosine; one row per pair.
    """
    series = {"match": 1, "mismatch": 0}
    cosines = {
        model: {name: rows.cosine[rows.match == match] for name, match in series.items()}
        for model, rows in table.groupby("model", sort=False)
    }
    return histograms(cosines, "Cosine of the two sentences", title, np.linspace(-1, 1, 61))


def null_scores(tables: dict[str, np.ndarray], title: str = "Scores of vertices that follow nothing") -> Figure:
    """Draw histograms of scores [targets] under several choices, one below the other on one axis.

    `tables` is name of the choice -> array of r.
    """
    everything = np.concatenate(list(tables.values()))
    panels = {f"{name}: mean {np.nanmean(values):+.3f}": {"r": values} for name, values in tables.items()}
    figure = histograms(panels, "Pearson r", title, np.linspace(np.nanmin(everything), np.nanmax(everything), 60))
    for ax in figure.axes:
        ax.axvline(0, color=GREY, linewidth=1)
    return figure


def region_lines(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Draw a score by region before and after, joined by a line in each region; one panel per language and hemisphere.

    No line runs from region to region: their order means nothing.

    Parameters
    ----------
    table : columns language, region, hemisphere, before, after, and q; a ring marks regions whose q is at most .05.
    """
    regions = list(dict.fromkeys(table.region))
    panels = table.groupby(["language", "hemisphere"], sort=False)
    size = (WIDTH, 1.9 + 1.25 * len(panels))
    figure, axes = plt.subplots(len(panels), 1, figsize=size, sharex=True, sharey=True, squeeze=False)
    x = np.arange(len(regions))
    for ax, ((language, hemisphere), rows) in zip(axes[:, 0], panels, strict=True):
        rows = rows.set_index("region").loc[regions]
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.vlines(x, rows.before, rows.after, color=OKABE_ITO[0], linewidth=2)
        ax.plot(x, rows.before, "s", color=GREY, markersize=5, label="before transfer")
        ax.plot(x, rows.after, "o", color=OKABE_ITO[0], markersize=6, label="after transfer")
        sure = (rows.q <= 0.05).to_numpy()
        ring = {"markersize": 12, "markerfacecolor": "none", "color": "black"}
        ax.plot(x[sure], rows.after[sure], "o", label="q ≤ .05", **ring)
        ax.set_title(f"{language}, {'left' if hemisphere == 'lh' else 'right'}", fontsize=12, pad=3)
        ax.set_ylabel("Pearson r")
    axes[-1, 0].set_xticks(x, regions, rotation=50, ha="right", rotation_mode="anchor", fontsize=10)
    return finish_figure(figure, title, axes[0, 0], columns=3)


def ceilings_and_bounds(table: pd.DataFrame, title: str | None = None) -> Axes:
    """Draw the highest r in one participant of a phantom against that in a real group's average, a dot per region.

    `table` has the columns group (the highest r of a model with the average of the real participants, from their
    published agreement), ceiling (that with one participant of the phantom) and driver.
    """
    ax = new_axes(None, (WIDTH, 4.8))
    for name, options in series_styles(table["driver"]).items():
        rows = table[table["driver"] == name]
        ax.plot(rows["group"], rows["ceiling"], linestyle="", alpha=0.8, **options)
    top = 1.05 * table[["group", "ceiling"]].max().max()
    ax.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=":")
    ax.set(xlim=(0, top), xlabel="Real group's average: highest r")
    ax.set(ylim=(-0.01, top), ylabel="One participant of the phantom: highest r")
    return finish(ax, title, ax.get_legend_handles_labels()[0])
