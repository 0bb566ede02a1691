"""Where ds003643 keeps its recordings, and which run is which section of the story.

The number in a file's name is the scanner's, not the story's: French participants have the runs 01 to 09, English ones
runs between 06 and 23 with gaps, Chinese ones between 04 and 17. The n-th PREPROCESSED run in numeric order is section
n. Raw folders cannot be ranked in its place: two participants have aborted runs there that were never preprocessed.
"""

import difflib
import re
from pathlib import Path

from brainbook.datasets.base import Run
from brainbook.errors import DatasetError

LANGUAGES = ("EN", "FR", "CN")
PARTICIPANTS = {"EN": 49, "FR": 28, "CN": 35}  # in the whole dataset
N_SECTIONS = 9
STORY = "little_prince"
_PARTICIPANT = re.compile(r"sub-(EN|FR|CN)(\d{3})")
_RUN = r"(?P<participant>sub-\w+)_task-lpp(?P<language>EN|FR|CN)_run-(?P<number>\d+)_"
_PREPROCESSED = re.compile(_RUN + r"space-MNIColin27_desc-preproc_bold\.nii(?:\.gz)?")
_ECHO = re.compile(_RUN + r"echo-(?P<echo>\d+)_bold\.nii(?:\.gz)?")
_EXAMPLE = "derivatives/sub-EN057/func/sub-EN057_task-lppEN_run-06_space-MNIColin27_desc-preproc_bold.nii.gz"


def language_of(participant: str) -> str:
    """Return 'EN' for 'sub-EN057'; DatasetError for anything that is no participant of this dataset."""
    if match := _PARTICIPANT.fullmatch(participant):
        return match[1]
    raise DatasetError(
        f"{participant!r} is no participant's name; they look like 'sub-EN057', 'sub-FR001', 'sub-CN001'"
    )


def participants_of(root: Path, language: str) -> list[str]:
    """Return the participants with preprocessed recordings (downloaded or not), sorted."""
    folders = (root / "derivatives").glob(f"sub-{language}*")
    names = [path.name for path in folders if _PARTICIPANT.fullmatch(path.name)]
    return sorted(name for name in names if _matches(_preprocessed_folder(root, name), _PREPROCESSED))


def find_runs(root: Path, participant: str, n_scans: dict[int, int]) -> list[Run]:
    """Return the nine runs of a participant, section 1 first.

    Parameters
    ----------
    n_scans : {section: scans of its preprocessed recording}.

    Raises
    ------
    DatasetError : the participant is not there, has another number of preprocessed runs than nine (then their rank
        is meaningless), two files for one run, or a file of another language.
    """
    language, folder = language_of(participant), _preprocessed_folder(root, participant)
    recordings: dict[int, Path] = {}
    for path, name in _matches(folder, _PREPROCESSED):
        if (name["participant"], name["language"]) != (participant, language):
            raise DatasetError(
                f"{path} lies in the folder of {participant}, who heard lpp{language}: move it where it belongs"
            )
        number = int(name["number"])
        if number in recordings:
            raise DatasetError(f"{path} and {recordings[number].name} are both run {number} of {participant}: keep one")
        recordings[number] = path
    if not recordings:
        raise DatasetError(_describe_absent(root, participant))
    if len(recordings) != N_SECTIONS:
        listed = ", ".join(map(str, sorted(recordings)))
        raise DatasetError(
            f"{folder} holds {len(recordings)} preprocessed runs ({listed}), not {N_SECTIONS}. "
            f"{describe_other_names(root, participant)}A run's section is its rank among all nine, so none is known "
            "with some missing: get the others (a clone by datalad or git has all names at once; then `datalad get` "
            "those you need)"
        )
    echoes = _echoes(root, participant)
    return [
        Run(participant, language, section, number, recordings[number], n_scans[section], echoes.get(number, {}), STORY)
        for section, number in enumerate(sorted(recordings), 1)
    ]


def describe_other_names(root: Path, participant: str = "sub-*") -> str:
    """Say which recordings in derivatives/, or one folder below, bear other names than the published ones."""
    paths = [path for start in ("", "*/") for path in root.glob(f"derivatives/{start}{participant}/func/*bold.nii*")]
    names = sorted(
        str(path.relative_to(root))
        for path in paths
        if not path.name.startswith(".") and not _PREPROCESSED.fullmatch(path.name)
    )
    if not names:
        return ""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return (
        f"There are {', '.join(names[:2])}{more}, but only names such as {_EXAMPLE} are read "
        "(the dataset's own preprocessing; what fMRIPrep writes is named and placed otherwise). "
    )


def _preprocessed_folder(root: Path, participant: str) -> Path:
    return root / "derivatives" / participant / "func"


def _echoes(root: Path, participant: str) -> dict[int, dict[int, Path]]:
    """Return {number of the run: {number of the echo: path}}."""
    runs: dict[int, dict[int, Path]] = {}
    for path, name in _matches(root / participant / "func", _ECHO):
        runs.setdefault(int(name["number"]), {})[int(name["echo"])] = path
    return {number: dict(sorted(echoes.items())) for number, echoes in runs.items()}


def _matches(folder: Path, pattern: re.Pattern) -> list[tuple[Path, re.Match]]:
    """List the files whose names match, sorted; links that lead nowhere count, hidden files do not."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [(path, match) for path in paths if (match := pattern.fullmatch(path.name))]


def _describe_absent(root: Path, participant: str) -> str:
    known = participants_of(root, language_of(participant))
    message = f"no preprocessed recordings of {participant} in {root / 'derivatives'}. {describe_other_names(root)}"
    if (root / participant).is_dir():
        message += f"Its raw recordings are there; get the others with `datalad get derivatives/{participant}`. "
    if participant == "sub-FR057":
        message += "ds003643 has no sub-FR057: a figure of the paper names it, its public scripts read sub-FR025. "
    near = difflib.get_close_matches(participant, known, n=3, cutoff=0)
    return f"{message}Participants that are there: {', '.join(near) or 'none'} ... ({len(known)})"
