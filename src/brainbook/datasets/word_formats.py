"""Words and their times from what forced aligners and BIDS write, as one table.

Praat and Montreal Forced Aligner (TextGrid; tiers 'words' or 'Speaker - words'), gentle (align.json, align.csv),
WhisperX (JSON), BIDS (events.tsv), and tables with columns of any name. What no aligner could place has no time: such
words are left out and counted.
"""

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from brainbook.datasets.files import CONTROL_CHARACTERS, read_text, split_cells
from brainbook.datasets.textgrid import read_tiers
from brainbook.datasets.word_checks import COLUMNS, check_language
from brainbook.datasets.words import choose_tier, clean_words, read_columns, read_words
from brainbook.errors import AnnotationError

NO_TIME = ("", "n/a", "N/A", "NA", "nan", "NaN", "None")
_WORDS_TIER = re.compile(r"(?:.* - )?words?", re.IGNORECASE)  # 'words', or 'S1 - words' for a speaker


def read_timed_words(
    path: str | Path,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    tier: str | int | None = None,
    drop: Sequence[str] = (),
    language: str | None = None,
    section: int = 1,
) -> pd.DataFrame:
    """Read the words of a file and when they were heard.

    Parameters
    ----------
    path : the file, in UTF-8.
    format : 'csv' (columns separated by commas, semicolons or tabs), 'textgrid', 'gentle' (align.json), 'gentle_csv'
        (align.csv: word, aligned word, start, end, no header), 'whisperx', 'events' (BIDS) or 'ds003643'
        (`read_words`); None tells by the file.
    columns : the file's names of 'word', 'onset', 'offset' or 'duration', and 'section', where they are others.
    tier : name or number of the TextGrid's tier; by default the one that is called words.
    drop : labels that are no words; noise and pauses of aligners (spn, sil, <unk> of MFA) are left out anyway.
    language : 'EN', 'FR' or 'CN': words of another of these are refused. Others are not checked.
    section : number of the section, where the file has no column of it.

    Returns
    -------
    DataFrame: word, onset, offset (seconds), section, in order. Words without a time are left out, with a warning that
    counts them.

    Raises
    ------
    AnnotationError : names the file and the line or the word: the file cannot be read in its format, has no such column
        or tier, a time is no number or runs backwards.
    MissingFileError : there is no such file, or it is a pointer.

    Examples
    --------
    >>> text = "text,start,end\\nonce,0.1,0.4\\nupon,0.4,0.6"
    >>> _ = Path("story.csv").write_text(text)
    >>> read_timed_words("story.csv", columns={"word": "text", "onset": "start", "offset": "end"})
       word  onset  offset  section
    0  once    0.1     0.4        1
    1  upon    0.4     0.6        1
    """
    path, columns = Path(path), dict(columns or {})
    text = read_text(path, AnnotationError, damage=CONTROL_CHARACTERS)
    format = format or guess_format(path, text)
    if format == "ds003643":
        return read_words(path, language)
    if format not in _READERS:
        raise AnnotationError(f"{path}: format is {format!r}; it is one of {', '.join(_READERS)}")
    table = _READERS[format](path, text, columns, tier)
    table["section"] = table.get("section", pd.Series(section, index=table.index))
    table = table[~table["word"].isin([*drop, ""])]
    untimed = table[["onset", "offset"]].isin(NO_TIME).any(axis=1) | table[["onset", "offset"]].isna().any(axis=1)
    if untimed.any():
        first = f"{table.index[untimed][0]}, {table['word'][untimed].iloc[0]!r}"
        warnings.warn(f"{path}: {untimed.sum()} of {len(table)} words have no time (the first: {first})", stacklevel=2)
    words = clean_words(table[~untimed][COLUMNS], path, sections=None)
    check_language(words, language, path)
    return words


def guess_format(path: Path, text: str) -> str:
    """Return the format that a file's name and content look like; AnnotationError if it looks like none."""
    if path.suffix.lower() == ".textgrid":
        return "textgrid"
    if path.suffix.lower() == ".json":
        content = _parse(path, text)
        return "whisperx" if "segments" in content or "word_segments" in content else "gentle"
    if path.name.endswith("events.tsv"):
        return "events"
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        first = split_cells(text.lstrip().partition("\n")[0], path, ",", AnnotationError)
        cells = first.get(1, [])
        numbers = [bool(re.fullmatch(r"[\d.]*", cell.strip())) for cell in cells]
        return "gentle_csv" if len(cells) == 4 and numbers[2:] == [True, True] else "csv"
    raise AnnotationError(f"{path}: its name does not tell its format; say it (one of {', '.join(_READERS)})")


