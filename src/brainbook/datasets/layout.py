"""Where ds003643 keeps its files, and which run is which section of the story.

The number in a file's name is the scanner's, not the story's: French participants have the runs 01 to 09, English ones
runs between 06 and 23 with gaps, Chinese ones between 04 and 17. The n-th PREPROCESSED run in numeric order is section
n. Raw folders cannot be ranked in its place: two participants have aborted runs there that were never preprocessed.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from brainbook.errors import DatasetError

LANGUAGES = ("EN", "FR", "CN")
N_SECTIONS = 9
_PARTICIPANT = re.compile(r"sub-(EN|FR|CN)(\d{3})")
_PREPROCESSED = re.compile(r"(sub-\w+)_task-lpp(EN|FR|CN)_run-(\d+)_space-MNIColin27_desc-preproc_bold\.nii(?:\.gz)?")
WANTED = "sub-EN057_task-lppEN_run-06_space-MNIColin27_desc-preproc_bold.nii.gz"
_ECHO = re.compile(r"(sub-\w+)_task-lpp(EN|FR|CN)_run-(\d+)_echo-(\d+)_bold\.nii(?:\.gz)?")


@dataclass(frozen=True)
class Run:
    """One section of the story as one participant heard it.

    Attributes
    ----------
    participant : such as 'sub-EN057'.
    language : 'EN', 'FR' or 'CN'.
    section : 1..9, what was told.
    number : the scanner's number of the run, which says nothing about the section.
    path : the preprocessed recording.
    n_scans : scans of the preprocessed recording, from the dataset's table.
    echoes : raw recordings by number of the echo (1, 2, 3); empty where the raw data is not there. Echoes are readings
        of the same scans at different times after excitation: they share all but the thermal noise, so they are no
        repetitions of the story.
    """

    participant: str
    language: str
    section: int
    number: int
    path: Path
    n_scans: int
    echoes: dict[int, Path]


def language_of(participant: str) -> str:
    """'EN' of 'sub-EN057'; DatasetError for anything that is no participant of this dataset."""
    found = _PARTICIPANT.fullmatch(participant)
    if not found:
        raise DatasetError(
            f"{participant!r} is no participant's name; they look like 'sub-EN057', 'sub-FR001', 'sub-CN001'"
        )
    return found.group(1)


def participants_of(root: Path, language: str) -> list[str]:
    """Participants with preprocessed recordings (downloaded or not), sorted."""
    found = []
    for folder in (root / "derivatives").glob(f"sub-{language}*"):
        if _PARTICIPANT.fullmatch(folder.name) and any(
            _PREPROCESSED.fullmatch(p.name) for p in _files(folder / "func")
        ):
            found.append(folder.name)
    return sorted(found)


def find_runs(root: Path, participant: str, scans: dict[int, int]) -> list[Run]:
    """The nine runs of a participant, section 1 first.

    Parameters
    ----------
    scans : {section: scans of its preprocessed recording}.

    Raises
    ------
    DatasetError : the participant is not there, has another number of preprocessed runs than nine (then their rank says
        nothing), two files for one run, or a file of another language.
    """
    language = language_of(participant)
    folder = root / "derivatives" / participant / "func"
    numbers: dict[int, Path] = {}
    for path in _files(folder):
        found = _PREPROCESSED.fullmatch(path.name)
        if not found:
            continue
        if found.group(1) != participant or found.group(2) != language:
            raise DatasetError(
                f"{path} lies in the folder of {participant}, who heard lpp{language}: move it where it belongs"
            )
        number = int(found.group(3))
        if number in numbers:
            raise DatasetError(f"{path} and {numbers[number].name} are both run {number} of {participant}: keep one")
        numbers[number] = path
    if not numbers:
        raise DatasetError(_nobody(root, participant))
    if len(numbers) != N_SECTIONS:
        others = [path.name for path in other_recordings(root) if path.parent == folder]
        also = f" {_named(others)}." if others else ""
        listed = ", ".join(map(str, sorted(numbers)))
        raise DatasetError(
            f"{folder} holds {len(numbers)} preprocessed runs ({listed}), not {N_SECTIONS}.{also} A run's section is "
            "its rank among all nine, so none can be told with some missing: get the others (a clone by datalad or git "
            "has all names at once; then `datalad get` those you need)"
        )
    echoes = _echoes(root, participant)
    return [
        Run(participant, language, section, number, numbers[number], scans[section], echoes.get(number, {}))
        for section, number in enumerate(sorted(numbers), 1)
    ]


def other_recordings(root: Path) -> list[Path]:
    """Images in derivatives/ (or one folder below it, as fMRIPrep writes them) that do not bear the published names."""
    folder = root / "derivatives"
    found = [*folder.glob("sub-*/func/*bold.nii*"), *folder.glob("*/sub-*/func/*bold.nii*")]
    return sorted(p for p in found if not p.name.startswith(".") and not _PREPROCESSED.fullmatch(p.name))


def explain_names(root: Path) -> str:
    """Which recordings lie in derivatives/ under other names than the published ones, and what those are like."""
    found = other_recordings(root)
    return f"{_named([str(path.relative_to(root)) for path in found])}. " if found else ""


def _named(found: list[str]) -> str:
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return (
        f"There are {', '.join(found[:2])}{more}, but only names such as derivatives/sub-EN057/func/{WANTED} are read "
        "(the dataset's own preprocessing; what fMRIPrep writes is named and placed otherwise)"
    )


def aborted_runs(root: Path, participant: str) -> list[int]:
    """Numbers of the raw runs that have no preprocessed recording."""
    done = {int(found.group(3)) for found in _matches(root / "derivatives" / participant / "func", _PREPROCESSED)}
    return sorted(set(_echoes(root, participant)) - done)


def _echoes(root: Path, participant: str) -> dict[int, dict[int, Path]]:
    """{number of the run: {number of the echo: path}}"""
    runs: dict[int, dict[int, Path]] = {}
    folder = root / participant / "func"
    for found in _matches(folder, _ECHO):
        runs.setdefault(int(found.group(3)), {})[int(found.group(4))] = folder / found.group(0)
    return {number: dict(sorted(echoes.items())) for number, echoes in runs.items()}


def _matches(folder: Path, pattern: re.Pattern) -> list[re.Match]:
    return [found for path in _files(folder) if (found := pattern.fullmatch(path.name))]


def _files(folder: Path) -> list[Path]:
    """What a folder lists, sorted; links that lead nowhere count, hidden files (and macOS's ._ twins) do not."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _nobody(root: Path, participant: str) -> str:
    known = participants_of(root, language_of(participant))
    message = f"no preprocessed recordings of {participant} in {root / 'derivatives'}. {explain_names(root)}"
    if (root / participant).is_dir():
        message += f"Its raw recordings are there; get the others with `datalad get derivatives/{participant}`. "
    if participant == "sub-FR057":
        message += (
            "The dataset has no sub-FR057: a figure of the seed paper names it, its public scripts read sub-FR025. "
        )
    near = difflib.get_close_matches(participant, known, n=3, cutoff=0) or known[:3]
    return message + (
        f"Participants that are there: {', '.join(near)} ... ({len(known)})" if known else "Nobody else is there."
    )
