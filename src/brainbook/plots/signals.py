"""Words and signals on one clock: words above or below scans, signals over time, how far an alignment strays.

Functions draw on `ax` (a new figure when it is None) and return that axes, or the figure when it has several.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainbook.plots.curves import draw_curves
from brainbook.plots.look import GREY, OKABE_ITO, WIDTH, colours, figure_of, finish, new_axes, writable


def apart(places: np.ndarray, low: float, high: float, letters: int = 34) -> np.ndarray:
    """Return places for upright words, as near to `places` as can be and a line's height apart.

    places : float array [words], rising. low, high : where the axis begins and ends. letters : lines of text, side by
        side, that fill a figure's width; of more words than that some cover others.

    Examples
    --------
    >>> apart(np.array([0.0, 0.1, 5.0]), 0, 10, letters=11).tolist()
    [0.0, 1.0, 5.0]
    """
    gap = (high - low) / (letters - 1)
    steps = gap * np.arange(len(places))
    pushed = np.maximum.accumulate(places - steps) + steps  # to the right, where the one before is too near
    return np.minimum(high - steps[::-1], pushed)  # and back from the right end


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
    figure, ax = plt.subplots(figsize=(WIDTH, 4.8), layout="constrained")
    rows = {"heard": 2.0, "VLA": 1.0, "FLA": 0.0}
    for scan, left in enumerate(np.arange(start, stop, tr)):
        ax.axvspan(left, left + tr, color="#000000", alpha=0.05 * (1 - scan % 2), linewidth=0)
        centred: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 10, "color": "#444444"}
        ax.text(left + tr / 2, -0.5, f"scan {round(left / tr)}", **centred)
    labels = apart(np.asarray(onsets), start, stop)
    for place, (word, onset, offset, label) in enumerate(zip(words, onsets, offsets, labels, strict=True)):
        ax.plot([onset, offset], [rows["heard"]] * 2, color=OKABE_ITO[6], linewidth=5, solid_capstyle="butt")
        ax.plot([onset, label], [rows["heard"] + 0.08, rows["heard"] + 0.3], color=GREY, linewidth=0.5)
        ax.text(label, rows["heard"] + 0.34, writable(word), fontsize=10, rotation=90, ha="center", va="bottom")
        scans = {"VLA": int(onset // tr), "FLA": (first_word + place) // words_per_scan}
        for (name, scan), colour in zip(scans.items(), OKABE_ITO, strict=False):
            centre = (scan + 0.5) * tr
            end = np.clip(centre, start, stop)
            marker = "<" if centre < start else ">" if centre > stop else "o"
            ax.plot([onset, end], [rows["heard"] - 0.1, rows[name] + 0.1], color=colour, linewidth=1, alpha=0.7)
            ax.plot(end, rows[name], marker=marker, color=colour, markersize=8)
    ax.set_yticks(list(rows.values()), ["heard", "VLA", "FLA"])
    ax.set(
        xlim=(start, stop),
        ylim=(-0.7, 2.4 + 0.075 * max(map(len, words), default=0)),
        xlabel="time since the section began (s)",
    )
    return figure_of(finish(ax, title))


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
        below = ax.get_xaxis_transform()
        for word, onset, label in zip(
            shown["word"], shown["onset"], apart(shown["onset"].to_numpy(), times[0], times[-1]), strict=True
        ):
            ax.plot([onset, onset, label], [0.04, 0, -0.05], color=GREY, linewidth=0.5, transform=below, clip_on=False)
            ax.text(
                label, -0.06, writable(str(word)), transform=below, rotation=90, ha="center", va="top", fontsize=10,
                color="#333333",
            )  # fmt: skip
        longest = max((len(str(word)) for word in shown["word"]), default=0)
        ax.tick_params(axis="x", pad=22 + 6.2 * longest)
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
