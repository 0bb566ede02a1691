"""`python -m brainbook.workflow.download FOLDER PARTICIPANT...`: the recordings of Le Petit Prince that a study needs.

openneuro-py fetches them: it goes on with files that broke off, checks sizes and checksums, and leaves alone what is
there already. This module says which files, how large they are, whose they are, and what may be done with them.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from brainbook.datasets import LittlePrince
from brainbook.errors import BrainbookError, ConfigurationError, DatasetError

DATASET = "ds003643"
VERSION = "2.0.7"  # before 2.0.5 the Chinese files are damaged
LICENCE = "CC0: free to use; please cite"
CITATION = (
    "Li, J., Bhattasali, S., Zhang, S., Franzluebbers, B., Luh, W.-M., Spreng, R. N., Brennan, J. R., Yang, Y., "
    "Pallier, C., & Hale, J. (2022). Le Petit Prince multilingual naturalistic fMRI corpus. Scientific Data, 9, 530. "
    "https://doi.org/10.1038/s41597-022-01625-7"
)
EVERYONE = ("dataset_description.json", "participants.tsv", "participants.json", "README", "CHANGES")
MIN_RETRIES = 5


def patterns(participants: Iterable[str], raw: bool = False) -> list[str]:
    """Return patterns of the files that a study of these participants needs: recordings, annotation of their languages.

    `raw` adds the echoes before preprocessing, which only the pitfalls chapter reads (three times as large).
    """
    participants = list(participants)
    wrong = [name for name in participants if not re.fullmatch(r"sub-(EN|FR|CN)\d{3}", name)]
    if wrong or not participants:
        raise ConfigurationError(
            f"participants are named like sub-EN057, sub-FR025, sub-CN003, not {', '.join(wrong) or 'nobody'}: "
            'say PARTICIPANTS="sub-EN057 sub-FR025"'
        )
    languages = sorted({name[4:6] for name in participants})
    annotation = [
        f"annotation/{code}/lpp{code}_{what}.csv" for code in languages for what in ("word_information", "prosody")
    ]
    bold = [f"derivatives/{name}/func/*_desc-preproc_bold.nii.gz" for name in participants]
    return [*annotation, *bold, *(f"{name}/func/*_bold.*" for name in participants if raw)]


def remote_files(participants: Iterable[str], raw: bool = False) -> dict[str, int]:
    """Ask OpenNeuro which of the dataset's files are needed: {path: bytes}; nothing is fetched.

    Raises DatasetError when OpenNeuro cannot be reached or has no recordings of a participant.
    """
    from openneuro import _download, _glob

    needed = patterns(participants, raw)
    try:
        snapshot = _download._get_download_metadata(
            dataset_id=DATASET, tag=VERSION, max_retries=MIN_RETRIES, metadata_timeout=60.0
        )
    except Exception as error:  # openneuro-py has no exceptions of its own
        raise DatasetError(f"OpenNeuro does not say what {DATASET} {VERSION} holds: {error}") from error
    sizes = {file.filename: file.size or 0 for file in snapshot.files}
    matches = _glob.glob_filter(list(sizes), needed)
    if absent := [pattern for pattern, paths in matches.items() if not paths]:
        raise DatasetError(f"{DATASET} {VERSION} has no {', '.join(absent)}: is the participant's name right?")
    paths = {path for paths in matches.values() for path in paths} | (set(EVERYONE) & set(sizes))
    return {path: sizes[path] for path in sorted(paths)}


def present_bytes(folder: str | Path, files: dict[str, int]) -> int:
    """Return how many bytes of `files` are in `folder` already."""
    present = {Path(folder, path): size for path, size in files.items() if Path(folder, path).is_file()}
    return sum(min(path.stat().st_size, size) for path, size in present.items())


def download(folder: str | Path, participants: Iterable[str], raw: bool = False) -> None:
    """Fetch what is missing into `folder`; what was begun is continued, sizes and checksums are compared.

    Raises DatasetError when something could not be fetched (the same command goes on from there), ConfigurationError
    when the disk is too small.
    """
    import openneuro

    folder, participants = Path(folder), list(participants)
    files = remote_files(participants, raw)
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(files.values()) - present_bytes(folder, files), shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigurationError(
            f"{megabytes(needed)} are to come and {megabytes(free)} are free on the disk of {folder}"
        )
    try:
        openneuro.download(
            dataset=DATASET,
            tag=VERSION,
            target_dir=folder,
            include=patterns(participants, raw),
            verify_hash=True,
            max_retries=MIN_RETRIES,
        )
    except (RuntimeError, OSError) as error:
        raise DatasetError(f"not everything came: {error} The same command goes on where it stopped.") from error


def megabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook.workflow.download", description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="where the dataset is to lie; what is there already is kept")
    parser.add_argument("participants", nargs="+", help="such as sub-EN057 sub-FR025 sub-CN003")
    parser.add_argument("--raw", action="store_true", help="the raw echoes, too")
    parser.add_argument("--sizes", action="store_true", help="say what would be fetched, and stop")
    options = parser.parse_args(arguments)
    try:
        files = remote_files(options.participants, options.raw)
        print(f"{DATASET} {VERSION}: {len(files)} files, {megabytes(sum(files.values()))},")
        print(f"of which {megabytes(present_bytes(options.folder, files))} are in {options.folder} already.")
        print(f"Licence: {LICENCE}\n{CITATION}", flush=True)
        if not options.sizes:
            download(options.folder, options.participants, options.raw)
            prince = LittlePrince(options.folder)
            for participant in options.participants:
                print(f"{participant}: {len(prince.runs(participant))} sections, as many scans as there should be")
    except BrainbookError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
