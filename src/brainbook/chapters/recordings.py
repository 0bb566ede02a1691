"""Tables of the chapter `recordings`: what was recorded, what was heard, what the clocks say."""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from brainbook.datasets import Dataset
from brainbook.errors import ConfigurationError

NEAR = 1  # scans that a best lag may differ by, as the response of the blood differs between participants and regions
WEAK = 0.1  # r below which no lag fits


def quote(language: str, text: str) -> str:
    """Return the beginning of a story as Markdown, marked with its language (EN, FR, CN) for screen readers.

    >>> quote("FR", "Le renard se tut")
    '> **FR** <span lang="fr">Le renard se tut …</span>'
    """
    code = {"CN": "zh"}.get(language, language.lower())
    return f'> **{language}** <span lang="{code}">{escape(text, quote=False)} …</span>'


def surface_of(dataset: Dataset, participant: str, section: int, cache: str | None = None) -> np.ndarray | None:
    """Return a recording on the cortical surface before it is cleaned, float array [scans, 20484]; print its shapes.

    None, after saying so, for datasets that offer cleaned responses only (they have no `recording`).
    """
    if not hasattr(dataset, "recording"):
        print("These recordings come cleaned: there is no image to show.")
        return None
    run = next(run for run in dataset.runs(participant) if run.section == section)
    recording = dataset.recording(run)
    surface = recording.to_surface(cache)
    if hasattr(recording, "image"):
        print("volume:", recording.image.shape, "(x, y, z, scans)")
    print("surface:", surface.shape, "(scans, vertices)")
    return surface


def find_region(columns: pd.DataFrame, region: str) -> int:
    """Return the row of a region, of its left hemisphere where it has two; ConfigurationError names what there is."""
    rows = columns.index[columns.region == region]
    if rows.empty:
        there = ", ".join(sorted(columns.region.unique())[:10])
        raise ConfigurationError(
            f"these recordings have no region {region!r}: set the parameter region, to {there}, ..."
        )
    left = rows[columns.hemisphere[rows] == "lh"]
    return int((left if len(left) else rows)[0])


def recorded_minutes(dataset: Dataset, languages: list[str]) -> pd.DataFrame:
    """Return one row per language: participants, sections, scans of one participant and the minutes they took."""
    rows = []
    for language in languages:
        n_scans, n_participants = dataset.scans(language), len(dataset.participants(language))
        total = sum(n_scans.values())
        rows.append((language, n_participants, len(n_scans), total, total * dataset.tr / 60))
    names = ["language", "participants", "sections", "scans per participant", "minutes per participant"]
    return pd.DataFrame(rows, columns=names)


def word_table(words: Mapping[str, pd.DataFrame], counts: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return one row per language: words, different words, and how many begin in a scan (mean, deviation, most).

    `counts` : how many words begin in each scan, int arrays [scans of all sections].
    """
    rows = [
        (name, len(table), table["word"].nunique(), counts[name].mean(), counts[name].std(), counts[name].max())
        for name, table in words.items()
    ]
    names = ["language", "words", "different words", "words per scan", "deviation", "most in a scan"]
    return pd.DataFrame(rows, columns=names)


def best_lags(lags: pd.DataFrame) -> pd.DataFrame:
    """Find where words and recordings fit best in each language, and say what that means for their clocks.

    `lags` has the columns language, participant, lag (scans) and value (r), one row per run and lag.

    Returns
    -------
    DataFrame: language, lag, r (mean over participants), participants, within one scan (how many of them have their
    own best lag there), clocks.
    """
    by_participant = lags.groupby(["language", "participant", "lag"], sort=False)["value"].mean()
    rows = []
    for language, means in by_participant.groupby("language", sort=False):
        curve = means.groupby("lag").mean()
        own = means.unstack("lag").idxmax(axis=1)
        lag, r = int(curve.idxmax()), curve.max()
        clocks = "no lag fits" if r < WEAK else "agree" if abs(lag) <= NEAR else "do not agree"
        rows.append((language, lag, r, len(own), int((own.abs() <= NEAR).sum()), clocks))
    return pd.DataFrame(rows, columns=["language", "lag", "r", "participants", "within one scan", "clocks"])
