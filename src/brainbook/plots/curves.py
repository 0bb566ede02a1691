"""Curves: scores by layer, lag or trimmed scans, signals over time, learning. Tables in, matplotlib axes out.

A curve has a marker and a colour of its own; where its table has the columns `lower` and `upper`, a band. Functions
draw on `ax` (a new figure when it is None) and return that axes, or the figure when it has several.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from brainbook.plots.look import (
    GREY,
    OKABE_ITO,
    WIDTH,
    colours,
    finish,
    finish_figure,
    new_axes,
    panels,
    series_styles,
    writable,
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


def words_on_scans(
    words: Sequence[str],
    onsets: np.ndarray,
    offsets: np.ndarray,
    first_word: int = 0,
    start: float = 0.0,
    n_scans: int = 6,
    tr: float = 2.0,
    words_per_scan: int = 5,
    title: str | None = None,
) -> Figure:
    """Draw a stretch of speech between its scans: above, every word when it is heard; below, the scan it is given to.

    Parameters
    ----------
    words, onsets, offsets : the words heard from `start` on, [words]; seconds since the section began.
    first_word : how many words of the section came before (fixed-length alignment counts them).
    start : seconds, the left border of the drawing.
    n_scans : scans drawn.
    """
    stop = start + n_scans * tr
    figure, ax = plt.subplots(figsize=(1.7 * WIDTH, 4.4), layout="constrained")
    rows = {"heard": 2.0, "VLA": 1.0, "FLA": 0.0}
    for scan, left in enumerate(np.arange(start, stop, tr)):
        ax.axvspan(left, left + tr, color="#000000", alpha=0.05 * (1 - scan % 2), linewidth=0)
        ax.text(left + tr / 2, 2.72, f"scan {round(left / tr)}", ha="center", va="center", fontsize=11, color="#444444")
    for place, (word, onset, offset) in enumerate(zip(words, onsets, offsets, strict=True)):
        ax.plot([onset, offset], [rows["heard"]] * 2, color=OKABE_ITO[6], linewidth=5, solid_capstyle="butt")
        ax.text(onset, rows["heard"] + 0.12, writable(word), fontsize=10, rotation=35, ha="left", va="bottom")
        scans = {"VLA": int(onset // tr), "FLA": (first_word + place) // words_per_scan}
        for (name, scan), colour in zip(scans.items(), OKABE_ITO, strict=False):
            centre = (scan + 0.5) * tr
            end = np.clip(centre, start, stop)
            marker = "<" if centre < start else ">" if centre > stop else "o"
            ax.plot([onset, end], [rows["heard"] - 0.1, rows[name] + 0.1], color=colour, linewidth=1, alpha=0.7)
            ax.plot(end, rows[name], marker=marker, color=colour, markersize=8)
    ax.set_yticks(list(rows.values()), ["heard", "given by VLA", "given by FLA"])
    ax.set(xlim=(start, stop), ylim=(-0.35, 2.9), xlabel="time since the section began (s)")
    return finish(ax, title).figure


def alignment_error(errors: Mapping[str, Sequence[np.ndarray]], tr: float = 2.0, title: str | None = None) -> Axes:
    """Draw how far from their onsets fixed-length alignment places words (means over 15), a line for each section.

    Parameters
    ----------
    errors : by language, for each section an array [words, 2]: onset (s), and the time of the scan it was given to
        minus the onset (s; above zero: too late).
    """
    ax = new_axes(None)
    for (language, sections), colour, style in zip(errors.items(), OKABE_ITO, ("-", "--", ":") * 3, strict=False):
        for number, section in enumerate(sections):
            smooth = pd.DataFrame(section).rolling(15, center=True).mean().dropna().to_numpy()
            label = language if number == 0 else "_"
            ax.plot(smooth[:, 0], smooth[:, 1], style, color=colour, linewidth=1.4, label=label)
    ax.axhspan(-tr, tr, color="#000000", alpha=0.12, linewidth=0)
    ax.axhline(0, color="#000000", linewidth=0.8)
    ax.set(xlabel="time since the section began (s)", ylabel="FLA's scan minus onset (s)")
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def time_course(
    times: np.ndarray,
    series: Mapping[str, np.ndarray],
    words: pd.DataFrame | None = None,
    unit: str = "z",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw signals over time, with the words under them at the moment they are heard.

    `times` [samples] in seconds; `series` name -> [samples]; `words` has the columns `word` and `onset` (s): those
    within the span of `times` are written. Show some 10 to 40 seconds; more words than that cannot be read.
    """
    ax = new_axes(ax)
    for (name, colour), style in zip(colours(series).items(), ("-", "--", "-.", ":") * 3, strict=False):
        ax.plot(times, series[name], color=colour, label=name, linestyle=style)
    ax.set(ylabel=unit, xlabel="Time (s)", xlim=(times[0], times[-1]))
    if words is not None:
        shown = words[(words["onset"] >= times[0]) & (words["onset"] <= times[-1])]
        for word, onset in zip(shown["word"], shown["onset"], strict=True):
            ax.axvline(onset, color=GREY, linewidth=0.4, ymax=0.04)
            ax.annotate(
                writable(str(word)), (onset, 0), xycoords=("data", "axes fraction"), xytext=(0, -6),
                textcoords="offset points", rotation=90, ha="center", va="top", fontsize=10, color="#333333",
            )  # fmt: skip
        longest = max((len(str(word)) for word in shown["word"]), default=0)
        ax.tick_params(axis="x", pad=10 + 6.2 * longest)
    return finish(ax, title, ax.get_legend_handles_labels()[0] if len(series) > 1 else [])


