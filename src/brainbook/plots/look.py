"""How every figure of the book looks: sizes, colours, legends, small multiples.

Colours are Okabe and Ito's (2008), which people with any of the usual colour deficiencies can tell apart.
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
GREY = "#6E6E6E"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# Names that appear in many chapters keep one colour through the book.
KNOWN = {
    "EN": OKABE_ITO[0], "FR": OKABE_ITO[1], "CN": OKABE_ITO[2],
    "sound": OKABE_ITO[4], "word": OKABE_ITO[5], "meaning": OKABE_ITO[0], "topic": OKABE_ITO[3], "none": GREY,
    "lh": OKABE_ITO[0], "rh": OKABE_ITO[1],
    "visual": OKABE_ITO[5], "auditory": OKABE_ITO[4], "linguistic": OKABE_ITO[0], "cortex": OKABE_ITO[6],
    "null phantom": OKABE_ITO[1], "phantom": OKABE_ITO[0], "Alice (real)": OKABE_ITO[2],
    "recordings, shifted": OKABE_ITO[1], "recordings": OKABE_ITO[0], "published": OKABE_ITO[6],
    "unimodal": OKABE_ITO[0], "alone": OKABE_ITO[0], "multimodal": OKABE_ITO[1], "both modalities": OKABE_ITO[1],
    "private": OKABE_ITO[2], "untrained": OKABE_ITO[3], "pixels": OKABE_ITO[4],
    "holds": OKABE_ITO[0], "holds in part": OKABE_ITO[5], "contradicted": OKABE_ITO[1], "does not show here": GREY,
    "no verdict: a control does not pass": OKABE_ITO[4], "no verdict: a control was not run": OKABE_ITO[3],
}  # fmt: skip
WIDTH = 6.0  # inches: shown at a phone's 360 pixels, the 13 point labels are still 11 pixels high


_CHINESE_FONTS = "Noto Sans CJK SC, Noto Sans CJK JP, WenQuanYi Zen Hei, WenQuanYi Micro Hei, PingFang SC, SimHei"


def style() -> None:
    """Set matplotlib's defaults for the book; call it once, at the top of a chapter.

    Chinese words appear under time courses; of the fonts the first one that has a character writes it. In a notebook
    figures have twice the pixels of their size on the page, for dense screens.
    """
    plt.style.use(Path(__file__).with_name("book.mplstyle"))
    mpl.rcParams["font.family"] = ["DejaVu Sans", *_fonts_with_chinese()]
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def _fonts_with_chinese() -> list[str]:
    installed = set(mpl.font_manager.get_font_names())
    return [name for name in _CHINESE_FONTS.split(", ") if name in installed]


def writable(word: str) -> str:
    """Return `word`, or a dot per character when it is Chinese and no installed font writes it (install Noto CJK)."""
    chinese = any("\u3400" <= character <= "\u9fff" for character in word)
    return "·" * len(word) if chinese and not _fonts_with_chinese() else word


def power_of_ten(value: float, place: float | None = None) -> str:
    """Return the label of a power of ten on an axis, which is no mathtext: the book's style reads none.

    >>> power_of_ten(0.01), power_of_ten(1e4)
    ('10⁻²', '10⁴')
    """
    return "10" + f"{math.log10(value):.0f}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def colours(names: Iterable) -> dict:
    """Return a colour for each name: the book's own for languages, drivers, groups, hemispheres, else in order."""
    names = list(dict.fromkeys(names))
    taken = {KNOWN[name] for name in names if name in KNOWN}
    free = [colour for colour in (*OKABE_ITO[:6], GREY, OKABE_ITO[6]) if colour not in taken] or list(OKABE_ITO)
    unknown = [name for name in names if name not in KNOWN]
    return {name: KNOWN[name] if name in KNOWN else free[unknown.index(name) % len(free)] for name in names}


def series_styles(names: Iterable) -> dict[str, dict]:
    """Return how each series of a chart is drawn: its own colour, marker and label, as options of `ax.plot`.

    In small multiples a series is drawn alike in every panel, also where others are absent.
    """
    names = list(dict.fromkeys(names))
    everywhere = _of_panels if set(names) <= set(_of_panels) else names
    styles = {
        name: {"color": colour, "marker": MARKERS[k % len(MARKERS)], "label": str(name)}
        for k, (name, colour) in enumerate(colours(everywhere).items())
    }
    return {name: styles[name] for name in names}


