"""Files of words as text and as cells, before anything is known of what they hold."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.errors import AnnotationError

COLUMNS = ["word", "onset", "offset", "section"]
_NUMBER = re.compile(r"[-+]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,3})?", re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


def decode(path: Path) -> str:
    """The text of a file in UTF-8, or (with a mark) UTF-16; AnnotationError names the line that is no text."""
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        advice = "Save it as UTF-8; French files are often Latin-1, which `iconv -f latin1 -t utf-8` turns into UTF-8"
        if "CN" in path.name:
            advice = "Save it as UTF-8; Chinese files of ds003643 before version 2.0.5 are damaged: get 2.0.5 or later"
        raise AnnotationError(f"{path}, line {line}: not text in UTF-8 ({error.reason}). {advice}") from None
    damage = _CONTROL.search(text)
    if damage:
        line = text.count("\n", 0, damage.start()) + 1
        what = {"\0": "a zero byte", "\ufffd": "a replacement character, so letters were lost"}
        found = what.get(damage[0], f"the control character {ord(damage[0]):#04x}")
        raise AnnotationError(f"{path}, line {line}: holds {found}. Get the file again, in UTF-8")
    return text


def parse_table(text: str, path: Path) -> pd.DataFrame:
    """The columns of a table of words as text, labelled by an unnamed first column of whole numbers, else by position.

    Every line is a row: a quote that swallows the lines below it is an error.
    """
    lines = [(number, line) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    first = lines[0][1] if lines else ""
    named = {mark: {name.strip(' "') for name in first.split(mark)} for mark in ",;\t"}
    separator = next((mark for mark, names in named.items() if names.issuperset(COLUMNS)), ",")
    header = [name.strip() for name in _cells(first, separator, 0, path, 1)] if lines else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        found = ", ".join(header)[:200] or "none"
        raise AnnotationError(f"{path}: no column {', '.join(missing)}; the first line names these columns: {found}")
    repeated = [name for name in COLUMNS if header.count(name) > 1]
    if repeated:
        raise AnnotationError(f"{path}: the first line names the column {', '.join(repeated)} more than once")
    places = [0, *(header.index(name) for name in COLUMNS)]
    rows = []
    for number, line in lines[1:]:
        cells = _cells(line, separator, len(header), path, number)
        rows.append([cells[place].strip() if place < len(cells) else "" for place in places])
    table = pd.DataFrame(rows, columns=["label", *COLUMNS], dtype=object)
    if separator == ";":  # where semicolons part columns, commas may part decimals
        table[["onset", "offset"]] = table[["onset", "offset"]].apply(lambda column: column.str.replace(",", "."))
    if header[0] in ("", "index", "Unnamed: 0") and table["label"].str.fullmatch(r"[0-9]{1,9}").all():
        table.index = table["label"].astype(int)
    return table[COLUMNS].copy()


def _cells(line: str, separator: str, most: int, path: Path, number: int) -> list[str]:
    """The cells of a line, of which there may be at most `most` (0: any number)."""
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error as error:
        cells = line.split(separator)
        if '"' not in [cell.strip() for cell in cells]:  # a word that is a quote is read as one
            raise AnnotationError(
                f"{path}, line {number}: a quote is left open, or a cell is too long ({error}). Close or double it"
            ) from None
    if most and len(cells) > most:
        raise AnnotationError(f"{path}, line {number}: {len(cells)} cells, but the first line names {most} columns")
    return cells


def numbers(column: pd.Series) -> np.ndarray:
    """Floats; NaN where the text is no decimal number."""
    return np.array([float(x) if _NUMBER.fullmatch(str(x)) else np.nan for x in column], dtype=float)
