"""The words that were heard and when: one table from CSV files and from TextGrids.

Every reader returns a DataFrame with the columns word (text), onset and offset (seconds) and section (1..9), one row
per word in the order of the recording, index 0, 1, 2 ... Rows that carry no word (silence, blank) are left out.
"""

import re
import warnings
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.files import CONTROL_CHARACTERS, read_cells, read_text
from brainbook.datasets.textgrid import Interval, read_tiers
from brainbook.datasets.word_checks import COLUMNS, SECTIONS, check_language, check_words
from brainbook.datasets.word_labels import as_written, known_corrections
from brainbook.errors import AnnotationError

ROWS_OF_DATASET = {"EN": 15_376}  # as far as they are known, before any row is dropped
_NOT_TEXT = frozenset({"", "nan", "NaN", "<NA>", "#N/A"})


def read_words(
    path: str | Path, language: str | None = None, mend: bool | None = None, drop_untimed: bool = False
) -> pd.DataFrame:
    """Read a table of words of Le Petit Prince (`lppEN_word_information.csv` and its French and Chinese twins).

    Parameters
    ----------
    path : the table, in UTF-8, with or without a byte-order mark, separated by commas, semicolons or tabs. It must have
        the columns word, onset, offset, section; an unnamed first column labels the rows, and further columns are left
        aside.
    language : 'EN', 'FR' or 'CN'; taken from the file's name by default. Sections in another of these are refused.
    mend : drop and correct what is known to be wrong in ds003643 (`word_labels.known_corrections`).
        By default this is done to a file that bears the dataset's name, unless it belongs to a phantom (`is_phantom`),
        whose rows with these labels are as good as any. A file of another length than the dataset's is mended with a
        warning.
    drop_untimed : leave out words without an onset (BIDS's n/a) or with a negative one, rather than refuse the table.

    Returns
    -------
    DataFrame: word, onset, offset (seconds from the start of the section's audio), section (1..9). Labels that are no
    words are left out and damaged ones repaired (`changed_words` shows them); None, null and NA are words.

    Raises
    ------
    AnnotationError : names the file and the row: a column is missing, a row has too many cells, a quote is left open, a
        time is no number or negative, an onset lies before the one above it, an offset before its onset, a section is
        outside 1..9 or smaller than the one above; rows stand there twice, all words of a section begin at once, times
        are milliseconds, no row has a word.
    MissingFileError : there is no such file, or it is a git-annex pointer whose content was not downloaded.

    Examples
    --------
    >>> _ = Path("words.csv").write_text("word,onset,offset,section\\nonce,0.1,0.4,1\\nupon,0.4,0.6,1")
    >>> read_words("words.csv", language="EN")
       word  onset  offset  section
    0  once    0.1     0.4        1
    1  upon    0.4     0.6        1
    """
    table, language, mend = _read_csv(Path(path), language, mend)
    words = check_words(_correct(table, language if mend else None)[0], path, drop_untimed)
    check_language(words, language, path)
    return words


def read_textgrid(
    path: str | Path,
    section: int | None = None,
    tier: str | int | None = None,
    start: float = 0.0,
    mend: bool | None = None,
    drop_untimed: bool = False,
) -> pd.DataFrame:
    """Read the words of a Praat TextGrid, in its long or short text form.

    Parameters
    ----------
    path : the TextGrid, in UTF-8 or (with a byte-order mark) UTF-16.
    section : section of the story (1..9); by default the number in a name such as `lppEN_section3.TextGrid`, else 1.
    tier : name or number (from 1, as Praat counts) of the interval tier with the words; by default the only one, or the
        one called word or words.
    start : what the file's clock shows (seconds) when the returned clock is to show 0.
    mend, drop_untimed : as `read_words` has them.

    Returns
    -------
    DataFrame: word, onset, offset (seconds after `start`), section. Silences (empty, 'sp', 'sil') are left out, and
    labels are changed as `read_words` changes them.

    Raises
    ------
    AnnotationError : the file is no TextGrid, is cut off, has no such tier, no word in it or intervals that overlap;
        or what `read_words` raises.
    MissingFileError : there is no such file, or it is a pointer.

    Examples
    --------
    >>> grid = sorted(Path("data/phantom/annotation/EN").glob("*section1.TextGrid"))[0]
    >>> read_textgrid(grid).columns.tolist()
    ['word', 'onset', 'offset', 'section']
    """
    table, language, mend = _read_intervals(Path(path), section, tier, start, mend)
    return check_words(_correct(table, language if mend else None)[0], path, drop_untimed)


