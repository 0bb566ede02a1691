"""Pairs that match or do not, and encoding before and after a model has learned from them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainbook.plots.look import GREY, MARKERS, OKABE_ITO, WIDTH, colours, finish, new_axes

SMOOTH = 20  # steps whose training accuracy is averaged in a learning curve


def cosine_histograms(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Cosines of matching and of mismatched pairs, one panel for each model.

    Parameters
    ----------
    table : columns model, match (1, 0), cosine; one row a pair.
    """
    models = list(dict.fromkeys(table.model))
    figure, axes = plt.subplots(
        len(models), 1, figsize=(WIDTH, 0.9 + 1.15 * len(models)), sharex=True, squeeze=False, layout="constrained"
    )
    bins = np.linspace(-1, 1, 61)
    for ax, model in zip(axes[:, 0], models, strict=True):
        rows = table[table.model == model]
        for value, name, colour, style in ((1, "match", OKABE_ITO[0], "-"), (0, "mismatch", OKABE_ITO[1], "--")):
            cosine = rows.cosine[rows.match == value]
            ax.hist(cosine, bins, density=True, histtype="step", color=colour, linestyle=style, linewidth=2, label=name)
        ax.set(yticks=[])
        ax.spines["left"].set_visible(False)
        ax.set_title(model, fontsize=12, loc="left", pad=3)
    axes[-1, 0].set_xlabel("Cosine of the two sentences")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=14)
    return figure


def accuracy_intervals(table: pd.DataFrame, published: pd.DataFrame | None = None, title: str | None = None) -> Figure:
    """Accuracies with exact intervals against chance, below them the published one for test parts of several sizes.

    Parameters
    ----------
    table : columns label, accuracy, lower, upper, and series (the kind of mismatch).
    published : columns n, accuracy, lower, upper.
    """
    labels = list(dict.fromkeys(table.label))
    rows = [f"published, if n = {n:,}" for n in published.n] if published is not None else []
    ax = new_axes(None, (WIDTH, 2.0 + 0.36 * (len(labels) + len(rows))))
    series = list(dict.fromkeys(table.series))
    paint = colours(series)
    ax.axvline(50, color=GREY, linewidth=1, zorder=0)
    for j, name in enumerate(series):
        shown = table[table.series == name]
        y = shown.label.map(labels.index).to_numpy(float) + (j - (len(series) - 1) / 2) * 0.32
        ax.hlines(y, 100 * shown.lower, 100 * shown.upper, color=paint[name], linewidth=2)
        ax.plot(100 * shown.accuracy, y, MARKERS[j], color=paint[name], markersize=7, label=name)
    if published is not None:
        y = len(labels) + np.arange(len(published))
        ax.hlines(y, 100 * published.lower, 100 * published.upper, color="black", linewidth=1.5)
        ax.plot(
            100 * published.accuracy, y, "*", color="black", markersize=11, markerfacecolor="none", label="published"
        )
    ax.set_yticks(range(len(labels) + len(rows)), labels + rows)
    ax.set(xlabel="Accuracy (%)", ylim=(len(labels) + len(rows) - 0.4, -0.6))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    if title:
        ax.figure.suptitle(title, x=0.02, ha="left", fontsize=14)
    return ax.figure


def learning_curves(table: pd.DataFrame, title: str | None = None) -> Axes:
    """Accuracy against the number of training pairs seen: marks on the validation part, thin lines while training.

    Parameters
    ----------
    table : columns series, pairs, accuracy (of each step's training batch, drawn as the mean of the last `SMOOTH`) and
        validation_accuracy (NaN in steps without a validation).
    """
    ax = new_axes(None)
    names = list(dict.fromkeys(table.series))
    paint = colours(names)
    ax.axhline(50, color=GREY, linewidth=1, zorder=0)
    for j, name in enumerate(names):
        rows = table[table.series == name]
        training = 100 * rows.accuracy.rolling(SMOOTH).mean()
        ax.plot(rows.pairs, training, color=paint[name], linewidth=1, alpha=0.6)
        rows = rows[rows.validation_accuracy.notna()]
        ax.plot(rows.pairs, 100 * rows.validation_accuracy, MARKERS[j], color=paint[name], markersize=8, label=name)
    ax.set(xlabel="Training pairs seen", ylabel="Accuracy (%)")
    return finish(ax, title, ax.get_legend_handles_labels()[0] if len(names) > 1 else [])


def roc_curves(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Receiver operating characteristics, one panel a language, one line a classifier.

    Parameters
    ----------
    table : columns language, classifier, false_positive_rate, true_positive_rate.
    """
    languages = list(dict.fromkeys(table.language))
    figure, axes = plt.subplots(
        1, len(languages), figsize=(WIDTH, 0.75 + WIDTH / max(len(languages), 1.6)), squeeze=False, layout="constrained"
    )
    names = list(dict.fromkeys(table.classifier))
    paint = colours(names)
    for ax, language in zip(axes[0], languages, strict=True):
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        for name, style in zip(names, ("-", "--", "-.", ":") * 3, strict=False):
            rows = table[(table.language == language) & (table.classifier == name)]
            ax.plot(rows.false_positive_rate, rows.true_positive_rate, style, color=paint[name], label=name)
        ax.set(aspect="equal", xlabel="False matches", xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        ax.set_title(f"English and {language}", fontsize=12)
    axes[0, 0].set_ylabel("True matches found")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=14)
    return figure


def region_lines(table: pd.DataFrame, title: str | None = None) -> Figure:
    """A score by region before and after, joined by a line in each region; one panel a language and hemisphere.

    No line runs from region to region: their order means nothing.

    Parameters
    ----------
    table : columns language, region, hemisphere, before, after, and q; a ring marks regions whose q is at most .05.
    """
    panels = list(dict.fromkeys(zip(table.language, table.hemisphere, strict=True)))
    regions = list(dict.fromkeys(table.region))
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(WIDTH, 1.9 + 1.25 * len(panels)), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    x = np.arange(len(regions))
    for ax, (language, hemisphere) in zip(axes[:, 0], panels, strict=True):
        rows = table[(table.language == language) & (table.hemisphere == hemisphere)].set_index("region").loc[regions]
        before, after = rows.before.to_numpy(), rows.after.to_numpy()
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.vlines(x, before, after, color=OKABE_ITO[0], linewidth=2)
        ax.plot(x, before, "s", color=GREY, markersize=5, label="before transfer")
        ax.plot(x, after, "o", color=OKABE_ITO[0], markersize=6, label="after transfer")
        sure = np.flatnonzero(rows.q <= 0.05)
        ring = {"markersize": 12, "markerfacecolor": "none", "color": "black"}
        ax.plot(sure, after[sure], "o", label="q ≤ .05", **ring)
        ax.set_title(f"{language}, {'left' if hemisphere == 'lh' else 'right'}", fontsize=12, pad=3)
        ax.set_ylabel("Pearson r")
    axes[-1, 0].set_xticks(x, regions, rotation=50, ha="right", rotation_mode="anchor", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=14)
    return figure
