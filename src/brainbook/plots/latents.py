"""Charts of the number study: image grids, maps of latents, confusions, number lines, scores between their limits."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainbook.plots.look import GREY, MARKERS, OKABE_ITO, WIDTH, colours, finish, new_axes

__all__ = [
    "confusion_grid",
    "equation_strip",
    "image_grid",
    "latent_maps",
    "magnitude_curves",
    "number_line_chart",
    "scores",
]

# The arms of the study keep one colour and marker through the chapter, whatever others stand beside them.
ARMS = {"single": 0, "alone": 0, "multi": 1, "both senses": 1, "private": 2, "untrained": 3, "pixels": 4}
INK = {"red": "#D62728", "green": "#2CA02C", "blue": "#1F77B4", "white": "#9A9A9A"}


def image_grid(
    rows: Mapping[str, np.ndarray], columns: Sequence[str] | None = None, title: str | None = None, size: float = 0.62
) -> Figure:
    """Images in labelled rows.

    rows : by label, images [n, 3, height, width], uint8 or float 0..1; rows may be of different image sizes. columns :
    labels above. size : inches of an image.
    """
    n = max(len(images) for images in rows.values())
    width = max(WIDTH, size * n + 1.6)
    figure, axes = plt.subplots(
        len(rows), n, figsize=(width, size * len(rows) + 0.9), layout="constrained", squeeze=False
    )
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set(xticks=[], yticks=[])
            for spine in ax.spines.values():
                spine.set_visible(False)
        for ax, image in zip(line, images, strict=False):
            ax.imshow(np.moveaxis(np.asarray(image), 0, -1), interpolation="nearest")
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
    for ax, label in zip(axes[0], columns or [], strict=False):
        ax.set_title(label, fontsize=11, loc="center")
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    return figure


def latent_maps(points: Mapping[str, np.ndarray], factors: Mapping[str, Sequence], title: str | None = None) -> Figure:
    """Points in the plane, a column for each of `points`, a row for each of `factors` that colours them.

    points : by name, float [images, 2]. factors : by name, a label of each image; digits are written as themselves and
    coloured along viridis, colours drawn in themselves, anything else with a marker and colour of its own.
    """
    figure, axes = plt.subplots(
        len(factors), len(points), figsize=(max(WIDTH, 3.1 * len(points)), 3.0 * len(factors)), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for row, (line, (factor, labels)) in enumerate(zip(axes, factors.items(), strict=True)):
        labels = np.asarray(labels)
        names = list(dict.fromkeys(sorted(labels)))
        for ax, (name, xy) in zip(line, points.items(), strict=True):
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel("t-SNE 1", fontsize=10)
            if ax is line[0]:
                ax.set_ylabel(f"by {factor}\nt-SNE 2", fontsize=11)
            if row == 0:
                ax.set_title(name, fontsize=12, loc="center")
            _scatter(ax, xy, labels, names)
        handles = _keys(names)
        if handles:
            line[-1].legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    return figure


def _scatter(ax: Axes, xy: np.ndarray, labels: np.ndarray, names: list) -> None:
    if np.issubdtype(labels.dtype, np.number):
        ax.plot(*xy.T, ",", alpha=0)  # sets the limits
        shades = plt.get_cmap("viridis")((labels - min(names)) / max(1, max(names) - min(names)) * 0.92)
        for (x, y), label, shade in zip(xy, labels, shades, strict=True):
            ax.text(x, y, str(label), color=shade, fontsize=6.5, ha="center", va="center", clip_on=True)
        return
    for i, name in enumerate(names):
        ax.plot(*xy[labels == name].T, **_mark(i, name), markersize=3.2, alpha=0.7)


def _mark(i: int, name: str) -> dict:
    return {"linestyle": "", "marker": MARKERS[i], "color": INK.get(name, OKABE_ITO[i]), "markeredgewidth": 0}


def _look(names: Sequence[str]) -> dict[str, dict]:
    """Colour and marker of each series: an arm's own, or in order."""
    paint = colours(names)
    return {
        name: {"color": OKABE_ITO[ARMS[name]] if name in ARMS else paint[name], "marker": MARKERS[ARMS.get(name, k)]}
        for k, name in enumerate(names)
    }


def _keys(names: list) -> list[Line2D]:
    if not isinstance(names[0], str):
        return []
    return [Line2D([], [], **_mark(i, name), markersize=7, label=name) for i, name in enumerate(names)]