_of_panels: list = []  # the series of the small multiples that are being drawn


def panels(
    draw: Callable[..., Axes],
    table: pd.DataFrame,
    by: str,
    columns: int = 1,
    share_x: bool = True,
    share_y: bool = True,
    height: float = 3.2,
    title: str | None = None,
    **options: Any,
) -> Figure:
    """Draw small multiples: `draw(rows, ax=ax, title=panel, **options)` for each value of the column `by`.

    Options that are a `Mapping` with the panels' names as keys give each panel its own value. Axis labels stand only at
    the outer panels, the legend only in the first or, with several columns, below all of them.
    """
    names = list(dict.fromkeys(table[by]))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH * (1 if columns < 3 else 1.5), height * rows),
        sharex=share_x, sharey=share_y, squeeze=False, layout="constrained",
    )  # fmt: skip
    named = (options.get("condition"), options.get("series"), "condition", "series")
    series = next((column for column in named if column in table), by)
    handles: dict[str, list] = {}  # of the panels' legends, by panel
    _of_panels[:] = list(dict.fromkeys(table[series]))
    try:
        for ax, name in zip(axes.flat, names, strict=False):
            chosen = {
                key: value[name] if isinstance(value, Mapping) and set(value) == set(names) else value
                for key, value in options.items()
            }
            draw(table[table[by] == name], ax=ax, title=str(name), **chosen)
            if legend := ax.get_legend():
                labels = [text.get_text() for text in legend.get_texts()]
                handles[name] = list(zip(legend.legend_handles, labels, strict=True))
            if share_x or share_y:
                ax.label_outer()
    finally:
        _of_panels.clear()
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    everything = {label: handle for of_panel in handles.values() for handle, label in of_panel}
    # in a narrow panel the legend would take the width of the axes, and that of the first may lack a series of another
    below = columns > 1 or len(everything) > len(handles.get(names[0], ()))
    for ax, name in zip(axes.flat, names, strict=False):
        if ax.get_legend() and (below or name != names[0]):
            ax.get_legend().remove()
            ax.set_title(ax.get_title(loc="left"), loc="left", pad=6)
    if everything and below:
        figure.legend(everything.values(), everything.keys(), loc="outside lower center", ncols=2, frameon=False)
    return finish_figure(figure, title)


def new_axes(ax: Axes | None, size: Sequence[float] = (WIDTH, 4.0)) -> Axes:
    """Return `ax`, or the axes of a new figure of a size in inches."""
    return plt.subplots(figsize=tuple(size), layout="constrained")[1] if ax is None else ax


def finish(ax: Axes, title: str | None, handles: Sequence = ()) -> Axes:
    """Put the title left, the legend between title and axes, where neither covers data nor narrows the axes."""
    if handles:
        lengths = [len(str(handle.get_label())) for handle in handles]
        columns = min(len(handles), 3 if sum(lengths) <= 32 else 2 if max(lengths) <= 21 else 1)
        rows = -(-len(handles) // columns)
        ax.legend(
            handles=list(handles), loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns,
            borderaxespad=0.2, columnspacing=1.2, handletextpad=0.4,
        )  # fmt: skip
        ax.set_title(title or "", loc="left", pad=8 + 19 * rows)
    elif title:
        ax.set_title(title, loc="left")
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the figure in which axes stand (as axes of the book do, in no part of it)."""
    figure: Any = ax.figure
    return figure


def finish_figure(figure: Figure, title: str | None, ax: Axes | None = None, columns: int = 2) -> Figure:
    """Put the title of a figure left and, given `ax`, its legend below all axes."""
    if ax is not None:
        handles, labels = ax.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=mpl.rcParams["axes.titlesize"])
    return figure


def mark_style(marker: str) -> dict:
    """Return how ceilings, truths and published values are drawn in every chart."""
    size = {"_": 22, "|": 16, "*": 12}[marker]
    return {"marker": marker, "linestyle": "", "color": "black", "markersize": size, "markerfacecolor": "none",
            "markeredgewidth": 1.6, "zorder": 4}  # fmt: skip
