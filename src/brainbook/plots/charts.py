"""The charts that all chapters share: tidy tables in, matplotlib axes out.

Every function draws on `ax` (a new figure when it is None) and returns that axes. Tables are tidy data frames: one row
is one mark. Where a mark has an interval, the table has the columns `lower` and `upper`, in the unit of `value`; what
the interval is (over runs, over participants, of a bootstrap) is for the caller to say in the text. Every series has a
marker of its own as well as a colour. `panels` makes small multiples of any of them.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from brainbook.plots.look import (
    GREY,
    MARKERS,
    OKABE_ITO,
    WIDTH,
    colours,
    finish,
    mark_style,
    new_axes,
    panels,
    style,
    writable,
)

__all__ = [
    "colours",
    "forest",
    "lag_curve",
    "layer_profile",
    "mirror_scatter",
    "panels",
    "scores_by_group",
    "style",
    "time_course",
]


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
    """Scores of several conditions within several groups, side by side.

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
    groups, conditions = (list(dict.fromkeys(table[column])) for column in (group, condition))
    step = 0.8 / max(len(conditions), 1)
    place = {
        (g, c): i + (j - (len(conditions) - 1) / 2) * step
        for i, g in enumerate(groups)
        for j, c in enumerate(conditions)
    }
    paint = colours(conditions)
    _null_band(ax, null, groups, group)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    for j, name in enumerate(conditions):
        rows = table[table[condition] == name]
        means = rows.groupby(group, sort=False)[value].mean()
        x = np.array([place[g, name] for g in means.index])
        single = points[points[condition] == name] if points is not None and condition in points else points
        single = rows if single is None and len(rows) > len(means) else single
        if single is not None:
            kept = single[single[group].isin(groups)]
            centre = np.array([place[g, name] for g in kept[group]])
            ax.plot(centre + _spread(kept[group], step), kept[value], ".", color=paint[name], alpha=0.45, markersize=5)
        if kind == "bars":
            ax.bar(x, means, width=step * 0.9, color=paint[name], alpha=0.85, label=name)
        else:
            ax.plot(x, means, MARKERS[j % len(MARKERS)], color=paint[name], markersize=8, label=name, zorder=3)
        if {"lower", "upper"} <= set(rows) and len(rows) == len(means):
            ends = rows.set_index(group).loc[means.index]
            ax.vlines(x, ends["lower"], ends["upper"], color="black" if kind == "bars" else paint[name], linewidth=2)
    marks = []
    for extra, marker, name in ((ceiling, "_", "ceiling"), (published, "*", "published")):
        if extra is not None:
            _group_marks(ax, extra, place, group, condition, value, marker)
            marks.append(Line2D([], [], **mark_style(marker), label=name))
    ax.set_xticks(range(len(groups)), [str(g) for g in groups])
    if max(len(str(g)) for g in groups) * len(groups) > 44:
        plt.setp(ax.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    ax.set(ylabel=unit, xlim=(-0.6, len(groups) - 0.4))
    handles = [handle for handle in ax.get_legend_handles_labels()[0] if len(conditions) > 1] + marks
    return finish(ax, title, handles)


def layer_profile(
    table: pd.DataFrame,
    value: str = "value",
    series: str = "series",
    layer: str = "layer",
    ceiling: Mapping | None = None,
    null: tuple[float, float] | None = None,
    preferred: bool = False,
    unit: str = "Pearson r",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A score by layer of a model, one line for each region or group.

    `table` has the columns `layer` (0 is the embedding), `series`, `value`, and perhaps `lower` and `upper`, drawn as a
    band. `ceiling` gives an upper limit by series (a dashed line at the right end); `null` what chance gives.
    `preferred` rings each line's highest layer.
    """
    ax = new_axes(ax)
    table = table if series in table else table.assign(**{series: unit})
    names = list(dict.fromkeys(table[series]))
    paint = colours(names)
    _null_band(ax, null, [], series)
    last = table[layer].max()
    for j, name in enumerate(names):
        rows = table[table[series] == name].sort_values(layer)
        marker = MARKERS[j % len(MARKERS)]
        ax.plot(rows[layer], rows[value], marker=marker, markersize=6, color=paint[name], label=str(name))
        if {"lower", "upper"} <= set(rows):
            ax.fill_between(rows[layer], rows["lower"], rows["upper"], color=paint[name], alpha=0.18, linewidth=0)
        if preferred and rows[value].notna().any():
            best = rows.loc[rows[value].idxmax()]
            ax.plot(best[layer], best[value], "o", markersize=15, markerfacecolor="none", color=paint[name])
        if ceiling is not None and name in ceiling:
            ax.plot([last - 0.4, last + 0.4], [ceiling[name]] * 2, color=paint[name], linestyle=(0, (1.5, 1)))
    layers = np.unique(table[layer])
    ax.set_xticks(layers if len(layers) <= 9 else layers[:: -(-len(layers) // 8)])
    ax.set(xlabel="Layer (0: embedding)", ylabel=unit)
    return finish(ax, title, ax.get_legend_handles_labels()[0] if len(names) > 1 else [])


def time_course(
    times: np.ndarray,
    series: Mapping[str, np.ndarray],
    words: pd.DataFrame | None = None,
    unit: str = "z",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Signals over time, with the words under them at the moment they are heard.

    `times` [samples] in seconds; `series` name -> [samples]; `words` has the columns `word` and `onset` (s): those
    within the span of `times` are written. Show some 10 to 40 seconds; more words than that cannot be read.
    """
    ax = new_axes(ax)
    paint = colours(series)
    for j, (name, values) in enumerate(series.items()):
        ax.plot(times, values, color=paint[name], label=name, linestyle=("-", "--", "-.", ":")[j % 4])
    ax.set(ylabel=unit, xlabel="Time (s)", xlim=(times[0], times[-1]))
    if words is not None:
        shown = words[(words["onset"] >= times[0]) & (words["onset"] <= times[-1])]
        for word, onset in zip(shown["word"], shown["onset"], strict=True):
            ax.axvline(onset, color=GREY, linewidth=0.4, ymax=0.04)
            ax.annotate(
                writable(str(word)), (onset, 0), xycoords=("data", "axes fraction"),
                xytext=(0, -6), textcoords="offset points",
                rotation=90, ha="center", va="top", fontsize=10, color="#333333",
            )  # fmt: skip
        longest = max((len(str(word)) for word in shown["word"]), default=0)
        ax.tick_params(axis="x", pad=10 + 6.2 * longest)
    return finish(ax, title, ax.get_legend_handles_labels()[0] if len(series) > 1 else [])


def lag_curve(
    table: pd.DataFrame,
    lag: str = "lag",
    value: str = "value",
    series: str = "series",
    expected: float | None = None,
    seconds_per_lag: float | None = None,
    unit: str = "Pearson r",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A score by lag (scans; positive: the brain follows the stimulus), the peak of each series marked.

    `table` has the columns `lag`, `value`, perhaps `series`, `lower`, `upper`. `expected` draws where the peak should
    be, `seconds_per_lag` how long a scan lasts (said in the axis label).
    """
    ax = new_axes(ax)
    table = table if series in table else table.assign(**{series: unit})
    names = list(dict.fromkeys(table[series]))
    paint = colours(names)
    ax.axhline(0, color=GREY, linewidth=0.8)
    if expected is not None:
        ax.axvline(expected, color=GREY, linestyle=":", label="expected")
    for j, name in enumerate(names):
        rows = table[table[series] == name].sort_values(lag)
        ax.plot(
            rows[lag], rows[value], marker=MARKERS[j % len(MARKERS)], markersize=4, color=paint[name], label=str(name)
        )
        if {"lower", "upper"} <= set(rows):
            ax.fill_between(rows[lag], rows["lower"], rows["upper"], color=paint[name], alpha=0.18, linewidth=0)
        peak = rows.loc[rows[value].idxmax()]
        ax.plot(peak[lag], peak[value], "o", markersize=12, markerfacecolor="none", color=paint[name])
    ax.set(xlabel=f"Lag (scans of {seconds_per_lag:g} s)" if seconds_per_lag else "Lag (scans)", ylabel=unit)
    return finish(ax, title, ax.get_legend_handles_labels()[0] if len(names) > 1 or expected is not None else [])


def mirror_scatter(
    table: pd.DataFrame,
    left: str = "left",
    right: str = "right",
    group: str | None = None,
    label: str | None = None,
    n_labels: int = 6,
    unit: str = "Pearson r",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Left against right, a dot for each region; on the diagonal both hemispheres are alike.

    `table` has one row a region with the columns `left` and `right`, perhaps `group` (the dots' colours) and `label`:
    the `n_labels` regions farthest from the diagonal are named. Columns `left_lower`, `left_upper`, `right_lower`,
    `right_upper`, if there, are drawn as crosses.
    """
    ax = new_axes(ax, (WIDTH, WIDTH))
    names = list(dict.fromkeys(table[group])) if group else [None]
    paint = colours(names) if group else {None: OKABE_ITO[0]}
    for j, name in enumerate(names):
        rows = table[table[group] == name] if group else table
        if {"left_lower", "left_upper", "right_lower", "right_upper"} <= set(rows):
            ax.hlines(rows[right], rows["left_lower"], rows["left_upper"], color=paint[name], alpha=0.35, linewidth=1)
            ax.vlines(rows[left], rows["right_lower"], rows["right_upper"], color=paint[name], alpha=0.35, linewidth=1)
        ax.plot(
            rows[left], rows[right], MARKERS[j % len(MARKERS)], color=paint[name], markersize=6, alpha=0.85, label=name
        )
    both = table[[left, right]].to_numpy(float)
    low, high = np.nanmin(both), np.nanmax(both)
    margin = 0.06 * (high - low or 1)
    limits = (low - margin, high + margin)
    ax.plot(limits, limits, color=GREY, linewidth=1, zorder=0)
    ax.text(0.03, 0.97, "right higher", transform=ax.transAxes, va="top", color=GREY)
    ax.text(0.97, 0.03, "left higher", transform=ax.transAxes, ha="right", color=GREY)
    if label:
        far = table.loc[(table[left] - table[right]).abs().nlargest(n_labels).index].sort_values(right)
        height = far[right].to_numpy(float).copy()
        for k in range(1, len(height)):  # names stand one above the other, not one over the other
            height[k] = max(height[k], height[k - 1] + 0.032 * (limits[1] - limits[0]))
        for (_, row), y in zip(far.iterrows(), height, strict=True):
            inward = row[left] < sum(limits) / 2  # names grow towards the middle, so that none leaves the axes
            ax.annotate(
                str(row[label]), (row[left], y), xytext=(6 if inward else -6, 0), textcoords="offset points",
                ha="left" if inward else "right", va="center", fontsize=10,
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )  # fmt: skip
    ax.set(
        xlabel=f"Left hemisphere ({unit})",
        ylabel=f"Right hemisphere ({unit})",
        xlim=limits,
        ylim=limits,
        aspect="equal",
    )
    return finish(ax, title, ax.get_legend_handles_labels()[0] if group else [])


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
    """Estimates with their intervals, one row a label, read from top to bottom.

    `table` has the columns `label`, `value`, perhaps `lower` and `upper`, and perhaps columns that hold the truth or a
    published value of the row. With `series`, several estimates share a row. `reference` is the vertical line (0,
    chance, the honest figure; by series if a mapping); `from_reference` draws each estimate as a stem from it, which
    shows an inflation as a length.
    """
    labels = list(dict.fromkeys(table[label]))
    names = list(dict.fromkeys(table[series])) if series else [None]
    told = [fill(str(text), 25, break_long_words=False) for text in labels]  # wide ones leave no room for the axes
    lines_each = max((text.count("\n") + 1 for text in told), default=1)
    ax = new_axes(ax, (WIDTH, 1.2 + 0.36 * len(labels) * max(1, 0.6 * len(names), 0.7 * lines_each)))
    paint = colours(names) if series else {None: OKABE_ITO[0]}
    lines = reference if isinstance(reference, Mapping) else dict.fromkeys(names, reference)
    for j, name in enumerate(names):
        rows = table[table[series] == name] if series else table
        y = rows[label].map(labels.index).to_numpy(float) + (j - (len(names) - 1) / 2) * 0.7 / len(names)
        own = isinstance(reference, Mapping)
        if name in lines:
            ax.axvline(
                lines[name], color=paint[name] if own else GREY, linewidth=1, linestyle="--" if own else "-", zorder=0
            )
        if from_reference:
            ax.hlines(y, lines.get(name, 0.0), rows[value], color=paint[name], linewidth=2, alpha=0.5)
        if {"lower", "upper"} <= set(rows):
            ax.hlines(y, rows["lower"], rows["upper"], color=paint[name], linewidth=2)
        ax.plot(rows[value], y, MARKERS[j % len(MARKERS)], color=paint[name], markersize=7, label=name)
        for column, marker in ((truth, "|"), (published, "*")):
            if column:
                ax.plot(rows[column], y, **mark_style(marker))
    ax.set_yticks(range(len(labels)), told)
    ax.set(xlabel=unit, ylim=(len(labels) - 0.4, -0.6))
    ax.xaxis.set_major_locator(MaxNLocator(6))  # labels such as -0.075 are wide
    extra = [(truth, "|", "truth"), (published, "*", "published")]
    marks = [Line2D([], [], **mark_style(marker), label=name) for column, marker, name in extra if column]
    return finish(ax, title, (ax.get_legend_handles_labels()[0] if series else []) + marks)


def _spread(groups: pd.Series, step: float) -> np.ndarray:
    """Sideways offsets that keep the points of one group and condition apart, in order of appearance."""
    rank = groups.groupby(groups).cumcount()
    size = groups.map(groups.value_counts())
    return ((rank + 0.5) / size - 0.5).to_numpy(float) * step * 0.7


def _null_band(ax: Axes, null, groups: Sequence, group: str) -> None:
    if null is None:
        return
    if isinstance(null, pd.DataFrame):
        rows = null[null[group].isin(groups)]
        for name, low, high in zip(rows[group], rows["lower"], rows["upper"], strict=True):
            x = groups.index(name)
            ax.fill_between([x - 0.45, x + 0.45], low, high, color=GREY, alpha=0.2, linewidth=0, zorder=0)
    else:
        ax.axhspan(*null, color=GREY, alpha=0.2, linewidth=0, zorder=0)


def _group_marks(ax: Axes, extra, place: Mapping, group: str, condition: str, value: str, marker: str) -> None:
    if isinstance(extra, pd.DataFrame):
        if condition in extra:
            at = {(g, c): v for g, c, v in zip(extra[group], extra[condition], extra[value], strict=True)}
        else:
            at = dict(zip(extra[group], extra[value], strict=True))
    else:
        at = dict(extra)
    for (g, c), x in place.items():
        y = at.get((g, c), at.get(g))
        if y is not None:
            ax.plot(x, y, **mark_style(marker))
