"""Files that are there in full, that are only pointers to content elsewhere, or that are missing; and tables in them.

Datasets of OpenNeuro are git-annex repositories. Until its content is fetched a file is a link that leads nowhere, or
(in a clone without links) a text of some 130 bytes that names where the content would lie. Both are distinguished from
content here, because nibabel or pandas would fail on them with an error that does not say so.
"""

import csv
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.errors import AnnotationError, BrainbookError, DatasetError

_POINTERS = {  # what a text begins with; on Windows with backslashes
    "git-annex": re.compile(rb"\s*(?:\.{0,2}[/\\])*(?:\.git[/\\])?annex[/\\]objects[/\\]"),
    "Git LFS": re.compile(rb"\s*version https://git-lfs"),
}
_POINTER_BYTES = 1024  # no pointer is longer
_MOST_COLUMNS = 10_000
CONTROL_CHARACTERS = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]"


class MissingFileError(DatasetError, AnnotationError):
    """A file is not there, or its content has not been downloaded yet."""


def check_name(name: str, path: str | Path) -> str:
    """Return a participant's name that a file bears, if it can stand in names of files and in pages as it is."""
    if not re.fullmatch(r"[^\W_][\w .+-]*", name):
        raise DatasetError(
            f"{path}: {name!r} cannot be a participant's name: letters, digits, spaces and . + - only. Rename the file"
        )
    return name


def check_content(path: str | Path) -> Path:
    """Return `path` if it is a file with content, else raise MissingFileError, which says how to get the content.

    Examples
    --------
    >>> path = Path("words.csv")
    >>> _ = path.write_text("word,onset,offset,section")
    >>> check_content(path).name
    'words.csv'
    """
    path = Path(path)
    if kind := _pointer_kind(path):
        raise MissingFileError(
            f"{path} is not downloaded yet: it is a {kind} pointer without content. {_how_to_get(path, kind)}"
        )
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise MissingFileError(f"{path} {what}. {_how_to_get(path, 'git-annex')}")
    return path


def is_pointer(path: str | Path) -> bool:
    """Return whether `path` stands for a file whose content was not fetched: a dangling link, or a pointer text."""
    return _pointer_kind(Path(path)) is not None


def _pointer_kind(path: Path) -> str | None:
    """Return 'git-annex', 'Git LFS', or None for a file that is no pointer."""
    if path.is_symlink() and not path.exists():
        return "git-annex"
    if not path.is_file() or path.stat().st_size > _POINTER_BYTES:
        return None
    content = path.read_bytes()
    return next((kind for kind, pattern in _POINTERS.items() if pattern.match(content)), None)


def _how_to_get(path: Path, kind: str) -> str:
    """Return the command that fetches a file: datalad or git in a clone of the dataset, openneuro-py without one."""
    names = ("dataset_description.json", "participants.tsv", ".datalad")
    above = (folder for folder in path.absolute().parents if any(os.path.lexists(folder / name) for name in names))
    root = next(above, None)
    if root is None:
        return "Check the path." if kind == "git-annex" else "Get it with `git lfs pull` in its repository."
    part = shlex.quote(str(path.absolute().relative_to(root)))
    little_prince, folder = (root / "annotation").is_dir(), shlex.quote(str(root))
    inside = f"datalad get {part}" if kind == "git-annex" else f"git lfs pull --include {part}"
    if not little_prince:
        return f"Get it with `cd {folder} && {inside}`."
    return (
        f"Get it with `cd {folder} && {inside}`, or without a clone "
        f"`openneuro-py download --dataset ds003643 --include {part} --target-dir {folder}` (version 2.0.5 or later)."
    )


def read_text(
    path: str | Path,
    error: type[BrainbookError] = DatasetError,
    advice: str = "Save it as UTF-8, or get it again",
    repair: Mapping[str, str] | None = None,
    damage: str = "[\0\ufffd]",
) -> str:
    """Return the text of a file in UTF-8 or, with a byte-order mark, UTF-16; `error` names the line that is no text.

    What `damage` matches after the replacements of `repair` is refused too: zero bytes, and the character that stands
    for lost letters.
    """
    content = check_content(path).read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as bad:
        line = content[: bad.start].count(b"\n") + 1
        raise error(f"{path}, line {line}: not text in UTF-8 ({bad.reason}). {advice}") from None
    for damaged, repaired in (repair or {}).items():
        text = text.replace(damaged, repaired)
    if match := re.search(damage, text):
        line = text.count("\n", 0, match.start()) + 1
        what = {"\0": "a zero byte", "\ufffd": "a replacement character, so letters were lost"}
        named = what.get(match[0], f"the control character {ord(match[0]):#04x}")
        raise error(f"{path}, line {line}: holds {named}. Get the file again, in UTF-8")
    return text


