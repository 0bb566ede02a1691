"""How words are laid on scans: drawings of fixed-length and variable-length alignment."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainbook.plots.look import GREY, MARKERS, OKABE_ITO, WIDTH, colours, finish, new_axes, panels, writable

WORDS = 15  # over which errors are averaged


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
    """A stretch of speech between its scans: above, every word when it is heard; below, the scan it is given to.

    Parameters
    ----------
    words, onsets, offsets : the words heard from `start` on, [words]; seconds since the section began.
    first_word : how many words of the section came before (fixed-length alignment counts them).
    start : seconds, the left border of the drawing.
    n_scans : scans drawn.
    """
    stop = start + n_scans * tr
    figure, ax = plt.subplots(figsize=(1.7 * WIDTH, 4.4), layout="constrained")
    rows = {"heard": 2.0, "VLA": 1.0, "FLA": 0.0}
    for scan, left in enumerate(np.arange(start, stop, tr)):
        ax.axvspan(left, left + tr, color="#000000", alpha=0.05 * (1 - scan % 2), linewidth=0)
        ax.text(left + tr / 2, 2.72, f"scan {round(left / tr)}", ha="center", va="center", fontsize=11, color="#444444")
    for place, (word, onset, offset) in enumerate(zip(words, onsets, offsets, strict=True)):
        scans = {"VLA": int(onset // tr), "FLA": (first_word + place) // words_per_scan}
        ax.plot([onset, offset], [rows["heard"]] * 2, color=OKABE_ITO[6], linewidth=5, solid_capstyle="butt")
        ax.text(onset, rows["heard"] + 0.12, writable(word), fontsize=10, rotation=35, ha="left", va="bottom")
        for name, scan in scans.items():
            centre = (scan + 0.5) * tr
            colour = OKABE_ITO[0] if name == "VLA" else OKABE_ITO[1]
            inside = start <= centre <= stop
            end = np.clip(centre, start, stop)
            ax.plot([onset, end], [rows["heard"] - 0.1, rows[name] + 0.1], color=colour, linewidth=1, alpha=0.7)
            ax.plot(
                end, rows[name], marker="o" if inside else (">" if centre > stop else "<"), color=colour, markersize=8
            )
    ax.set_yticks(list(rows.values()), ["heard", "given by VLA", "given by FLA"])
    ax.set_xlim(start, stop)
    ax.set_ylim(-0.35, 2.9)
    ax.set_xlabel("time since the section began (s)")
    return finish(ax, title).figure


def alignment_error(errors: Mapping[str, Sequence[np.ndarray]], tr: float = 2.0, title: str | None = None) -> Axes:
    """How far from the moment they were heard fixed-length alignment places words (means over 15), a line a section.

    Parameters
    ----------
    errors : by language, for each section an array [words, 2]: onset (s), and the time of the scan it was given to
        minus the onset (s; above zero: too late).
    """
    ax = new_axes(None)
    colours = dict(zip(errors, OKABE_ITO, strict=False))
    styles = dict(zip(errors, ("-", "--", ":"), strict=False))
    handles = []
    for language, sections in errors.items():
        for section in sections:
            smooth = np.apply_along_axis(np.convolve, 0, section, np.full(WORDS, 1 / WORDS), mode="valid")
            (line,) = ax.plot(smooth[:, 0], smooth[:, 1], styles[language], color=colours[language], linewidth=1.4)
        line.set_label(language)
        handles.append(line)
    ax.axhspan(-tr, tr, color="#000000", alpha=0.12, linewidth=0)
    ax.axhline(0, color="#000000", linewidth=0.8)
    ax.set_xlabel("time since the section began (s)")
    ax.set_ylabel("FLA's scan minus onset (s)")
    return finish(ax, title, handles)


def score_by_trim(table: pd.DataFrame, chosen: int, title: str | None = None) -> Figure:
    """Scores against the scans left out at each edge of every section: a panel for each group, a line for each space.

    Parameters
    ----------
    table : as `brainbook.chapters.edges.scores_by_trim` makes it: features, trim, group, value.
    chosen : the number that the chapter leaves out, marked by a dotted line.
    """
    options = {"chosen": chosen, "paint": colours(table.features), "title": title}
    return panels(_trim_lines, table, by="group", height=3.6, share_y=False, **options)


def _trim_lines(rows, chosen, paint, title, ax):
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axvline(chosen, color=GREY, linestyle=":", linewidth=1.4)
    for place, (name, line) in enumerate(rows.groupby("features", sort=False)):
        ax.plot(line.trim, line.value, marker=MARKERS[place], markersize=6, color=paint[name], label=name)
    ax.set(xlabel="scans left out at each edge", ylabel="Pearson r")
    return finish(ax, title, ax.get_legend_handles_labels()[0])