def before_and_after(raw: np.ndarray, cleaned: np.ndarray, tr: float = 2.0, title: str | None = None) -> Figure:
    """Draw one signal of one run as it was recorded and as it is analysed: arrays [scans] over time."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 4.6), sharex=True, layout="constrained")
    times = (np.arange(len(raw)) + 0.5) * tr
    above.plot(times, raw, color=GREY, linewidth=1.4)
    below.plot(times, cleaned, color=OKABE_ITO[0], linewidth=1.4)
    below.axhline(0, color=GREY, linewidth=0.8)
    above.set_ylabel("Grey value")
    below.set(xlabel="Time since the section began (s)", ylabel="Cleaned (z)", xlim=(0, times[-1]))
    finish(above, title)
    return figure


def section_course(
    counts: np.ndarray, signals: Mapping[str, np.ndarray], tr: float = 2.0, title: str | None = None
) -> Figure:
    """Draw a whole section: bars of the words that begin in each scan, and below them signals on the same clock.

    `counts` int array [scans]; `signals` name -> array [scans], each brought to mean 0 and deviation 1.
    """
    figure, (bars, lines) = plt.subplots(2, 1, figsize=(WIDTH, 5.2), sharex=True, height_ratios=[1, 2])
    times = (np.arange(len(counts)) + 0.5) * tr
    bars.bar(times, counts, width=tr, color=GREY)
    bars.set_ylabel("Words\nper scan")
    bars.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for name, colour in colours(signals).items():
        values = (signals[name] - signals[name].mean()) / signals[name].std()
        lines.plot(times, values, color=colour, label=name, linewidth=1.4)
    lines.set(xlabel="Time since the section began (s)", ylabel="z", xlim=(0, len(counts) * tr))
    finish(bars, title)
    finish(lines, None, lines.get_legend_handles_labels()[0])
    return figure


def words_per_scan(counts: Mapping[str, np.ndarray], tr: float = 2.0, title: str | None = None) -> Axes:
    """Draw the share of the scans that hold 0, 1, 2 ... words, a line for each series.

    `counts` is name -> int array [scans]; a dashed line marks each mean.
    """
    ax = new_axes(None)
    shares = {name: pd.Series(np.bincount(values) / len(values)) for name, values in counts.items()}
    table = pd.DataFrame(shares).fillna(0).mul(100).melt(ignore_index=False, var_name="series").reset_index(names="n")
    handles = draw_curves(ax, table, "n", "value", "series")
    for name, colour in colours(counts).items():
        ax.axvline(counts[name].mean(), color=colour, linestyle="--", linewidth=1)
    ax.set(xlabel=f"Words that begin in a scan ({tr:g} s)", ylabel="Share of scans (%)", ylim=(0, None))
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
