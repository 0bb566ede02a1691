"""Files of phantoms: a folder that is written whole or not at all, texts and tables that are the same bytes again."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.store import read_json, sync, write_json

AUTHORS = ["brainbook.phantom"]


def is_simulated(root: Path) -> bool:
    """Return whether a folder says that it was written by `make_phantom`, with or without its truth."""
    try:
        return read_json(root / "dataset_description.json").get("Authors") == AUTHORS
    except ConfigurationError:
        return False


def write_top(folder: Path, name: str, licence: str = "CC0", note: str = "", **more: str) -> None:
    """Write dataset_description.json, README and CHANGES; `name` says that it is a phantom, and in which layout."""
    content = {"Name": name, "BIDSVersion": "1.6.0", "License": licence, "Authors": AUTHORS, **more}
    write_json(folder / "dataset_description.json", content)
    kind = "null phantom" if "null phantom" in name else "phantom"
    first = f"A {kind}: nobody was scanned. Made by brainbook.phantom, described in truth/ if there.\n"
    write_text(folder / "README", f"{first}Nothing that is found here is true of brains.{note}")
    write_text(folder / "CHANGES", "1.0.0\n  - simulated")


def write_text(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write a text with a line's end after it, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding=encoding, newline="\n")


def write_csv(path: Path, table: pd.DataFrame, **options: Any) -> None:
    """Write a table without its index, six digits a number; `options` are those of pandas."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, **{"index": False, "lineterminator": "\n", "float_format": "%.6g", **options})


@contextmanager
def written_whole(root: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of `root` when the block succeeds; remove what killed processes left."""
    root = root.absolute()
    root.parent.mkdir(parents=True, exist_ok=True)
    for left in root.parent.glob(f".{root.name}.unfinished-*"):
        process = int(re.sub(r"\D", "", left.suffix) or 0)
        if process == os.getpid() or not _is_running(process):
            shutil.rmtree(left, ignore_errors=True)
    scratch = root.parent / f".{root.name}.unfinished-{os.getpid()}"
    folder = scratch / "new"
    folder.mkdir(parents=True)
    try:
        yield folder
        sync(*folder.rglob("*"), folder)
        if root.exists():
            root.rename(scratch / "old")
        folder.rename(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process > 0
