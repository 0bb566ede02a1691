"""The words that people heard and when they heard them: one table from CSV files and from TextGrids.

Every reader returns a DataFrame with the columns word (text), onset and offset (seconds) and section (1..9), one row a
word in the order of the recording, index 0, 1, 2 ... Rows that carry no word (silence, blank) are left out.
"""

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.errors import AnnotationError
from brainbook.stimuli.files import check_content
from brainbook.stimuli.textgrid import read_tiers

COLUMNS = ["word", "onset", "offset", "section"]
SECTIONS = range(1, 10)
SILENCES = frozenset({"", "sp", "sil", "<sil>", "<eps>", "#"})

# Rows of ds003643 that are known to be wrong, by the label in the file's first column, as the public code of earlier
# studies of this dataset mends them: repeated lines, a mismatch with the text, damaged accents and elisions.
KNOWN_BAD_ROWS = {
    "EN": {"drop": (3919, 6775, 6781), "read": {}},
    "FR": {
        "drop": (338, 1204, 3333),
        "read": {
            3332: "de",
            3379: "trois",
            3405: "trois",
            4587: "l",
            5325: "la",
            5326: "première",
            5328: "habitée",
            11257: "À",
            12249: "il",
        },
    },
}
ROWS_OF_DATASET = {"EN": 15_376}  # as far as they are known, before any row is dropped
_NOT_TEXT = frozenset({"", "nan", "NaN", "<NA>", "#N/A"})


def read_word_information(path: str | Path, language: str | None = None, mend: bool | None = None) -> pd.DataFrame:
    """Read a table of words of Le Petit Prince (`lppEN_word_information.csv` and its French and Chinese twins).

    Parameters
    ----------
    path : the CSV, in UTF-8, with or without a byte-order mark. It must have the columns word, onset, offset, section;
        an unnamed first column labels the rows, and further columns are left aside.
    language : 'EN', 'FR' or 'CN'; taken from the file's name by default.
    mend : drop and correct the rows of ds003643 that are known to be wrong (`KNOWN_BAD_ROWS`, by label). By default
        this is done to a file that bears the dataset's name, unless it belongs to a phantom (`is_phantom`), whose rows
        with these labels are as good as any. A file of another length than the dataset's is mended with a warning.

    Returns
    -------
    DataFrame: word, onset, offset (seconds from the start of the section's audio), section (1..9). Rows whose word is
    blank or not text are left out; the words None, null and NA are words.

    Raises
    ------
    AnnotationError : names the file and the row: a column is missing, a time is no number or negative, an onset lies
        before the one above it, an offset before its onset, a section is outside 1..9 or smaller than the one above.
    MissingFileError : there is no such file, or it is a git-annex pointer whose content was not downloaded.
    """
    path = check_content(path)
    table = _parse_csv(_decode(path), path)
    language = language or _language_of(path)
    if mend is None:
        mend = language in KNOWN_BAD_ROWS and not is_phantom(path)
    if mend:
        table = _mend(table, language, path)
    words = table["word"].str.strip()
    table = table.assign(word=words)[~words.isin(_NOT_TEXT)]
    return checked_words(table, path)


def read_textgrid(
    path: str | Path, section: int | None = None, tier: str | None = None, start: float = 0.0
) -> pd.DataFrame:
    """Read the words of a Praat TextGrid, in its long or short text form.

    Parameters
    ----------
    path : the TextGrid, in UTF-8 or (with a byte-order mark) UTF-16.
    section : section of the story (1..9); by default the number in a name such as `lppEN_section3.TextGrid`, else 1.
    tier : name of the interval tier with the words; by default the only one, or the one called word or words.
    start : what the file's clock shows (seconds) when the returned clock is to show 0.

    Returns
    -------
    DataFrame: word, onset, offset (seconds after `start`), section. Silences (empty, 'sp', 'sil') are left out.

    Raises
    ------
    AnnotationError : the file is no TextGrid, is cut off, or has no such tier; or what `read_word_information` raises.
    MissingFileError : there is no such file, or it is a pointer.
    """
    path = check_content(path)
    tiers = read_tiers(_decode(path), path)
    intervals = _choose_tier(tiers, tier, path)
    rows = [interval for interval in intervals if interval.text.strip() not in SILENCES]
    if section is None:
        found = re.search(r"section[-_]?(\d+)", path.name)
        section = int(found.group(1)) if found else 1
    table = pd.DataFrame(
        {
            "word": np.array([row.text.strip() for row in rows], dtype=object),
            "onset": np.array([row.start - start for row in rows], dtype=float),
            "offset": np.array([row.end - start for row in rows], dtype=float),
            "section": np.full(len(rows), section),
        },
        index=[f"line {row.line}" for row in rows],
    )
    return checked_words(table, path)


