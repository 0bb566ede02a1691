"""Tables and sentences of the chapter on recordings: what was recorded, what was heard, what the clocks say."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brainbook.chapters.shared import TRIM
from brainbook.datasets import LittlePrince

NEAR = 1  # scans that a best lag may differ by, as the response of the blood differs between people and regions


def recorded_minutes(prince: LittlePrince, languages: list[str]) -> pd.DataFrame:
    """One row per language: participants, sections, scans of one participant and the minutes they took."""
    rows = []
    for language in languages:
        scans = prince.scans(language)
        people = len(prince.participants(language))
        rows.append((language, people, len(scans), sum(scans.values()), sum(scans.values()) * prince.tr / 60))
    names = ["language", "participants", "sections", "scans per participant", "minutes per participant"]
    return pd.DataFrame(rows, columns=names).set_index("language")


def words_in_scans(prince: LittlePrince, words: Mapping[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """How many words begin in each scan, for each language an int array [scans of all sections]."""
    counts = {}
    for language, table in words.items():
        by_section = dict(tuple(table.groupby("section")["onset"]))
        parts = []
        for section, n_scans in prince.scans(language).items():
            scan = (by_section[section].to_numpy() // prince.tr).astype(int)
            parts.append(np.bincount(scan[scan < n_scans], minlength=n_scans))
        counts[language] = np.concatenate(parts)
    return counts


def word_table(words: Mapping[str, pd.DataFrame], counts: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row per language: words, different words, and how many begin in a scan (mean, deviation, most)."""
    rows = {
        language: {
            "words": len(table),
            "different words": table["word"].nunique(),
            "words per scan": counts[language].mean(),
            "deviation": counts[language].std(),
            "most in a scan": counts[language].max(),
        }
        for language, table in words.items()
    }
    return pd.DataFrame(rows).T.astype({"words": int, "different words": int, "most in a scan": int})


def describe_agreement(recorded: np.ndarray, expected: np.ndarray) -> str:
    """How a recorded signal [scans] follows an expected one over a section, with and without the section's edges.

    Where speech begins and ends both signals change most, whatever is said: `TRIM` scans at each end are left out for
    the second r. It must be larger than 2 / sqrt(scans) to be more than two signals without any relation often have.
    Neighbouring scans resemble each other, so this is a low bar.
    """
    r = np.corrcoef(recorded, expected)[0, 1]
    inner = np.corrcoef(recorded[TRIM:-TRIM], expected[TRIM:-TRIM])[0, 1]
    bar = 2 / np.sqrt(len(recorded) - 2 * TRIM)
    said = (
        f"Over the whole section the two curves correlate at r = {r:.2f}; without the {TRIM} scans at each end, where "
        f"speech begins and stops, at r = {inner:.2f}"
    )
    if not inner > bar:
        return (
            f"{said}, not more than the {bar:.2f} that signals without any relation may reach: inside the section the "
            "region does not visibly follow the number of words."
        )
    return (
        f"{said}: there {1 - inner**2:.0%} of the recorded variance is something else. Where speech slows or pauses "
        "the expected response sinks some five seconds later, and the recorded one tends to sink with it. The expected "
        "curve knows *when* something was said, not *what*: a model of language must beat it before it may speak of "
        "meaning."
    )


def describe_lags(lags: pd.DataFrame) -> str:
    """Where words and recordings fit best, by language and participant, and what that says of their clocks.

    `lags` has the columns language, participant, lag (scans) and value (r), a row for each run and lag.
    """
    by_person = lags.groupby(["language", "participant", "lag"], sort=False)["value"].mean()
    by_language = by_person.groupby(["language", "lag"], sort=False).mean()
    best = {name: by_language[name].idxmax() for name in by_language.index.unique("language")}
    single = by_person.groupby(["language", "participant"], sort=False).idxmax().map(lambda key: key[2])
    listed = ", ".join(f"{name} {lag:+d} scans (r = {by_language[name, lag]:.2f})" for name, lag in best.items())
    text = f"**Best lags:** {listed}. "
    text += (
        f"Of {len(single)} participants {int((single.abs() <= NEAR).sum())} have theirs within {NEAR} scan of zero. "
    )
    weak = [name for name, lag in best.items() if by_language[name, lag] < 0.1]
    late = [name for name, lag in best.items() if abs(lag) > NEAR and name not in weak]
    if weak:
        text += f"In {', '.join(weak)} no lag fits (r below 0.1): such a peak says nothing of the clocks. "
    if late:
        text += (
            f"In {', '.join(late)} recordings and words do not begin together: find out why before anything else is "
            "computed. "
        )
    if not weak and not late:
        text += "Recordings and words begin together: nothing more is to be dropped. "
    return text + (
        "Four missing scans would show as a peak at -4. A lag of one scan either way is within what the response of "
        "the blood differs by between people and regions."
    )


def highest_r(reliability: np.ndarray) -> np.ndarray:
    """The r of a perfect model of the story with a whole group's average, from R, the agreement of its two halves.

    R is a reliability: a half's average follows the story with sqrt(R); the whole group's has the reliability
    2 R / (1 + R) (Spearman and Brown), of which the root is taken. Where R is not positive nothing is left: 0.
    """
    reliability = np.clip(np.asarray(reliability, float), 0, None)
    return np.sqrt(2 * reliability / (1 + reliability))


def describe_ceilings(pair: pd.DataFrame, language: str) -> str:
    """What a group's average and one participant can show, in the regions that something drives.

    `pair` has one row per region: published (R of two halves of the real group), group (`highest_r` of it), ceiling
    (the highest r with one participant of the phantom) and driver.
    """
    driven = pair[pair["driver"] != "none"]
    if driven.empty:
        return (
            "Nothing drives a region of this phantom: every ceiling is 0, and whatever a model scores here is chance."
        )
    published, group, single = driven[["published", "group", "ceiling"]].mean()
    return (
        f"In the driven regions two halves of the real {language} group agree at R = {published:.2f} on average. A "
        f"perfect model of the story would then reach r = {group:.2f} with the average of the whole group, and only "
        f"{single:.2f} with one participant of the phantom. A score above its ceiling points to a mistake or to luck."
    )
