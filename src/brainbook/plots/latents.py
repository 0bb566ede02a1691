"""Charts of the number study: image grids, maps of latents, confusions, number lines, scores between their limits."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainbook.plots.charts import scores_by_group
from brainbook.plots.look import GREY, OKABE_ITO, WIDTH, finish, finish_figure, new_axes, series_styles

READABLE = {"oscn": "objects", "cmnist": "digits"}
INK = {"red": "#D62728", "green": "#2CA02C", "blue": "#1F77B4", "white": "#9A9A9A"}


def image_grid(
    rows: Mapping[str, Sequence[np.ndarray]], columns: Sequence[str] = (), title: str | None = None
) -> Figure:
    """Draw images in labelled rows.

    rows : by label, images [3, height, width], uint8 or float 0..1; they may be of different sizes. columns : labels
    above, wrapped.
    """
    n = max(len(images) for images in rows.values())
    size = (WIDTH - 1.4) / n  # of an image; the rest is for the labels
    above = [fill(label, 9) for label in columns]
    height = size * len(rows) + 0.6 + 0.18 * max((label.count("\n") + 1 for label in above), default=0)
    figure, axes = plt.subplots(len(rows), n, figsize=(WIDTH, height), layout="constrained", squeeze=False)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        for ax, image in zip(line, images, strict=False):
            ax.imshow(np.moveaxis(np.asarray(image), 0, -1), interpolation="nearest")
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
    for ax, label in zip(axes[0], above, strict=False):
        ax.set_title(label, fontsize=11, loc="center")
    return finish_figure(figure, title)


def equation_strip(
    equations: pd.DataFrame, images: np.ndarray, results: Mapping[str, np.ndarray], title: str | None = None
) -> Figure:
    """Draw one row per equation: images of a, b and c, then the decoded result of each model.

    equations : columns a, b, c and answer. images : one of each number 1..9, [9, 3, height, width]. results : by name,
    images [equations, 3, height, width].
    """
    rows = {}
    for row, (a, b, c, answer) in enumerate(equations[["a", "b", "c", "answer"]].to_numpy()):
        decoded = [made[row] for made in results.values()]
        rows[f"{a} + {b} - {c} = {answer}"] = [*images[[a - 1, b - 1, c - 1]], *decoded]
    return image_grid(rows, ["a", "b", "c", *results], title)


def latent_maps(points: Mapping[str, np.ndarray], factors: Mapping[str, Any], title: str | None = None) -> Figure:
    """Draw points in the plane, a column for each of `points`, a row for each of `factors` that colours them.

    points : by name, float [images, 2]. factors : by name (or a table with these columns), a label of each image;
    numbers are written as themselves and coloured along viridis, anything else has a marker and colour of its own.
    """
    inches = (max(WIDTH, 3.1 * len(points)), 3.0 * len(factors.keys()))
    figure, axes = plt.subplots(len(factors.keys()), len(points), figsize=inches, layout="constrained", squeeze=False)
    for line, (factor, labels) in zip(axes, factors.items(), strict=True):
        labels = np.asarray(labels)
        for ax, xy in zip(line, points.values(), strict=True):
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel("t-SNE 1", fontsize=10)
            _scatter(ax, xy, labels)
        line[0].set_ylabel(f"by {factor}\nt-SNE 2", fontsize=11)
        if line[-1].get_legend_handles_labels()[0]:
            line[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10, markerscale=2)
    for ax, name in zip(axes[0], points, strict=True):
        ax.set_title(name, fontsize=12, loc="center")
    return finish_figure(figure, title)


def _scatter(ax: Axes, xy: np.ndarray, labels: np.ndarray) -> None:
    if np.issubdtype(labels.dtype, np.number):
        ax.plot(*xy.T, ",", alpha=0)  # sets the limits
        low, high = labels.min(), labels.max()
        shades = plt.get_cmap("viridis")((labels - low) / max(1, high - low) * 0.92)
        for (x, y), label, shade in zip(xy, labels, shades, strict=True):
            ax.text(x, y, str(label), color=shade, fontsize=6.5, ha="center", va="center", clip_on=True)
        return
    for name, options in series_styles(sorted(labels)).items():
        options = options | {"color": INK.get(name, options["color"])}
        ax.plot(*xy[labels == name].T, linestyle="", markeredgewidth=0, markersize=3.2, alpha=0.7, **options)


def confusion_grid(table: pd.DataFrame, panels: Mapping[str, tuple[str, str]], title: str | None = None) -> Figure:
    """Draw which number was read as which, a panel for each (source, target) of `panels`, by title.

    table : columns source, target, number, read, share. Rows of a panel are the true numbers, columns numbers read.
    """
    n_rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(n_rows, 2, figsize=(WIDTH, 2.9 * n_rows), layout="constrained", squeeze=False)
    for ax, (name, (source, target)) in zip(axes.flat, panels.items(), strict=False):
        chosen = table[(table.source == source) & (table.target == target)]
        share = chosen.pivot_table(index="number", columns="read", values="share", aggfunc="mean")
        image = ax.imshow(share, vmin=0, vmax=1, cmap="cividis", extent=(0.5, 9.5, 9.5, 0.5))
        ax.set(xticks=range(1, 10), yticks=range(1, 10), xlabel="number read", ylabel="true number")
        ax.set_title(name, fontsize=12)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    figure.colorbar(image, ax=axes, label="share of images", shrink=0.7)
    return finish_figure(figure, title)


def learning_curves(studies: Mapping[str, pd.DataFrame], title: str | None = None) -> Figure:
    """Draw the bound on validation pairs against training steps, a panel per arm and source, a line per seed.

    studies : by name, tables with the columns design, arm, source, seed, step and validation, of the published design.
        The first is drawn on top of the others, with a dot where it ends.
    """
    first, *_ = studies.values()
    panels = first[first.design == "published"].groupby(["arm", "source"], sort=False)
    n_rows = -(-panels.ngroups // 2)
    figure, axes = plt.subplots(n_rows, 2, figsize=(WIDTH, 2.5 * n_rows + 0.7), layout="constrained", squeeze=False)
    styles: dict[str, Any] = dict(zip(studies, [{"color": OKABE_ITO[0]}, {"color": GREY}], strict=False))
    for ax in axes.flat[panels.ngroups :]:
        ax.set_visible(False)
    for ax, ((arm, source), _) in zip(axes.flat, panels, strict=False):
        tops = []
        for name, table in reversed(list(studies.items())):
            rows = table[(table.design == "published") & (table.arm == arm) & (table.source == source)]
            tops.append(rows.validation.max())
            for _, curve in rows.groupby("seed"):
                ax.plot(curve.step, curve.validation, linewidth=1, **styles[name])
                if table is first:
                    ax.plot(curve.step.iloc[-1], curve.validation.iloc[-1], "o", markersize=4, **styles[name])
        low = rows.groupby("seed").validation.nth(1).min() if rows.step.nunique() > 1 else rows.validation.min() - 1
        high = np.nanmax(tops)  # a study may be without this arm
        ax.set(xlabel="step", ylim=(low, high + 0.05 * (high - low)))
        ax.set_title(arm if source == "both" else f"{arm}, {READABLE.get(source, source)}", fontsize=12)
    for ax in axes[:, 0]:
        ax.set_ylabel("nats per pair")
    handles = [Line2D([], [], label=name, **style) for name, style in styles.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return finish_figure(figure, title)


def number_line_chart(values: Mapping[str, pd.DataFrame], title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the number read out of latents against the number shown: mean and standard deviation over images.

    values : by name, a table with the columns number, mean and sd; several rows of a number (seeds) are averaged.
    """
    ax = new_axes(ax)
    ax.plot([1, 9], [1, 9], ":", color=GREY, linewidth=1.2)
    for k, (name, options) in enumerate(series_styles(values).items()):
        mean = values[name].groupby("number")[["mean", "sd"]].mean()
        x = mean.index + (k - (len(values) - 1) / 2) * 0.16
        ax.errorbar(x, mean["mean"], mean.sd, linewidth=1.4, capsize=2, **options)
    ax.set(xlabel="number shown", ylabel="number read out", xticks=range(1, 10), yticks=range(1, 10))
    return finish(ax, title, ax.get_legend_handles_labels()[0])


def scores(
    table: pd.DataFrame,
    group: str,
    series: str,
    unit: str,
    title: str | None = None,
    ax: Axes | None = None,
    ceiling_label: str = "classifier on real images",
) -> Axes:
    """Draw scores of several models (`series`) in several groups, between chance and the best possible.

    table : columns `group`, `series`, value, and perhaps lower and upper (a line), chance (a dotted line under each
    group) and ceiling (a black tick: the best possible score). One row per group and series.
    """
    limits = [name for name in ("chance", "ceiling") if name in table and table[name].notna().any()]
    best = table.dropna(subset="ceiling").assign(value=table.ceiling) if "ceiling" in limits else None
    ax = scores_by_group(table, group=group, condition=series, ceiling=best, unit=unit, ax=ax)
    handles = ax.get_legend_handles_labels()[0]
    if "chance" in limits:
        dotted: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.2}
        for place, chance in enumerate(table.groupby(group, sort=False).chance.mean()):
            ax.hlines(chance, place - 0.44, place + 0.44, **dotted)
        handles.append(Line2D([], [], label="chance", **dotted))
    if "ceiling" in limits:
        handles.append(Line2D([], [], color="black", linewidth=1.6, label=ceiling_label))
    return finish(ax, title, handles)