def clean_words(
    table: pd.DataFrame, path: str | Path, language: str | None = None, sections: range | None = SECTIONS
) -> pd.DataFrame:
    """Return the words of a table that was read elsewhere, cleaned and checked as `read_words` does it.

    table : word (labels as they stand in the file), onset, offset, section. path : for messages.
    language : of ds003643, whose labels are known; None for another annotation.
    sections : the numbers that a section may have; None for any from 1 on.
    """
    words = check_words(_correct(table[COLUMNS].assign(known=None), language)[0], path, sections=sections)
    check_language(words, language, path)
    return words


def changed_words(path: str | Path, language: str | None = None, mend: bool | None = None) -> pd.DataFrame:
    """Return what the readers change in a table or a TextGrid: row, was (the label), is ('' if left out), why.

    `path`, `language` and `mend` as in `read_words`.

    One row per label that is repaired, or left out although it is more than a blank or a pause.

    Examples
    --------
    >>> _ = Path("words.csv").write_text("word,onset,offset,section\\nonce,0.1,0.4,1\\n[noise],0.4,0.6,1")
    >>> changed_words("words.csv", language="EN")
       row      was is                           why
    0    1  [noise]     a label in brackets, no word
    """
    path = Path(path)
    read = _read_intervals(path, mend=mend) if path.suffix == ".TextGrid" else _read_csv(path, language, mend)
    table, language, mend = read
    return _correct(table, language if mend else None)[1]


def _read_csv(path: Path, language: str | None, mend: bool | None) -> tuple[pd.DataFrame, str | None, bool]:
    """Return the cells as text with what `known_corrections` makes of them, the language, and whether to mend.

    Rows are labelled by an unnamed first column of whole numbers, else by position.
    """
    text = _read_text(path)
    first = text.lstrip().partition("\n")[0]
    sep = next((mark for mark in ";\t" if {name.strip(' "\r') for name in first.split(mark)} >= set(COLUMNS)), ",")
    header, table = read_columns(text, path, dict(zip(COLUMNS, COLUMNS, strict=True)), sep)
    table = table.reset_index(drop=True)
    if header[0] in ("", "index", "Unnamed: 0") and table["label"].str.fullmatch(r"[0-9]{1,9}").all():
        table.index = table["label"].astype(int)
    table["word"] = table["word"].where(~table["word"].isin(_NOT_TEXT), "")
    language = language or _language_of(path)
    mend = (language is not None and not is_phantom(path)) if mend is None else mend
    known = known_corrections(language)[0] if mend else {}
    table["known"] = [known.get(label) for label in table.index]
    affected = table.index[table["known"].notna()]
    expected = ROWS_OF_DATASET.get(language or "")
    if len(affected) and expected not in (None, len(table)):
        warnings.warn(
            f"{path} has {len(table)} rows where ds003643 has {expected}; rows {list(affected)} are mended all the "
            "same. If this is not the dataset's file, read it with mend=False.",
            stacklevel=3,
        )
    return table, language, mend


