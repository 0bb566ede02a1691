"""How an interval over participants shrinks as people are added."""

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from brainbook.plots.look import GREY, MARKERS, colours, finish, new_axes


def shrinking_interval(
    table: pd.DataFrame,
    present: int,
    band: str | None = None,
    title: str | None = None,
    unit: str = "Pearson r",
    ax: Axes | None = None,
) -> Axes:
    """Half the width of a 95% interval against the number of participants, one line a group.

    Parameters
    ----------
    table : columns group, n, value, and lower and upper (how well the spread is known).
    band : the one group whose lower and upper are drawn, as a pale band.
    present : with how many participants the spread was measured; a dashed line.
    """
    ax = new_axes(ax)
    paint = colours(list(dict.fromkeys(table.group)))
    for (name, rows), marker in zip(table.groupby("group", sort=False), itertools.cycle(MARKERS)):
        if name == band:
            ax.fill_between(rows.n, rows.lower, rows.upper, color=paint[name], alpha=0.15, linewidth=0)
        ax.plot(rows.n, rows.value, marker=marker, markersize=5, color=paint[name], label=name)
    ax.axvline(present, color=GREY, linestyle="--", linewidth=1, label=f"measured with {present}")
    ticks = [size for size in (3, 5, 10, 20, 35, 50, 112) if table.n.min() <= size <= table.n.max()]
    ax.set(xscale="log", yscale="log", xlabel="Participants", ylabel=f"Half of the interval ({unit})")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xticks(ticks, [str(size) for size in ticks])
    ax.minorticks_off()
    return finish(ax, title, ax.get_legend_handles_labels()[0])
