"""What was heard and what was recorded: words in scans, one signal before and after cleaning, ceilings."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainbook.plots.look import GREY, MARKERS, OKABE_ITO, WIDTH, colours, finish, new_axes


def words_per_scan(counts: Mapping[str, np.ndarray], tr: float = 2.0, title: str | None = None) -> Axes:
    """Share of the scans that hold 0, 1, 2 ... words, a line for each series.

    `counts` is name -> int array [scans]; a dashed line marks each mean.
    """
    ax = new_axes(None)
    paint = colours(counts)
    most = max(int(values.max()) for values in counts.values())
    for j, (name, values) in enumerate(counts.items()):
        share = np.bincount(values, minlength=most + 1) / len(values)
        ax.plot(range(most + 1), 100 * share, marker=MARKERS[j], markersize=6, color=paint[name], label=name)
        ax.axvline(values.mean(), color=paint[name], linestyle="--", linewidth=1)
    ax.set(xlabel=f"Words that begin in a scan ({tr:g} s)", ylabel="Share of scans (%)", ylim=(0, None))
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def before_and_after(raw: np.ndarray, cleaned: np.ndarray, tr: float = 2.0, title: str | None = None) -> Figure:
    """One signal of one run as it was recorded and as it is analysed: arrays [scans] over time."""
    figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 4.6), sharex=True, layout="constrained")
    times = (np.arange(len(raw)) + 0.5) * tr
    for ax, values, unit, colour in (
        (axes[0], raw, "Grey value", GREY),
        (axes[1], cleaned, "Cleaned (z)", OKABE_ITO[0]),
    ):
        ax.plot(times, values, color=colour, linewidth=1.4)
        ax.set_ylabel(unit)
    axes[1].axhline(0, color=GREY, linewidth=0.8)
    axes[1].set(xlabel="Time since the section began (s)", xlim=(0, times[-1]))
    finish(axes[0], title)
    return figure


def section_course(
    counts: np.ndarray, signals: Mapping[str, np.ndarray], tr: float = 2.0, title: str | None = None
) -> Figure:
    """A whole section: bars of the words that begin in each scan, and below them signals on the same clock.

    `counts` int array [scans]; `signals` name -> array [scans], each brought to mean 0 and deviation 1.
    """
    sizes = {"height_ratios": [1, 2]}
    figure, (bars, lines) = plt.subplots(
        2, 1, figsize=(WIDTH, 5.2), sharex=True, gridspec_kw=sizes, layout="constrained"
    )
    times, paint = (np.arange(len(counts)) + 0.5) * tr, colours(signals)
    bars.bar(times, counts, width=tr, color=GREY)
    bars.set_ylabel("Words\nper scan")
    bars.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for name, values in signals.items():
        values = (values - values.mean()) / values.std()
        lines.plot(times, values, color=paint[name], label=name, linewidth=1.4)
    lines.set(xlabel="Time since the section began (s)", ylabel="z", xlim=(0, len(counts) * tr))
    finish(bars, title)
    finish(lines, None, lines.get_legend_handles_labels()[0])
    return figure


def ceilings_and_bounds(table: pd.DataFrame, title: str | None = None) -> Axes:
    """The highest r in one participant of a phantom beside that in a real group's average, a dot for each region.

    `table` has the columns group (the highest r of a model with the average of the real participants, from their
    published agreement), ceiling (that with one participant of the phantom) and driver.
    """
    ax = new_axes(None, (WIDTH, 4.8))
    names = list(dict.fromkeys(table["driver"]))
    paint = colours(names)
    for j, name in enumerate(names):
        rows = table[table["driver"] == name]
        ax.plot(rows["group"], rows["ceiling"], MARKERS[j % len(MARKERS)], color=paint[name], alpha=0.8, label=name)
    top = 1.05 * max(table["group"].max(), table["ceiling"].max())
    ax.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=":")
    ax.set(
        xlim=(0, top),
        ylim=(-0.01, top),
        xlabel="Real group's average: highest r",
        ylabel="One participant of the phantom: highest r",
    )
    return finish(ax, title, ax.get_legend_handles_labels()[0])
