"""What each choice does to a score: how far it moves, and how often nothing is called something."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainbook.figures.look import GREY, OKABE_ITO, WIDTH

_SERIES = {
    "null phantom": (OKABE_ITO[1], "s"),
    "phantom": (OKABE_ITO[0], "o"),
    "phantom, true features": (OKABE_ITO[3], "^"),
    "Alice (real)": (OKABE_ITO[2], "D"),
}


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
    figure, ax = plt.subplots(figsize=(WIDTH, 1.4 + 0.45 * len(choices)))
    if chance:
        ax.axvspan(-chance, chance, color=GREY, alpha=0.2, linewidth=0)
    for place, name in enumerate(names):
        colour, marker = _SERIES.get(name, (OKABE_ITO[4], "v"))
        rows = table[table.data == name].set_index("choice").mean_r
        y = np.array([choices.index(choice) for choice in rows.index]) + (place - (len(names) - 1) / 2) * 0.28
        ax.axvline(rows["careful"], color=colour, linewidth=1, linestyle="--", zorder=0)
        ax.hlines(y, rows["careful"], rows, color=colour, linewidth=2.5, alpha=0.5)
        ax.plot(rows, y, marker, color=colour, markersize=7, label=name)
    ax.set_yticks(range(len(choices)), choices)
    ax.set(xlabel=f"Mean Pearson r over {targets}", ylim=(len(choices) - 0.4, -0.6))
    _legend(figure, ax, len(names))
    ax.set_title(title, loc="right" if len(title) > 40 else "left")
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
    figure, ax = plt.subplots(figsize=(WIDTH, 1.4 + 0.45 * len(table)))
    for place, (column, name) in enumerate(columns.items()):
        y = np.arange(len(table)) + (place - (len(columns) - 1) / 2) * 0.28
        colour = (OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[2])[place]
        ax.hlines(y, nominal, table[column], color=colour, linewidth=2.5, alpha=0.5)
        ax.plot(table[column], y, "so^"[place], color=colour, markersize=7, label=name)
    ax.axvline(nominal, color=GREY, linewidth=1)
    ax.set_yticks(range(len(table)), table[by])
    ax.set(xlabel=f"Share of vertices with p ≤ {nominal:g}", xlim=(-0.02, 1.02), ylim=(len(table) - 0.4, -0.6))
    _legend(figure, ax, len(columns))
    ax.set_title(title, loc="right" if len(title) > 40 else "left")
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


def _legend(figure: Figure, ax, n: int) -> None:
    if n < 2:
        return
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=n)