def _read_intervals(
    path: Path,
    section: int | None = None,
    tier: str | int | None = None,
    start: float = 0.0,
    mend: bool | None = None,
) -> tuple[pd.DataFrame, str | None, bool]:
    """Return the intervals of a TextGrid like `_read_csv`, labelled by their lines."""
    intervals = choose_tier(read_tiers(_read_text(path), path), tier, path)
    for above, interval in pairwise(intervals):
        if interval.start < above.end - 1e-6:
            raise AnnotationError(
                f"{path}, line {interval.line} ({interval.text[:40]!r}): the interval begins at {interval.start:g} s, "
                f"before the one above it ends at {above.end:g} s. Correct it in the file"
            )
    if section is None:
        match = re.search(r"section[-_]?(\d{1,9})", path.name)
        section = int(match[1]) if match else 1
    rows = [(each.text, each.start - start, each.end - start, section, None) for each in intervals]
    labels = [f"line {interval.line}" for interval in intervals]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "known"], index=labels).astype({"word": object})
    language = _language_of(path)
    return table, language, (language is not None and not is_phantom(path)) if mend is None else mend


def _correct(table: pd.DataFrame, dataset: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that hold a word, as a reader would write it, and what was changed: row, was, is, why."""
    words, changes = [], []
    for row, label, known in zip(table.index, table["word"], table["known"], strict=True):
        word, why = as_written(label, dataset)
        if isinstance(known, str):
            word, why = known, "a row known to be wrong"
        words.append(word)
        if why:
            changes.append((row, label, word, why))
    corrected = table.assign(word=np.array(words, dtype=object))
    return corrected[corrected["word"] != ""], pd.DataFrame(changes, columns=["row", "was", "is", "why"])


def read_columns(text: str, path: Path, names: Mapping[str, str], sep: str) -> tuple[list[str], pd.DataFrame]:
    """Return a table's header, and the text of some of its columns and of the first, `label`, in rows 'line 2', ...

    names : {column of the result: column of the file}.
    """
    header, rows = read_cells(text, path, names.values(), sep, AnnotationError)
    places = {"label": 0} | {name: header.index(column) for name, column in names.items()}
    cells = [[row[place].strip() if place < len(row) else "" for place in places.values()] for row in rows.values()]
    table = pd.DataFrame(cells, [f"line {line}" for line in rows], list(places), dtype=object)
    if sep == ";":  # where semicolons separate columns, commas may separate decimals
        table[["onset", "offset"]] = table[["onset", "offset"]].apply(lambda column: column.str.replace(",", "."))
    return header, table


def _read_text(path: Path) -> str:
    advice = "Save it as UTF-8; French files are often Latin-1, which `iconv -f latin1 -t utf-8` turns into UTF-8"
    if "CN" in path.name:
        advice = "Save it as UTF-8; Chinese files of ds003643 before version 2.0.5 are damaged: get 2.0.5 or later"
    return read_text(path, AnnotationError, advice, damage=CONTROL_CHARACTERS)


def is_phantom(path: str | Path) -> bool:
    """Return whether a file belongs to a simulated study.

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


def _language_of(path: Path) -> str | None:
    match = re.match(r"lpp(EN|FR|CN)_(?:word_information|section)", path.name)
    return match[1] if match else None


def choose_tier(tiers: list[tuple[int, str, list[Interval]]], wanted: str | int | None, path: Path) -> list[Interval]:
    """Return the intervals of the tier that is called or numbered `wanted`, by default the only one or the words'."""
    listed = ", ".join(f"{number} {name}" for number, name, _ in tiers) or "none"
    chosen = [tier for number, name, tier in tiers if wanted in (name, number)]
    if wanted is None:
        named = [tier for _, name, tier in tiers if name.strip().lower() in ("word", "words")]
        chosen = [tier for *_, tier in tiers] if len(tiers) == 1 else named
    if len(chosen) == 1:
        return chosen[0]
    if wanted is None or chosen:
        raise AnnotationError(
            f"{path}: which interval tier holds the words? Name it with tier=..., by its number if two share a name; "
            f"these are: {listed}"
        )
    raise AnnotationError(f"{path}: no interval tier is called {wanted!r}; these are: {listed}")
