"""`python -m brainbook.workflow.download FOLDER PARTICIPANT...`: the recordings of Le Petit Prince that a study needs.

openneuro-py fetches them: it goes on with files that broke off, checks sizes and checksums, and leaves alone what is
there already. This module says which files, how large they are, whose they are, and what may be done with them.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
FEWEST_RETRIES = 5


@dataclass(frozen=True)
class Plan:
    """What would be fetched: {path in the dataset: bytes}, and how many of these bytes are here already."""

    files: dict[str, int]
    present: int

    @property
    def total(self) -> int:
        return sum(self.files.values())


def patterns(participants: Iterable[str], raw: bool = False) -> list[str]:
    """Of the files that a study of these participants needs: their recordings, and the annotation of their languages.

    `raw` adds the echoes before preprocessing, which only the pitfalls chapter reads (three times as large).
    """
    participants = list(participants)
    wrong = [name for name in participants if not re.fullmatch(r"sub-(EN|FR|CN)\d{3}", name)]
    if wrong or not participants:
        raise ConfigurationError(
            f"participants are named like sub-EN057, sub-FR025, sub-CN003, not {', '.join(wrong) or 'nobody'}: "
            'say PARTICIPANTS="sub-EN057 sub-FR025"'
        )
    wanted = []
    for code in sorted({name[4:6] for name in participants}):
        wanted += [f"annotation/{code}/lpp{code}_{what}.csv" for what in ("word_information", "prosody")]
    for name in participants:
        wanted.append(f"derivatives/{name}/func/*_desc-preproc_bold.nii.gz")
        if raw:
            wanted.append(f"{name}/func/*_bold.*")
    return wanted


def plan(folder: str | Path, participants: Iterable[str], version: str | None = VERSION, raw: bool = False) -> Plan:
    """Ask OpenNeuro which files there are and how large; nothing is fetched.

    Raises DatasetError when OpenNeuro cannot be reached or has no recordings of a participant.
    """
    from openneuro import _download, _glob

    wanted = patterns(participants, raw)
    try:
        snapshot = _download._get_download_metadata(
            dataset_id=DATASET, tag=version, max_retries=FEWEST_RETRIES, metadata_timeout=60.0
        )
    except Exception as error:  # openneuro-py has no exceptions of its own
        raise DatasetError(f"OpenNeuro does not say what {DATASET} {version or ''} holds: {error}") from error
    sizes = {file.filename: file.size or 0 for file in snapshot.files}
    found = _glob.glob_filter(list(sizes), wanted)
    absent = [pattern for pattern, paths in found.items() if not paths]
    if absent:
        raise DatasetError(f"{DATASET} {version or ''} has no {', '.join(absent)}: is the participant's name right?")
    chosen = sorted({path for paths in found.values() for path in paths} | (set(EVERYONE) & set(sizes)))
    files = {path: sizes[path] for path in chosen}
    here = [(Path(folder) / path, size) for path, size in files.items()]
    return Plan(files, sum(min(path.stat().st_size, size) for path, size in here if path.is_file()))


def download(folder: str | Path, participants: Iterable[str], version: str | None = VERSION, raw: bool = False) -> Plan:
    """Fetch what is missing into `folder`; what was begun is continued, sizes and checksums are compared.

    Raises DatasetError when something could not be fetched (the same command goes on from there), ConfigurationError
    when the disk is too small.
    """
    import openneuro

    folder, participants = Path(folder), list(participants)
    wanted = plan(folder, participants, version, raw)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if wanted.total - wanted.present > free:
        needed = megabytes(wanted.total - wanted.present)
        raise ConfigurationError(f"{needed} are to come and {megabytes(free)} are free on the disk of {folder}")
    try:
        openneuro.download(
            dataset=DATASET,
            tag=version,
            target_dir=folder,
            include=patterns(participants, raw),
            verify_hash=True,
            verify_size=True,
            max_retries=FEWEST_RETRIES,
        )
    except (RuntimeError, OSError) as error:
        raise DatasetError(f"not everything came: {error} The same command goes on where it stopped.") from error
    torn = [path for path, size in wanted.files.items() if (folder / path).stat().st_size != size]
    if torn:
        raise DatasetError(f"of another size than OpenNeuro says: {', '.join(torn)}. The same command tries again")
    return wanted


def megabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook.workflow.download", description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="where the dataset is to lie; what is there already is kept")
    parser.add_argument("participants", nargs="+", help="such as sub-EN057 sub-FR025 sub-CN003")
    parser.add_argument("--version", default=VERSION, help=f"of the dataset (default {VERSION})")
    parser.add_argument("--raw", action="store_true", help="the raw echoes, too")
    parser.add_argument("--sizes", action="store_true", help="say what would be fetched, and stop")
    chosen = parser.parse_args(arguments)
    try:
        wanted = plan(chosen.folder, chosen.participants, chosen.version, chosen.raw)
        print(f"{DATASET} {chosen.version}: {len(wanted.files)} files, {megabytes(wanted.total)},")
        print(f"of which {megabytes(wanted.present)} are in {chosen.folder} already.")
        print(f"Licence: {LICENCE}\n{CITATION}", flush=True)
        if chosen.sizes:
            return 0
        download(chosen.folder, chosen.participants, chosen.version, chosen.raw)
        from brainbook.datasets import LittlePrince

        prince = LittlePrince(chosen.folder)
        for participant in chosen.participants:
            print(f"{participant}: {len(prince.runs(participant))} sections, as many scans as there should be")
    except BrainbookError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
