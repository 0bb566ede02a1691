"""Files that are there in full, that are only pointers to content elsewhere, or that are missing.

Datasets of OpenNeuro are git-annex repositories. Until its content is fetched a file is a link that leads nowhere, or
(in a clone without links) a text of some 130 bytes that names where the content would lie. Both are told apart from
content here, because nibabel or pandas would fail on them with an error that says nothing about it.
"""

import re
from pathlib import Path

from brainbook.errors import AnnotationError, DatasetError

_POINTER = re.compile(rb"^\s*(?:(?:\.{0,2}/)*(?:\.git/)?annex/objects/|version https://git-lfs)")
_POINTER_BYTES = 1024  # no pointer is longer


class MissingFileError(DatasetError, AnnotationError):
    """A file is not there, or its content has not been downloaded yet."""


def check_content(path: str | Path) -> Path:
    """Return `path` if it is a file with content, else raise MissingFileError, which says how to get the content."""
    path = Path(path)
    if is_pointer(path):
        raise MissingFileError(
            f"{path} is not downloaded yet: it is a git-annex pointer without content. {how_to_get(path)}"
        )
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise MissingFileError(f"{path} {what}. {how_to_get(path)}")
    return path


def is_pointer(path: str | Path) -> bool:
    """Whether `path` stands for a file whose content was not fetched: a dangling link, or a pointer text."""
    path = Path(path)
    if path.is_symlink() and not path.exists():
        return True
    if not path.is_file() or path.stat().st_size > _POINTER_BYTES:
        return False
    with path.open("rb") as stream:
        return _POINTER.match(stream.read(_POINTER_BYTES)) is not None


def how_to_get(path: Path) -> str:
    """The command that fetches a file: datalad inside a clone of the dataset, openneuro-py without one."""
    root = dataset_root(path)
    if root is None:
        return "Check the path."
    part = path.absolute().relative_to(root)
    return (
        f"Get it with `cd {root} && datalad get {part}`, or without datalad "
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
