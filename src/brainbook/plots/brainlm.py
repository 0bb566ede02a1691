"""Pretraining on text and brain: loss curves by task."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from brainbook.plots.look import WIDTH, colours


def task_curves(table: pd.DataFrame, tasks: dict[str, str], window: int = 10, title: str | None = None) -> Figure:
    """The loss of each task over training steps, one panel a task, one line a condition (mean over seeds).

    Parameters
    ----------
    table : columns condition, seed, step, and one a task (NaN at steps where the task had no turn).
    tasks : column -> label of its axis.
    window : steps that a point averages over.
    """
    shown = [task for task in tasks if task in table and table[task].notna().any()]
    figure, axes = plt.subplots(1, len(shown), figsize=(WIDTH, 3.4), squeeze=False, layout="constrained")
    paint = colours(list(dict.fromkeys(table.condition)))
    for ax, task in zip(axes[0], shown, strict=True):
        binned = table.assign(step=(table.step - 1) // window * window + window / 2)
        for condition, rows in binned.groupby("condition", sort=False):
            line = rows.groupby("step")[task].mean().dropna()
            if len(line):
                ax.plot(line.index, line, color=paint[condition], linewidth=2, label=condition)
        ax.set(xlabel="Training step", ylabel=tasks[task])
    named = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named), frameon=False)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=14)
    return figure