def split_cells(text: str, path: str | Path, sep: str, error: type[BrainbookError]) -> dict[int, list[str]]:
    """Return the cells of each line that is not empty, {line: cells}.

    Every line is a row: `error` names the line of a quote that would swallow the lines below it.
    """
    lines = {number: line for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()}
    rows = {}
    for number, line in lines.items():
        try:
            cells = next(csv.reader([line], delimiter=sep, skipinitialspace=True, strict=True))
        except csv.Error as bad:
            cells = line.split(sep)
            if '"' not in [cell.strip() for cell in cells]:  # a cell that is a quote is read as one
                what = f"a quote is left open, or a cell is too long ({bad}). Close or double it"
                raise error(f"{path}, line {number}: {what}") from None
        rows[number] = cells
    return rows


def read_cells(
    text: str, path: str | Path, columns: Iterable[str], sep: str, error: type[BrainbookError]
) -> tuple[list[str], dict[int, list[str]]]:
    """Return the names of the columns, and the cells of each further line that is not empty, {line: cells}.

    Beside what `split_cells` refuses, a missing or repeated one of `columns` is an error, and a line with more cells
    than the first.
    """
    rows = split_cells(text, path, sep, error)
    header = [name.strip() for name in rows.pop(next(iter(rows), 0), [])]
    counts = Counter(header)
    absent = [name for name in columns if not counts[name]]
    repeated = [name for name in columns if counts[name] > 1]
    if absent or repeated:
        what = "has no" if absent else "names more than once the"
        listed = ", ".join(header)[:200] or "none"
        raise error(f"{path} {what} column {', '.join(absent or repeated)}; its columns are {listed}")
    for number, cells in rows.items():
        if len(cells) > len(header):
            raise error(f"{path}, line {number}: {len(cells)} cells under {len(header)} columns")
    return header, rows


def read_table(
    path: str | Path,
    columns: dict[str, type],
    others: type = str,
    blank: tuple[str, ...] = (),
    sep: str = ",",
    error: type[BrainbookError] = DatasetError,
) -> pd.DataFrame:
    """Read a table of text or numbers whose first line names its columns.

    Parameters
    ----------
    columns : those that must be there, with what they hold: str, float or int (whole numbers).
    others : what all other columns hold.
    blank : columns of numbers in which empty cells, 'nan' and 'n/a' are NaN; elsewhere they are errors.
    sep : what separates cells.
    error : what is raised.

    Raises
    ------
    MissingFileError : there is no such file, or it is a pointer.
    `error` : names the line and the column: no UTF-8, a missing column, a line with more or fewer cells than the first,
        an open quote, a cell that is no such number; or there is no row at all.
    """
    header, rows = read_cells(read_text(path, error), path, columns, sep, error)
    if not rows:
        raise error(f"{path} names columns but has no row. Get it again")
    if len(header) > _MOST_COLUMNS:
        raise error(f"{path} names {len(header):,} columns, more than {_MOST_COLUMNS:,}: it is no such table")
    for line, cells in rows.items():
        if len(cells) < len(header):
            raise error(f"{path}, line {line}: {len(cells)} cells under {len(header)} columns")
    table = pd.DataFrame(list(rows.values()), columns=header, dtype=str)
    for position, name in enumerate(header):
        kind = columns.get(name, others)
        if kind is str:
            continue
        cells = table.iloc[:, position].str.strip()
        empty = cells.str.lower().isin(["", "nan", "n/a"]).to_numpy() & (name in blank)
        numbers = pd.to_numeric(cells.mask(empty), errors="coerce").to_numpy(dtype=float)
        bad = ~np.isfinite(numbers) & ~empty
        if kind is int:
            bad |= (numbers != np.round(numbers)) | (np.abs(numbers) > 2**53)
        if bad.any():
            row, what = int(bad.argmax()), "whole number" if kind is int else "number"
            more = f" (as {int(bad.sum())} cells)" if bad.sum() > 1 else ""
            where = f"{path}, line {list(rows)[row]}, column {name}"
            raise error(f"{where}: {table.iloc[row, position][:40]!r} is no {what}. Correct it{more}")
        table[name] = numbers.astype(int) if kind is int else numbers
    return table
