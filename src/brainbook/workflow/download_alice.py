"""`python -m brainbook.workflow.download_alice [FOLDER]`: the recordings of Alice (CC BY 4.0), 3.3 MB; `make alice`.

Brennan et al. (2016) share two archives on their laboratory's page. Their links are read off that page, since such
links move; what they lead to is taken only if its content has the checksums in `alice_files.csv`. What is in the folder
already is kept, and an archive that broke off is continued.
"""

import argparse
import hashlib
import html
import os
import re
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pandas as pd

from brainbook.errors import BrainbookError, DatasetError

PAGE = "https://sites.lsa.umich.edu/cnllab/2016/06/11/data-sharing-fmri-timecourses-story-listening/"
# The same archives under the addresses that code of Beinborn, Abnar & Choenni (2019), who read them, gives.
OTHERS = (
    "https://drive.google.com/file/d/0By_8Ci8eoDI4Q3NwUEFPRExIeG8/view",
    "https://drive.google.com/file/d/0By_8Ci8eoDI4d2I4bEF1VEZKZjA/view",
)
LICENCE = "CC BY 4.0: share and adapt, and name the authors"
CITATION = (
    "Brennan, J. R., Stabler, E. P., Van Wagenen, S. E., Luh, W.-M., & Hale, J. T. (2016). Abstract linguistic "
    "structure correlates with temporal activity during naturalistic comprehension. Brain and Language, 157-158, 81-94."
)
TIMEOUT, OVERALL = 30, 900  # seconds without an answer, and in all for one archive
MOST_BYTES, LARGEST = 1_000_000_000, 10_000_000  # of an archive (it holds the sound), and of a file that is taken
BY_HAND = f"By hand: save both archives from {PAGE} into a folder, and say `make alice FROM=that/folder`"
_LINK = re.compile(r"""href=["']([^"']*(?:\.zip|drive\.google\.com/(?:file/d/|open\?id=)|box\.com/)[^"']*)["']""")
_DRIVE = re.compile(r"drive\.google\.com/(?:file/d/|open\?id=|uc\?.*id=)([\w-]+)(?:.*[?&](resourcekey=[\w-]+))?")


def default_folder() -> Path:
    """Return where the studies look for the recordings: ${BRAINBOOK_DATA}/alice, by default ../shared/data/alice."""
    return Path(os.environ.get("BRAINBOOK_DATA") or "../shared/data") / "alice"


def published_files() -> dict[str, str]:
    """Return {path in the folder: SHA-256 of the file}."""
    table = pd.read_csv(files("brainbook.workflow").joinpath("alice_files.csv"))
    return dict(zip(table["path"], table["sha256"], strict=True))


def missing_files(folder: str | Path) -> dict[str, str]:
    """Return those of the published files that are not in `folder`, or have another content there."""
    found = {path: Path(folder, path) for path in published_files()}
    return {
        path: key
        for path, key in published_files().items()
        if not found[path].is_file() or hashlib.sha256(found[path].read_bytes()).hexdigest() != key
    }


def download(folder: str | Path, source: str | Path | None = None) -> int:
    """Fetch what is missing into `folder`; returns how many files came.

    source : a folder of archives that were saved by hand, in place of the network.

    Raises DatasetError when something is still missing afterwards: what, why, and how to go on.
    """
    folder, problems = Path(folder), []
    before = missing_files(folder)
    if not before:
        return 0
    if source is not None:
        for archive in sorted(Path(source).glob("*.zip")):
            problems += _unpack(archive, folder)
    else:
        for address in _addresses(problems):
            if not missing_files(folder):
                break
            try:
                problems += _unpack(_fetch(address, folder / ".downloads"), folder)
            except OSError as error:  # urllib's errors are among them
                problems.append(f"{address}: {error}")
    if missing := missing_files(folder):
        why = "; ".join(problems) or "nothing that was found there is one of them"
        raise DatasetError(
            f"{len(missing)} of {len(published_files())} files of Alice are missing in {folder.absolute()} ({why}). "
            f"The same command goes on where it stopped. {BY_HAND}"
        )
    return len(before)


def _addresses(problems: list[str]) -> Iterator[str]:
    """Yield the addresses of archives: those that the page links to, then the others."""
    try:
        with urllib.request.urlopen(PAGE, timeout=TIMEOUT) as answer:
            page = answer.read(LARGEST).decode("utf-8", "replace")
        yield from dict.fromkeys(html.unescape(link) for link in _LINK.findall(page))
    except OSError as error:
        problems.append(f"{PAGE} cannot be read: {error}")
        return  # without a network the others cannot be reached either
    yield from OTHERS


def _fetch(address: str, folder: Path) -> Path:
    """Download an archive into `folder`, going on with what an earlier try left; returns its path."""
    if not address.startswith(("https://", "http://")):
        raise OSError("it is no address on the web")
    folder.mkdir(parents=True, exist_ok=True)
    if match := _DRIVE.search(address):
        key = f"&{match[2]}" if match[2] else ""
        address = f"https://drive.usercontent.google.com/download?id={match[1]}&export=download&confirm=t{key}"
    path = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.zip"
    part = path.with_suffix(".part")
    if path.is_file():
        return path
    there = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            there = there if answer.status == 206 else 0  # 206: the rest; 200: all of it again
            promised = there + int(answer.headers.get("Content-Length", 0))
            began = time.monotonic()
            with part.open("ab" if there else "wb") as stream:
                while block := answer.read1(1 << 16):
                    stream.write(block)
                    if stream.tell() > MOST_BYTES or time.monotonic() - began > OVERALL:
                        raise OSError(f"it sends more than {MOST_BYTES} bytes, or takes more than {OVERALL} s")
        if part.stat().st_size < promised:
            raise OSError(f"broke off after {part.stat().st_size} of {promised} bytes")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing is left to send: the last try stopped after the last byte
            raise
    return part.replace(path)


def _unpack(archive: Path, folder: Path) -> list[str]:
    """Copy the published files that an archive holds to their places; returns what went wrong with it."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            contents = {}
            for entry in zipped.infolist():
                if not entry.filename.endswith((".wav", ".mp3", "/")) and entry.file_size < LARGEST:
                    content = zipped.read(entry)
                    contents[hashlib.sha256(content).hexdigest()] = content
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error) as error:
        if archive.parent.name == ".downloads":  # ours, so that the next try does not find it again
            archive.unlink()
        return [f"{archive.name} is no archive ({error})"]
    for path, key in missing_files(folder).items():
        if key in contents:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(contents[key])
    return []


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m brainbook.workflow.download_alice", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", nargs="?", default=default_folder(), help="default: ${BRAINBOOK_DATA}/alice")
    parser.add_argument("--from", dest="source", default=None, help="a folder of the archives, saved by hand")
    options = parser.parse_args(arguments)
    print(f"Alice, {LICENCE}.\n{CITATION}", flush=True)
    try:
        came = download(options.folder, options.source)
    except (BrainbookError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    what = f"{came} files came" if came else "all files are there already"
    print(f"{what}: {Path(options.folder).absolute()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