def checked_words(table: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Turn a table with the right columns into numbers, and refuse it where it cannot be true.

    `table` is labelled by what the messages call a row. The result has the columns of this module and a fresh index.
    """
    numbers = {name: _numbers(table[name], path) for name in ("onset", "offset", "section")}
    onset, offset, section = numbers["onset"], numbers["offset"], numbers["section"]

    def refuse(bad: np.ndarray, what) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            more = f" ({int(bad.sum())} rows are like this)" if bad.sum() > 1 else ""
            word = str(table["word"].iloc[row])[:40]
            raise AnnotationError(
                f"{path}, {_row(table.index[row])} ({word!r}): {what(row)}{more}. Correct it in the file"
            )

    refuse(~np.isin(section, list(SECTIONS)), lambda row: f"section {section[row]:g} is not one of the sections 1 to 9")
    refuse(onset < 0, lambda row: f"onset {onset[row]:g} s lies before the start of the recording")
    refuse(offset < onset, lambda row: f"offset {offset[row]:g} s lies before onset {onset[row]:g} s")
    back = np.zeros(len(table), dtype=bool)
    back[1:] = np.diff(section) < 0
    refuse(
        back, lambda row: f"section {section[row]:g} follows section {section[row - 1]:g}: sections must be in order"
    )
    falls = np.zeros(len(table), dtype=bool)
    falls[1:] = (np.diff(onset) < 0) & (np.diff(section) == 0)
    refuse(falls, lambda row: f"onset {onset[row]:g} s lies before that of the word above, {onset[row - 1]:g} s")
    columns = {"word": table["word"].to_numpy(dtype=object), "onset": onset, "offset": offset}
    return pd.DataFrame({**columns, "section": section.astype(int)}, columns=COLUMNS).astype({"word": str})


def is_phantom(path: str | Path) -> bool:
    """Whether a file belongs to a simulated study.

    That is so if one of the three folders above it holds a folder `truth`, or a dataset_description.json whose name
    says phantom (so that a phantom whose truth was taken away is still known as one).
    """
    for folder in list(Path(path).absolute().parents)[:3]:
        description = folder / "dataset_description.json"
        if (folder / "truth").is_dir():
            return True
        if description.is_file() and re.search(
            r'"Name"\s*:[^\n]*phantom', description.read_text("utf-8", "replace"), re.I
        ):
            return True
    return False


def _decode(path: Path) -> str:
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AnnotationError(
            f"{path}, line {line}: not text in UTF-8 ({error.reason}). Save it as UTF-8; Chinese files of ds003643 "
            "before version 2.0.5 are damaged: get 2.0.5 or later"
        ) from None
    for mark, name in (("\0", "a zero byte"), ("\ufffd", "a replacement character, so letters were lost")):
        if mark in text:
            line = text[: text.index(mark)].count("\n") + 1
            raise AnnotationError(f"{path}, line {line}: holds {name}. Get the file again, in UTF-8")
    return text


def _parse_csv(text: str, path: Path) -> pd.DataFrame:
    """All columns as text, labelled by the unnamed first column if it holds whole numbers, else by position."""
    try:
        header = next(csv.reader(io.StringIO(text)), [])
    except csv.Error as error:
        raise AnnotationError(f"{path}, line 1: not a table of comma-separated values ({error})") from None
    header = [name.strip() for name in header]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        found = ", ".join(header)[:200] or "none"
        raise AnnotationError(f"{path}: no column {', '.join(missing)}; the first line names these columns: {found}")
    repeated = [name for name in COLUMNS if header.count(name) > 1]
    if repeated:
        raise AnnotationError(f"{path}: the first line names the column {', '.join(repeated)} more than once")
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, index_col=False, skipinitialspace=True)
    except (ValueError, pd.errors.ParserError) as error:  # a row with more cells than columns, an open quote
        raise AnnotationError(f"{path}: not a table of comma-separated values: {error}") from None
    table.columns = [*header]
    table = table.fillna("")  # cells that a short row lacks
    if header[0] in ("", "index", "Unnamed: 0") and table.iloc[:, 0].str.fullmatch(r"\d{1,9}").all():
        table.index = table.iloc[:, 0].astype(int)
    return table[COLUMNS]


def _mend(table: pd.DataFrame, language: str | None, path: Path) -> pd.DataFrame:
    known = KNOWN_BAD_ROWS.get(language or "", {"drop": (), "read": {}})
    expected = ROWS_OF_DATASET.get(language or "")
    touched = table.index.intersection([*known["drop"], *known["read"]])
    if len(touched) and expected not in (None, len(table)):
        warnings.warn(
            f"{path} has {len(table)} rows where ds003643 has {expected}; rows {list(touched)} are mended all the "
            "same. If this is not the dataset's file, read it with mend=False.",
            stacklevel=3,
        )
    table = table.drop(index=table.index.intersection(known["drop"]))
    for label in table.index.intersection(list(known["read"])):
        table.loc[label, "word"] = known["read"][label]
    return table


def _numbers(column: pd.Series, path: str | Path) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row, value = column.index[bad[0]], column.iloc[bad[0]]
        raise AnnotationError(
            f"{path}, {_row(row)}: {column.name} is {str(value)[:40]!r}, which is no number. Correct it in the file"
        )
    return values


def _row(label: object) -> str:
    return label if isinstance(label, str) else f"row {label}"


def _language_of(path: Path) -> str | None:
    found = re.search(r"lpp(EN|FR|CN)_word_information", path.name)
    return found.group(1) if found else None


def _choose_tier(tiers: dict, name: str | None, path: Path) -> list:
    listed = ", ".join(tiers) or "none"
    if name is not None:
        if name not in tiers:
            raise AnnotationError(f"{path}: no interval tier is called {name!r}; these are: {listed}")
        return tiers[name]
    if len(tiers) == 1:
        return next(iter(tiers.values()))
    named = [known for known in tiers if known.strip().lower() in ("word", "words")]
    if len(named) != 1:
        raise AnnotationError(
            f"{path}: which interval tier holds the words? Name it with tier=...; these are: {listed}"
        )
    return tiers[named[0]]
