"""How far from the moment they were heard an alignment places words: it takes a clock and no recording."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from brainbook.datasets.base import Dataset

WORDS_PER_SCAN = range(3, 10)
_RATE = "words per scan"


def clock_errors(story: Dataset, words_per_scan: Iterable[int] = WORDS_PER_SCAN) -> pd.DataFrame:
    """Compute how far from the moment they were heard words are placed: from a word's onset to the middle of its scan.

    VLA gives a word the scan during which it began, so it is never more than half a scan off. FLA gives the scans so
    many words each, in order; the words for which no scan is left are not placed at all.

    Parameters
    ----------
    story : `StoryAnnotation`, `LittlePrince` or anything else with words(language), scans(language), languages, tr.

    Returns
    -------
    DataFrame, one row per language, section and alignment ("VLA", "FLA 3", ...): language, section, alignment, words
    per scan (NaN for VLA), words, rate (words per scan that were read), unplaced (share of the words without a scan),
    far (share of the placed words more than one scan away), median and worst (s, absolute, of the placed words), end
    (s, signed: of the last word placed).
    """
    rows = []
    for language in story.languages:
        words = story.words(language)
        for section, n_scans in story.scans(language).items():
            onsets = words["onset"].to_numpy()[words["section"] == section]
            scan_of = {("VLA", np.nan): onsets // story.tr}
            scan_of |= {(f"FLA {n}", n): np.arange(len(onsets)) // n for n in words_per_scan}
            for (alignment, n), scan in scan_of.items():
                placed = scan < n_scans
                error = ((scan + 0.5) * story.tr - onsets)[placed]
                off = np.abs(error)
                row = {"language": language, "section": section, "alignment": alignment, _RATE: n, "words": len(onsets)}
                row |= {"rate": len(onsets) / n_scans, "unplaced": 1 - placed.mean(), "far": np.mean(off > story.tr)}
                rows.append({**row, "median": np.median(off), "worst": off.max(), "end": error[-1]})
    return pd.DataFrame(rows)


def clock_errors_by_language(errors: pd.DataFrame) -> pd.DataFrame:
    """Summarise `clock_errors` over sections: shares of all words of a language, the worst word of any section.

    Returns
    -------
    DataFrame, one row per language and alignment: language, alignment, words per scan, words, unplaced, far (share of
    the placed words), lost (share of all words that are unplaced or far), median (mean over sections), worst.
    """
    keys, placed = ["language", "alignment"], (1 - errors["unplaced"]) * errors["words"]
    by_kind = errors.assign(placed=placed, gone=placed * errors["far"]).groupby(keys, sort=False)
    how = {_RATE: "first", "words": "sum", "placed": "sum", "gone": "sum", "median": "mean", "worst": "max"}
    table = by_kind.agg(how).reset_index()
    shares = {"unplaced": 1 - table.placed / table.words, "far": table.gone / table.placed}
    table = table.assign(**shares, lost=1 - (table.placed - table.gone) / table.words)
    return table[[*keys, _RATE, "words", "unplaced", "far", "lost", "median", "worst"]]
