"""`python -m brainbook.workflow.download FOLDER PARTICIPANT...`: recordings that a study needs, from OpenNeuro.

Of Le Petit Prince (ds003643), or with `--dataset` of Narratives (ds002345) or LeBel et al. (ds003020), which were
tested against a stand-in for OpenNeuro only. openneuro-py fetches them: it goes on with files that broke off, compares
sizes, and checksums with those of the mirror NEMAR (where that cannot be asked, with what OpenNeuro's storage says),
and leaves alone what is there already. `download_sources` says which files, whose they are, and what may be done with
them; this module how large they are.
"""

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from brainbook.datasets import open_dataset
from brainbook.errors import BrainbookError, ConfigurationError, DatasetError
from brainbook.workflow.download_sources import SOURCES, Source

DATASET = "ds003643"
MIN_RETRIES = 5
LOOK_S, STALLED_S, LEAST_BYTES = 1.0, 1800.0, 1_000_000  # so little in so long is no download any more


def source_of(dataset: str = DATASET) -> Source:
    """Return what is known of a dataset on OpenNeuro; ConfigurationError for others than those."""
    if dataset not in SOURCES:
        listed = ", ".join(f"{name} ({source.title})" for name, source in SOURCES.items())
        raise ConfigurationError(f"dataset {dataset!r} is none of {listed}")
    return SOURCES[dataset]


def remote_files(
    participants: Iterable[str], raw: bool = False, dataset: str = DATASET, stories: Iterable[str] = ()
) -> dict[str, int]:
    """Ask OpenNeuro which files a study of these participants needs: {path: bytes}; nothing is fetched.

    Parameters
    ----------
    participants : named as the dataset does.
    raw : of ds003643 also the echoes before preprocessing, which only the chapter `pitfalls` reads (three times as
        large).
    dataset : its number on OpenNeuro.
    stories : only these, where participants heard several; by default all.

    Raises DatasetError when OpenNeuro cannot be reached or has no recordings of a participant.
    """
    from openneuro import _download, _glob

    source, participants = source_of(dataset), list(participants)
    needed = source.patterns(participants, raw, list(stories))
    try:
        snapshot = _download._get_download_metadata(
            dataset_id=dataset, tag=source.version, max_retries=MIN_RETRIES, metadata_timeout=60.0
        )
    except Exception as error:  # openneuro-py has no exceptions of its own
        raise DatasetError(f"OpenNeuro does not say what {source.name} holds: {error}") from error
    sizes = {file.filename: file.size or 0 for file in snapshot.files}
    matches = _glob.glob_filter(list(sizes), needed)
    if absent := [pattern for pattern, paths in matches.items() if not paths]:
        where = f" {source.elsewhere}" if source.elsewhere else ""
        raise DatasetError(f"{source.name} has no {', '.join(absent)}: is the participant's name right?{where}")
    extra = _glob.glob_filter(list(sizes), source.optional_patterns(participants))
    paths = {path for paths in [*matches.values(), *extra.values()] for path in paths}
    return {path: sizes[path] for path in sorted(paths)}


def present_bytes(folder: str | Path, files: dict[str, int]) -> int:
    """Return how many bytes of `files` are in `folder` already."""
    present = {Path(folder, path): size for path, size in files.items() if Path(folder, path).is_file()}
    return sum(min(path.stat().st_size, size) for path, size in present.items())


def download(
    folder: str | Path,
    participants: Iterable[str],
    raw: bool = False,
    dataset: str = DATASET,
    stories: Iterable[str] = (),
) -> None:
    """Fetch what is missing into `folder`; what was begun is continued, sizes and checksums are compared.

    Raises DatasetError when something could not be fetched (the same command goes on from there), ConfigurationError
    when the disk is too small.
    """
    import openneuro

    folder, participants, stories = Path(folder), list(participants), list(stories)
    files = remote_files(participants, raw, dataset, stories)
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(files.values()) - present_bytes(folder, files), shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigurationError(
            f"{megabytes(needed)} are to come and {megabytes(free)} are free on the disk of {folder}"
        )

    def fetch() -> None:
        openneuro.download(
            dataset=dataset,
            tag=source_of(dataset).version,
            target_dir=folder,
            include=sorted(files),
            verify_hash="nemar",  # its own checksums: storage knows none of files that came in several parts
            max_retries=MIN_RETRIES,
        )

    try:
        _while_it_grows(fetch, lambda: present_bytes(folder, files))
    except (RuntimeError, OSError) as error:
        raise DatasetError(f"not everything came: {error} The same command goes on where it stopped.") from error


def _while_it_grows(fetch: Callable[[], None], size: Callable[[], int]) -> None:
    """Call `fetch` and wait for it; OSError if `size` hardly grows meanwhile: a server that drips never ends."""
    failures: list[Exception] = []

    def call() -> None:
        try:
            fetch()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=call, daemon=True)  # ends with this process
    thread.start()
    seen, since = size(), time.monotonic()
    while thread.is_alive():
        thread.join(LOOK_S)
        if (now := size()) - seen >= LEAST_BYTES:
            seen, since = now, time.monotonic()
        elif thread.is_alive() and time.monotonic() - since > STALLED_S:
            raise OSError(f"the server sent less than {megabytes(LEAST_BYTES)} in {STALLED_S / 60:.0f} minutes.")
    if failures:
        raise failures[0]


def megabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook.workflow.download", description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="where the dataset is to lie; what is there already is kept")
    parser.add_argument("participants", nargs="+", help="such as sub-EN057 sub-FR025 sub-CN003")
    parser.add_argument("--dataset", default=DATASET, choices=list(SOURCES), help=f"on OpenNeuro (default {DATASET})")
    parser.add_argument("--stories", nargs="+", default=[], help="only these, where participants heard several")
    parser.add_argument("--raw", action="store_true", help="the raw echoes of ds003643, too")
    parser.add_argument("--sizes", action="store_true", help="say what would be fetched, and stop")
    options = parser.parse_args(arguments)
    wanted = {"raw": options.raw, "dataset": options.dataset, "stories": options.stories}
    try:
        source, files = source_of(options.dataset), remote_files(options.participants, **wanted)
        print(f"{source.name}: {len(files)} files, {megabytes(sum(files.values()))},")
        print(f"of which {megabytes(present_bytes(options.folder, files))} are in {options.folder} already.")
        print(f"Licence: {source.licence}\n{source.citation}", flush=True)
        if not options.sizes:
            download(options.folder, options.participants, **wanted)
            data = open_dataset(options.folder)
            for participant in options.participants:
                print(f"{participant}: {len(data.runs(participant))} sections, as many scans as there should be")
    except BrainbookError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
