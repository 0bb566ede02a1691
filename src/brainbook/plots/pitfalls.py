"""What each choice does to a score: how far it moves, and how often nothing is called something."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainbook.plots.look import GREY, OKABE_ITO, WIDTH

_SERIES = {
    "null phantom": (OKABE_ITO[1], "s"),
    "phantom": (OKABE_ITO[0], "o"),
    "phantom, true features": (OKABE_ITO[3], "^"),
    "Alice (real)": (OKABE_ITO[2], "D"),
    "recordings, shifted": (OKABE_ITO[1], "s"),
    "recordings": (OKABE_ITO[0], "o"),
}
_DODGE = 0.24  # three series of one row stay inside its band


def inflation(
    table: pd.DataFrame,
    title: str = "What each choice does to the mean correlation",
    targets: str = "vertices",
    chance: float | None = None,
) -> Figure:
    """Mean r under each choice, as stems from the careful value.

    Parameters
    ----------
    table : columns choice, data, mean_r; the choice "careful" is what the others are measured from.
    targets : what r was averaged over, for the axis.
    chance : a grey band around zero, as wide as chance alone moves the mean.

    Returns
    -------
    the figure: one row a choice, one colour for each kind of data.
    """
    choices = list(dict.fromkeys(table.choice))
    names = list(dict.fromkeys(table.data))
    figure, ax = _rows(choices)
    if chance:
        ax.axvspan(-chance, chance, color=GREY, alpha=0.2, linewidth=0)
    for place, name in enumerate(names):
        colour, marker = _SERIES.get(name, (OKABE_ITO[4], "v"))
        rows = table[table.data == name].set_index("choice").mean_r
        y = np.array([choices.index(choice) for choice in rows.index]) + (place - (len(names) - 1) / 2) * _DODGE
        ax.axvline(rows["careful"], color=colour, linewidth=1, linestyle="--", zorder=0)
        ax.hlines(y, rows["careful"], rows, color=colour, linewidth=2.5, alpha=0.5)
        ax.plot(rows, y, marker, color=colour, markersize=7, label=name)
    ax.set_xlabel(f"Mean Pearson r over {targets}")
    _legend(figure, ax, len(names))
    ax.set_title(title, loc="right" if len(title) > 32 else "left")
    return figure


def called_significant(
    table: pd.DataFrame,
    by: str,
    columns: dict[str, str],
    nominal: float = 0.05,
    title: str = "Where nothing is: called significant",
) -> Figure:
    """The share of targets called significant where the truth is nothing, beside the share that was asked for.

    Parameters
    ----------
    table : one row for each value of `by`.
    by : the column that names the rows.
    columns : column of shares -> its name in the legend.
    nominal : the level of the tests, drawn as a line.
    """
    figure, ax = _rows(table[by])
    for place, (column, name) in enumerate(columns.items()):
        y = np.arange(len(table)) + (place - (len(columns) - 1) / 2) * _DODGE
        colour = (OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[2])[place]
        ax.hlines(y, nominal, table[column], color=colour, linewidth=2.5, alpha=0.5)
        ax.plot(table[column], y, "so^"[place], color=colour, markersize=7, label=name)
    ax.axvline(nominal, color=GREY, linewidth=1)
    ax.set(xlabel=f"Share of vertices with p ≤ {nominal:g}", xlim=(-0.02, 1.02))
    _legend(figure, ax, len(columns))
    ax.set_title(title, loc="right" if len(title) > 32 else "left")
    return figure


def edges(table: pd.DataFrame, trim: int, title: str = "What the edges of sections add") -> Figure:
    """Scores by how many scans are trimmed at the edges of runs, of features as published and centred.

    Parameters
    ----------
    table : from `measure_edges`: features, coding, trim, group, r.
    trim : the one that is used elsewhere, drawn as a vertical line.

    Returns
    -------
    the figure: a panel a group, a colour for each kind of features, dashed as published and whole when centred.
    """
    groups = list(dict.fromkeys(table.group))
    figure, axes = plt.subplots(
        -(-len(groups) // 2),
        2,
        figsize=(WIDTH, 1.2 + 2 * -(-len(groups) // 2)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for ax, group in zip(axes.flat, groups, strict=False):
        ax.axhline(0, color=GREY, linewidth=1)
        ax.axvline(trim, color=GREY, linewidth=1, linestyle=":")
        lines = table[table.group == group].groupby(["features", "coding"], sort=False)
        for (name, coding), rows in lines:
            place = list(dict.fromkeys(table.features)).index(name)
            style = {"zeros": ("--", "none", "zeros"), "centred": ("-", None, "centred")}[coding]
            ax.plot(rows.trim, rows.r, style[0], marker="os^"[place], color=OKABE_ITO[place], markersize=5,
                    markerfacecolor=style[1], linewidth=1.5, label=f"{name}, {style[2]}")  # fmt: skip
        ax.set_title(group, loc="left")
        ax.set_xticks(sorted(set(table.trim)))
    for ax in axes.flat[len(groups) :]:
        ax.set_visible(False)
    for ax in axes.flat:
        ax.set(xlabel="Scans trimmed", ylabel="Mean Pearson r")
        ax.label_outer()
    handles = axes.flat[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles[::2] + handles[1::2], loc="outside lower center", ncols=2)  # a column for each coding
    figure.suptitle(title, x=0.02, ha="left", fontsize="large")
    return figure


def null_scores(tables: dict[str, np.ndarray], title: str = "Scores of vertices that follow nothing") -> Figure:
    """Histograms of scores [targets] under several choices, one below the other on one axis.

    Parameters
    ----------
    tables : name of the choice -> array of r.
    """
    figure, axes = plt.subplots(len(tables), 1, figsize=(WIDTH, 0.8 + 1.3 * len(tables)), sharex=True, squeeze=False)
    everything = np.concatenate(list(tables.values()))
    bins = np.linspace(np.nanmin(everything), np.nanmax(everything), 60)
    for ax, (name, values), colour in zip(axes[:, 0], tables.items(), OKABE_ITO * 3, strict=False):
        ax.hist(values, bins, color=colour)
        ax.axvline(0, color=GREY, linewidth=1)
        ax.set(yticks=[])
        ax.set_title(f"{name}: mean {np.nanmean(values):+.3f}", fontsize="medium", loc="right")
        ax.spines["left"].set_visible(False)
    axes[-1, 0].set_xlabel("Pearson r")
    figure.suptitle(title, x=0.02, ha="left", fontsize="large")
    return figure


def _rows(names):
    """Axes with a row for each of the names, the first at the top, on bands that show what belongs to which row."""
    figure, ax = plt.subplots(figsize=(WIDTH, 1.4 + 0.5 * len(names)))
    for row in range(0, len(names), 2):
        ax.axhspan(row - 0.5, row + 0.5, color=GREY, alpha=0.1, linewidth=0, zorder=-1)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    return figure, ax


def _legend(figure: Figure, ax, n: int) -> None:
    if n < 2:
        return
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=n)