def _read_csv(path: Path, text: str, columns: dict[str, str], tier: str | int | None) -> pd.DataFrame:
    names = {name: columns.get(name, name) for name in ("word", "onset")}
    first = text.lstrip("\ufeff \n\r").partition("\n")[0]
    header = {mark: [name.strip(' "\r') for name in first.split(mark)] for mark in ",;\t"}
    sep = max(header, key=lambda mark: len(set(names.values()) & set(header[mark])))
    lasting = "duration" in columns or ("offset" not in columns and "offset" not in header[sep])
    names["offset"] = columns.get("duration", "duration") if lasting else columns.get("offset", "offset")
    if "section" in columns or "section" in header[sep]:
        names["section"] = columns.get("section", "section")
    table = read_columns(text, path, names, sep)[1].drop(columns="label")
    return _ends(table) if lasting else table


def _read_events(path: Path, text: str, columns: dict[str, str], tier: str | int | None) -> pd.DataFrame:
    header = text.partition("\n")[0].strip("\ufeff\r").split("\t")
    word = next((name for name in ("word", "trial_type", "value") if name in header), "word")
    table = _read_csv(path, text, {"word": word, "duration": "duration"} | columns, tier)
    return table[~table["word"].isin(NO_TIME)]


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose offsets are durations with the ends in their place; no duration (BIDS's n/a) counts as 0."""
    onset = pd.to_numeric(table["onset"], errors="coerce")
    duration = pd.to_numeric(table["offset"].mask(table["offset"].isin(NO_TIME), "0"), errors="coerce")
    ends = (onset + duration).astype(object)
    return table.assign(offset=ends.where(duration.notna() & onset.notna(), table["offset"]))


def _read_textgrid(path: Path, text: str, columns: dict[str, str], tier: str | int | None) -> pd.DataFrame:
    tiers = read_tiers(text, path)
    if tier is None:
        named = [number for number, name, _ in tiers if _WORDS_TIER.fullmatch(name.strip())]
        tier = named[0] if len(named) == 1 else None
    intervals = choose_tier(tiers, tier, path)
    return _table([(f"line {each.line}", each.text.strip(), each.start, each.end) for each in intervals])


def _read_gentle(path: Path, text: str, columns: dict[str, str], tier: str | int | None) -> pd.DataFrame:
    words = _list(path, _parse(path, text), "words")
    heard = [(number, word) for number, word in words if word.get("case") != "not-found-in-transcript"]
    return _table(
        [(f"word {number}", word.get("word", ""), word.get("start"), word.get("end")) for number, word in heard]
    )


def _read_gentle_csv(path: Path, text: str, columns: dict[str, str], tier: str | int | None) -> pd.DataFrame:
    rows = []
    for number, cells in split_cells(text, path, ",", AnnotationError).items():
        if len(cells) != 4:
            raise AnnotationError(f"{path}, line {number}: {len(cells)} cells; gentle writes word, word, start, end")
        rows.append((f"line {number}", cells[0].strip(), cells[2].strip(), cells[3].strip()))
    return _table(rows)


def _read_whisperx(path: Path, text: str, columns: dict[str, str], tier: str | int | None) -> pd.DataFrame:
    content = _parse(path, text)
    if "segments" in content:
        words = [word for _, segment in _list(path, content, "segments") for word in _list(path, segment, "words")]
    else:
        words = _list(path, content, "word_segments")
    rows = enumerate((word for _, word in words), 1)
    return _table(
        [
            (f"word {number}", str(word.get("word", "")).strip(), word.get("start"), word.get("end"))
            for number, word in rows
        ]
    )


def _table(rows: list[tuple]) -> pd.DataFrame:
    """Return a table of rows (label, word, onset, offset), whose values are not checked yet."""
    labels = [row[0] for row in rows]
    cells = [(str(word), _time(onset), _time(offset)) for _, word, onset, offset in rows]
    return pd.DataFrame(cells, columns=["word", "onset", "offset"], index=labels, dtype=object)


def _time(value: Any) -> object:
    """Return a time as JSON has it, as a number that fits a float, None, or the text of what is no time."""
    return value if value is None or (type(value) in (int, float) and abs(value) < 1e300) else str(value)


def _parse(path: Path, text: str) -> dict:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path} is no JSON ({error}): it is damaged or cut off, make it again") from None
    if isinstance(content, list):  # of words alone
        content = {"word_segments": content}
    if not isinstance(content, dict):
        raise AnnotationError(f"{path} holds {type(content).__name__}; an aligner writes an object with words")
    return content


def _list(path: Path, content: dict, name: str) -> list[tuple[int, dict]]:
    """Return the numbered objects of a list in JSON."""
    items = content.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise AnnotationError(
            f"{path} holds no list of objects called {name!r}: it is no file of gentle or of WhisperX with word times"
        )
    return list(enumerate(items, 1))


_READERS = {
    "csv": _read_csv,
    "textgrid": _read_textgrid,
    "gentle": _read_gentle,
    "gentle_csv": _read_gentle_csv,
    "whisperx": _read_whisperx,
    "events": _read_events,
}
