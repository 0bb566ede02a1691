"""The verdicts on a paper's claims at one look."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from brainbook.plots.look import GREY, WIDTH, finish_figure, series_styles


def claims_overview(table: pd.DataFrame, title: str | None = None, limit: float = 4.0) -> Figure:
    """Draw every case of every claim beside its reference, one panel for each kind of data, coloured by verdict.

    Cases are measured in unlike units, so each stands at its distance from the reference in half-widths of its 95%
    interval: outside the grey band the interval excludes the reference, on the right as the claim says.

    Parameters
    ----------
    table : columns claim (its row), panel, strength (NaN: the verdict is written in place of a mark), verdict, and note
        (written beside it), one row per case.
    limit : distance at which marks farther out are drawn, as arrowheads.
    """
    claims, names = list(dict.fromkeys(table.claim)), list(dict.fromkeys(table.panel))
    size = (WIDTH * 1.6, 1.6 + 0.62 * len(claims))
    figure, axes = plt.subplots(1, len(names), figsize=size, sharey=True, squeeze=False, layout="constrained")
    styles = series_styles(table.verdict[table.strength.notna()])
    for ax, name in zip(axes[0], names, strict=True):
        ax.axvspan(-1, 1, color=GREY, alpha=0.2, linewidth=0)
        ax.axvline(0, color=GREY, linewidth=0.8)
        for y, claim in enumerate(claims):
            rows = table[(table.claim == claim) & (table.panel == name)]
            heights = y + 0.7 * ((np.arange(len(rows)) + 0.5) / max(len(rows), 1) - 0.5)
            for height, row in zip(heights, rows.itertuples(), strict=True):
                _draw_case(ax, row, height, styles, limit)
        ax.set(xlim=(-1.1 * limit, 1.1 * limit), ylim=(len(claims) - 0.4, -0.6))
        ax.set_title(name, fontsize=12)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0, 0].set_yticks(range(len(claims)), [fill(claim, 32) for claim in claims], fontsize=11)
    handles = [Line2D([], [], linestyle="", **options) for options in styles.values()]
    unit = "Distance from the reference in half-widths of the 95% interval, by verdict:"
    figure.legend(handles=handles, title=unit, loc="outside lower center", ncols=3, frameon=False)
    return finish_figure(figure, title)


def _draw_case(ax: Axes, row: Any, height: float, styles: Mapping, limit: float) -> None:
    if np.isnan(row.strength):
        text = f"{row.note}: {row.verdict}" if row.note else row.verdict
        ax.text(0, height, text, ha="center", va="center", fontsize=10, color="#333333")
        return
    x, colour = np.clip(row.strength, -limit, limit), styles[row.verdict]["color"]
    marker = {-limit: "<", limit: ">"}.get(x, styles[row.verdict]["marker"])
    ax.hlines(height, *np.clip([row.strength - 1, row.strength + 1], -limit, limit), color=colour, linewidth=1.2)
    ax.plot(x, height, color=colour, marker=marker, markersize=5)
    ax.text(-limit, height, row.note, ha="left", va="center", fontsize=10, color="#333333")
