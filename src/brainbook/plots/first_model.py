"""Figures of the first chapter: words on scans, responses that add up, a prediction drawn over its recording."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainbook.plots.look import GREY, OKABE_ITO, WIDTH, finish, new_axes, power_of_ten

RECORDED, PREDICTED = GREY, OKABE_ITO[1]


def words_in_scans(
    words: Sequence[str], onsets: np.ndarray, counts: np.ndarray, tr: float = 2.0, title: str | None = None
) -> Axes:
    """Draw words at their onsets, in seconds, over one box per scan with the number of words that begin in it.

    Meant for some ten words: each is written upright.
    """
    ax = new_axes(None, (WIDTH, 2.6))
    for scan, count in enumerate(counts):
        shade = OKABE_ITO[5] if count else "white"
        ax.add_patch(plt.Rectangle((scan * tr, 0), tr, 1, facecolor=shade, edgecolor="black", linewidth=0.8))
        ax.text((scan + 0.5) * tr, 0.5, str(count), ha="center", va="center")
    for word, onset in zip(words, onsets, strict=True):
        ax.plot([onset, onset], [1, 1.25], color=GREY, linewidth=1)
        ax.text(onset, 1.35, word, rotation=90, ha="center", va="bottom", fontsize=11)
    ax.set(xlim=(0, tr * len(counts)), ylim=(0, 2.8), yticks=[], xlabel="Time (s)")
    ax.set_xticks(tr * np.arange(len(counts) + 1))
    ax.spines["left"].set_visible(False)
    return finish(ax, title)


def summed_responses(counts: np.ndarray, response: np.ndarray, tr: float = 2.0, title: str | None = None) -> Figure:
    """Draw the response to the words of each scan (thin) and their sum (thick), below bars of the counts.

    `counts` [scans]; `response` [scans]: what one word does in its own scan and in those after it.
    """
    figure, (bars, lines) = plt.subplots(2, 1, figsize=(WIDTH, 4.4), sharex=True, height_ratios=[1, 2.5])
    scans = np.arange(len(counts))
    bars.bar(scans, counts, width=0.9, color=OKABE_ITO[5])
    bars.set_ylim(0, max(counts) + 0.5)
    bars.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    bars.set_ylabel("Words")
    for scan in np.flatnonzero(counts):
        own = np.zeros(len(counts))
        own[scan:] = counts[scan] * response[: len(counts) - scan]
        lines.plot(scans, own, color=OKABE_ITO[0], linewidth=1.2, label="words of one scan" if not scan else "_")
    total = np.convolve(counts, response)[: len(counts)]
    lines.plot(scans, total, color="black", marker="o", markersize=5, label="sum: the expected response")
    lines.axhline(0, color=GREY, linewidth=0.8)
    lines.set(xlabel=f"Scan ({tr:g} s each)", ylabel="Response", xticks=scans)
    finish(bars, title)
    finish(lines, None, lines.get_legend_handles_labels()[0])
    return figure


def score_by_penalty(table: pd.DataFrame, title: str | None = None) -> Axes:
    """Draw r in the training scans and in other scans against the penalty: columns alpha, training, held_out."""
    ax = new_axes(None, (WIDTH, 3.4))
    ax.plot(table["alpha"], table["training"], color=GREY, marker="s", linestyle="--", label="training runs")
    ax.plot(table["alpha"], table["held_out"], color=OKABE_ITO[0], marker="o", label="other runs")
    ax.set(xscale="log", xlabel="Penalty (alpha)", ylabel="Pearson r", ylim=(min(0, table["held_out"].min()), 1.05))
    ax.xaxis.set_major_formatter(power_of_ten)
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def prediction_over_recording(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], tr: float = 2.0, title: str | None = None
) -> Figure:
    """Draw predictions over recordings of one run, a panel for each: name -> (recorded [scans], predicted [scans]).

    Both are brought to mean 0 and deviation 1; r stands in the panel's title.
    """
    figure, axes = plt.subplots(len(pairs), 1, figsize=(WIDTH, 2.5 * len(pairs) + 0.6), sharex=True, squeeze=False)
    for ax, (name, signals) in zip(axes[:, 0], pairs.items(), strict=True):
        recorded, predicted = ((each - each.mean()) / each.std() for each in signals)
        times = (np.arange(len(recorded)) + 0.5) * tr
        ax.plot(times, recorded, color=RECORDED, linewidth=1.2, label="recorded")
        ax.plot(times, predicted, color=PREDICTED, linewidth=2, label="predicted")
        ax.set(ylabel="z", xlim=(0, len(recorded) * tr))
        ax.set_title(f"{name}: r = {np.mean(recorded * predicted):.2f}", loc="left", fontsize=12)
    axes[-1, 0].set_xlabel("Time since the run began (s)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=14)
    return figure


def score_on_its_scale(null: np.ndarray, marks: Mapping[str, float], title: str | None = None) -> Axes:
    """Draw a histogram of null scores and a named line at every other value: the score, the ceiling."""
    ax = new_axes(None, (WIDTH, 3.2))
    ax.hist(null, bins=20, color=GREY, alpha=0.7, label="null")
    for (name, value), style, colour in zip(marks.items(), ("-", "--", ":"), OKABE_ITO, strict=False):
        ax.axvline(value, color=colour, linestyle=style, linewidth=2.4, label=f"{name}: {value:.2f}")
    ax.set(xlabel="Pearson r", ylabel="Null scores", xlim=(min(-0.2, null.min()), 1))
    return finish(ax, title, ax.get_legend_handles_labels()[0])
