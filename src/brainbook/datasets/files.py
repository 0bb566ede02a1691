"""Files that are there in full, that are only pointers to content elsewhere, or that are missing; and tables in them.

Datasets of OpenNeuro are git-annex repositories. Until its content is fetched a file is a link that leads nowhere, or
(in a clone without links) a text of some 130 bytes that names where the content would lie. Both are told apart from
content here, because nibabel or pandas would fail on them with an error that says nothing about it.
"""

import csv
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.errors import AnnotationError, BrainbookError, DatasetError

_POINTERS = {  # what a text begins with; on Windows with backslashes
    "git-annex": re.compile(rb"\s*(?:\.{0,2}[/\\])*(?:\.git[/\\])?annex[/\\]objects[/\\]"),
    "Git LFS": re.compile(rb"\s*version https://git-lfs"),
}
_POINTER_BYTES = 1024  # no pointer is longer


class MissingFileError(DatasetError, AnnotationError):
    """A file is not there, or its content has not been downloaded yet."""


def check_content(path: str | Path) -> Path:
    """Return `path` if it is a file with content, else raise MissingFileError, which says how to get the content."""
    path = Path(path)
    if kind := _pointer(path):
        raise MissingFileError(
            f"{path} is not downloaded yet: it is a {kind} pointer without content. {how_to_get(path, kind)}"
        )
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise MissingFileError(f"{path} {what}. {how_to_get(path)}")
    return path


def is_pointer(path: str | Path) -> bool:
    """Whether `path` stands for a file whose content was not fetched: a dangling link, or a pointer text."""
    return _pointer(Path(path)) is not None


def _pointer(path: Path) -> str | None:
    """Whose pointer a file is: 'git-annex', 'Git LFS', or None if it is none."""
    if path.is_symlink() and not path.exists():
        return "git-annex"
    if not path.is_file() or path.stat().st_size > _POINTER_BYTES:
        return None
    content = path.read_bytes()
    return next((kind for kind, pattern in _POINTERS.items() if pattern.match(content)), None)


def how_to_get(path: Path, kind: str = "git-annex") -> str:
    """The command that fetches a file: datalad or git in a clone of the dataset, openneuro-py without one."""
    root = dataset_root(path)
    if root is None:
        return "Check the path." if kind == "git-annex" else "Get it with `git lfs pull` in its repository."
    part = shlex.quote(str(path.absolute().relative_to(root)))
    root = shlex.quote(str(root))
    inside = f"datalad get {part}" if kind == "git-annex" else f"git lfs pull --include {part}"
    return (
        f"Get it with `cd {root} && {inside}`, or without a clone "
        f"`openneuro-py download --dataset ds003643 --include {part} --target-dir {root}` (version 2.0.5 or later)."
    )


def dataset_root(path: Path) -> Path | None:
    """The nearest folder above `path` that looks like a BIDS dataset, or None."""
    for folder in path.absolute().parents:
        if (folder / "dataset_description.json").is_symlink() or any(
            (folder / name).exists() for name in ("dataset_description.json", "participants.tsv", ".datalad")
        ):
            return folder
    return None


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
    blank : columns of numbers in which a cell may be empty, 'nan' or 'n/a'; it becomes NaN.
    sep : ',' or a tab (then quotes are letters like others).

    Raises
    ------
    MissingFileError : there is no such file, or it is a pointer.
    `error` : names the line and the column: no UTF-8, a missing column, a line with more or fewer cells than the first,
        an open quote, a cell that is no such number; or there is no row at all.
    """
    path = check_content(path)
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        line = content[: bad.start].count(b"\n") + 1
        raise error(f"{path}, line {line}: not text in UTF-8 ({bad.reason}). Get it again") from None
    quoting = csv.QUOTE_MINIMAL if sep == "," else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sep, strict=True, quoting=quoting)
    rows, lines = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in columns if name not in header]
        twice = sorted({name for name in header if header.count(name) > 1})
        if missing or twice:
            what = "has no" if missing else "names more than once the"
            found = ", ".join(header)[:200] or "none"
            raise error(f"{path} {what} column {', '.join(missing or twice)}; its columns are {found}")
        for cells in filter(None, reader):
            if len(cells) != len(header):
                raise error(f"{path}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns")
            rows.append(cells)
            lines.append(reader.line_num)
    except csv.Error as bad:
        raise error(f"{path}, line {reader.line_num}: no table of cells separated by {sep!r}: {bad}") from None
    if not rows:
        raise error(f"{path} names columns but has no row. Get it again")
    table = pd.DataFrame(rows, columns=header, dtype=str)
    for position, name in enumerate(header):
        kind = columns.get(name, others)
        if kind is not str:
            values = table.iloc[:, position].str.strip()
            empty = values.str.lower().isin(["", "nan", "n/a"]).to_numpy() & (name in blank)
            numbers = pd.to_numeric(values.mask(empty), errors="coerce").to_numpy(dtype=float)
            bad = ~np.isfinite(numbers) & ~empty
            if kind is int:
                bad |= (numbers != np.round(numbers)) | (np.abs(numbers) > 2**53)
            if bad.any():
                row = int(bad.argmax())
                what = "whole number" if kind is int else "number"
                raise error(
                    f"{path}, line {lines[row]}, column {name}: {rows[row][position][:40]!r} is no {what}. "
                    f"Correct it{f' (as {int(bad.sum())} cells)' if bad.sum() > 1 else ''}"
                )
            table[name] = numbers.astype(int) if kind is int else numbers
    return table