def confusion_grid(table: pd.DataFrame, panels: Mapping[str, tuple[str, str]], title: str | None = None) -> Figure:
    """Which number was read as which, a panel for each (source, target) of `panels`, by title.

    table : columns source, target, number, read, share. Rows of a panel are numbers shown, columns numbers read.
    """
    figure, axes = plt.subplots(
        -(-len(panels) // 2), 2, figsize=(7.0, 3.3 * -(-len(panels) // 2)), layout="constrained", squeeze=False
    )
    image = None
    for ax, (name, (source, target)) in zip(axes.flat, panels.items(), strict=False):
        chosen = table[(table.source == source) & (table.target == target)]
        share = chosen.pivot_table(index="number", columns="read", values="share", aggfunc="mean")
        image = ax.imshow(share, vmin=0, vmax=1, cmap="cividis", extent=(0.5, 9.5, 9.5, 0.5))
        ax.set(xticks=range(1, 10), yticks=range(1, 10), xlabel="number read", ylabel="number shown")
        ax.set_title(name, fontsize=12)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    figure.colorbar(image, ax=axes, label="share of images", shrink=0.7)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    return figure


def equation_strip(
    equations: Sequence[str], operands: np.ndarray, results: Mapping[str, np.ndarray], title: str | None = None
) -> Figure:
    """One row an equation: pictures of a, b and c, then the decoded result of each model.

    equations : such as "1 + 9 - 8". operands : [equations, 3, channels, height, width]. results : by name, images
    [equations, channels, height, width]; a name may carry what a judge read.
    """
    names = ["a", "b", "c", *results]
    figure, axes = plt.subplots(
        len(equations), len(names), figsize=(max(WIDTH, 1.15 * len(names) + 1.2), 0.95 * len(equations) + 0.9),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for row, equation in enumerate(equations):
        shown = [*operands[row], *(images[row] for images in results.values())]
        for column, (ax, image) in enumerate(zip(axes[row], shown, strict=True)):
            ax.imshow(np.moveaxis(np.asarray(image), 0, -1).clip(0, 255 if image.dtype == np.uint8 else 1))
            ax.set(xticks=[], yticks=[])
            if row == 0:
                ax.set_title(names[column], fontsize=11, loc="center")
            for spine in ax.spines.values():
                spine.set(visible=column >= 3, color=GREY)
        axes[row][0].set_ylabel(equation, rotation=0, ha="right", va="center", fontsize=12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    return figure


def magnitude_curves(distances: Mapping[str, np.ndarray], title: str | None = None, ax: Axes | None = None) -> Axes:
    """Latent distance of class means against numerical distance, one series each.

    distances : by name, the matrix [9, 9] of distances; each is divided by its mean, so that shapes can be compared.
    """
    ax = new_axes(ax)
    i, j = np.triu_indices(9, 1)
    look = _look(list(distances))
    for k, (name, matrix) in enumerate(distances.items()):
        values = matrix[i, j] / matrix[i, j].mean()
        shift = (k - (len(distances) - 1) / 2) * 0.13
        ax.plot(j - i + shift, values, linestyle="", markersize=3.5, alpha=0.5, **look[name])
        means = [values[j - i == d].mean() for d in range(1, 9)]
        ax.plot(np.arange(1, 9) + shift, means, "-", label=name, **look[name])
    ax.set(xlabel="numerical distance |i - j|", ylabel="latent distance (mean = 1)", xticks=range(1, 9), ylim=(0, None))
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def number_line_chart(values: Mapping[str, pd.DataFrame], title: str | None = None, ax: Axes | None = None) -> Axes:
    """Number read out of latents against number shown: mean and, as a bar up and down, standard deviation over images.

    values : by name, a table with the columns number, mean and sd; several rows of a number (seeds) are averaged.
    """
    ax = new_axes(ax)
    look = _look(list(values))
    ax.plot([1, 9], [1, 9], ":", color=GREY, linewidth=1.2)
    for k, (name, table) in enumerate(values.items()):
        mean = table.groupby("number")[["mean", "sd"]].mean()
        x = mean.index + (k - (len(values) - 1) / 2) * 0.16
        ax.errorbar(x, mean["mean"], mean.sd, linewidth=1.4, capsize=2, label=name, **look[name])
    ax.set(xlabel="number shown", ylabel="number read out", xticks=range(1, 10), yticks=range(1, 10))
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def scores(
    table: pd.DataFrame,
    group: str,
    series: str,
    unit: str,
    title: str | None = None,
    ax: Axes | None = None,
    cap_label: str = "judge on real images",
) -> Axes:
    """Scores of several models (`series`) in several groups, between chance and cap.

    table : columns `group`, `series`, value, and perhaps lower and upper (a line), chance (a dotted tick under each
    group) and cap (a black tick; one per mark where a group's models have caps of their own). One row a group and
    series.
    """
    ax = new_axes(ax)
    groups, names = (list(dict.fromkeys(table[column])) for column in (group, series))
    look, step = _look(names), 0.74 / max(1, len(names))
    own_caps = "cap" in table and (table.groupby(group).cap.nunique() > 1).any()
    for k, name in enumerate(names):
        rows = table[table[series] == name]
        x = np.array([groups.index(g) for g in rows[group]]) + (k - (len(names) - 1) / 2) * step
        if {"lower", "upper"} <= set(rows):
            ax.vlines(x, rows.lower, rows.upper, color=look[name]["color"], linewidth=2)
        ax.plot(x, rows.value, linestyle="", markersize=7, label=name, **look[name])
        if own_caps:
            ax.hlines(rows.cap, x - step / 2, x + step / 2, color="black", linewidth=1.2)
    extra = []
    for column, style, label in (("chance", (0, (1, 1)), "chance"), ("cap", "-", cap_label)):
        if column in table and table[column].notna().any():
            limit = table.groupby(group, sort=False)[column].mean()
            for g, value in () if own_caps and column == "cap" else limit.dropna().items():
                ax.hlines(
                    value, groups.index(g) - 0.44, groups.index(g) + 0.44, color="black", linestyle=style, linewidth=1.2
                )
            extra.append(Line2D([], [], color="black", linestyle=style, linewidth=1.2, label=label))
    ax.set_xticks(range(len(groups)), groups)
    if max(len(str(g)) for g in groups) * len(groups) > 44:
        plt.setp(ax.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
    ax.set(ylabel=unit, xlim=(-0.6, len(groups) - 0.4))
    return finish(ax, title, [*ax.get_legend_handles_labels()[0], *extra])
