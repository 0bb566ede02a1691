"""Curves: scores by layer, lag or trimmed scans, signals over time, learning. Tables in, matplotlib axes out.

A curve has a marker and a colour of its own; where its table has the columns `lower` and `upper`, a band. Functions
draw on `ax` (a new figure when it is None) and return that axes, or the figure when it has several.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from brainbook.plots.look import (
    GREY,
    WIDTH,
    colours,
    finish,
    finish_figure,
    new_axes,
    panels,
    series_styles,
)

SMOOTH = 20  # steps whose training accuracy is averaged in a learning curve


def draw_curves(
    ax: Axes, table: pd.DataFrame, x: str, value: str, series: str, size: float = 6, ring: float = 0
) -> list:
    """Draw one curve for each value of the column `series`; return what a legend needs, nothing for a single curve.

    ring : size of the ring around each curve's highest point; 0 for none.
    """
    styles = series_styles(table[series])
    for name, options in styles.items():
        rows = table[table[series] == name].sort_values(x)
        ax.plot(rows[x], rows[value], markersize=size, **options)
        if {"lower", "upper"} <= set(rows):
            ax.fill_between(rows[x], rows["lower"], rows["upper"], color=options["color"], alpha=0.18, linewidth=0)
        if ring and rows[value].notna().any():
            peak = rows.loc[rows[value].idxmax()]
            ax.plot(peak[x], peak[value], "o", markersize=ring, markerfacecolor="none", color=options["color"])
    return ax.get_legend_handles_labels()[0] if len(styles) > 1 else []


def layer_profile(
    table: pd.DataFrame,
    series: str = "series",
    preferred: bool = False,
    unit: str = "Pearson r",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a score by layer of a model, one line for each region or group.

    `table` has the columns layer (0 is the embedding), `series`, value, and perhaps lower and upper. `preferred` rings
    each line's highest layer.
    """
    ax = new_axes(ax)
    table = table if series in table else table.assign(**{series: unit})
    handles = draw_curves(ax, table, "layer", "value", series, ring=15 if preferred else 0)
    layers = np.unique(table["layer"])
    ax.set_xticks(layers if len(layers) <= 9 else layers[:: -(-len(layers) // 8)])
    ax.set(xlabel="Layer (0: embedding)", ylabel=unit)
    return finish(ax, title, handles)


def lag_curve(table: pd.DataFrame, expected: float, seconds_per_lag: float, title: str | None = None) -> Axes:
    """Draw a score by lag (scans; positive: the brain follows the stimulus), the peak of each series marked.

    `table` has the columns lag, value, series, perhaps lower, upper. `expected` is where the peaks should be,
    `seconds_per_lag` how long a scan lasts (said in the axis label).
    """
    ax = new_axes(None)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axvline(expected, color=GREY, linestyle=":", label="expected")
    draw_curves(ax, table, "lag", "value", "series", size=4, ring=12)
    ax.set(xlabel=f"Lag (scans of {seconds_per_lag:g} s)", ylabel="Pearson r")
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def response_curve(
    table: pd.DataFrame, unit: str = "z per unit", title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the estimated response to a feature over the seconds after it, one line with its band for each target.

    `table` has the columns seconds, value, lower, upper, series: `ResponseShape.to_frame({"series": names})`.
    """
    ax = new_axes(ax)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    handles = draw_curves(ax, table, "seconds", "value", "series", size=5)
    ax.set(xlabel="Seconds after the feature", ylabel=unit)
    return finish(ax, title, handles)


def score_by_trim(
    table: pd.DataFrame,
    chosen: int,
    value: str = "value",
    coding: str | None = None,
    columns: int = 1,
    title: str | None = None,
) -> Figure:
    """Draw scores against the scans left out at each edge of every section: a panel for each group.

    Parameters
    ----------
    table : columns features (a colour for each), trim, group, `value`, and perhaps `coding`: features as published
        ('zeros' before and after speech, dashed and with open markers) or 'centred'.
    chosen : the number that the chapter leaves out, marked by a dotted line.
    """

    def draw(rows: pd.DataFrame, title: str, ax: Axes) -> Axes:
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.axvline(chosen, color=GREY, linestyle=":", linewidth=1.4)
        for name, options in series_styles(rows.features).items():
            for code, line in rows[rows.features == name].groupby(coding or "features", sort=False):
                label = f"{name}, {code}" if coding else name
                open_marker = {"linestyle": "--", "markerfacecolor": "none"} if code == "zeros" else {}
                ax.plot(line.trim, line[value], markersize=6, **(options | {"label": label} | open_marker))
        ax.set(xlabel="Scans left out per edge", ylabel="Pearson r")
        return finish(ax, title, ax.get_legend_handles_labels()[0])

    return panels(draw, table, by="group", columns=columns, height=3.6, share_y=coding is not None, title=title)


def score_by_words_per_scan(
    table: pd.DataFrame, value: str = "value", unit: str = "", title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a value against the number of words that FLA gives to a scan, a line for each language.

    `table` has the columns words per scan (NaN rows, of VLA, are left out), language and `value`.
    """
    ax = new_axes(ax)
    rows = table.dropna(subset=["words per scan"])
    handles = draw_curves(ax, rows, "words per scan", value, "language")
    ax.set(xlabel="FLA: words per scan", ylabel=unit, ylim=(0, None), xticks=sorted(rows["words per scan"].unique()))
    return finish(ax, title, handles)


def shrinking_interval(table: pd.DataFrame, present: int, band: str, title: str | None = None) -> Axes:
    """Draw half the width of a 95% interval against the number of participants, one line for each group.

    Parameters
    ----------
    table : columns group, n, value, and lower and upper (how well the spread is known).
    band : the one group whose lower and upper are drawn.
    present : with how many participants the spread was measured; a dashed line.
    """
    ax = new_axes(None)
    others = table.group != band
    draw_curves(ax, table.assign(lower=table.lower.mask(others), upper=table.upper.mask(others)), "n", "value", "group")
    ax.axvline(present, color=GREY, linestyle="--", linewidth=1, label=f"measured with {present}")
    ticks = [size for size in (3, 5, 10, 20, 35, 50, 112) if table.n.min() <= size <= table.n.max()]
    ax.set(xscale="log", yscale="log", xlabel="Participants", ylabel="Half of the interval (Pearson r)")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xticks(ticks, [str(size) for size in ticks])
    ax.minorticks_off()
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def task_curves(table: pd.DataFrame, tasks: dict[str, str], title: str | None = None) -> Figure:
    """Draw the loss of each task over training steps, one panel per task, one line per condition (mean over seeds).

    Parameters
    ----------
    table : columns condition, seed, step, and one per task (NaN at steps where the task had no turn).
    tasks : column -> label of its axis.
    """
    shown = [task for task in tasks if task in table and table[task].notna().any()]
    figure, axes = plt.subplots(1, len(shown), figsize=(WIDTH, 3.4), squeeze=False, layout="constrained")
    steps = (table.step - 1) // 10 * 10 + 5  # a point is the mean over ten
    means = table.assign(step=steps).groupby(["condition", "step"], sort=False)[shown].mean()
    for ax, task in zip(axes[0], shown, strict=True):
        for condition, colour in colours(table.condition).items():
            line = means.loc[condition, task].dropna()
            ax.plot(line.index, line, color=colour, label=condition)
        ax.set(xlabel="Training step", ylabel=tasks[task])
    return finish_figure(figure, title, axes[0, 0], columns=table.condition.nunique())


def loss_curves(table: pd.DataFrame, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the loss by training step: a thin line for batches of training, marks for held-out data.

    The axis shows the losses after the first tenth of the steps.

    Parameters
    ----------
    table : columns step, part ("training" or "validation") and loss.
    """
    ax = new_axes(ax)
    for part, options in series_styles(["training", "validation"]).items():
        rows = table[table.part == part]
        line = (
            {"marker": "", "linewidth": 0.8, "alpha": 0.6} if part == "training" else {"linestyle": "", "markersize": 4}
        )
        ax.plot(rows.step, rows.loss, **{**options, **line})
    late = table.loss[table.step > table.step.max() / 10]
    ax.set(xlabel="Training step", ylabel="Loss", ylim=(0.95 * late.min(), 1.05 * late.max()))
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def learning_curves(table: pd.DataFrame, title: str | None = None) -> Axes:
    """Draw accuracy by number of training pairs seen: marks on the validation part, thin lines while training.

    Parameters
    ----------
    table : columns series, pairs, accuracy (of each step's training batch, drawn as the mean of the last `SMOOTH`) and
        validation_accuracy (NaN in steps without a validation).
    """
    ax = new_axes(None)
    ax.axhline(50, color=GREY, linewidth=1, zorder=0)
    styles = series_styles(table.series)
    for name, options in styles.items():
        rows = table[table.series == name]
        ax.plot(rows.pairs, 100 * rows.accuracy.rolling(SMOOTH).mean(), color=options["color"], linewidth=1, alpha=0.6)
        rows = rows[rows.validation_accuracy.notna()]
        ax.plot(rows.pairs, 100 * rows.validation_accuracy, linestyle="", markersize=8, **options)
    ax.set(xlabel="Training pairs seen", ylabel="Accuracy (%)")
    return finish(ax, title, ax.get_legend_handles_labels()[0] if len(styles) > 1 else [])


def roc_curves(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Draw receiver operating characteristics, one panel per language, one line per classifier.

    Parameters
    ----------
    table : columns language, classifier, false_positive_rate, true_positive_rate.
    """
    languages = list(dict.fromkeys(table.language))
    size = (WIDTH, 0.75 + WIDTH / max(len(languages), 1.6))
    figure, axes = plt.subplots(1, len(languages), figsize=size, squeeze=False, layout="constrained")
    for ax, language in zip(axes[0], languages, strict=True):
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        for (name, colour), dashes in zip(colours(table.classifier).items(), ("-", "--", "-.", ":") * 3, strict=False):
            rows = table[(table.language == language) & (table.classifier == name)]
            ax.plot(rows.false_positive_rate, rows.true_positive_rate, dashes, color=colour, label=name)
        ax.set(aspect="equal", xlabel="False matches", xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        ax.set_title(f"English and {language}", fontsize=12)
    axes[0, 0].set_ylabel("True matches found")
    return finish_figure(figure, title, axes[0, 0])
