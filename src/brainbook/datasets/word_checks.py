"""What cannot be true of the words that were heard and of their times."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.errors import AnnotationError

COLUMNS = ["word", "onset", "offset", "section"]
SECTIONS = range(1, 10)
MOST_SECONDS = 10.0  # of half of the words of a table: longer ones are milliseconds or samples
SLACK = 2.0  # seconds that a word may lie after the end of its section's audio
_NO_TIME = ("n/a", "N/A", "NA", "nan", "NaN", "")
# words of each language that are every fourth or fifth one of any text, and none of the other's
_FREQUENT = {
    "EN": frozenset(["the", "and", "to", "of", "i", "it", "was", "he", "that", "in", "you"]),
    "FR": frozenset(["le", "la", "les", "de", "et", "je", "un", "une", "il", "que", "l", "d", "à"]),
}


def check_words(table: pd.DataFrame, path: str | Path, drop_untimed: bool = False) -> pd.DataFrame:
    """Return a table of words with numbers for text and a fresh index; AnnotationError where it cannot be true.

    `table` has the columns word, onset, offset, section and is labelled by what the messages call a row.
    `drop_untimed` leaves out words without a time or with a negative onset.
    """
    if drop_untimed:
        onsets = _numbers(table["onset"])
        untimed = table[["onset", "offset"]].isin(_NO_TIME).any(axis=1).to_numpy()
        table = table[~(untimed | (onsets < 0))]
    onset, offset, section = (_numbers(table[name]) for name in ("onset", "offset", "section"))

    def refuse(bad: np.ndarray, what, advice: str = "Correct it in the file") -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            more = f" ({int(bad.sum())} rows are like this)" if bad.sum() > 1 else ""
            word, label = str(table["word"].iloc[row])[:40], table.index[row]
            label = label if isinstance(label, str) else f"row {label}"
            raise AnnotationError(f"{path}, {label} ({word!r}): {what(row)}{more}. {advice}")

    def previous(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[:1], values[:-1]])

    if not len(table):
        raise AnnotationError(f"{path} has no row with a word{' and a time' * drop_untimed}: get it again")
    advice = "Correct it in the file, or leave such words out with drop_untimed=True"
    for name, values in (("onset", onset), ("offset", offset), ("section", section)):
        text = table[name].astype(str).to_numpy()
        no_number = ~np.isfinite(values)
        for bad, last in ((no_number & ~np.isin(text, list(_NO_TIME)), "Correct it in the file"), (no_number, advice)):
            refuse(bad, lambda row, name=name, text=text: f"{name} is {text[row][:40]!r}, which is no number", last)
    refuse(~np.isin(section, list(SECTIONS)), lambda row: f"section {section[row]:g} is not one of the sections 1 to 9")
    refuse(onset < 0, lambda row: f"onset {onset[row]:g} s lies before the start of the recording", advice)
    refuse(offset < onset, lambda row: f"offset {offset[row]:g} s lies before onset {onset[row]:g} s")
    above = previous(section)
    refuse(
        section < above,
        lambda row: f"section {section[row]:g} follows section {above[row]:g}: sections must be in order",
    )
    before = previous(onset)
    refuse(
        (onset < before) & (section == above),
        lambda row: f"onset {onset[row]:g} s lies before that of the word above, {before[row]:g} s",
    )
    columns = {"word": table["word"].to_numpy(dtype=object), "onset": onset, "offset": offset}
    words = pd.DataFrame({**columns, "section": section.astype(int)}, columns=COLUMNS).astype({"word": str})
    refuse(words.duplicated().to_numpy(), lambda _: "the row stands there twice", "Take the doubled rows out")
    for number, mine in words.groupby("section"):
        if len(mine) > 2 and mine["onset"].nunique() == 1:
            begin = mine["onset"].iloc[0]
            raise AnnotationError(
                f"{path}, section {number}: all {len(mine)} words begin at {begin:g} s, so their times were lost"
            )
    length = float(np.median(offset - onset))
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
    """
    begin = 0.0  # of the section, on the whole story's clock
    for section, length in sorted(seconds.items()):
        mine = words[words["section"] == section]
        late = int((mine["offset"] > length + SLACK).sum())
        last = float(mine["offset"].max()) if len(mine) else length
        what = ""
        if late:
            what = f"{late} of {len(mine)} words lie after the end of its audio ({length:g} s), the last at {last:g} s"
            if begin and mine["onset"].min() >= begin - SLACK:
                what += " (a clock that runs on over the sections?)"
            elif last / 1000 <= length + SLACK < mine["offset"].median():
                what += " (milliseconds?)"
        elif len(mine) >= 20 and last < length / 2:
            what = f"its {len(mine)} words end at {last:g} s of {length:g} s of audio (minutes, or scans?)"
        if what:
            advice = "Give onset and offset in seconds from the start of the section's audio"
            raise AnnotationError(f"{path}, section {section}: {what}. {advice}")
        begin += length


def check_language(words: pd.DataFrame, language: str | None, path: str | Path) -> None:
    """Raise AnnotationError for a section whose words are of another language than `language`."""
    for section, mine in words.groupby("section"):
        text = mine["word"].str.lower()
        shares = {known: text.isin(frequent).mean() for known, frequent in _FREQUENT.items()}
        shares["CN"] = text.str.contains("[\u4e00-\u9fff]").mean()
        likely = max(shares, key=shares.get)
        if language in shares and language != likely and len(mine) >= 50 and shares[likely] > 0.1:
            raise AnnotationError(
                f"{path}, section {section}: {shares[likely]:.0%} of its {len(mine)} words are frequent words or "
                f"characters of {likely}, {shares[language]:.0%} of {language}: the words are of another language"
            )


def _numbers(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
