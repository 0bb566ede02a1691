"""What cannot be true of the words that were heard and of their times."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainbook.errors import AnnotationError

COLUMNS = ["word", "onset", "offset", "section"]
SECTIONS = range(1, 10)
MOST_SECONDS = 10.0  # of half of the words of a table: longer ones are milliseconds or samples
_MOST_SECTIONS = 10_000
_SECTION = f"a whole number from 1 to {_MOST_SECTIONS:,}"
SLACK = 2.0  # seconds that a word may lie after the end of its section's audio
_CORRECT = "Correct it in the file"
_NO_TIME = ("n/a", "N/A", "NA", "nan", "NaN", "")
# words of each language that are every fourth or fifth one of any text, and none of the other's
_FREQUENT = {
    "EN": frozenset(["the", "and", "to", "of", "i", "it", "was", "he", "that", "in", "you"]),
    "FR": frozenset(["le", "la", "les", "de", "et", "je", "un", "une", "il", "que", "l", "d", "à"]),
}


def check_words(
    table: pd.DataFrame, path: str | Path, drop_untimed: bool = False, sections: range | None = SECTIONS
) -> pd.DataFrame:
    """Return a table of words with numbers for text and a fresh index; AnnotationError where it cannot be true.

    `table` has the columns word, onset, offset, section and is labelled by what the messages call a row.
    `drop_untimed` leaves out words without a time or with a negative onset. `sections` are those of ds003643, or None:
    then any whole number from 1 on is a section.
    """
    rows = table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in COLUMNS[1:]})
    if drop_untimed:
        timed = ~(table[["onset", "offset"]].isin(_NO_TIME).any(axis=1) | (rows["onset"] < 0))
        table, rows = table[timed], rows[timed]
    if not len(rows):
        raise AnnotationError(f"{path} has no row with a word{' and a time' * drop_untimed}: get it again")
    advice = f"{_CORRECT}, or leave such words out with drop_untimed=True"
    for name in COLUMNS[1:]:
        no_number, message = ~np.isfinite(rows[name]), f"{name} is {{{name}!r:.42}}, which is no number"
        _refuse(path, table, no_number & ~table[name].isin(_NO_TIME), message)
        _refuse(path, table, no_number, message, advice)
    rows = rows.assign(onset_above=rows["onset"].shift(), section_above=rows["section"].shift())
    same_section = rows["section"] == rows["section_above"]
    if sections is None:
        outside, named = ~rows["section"].between(1, _MOST_SECTIONS) | (rows["section"] % 1 != 0), _SECTION
    else:
        outside, named = ~rows["section"].isin(sections), f"one of the sections {sections[0]} to {sections[-1]}"
    for bad, message, remedy in (
        (outside, f"section {{section:g}} is not {named}", _CORRECT),
        (rows["onset"] < 0, "onset {onset:g} s lies before the start of the recording", advice),
        (rows["offset"] < rows["onset"], "offset {offset:g} s lies before onset {onset:g} s", _CORRECT),
        (
            rows["section"] < rows["section_above"],
            "section {section:g} follows section {section_above:g}: sections must be in order",
            _CORRECT,
        ),
        (
            (rows["onset"] < rows["onset_above"]) & same_section,
            "onset {onset:g} s lies before that of the word above, {onset_above:g} s",
            _CORRECT,
        ),
        (rows.duplicated(COLUMNS), "the row stands there twice", "Take the doubled rows out"),
    ):
        _refuse(path, rows, bad, message, remedy)
    words = rows[COLUMNS].reset_index(drop=True).astype({"word": str, "onset": float, "offset": float, "section": int})
    for number, heard in words.groupby("section"):
        if len(heard) > 2 and heard["onset"].nunique() == 1:
            begin = heard["onset"].iloc[0]
            raise AnnotationError(
                f"{path}, section {number}: all {len(heard)} words begin at {begin:g} s, so their times were lost"
            )
    length = float((words["offset"] - words["onset"]).median())
    if length > MOST_SECONDS:
        raise AnnotationError(
            f"{path}: half of the {len(words)} words are longer than {length:g} s, so these are no seconds "
            "(milliseconds?). Give onset and offset in seconds from the start of the section's audio"
        )
    return words


def check_clock(words: pd.DataFrame, seconds: dict[int, float], path: str | Path) -> None:
    """Raise AnnotationError for words that do not lie on the clock of their section's audio.

    Parameters
    ----------
    words : as the readers return them; path : where they come from, for the message.
    seconds : {section: length of its audio}.

    Raises
    ------
    AnnotationError : says which section, and how many of its words lie more than `SLACK` after the end of its audio (as
        milliseconds do, and onsets that run on over the sections), or that all of 20 or more end in its first half (as
        minutes do, and scans).

    Examples
    --------
    >>> words = pd.DataFrame({"word": ["late"], "onset": [99.0], "offset": [99.5], "section": [1]})
    >>> check_clock(words, seconds={1: 60.0}, path="words.csv")
    Traceback (most recent call last):
        ...
    brainbook.errors.AnnotationError: words.csv, section 1: 1 of 1 words lie after the end of its audio (60 s)...
    """
    begin = 0.0  # of the section, on the whole story's clock
    for section, length in sorted(seconds.items()):
        heard = words[words["section"] == section]
        late = int((heard["offset"] > length + SLACK).sum())
        last = float(heard["offset"].max()) if len(heard) else length
        what = ""
        if late:
            what = f"{late} of {len(heard)} words lie after the end of its audio ({length:g} s), the last at {last:g} s"
            if begin and heard["onset"].min() >= begin - SLACK:
                what += " (a clock that runs on over the sections?)"
            elif last / 1000 <= length + SLACK < heard["offset"].median():
                what += " (milliseconds?)"
        elif len(heard) >= 20 and last < length / 2:
            what = f"its {len(heard)} words end at {last:g} s of {length:g} s of audio (minutes, or scans?)"
        if what:
            advice = "Give onset and offset in seconds from the start of the section's audio"
            raise AnnotationError(f"{path}, section {section}: {what}. {advice}")
        begin += length


def check_language(words: pd.DataFrame, language: str | None, path: str | Path) -> None:
    """Raise AnnotationError for a section whose words are of another language than `language`."""
    for section, heard in words.groupby("section"):
        text = heard["word"].str.lower()
        shares: dict[Any, float] = {known: text.isin(frequent).mean() for known, frequent in _FREQUENT.items()}
        shares["CN"] = text.str.contains("[\u4e00-\u9fff]").mean()
        likely = max(shares, key=shares.__getitem__)
        if language in shares and language != likely and len(heard) >= 50 and shares[likely] > 0.1:
            raise AnnotationError(
                f"{path}, section {section}: {shares[likely]:.0%} of its {len(heard)} words are frequent words or "
                f"characters of {likely}, {shares[language]:.0%} of {language}: the words are of another language"
            )


def _refuse(path: str | Path, rows: pd.DataFrame, bad: pd.Series, message: str, advice: str = _CORRECT) -> None:
    """Raise AnnotationError that names the first of the bad rows, with the row's values in the message."""
    if bad.any():
        row = rows[bad.to_numpy()].iloc[0]
        label = row.name if isinstance(row.name, str) else f"row {row.name}"
        more = f" ({int(bad.sum())} rows are like this)" if bad.sum() > 1 else ""
        raise AnnotationError(f"{path}, {label} ({str(row.word)[:40]!r}): {message.format(**row)}{more}. {advice}")
