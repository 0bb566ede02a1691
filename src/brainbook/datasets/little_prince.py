"""Le Petit Prince (OpenNeuro ds003643): 112 participants who heard the same story in English, French or Chinese.

Li et al. (2022), Scientific Data 9, 530; CC0. A phantom (`brainbook.phantom`) is written in the same layout and opened
by the same class; it carries its own table of scans in annotation/scans.csv.
"""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import pandas as pd

from brainbook.datasets.base import Responses, Run, once
from brainbook.datasets.files import is_pointer, read_table
from brainbook.datasets.images import check_same_place, check_scans, open_image, says_repetition_time
from brainbook.datasets.little_prince_runs import (
    LANGUAGES,
    N_SECTIONS,
    STORY,
    describe_other_names,
    find_runs,
    language_of,
    participants_of,
)
from brainbook.datasets.recordings import VolumeRecording
from brainbook.datasets.responses import TARGETS, load_responses
from brainbook.datasets.word_checks import check_clock
from brainbook.datasets.words import changed_words, read_words
from brainbook.errors import AnnotationError, DatasetError

_FOLDER = Path(__file__).parent
HOW_TO_GET = (
    "Get it (CC0; version 2.0.5 or later, earlier ones hold damaged Chinese files) with `datalad clone "
    "https://github.com/OpenNeuroDatasets/ds003643` and `datalad get annotation derivatives/sub-EN057`, or make a "
    "phantom with `python -m brainbook.phantom FOLDER`"
)


def reliability_by_region() -> pd.DataFrame:
    """Return the correlation between average responses of two halves of a language's participants, by Destrieux region.

    From the maps of Bonnasse-Gahot & Pallier (NeurIPS 2024). A reliability is no bound on r. Columns: region,
    hemisphere, EN, FR, CN, coverage (share of the region's vertices inside the published maps).
    """
    return pd.read_csv(_FOLDER / "little_prince_reliability.csv")


def own_scans(root: Path) -> Path | None:
    """Return a folder's own table of scans per section; phantoms have one (older ones in truth/), ds003643 has not."""
    return next((path for path in (root / "annotation/scans.csv", root / "truth/scans.csv") if path.is_file()), None)


class LittlePrince:
    """The recordings and the annotation of one folder in the layout of ds003643.

    Parameters
    ----------
    root : the dataset's folder, which holds annotation/ and derivatives/ (and perhaps the raw sub-*/).

    Attributes
    ----------
    tr : seconds from one scan to the next.
    stories : the one story.
    languages : those of 'EN', 'FR', 'CN' that have preprocessed recordings here.

    Raises
    ------
    DatasetError : the folder is not there or is no such dataset; the message says how to get it. What is listed but not
        downloaded (a git-annex link or pointer) is only refused when it is read.

    Examples
    --------
    >>> prince = LittlePrince("data/phantom")
    >>> prince.participants("EN")
    ['sub-EN057']
    >>> prince.words("EN").columns.tolist()
    ['word', 'onset', 'offset', 'section']
    >>> prince.bold("sub-EN057", section=1).shape
    (15, 18, 15, 30)
    """

    tr = 2.0
    stories = (STORY,)
    targets = TARGETS
    license = "CC0"

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DatasetError(f"there is no folder {self.root.absolute()}. {HOW_TO_GET}")
        missing = [name for name in ("annotation", "derivatives") if not (self.root / name).is_dir()]
        if missing:
            raise DatasetError(f"{self.root.absolute()} holds no folder {' and no '.join(missing)}. {HOW_TO_GET}")
        self.languages = tuple(language for language in LANGUAGES if participants_of(self.root, language))
        if not self.languages:
            raise DatasetError(
                f"{self.root / 'derivatives'} holds no preprocessed recording of a participant. "
                f"{describe_other_names(self.root)}{HOW_TO_GET}"
            )

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.participants(language))} {language}" for language in self.languages)
        return f"LittlePrince({str(self.root)!r}: {counts})"

    @property
    def is_phantom(self) -> bool:
        """Whether the folder is a simulated study, with its truth beside it."""
        return (self.root / "truth").is_dir()

    def participants(self, language: str) -> list[str]:
        """Return names such as 'sub-FR001', sorted, of those whose preprocessed recordings are listed here."""
        self._check_language(language)
        return participants_of(self.root, language)

    @cached_property
    def participants_table(self) -> pd.DataFrame:
        """participants.tsv (age, sex, ...) as text, one row per participant; it starts with a byte-order mark."""
        path = self.root / "participants.tsv"
        table = read_table(path, {"participant_id": str}, sep="\t")
        repeated = table.participant_id[table.participant_id.duplicated()]
        if len(repeated):
            raise DatasetError(f"{path} has more than one row for {', '.join(repeated.unique())}: keep one of each")
        return table

    @cached_property
    def scans_table(self) -> pd.DataFrame:
        """Columns language, section, audio_seconds, scans_raw, scans_preprocessed: the phantom's own, or ds003643's."""
        source = own_scans(self.root) or _FOLDER / "little_prince_scans.csv"
        numbers = {"section": int, "audio_seconds": float, "scans_raw": int, "scans_preprocessed": int}
        table = read_table(source, {"language": str, **numbers})
        possible = "audio_seconds > 0 and 2 <= scans_preprocessed <= scans_raw"
        for row in table.query(f"not ({possible})").itertuples():
            raise DatasetError(
                f"{source}, {row.language}, section {row.section}: {row.audio_seconds:g} s of audio, {row.scans_raw} "
                f"raw and {row.scans_preprocessed} preprocessed scans cannot be. Correct it"
            )
        for language in self.languages:
            sections = sorted(table.section[table.language == language])
            if sections != list(range(1, N_SECTIONS + 1)):
                raise DatasetError(
                    f"{source} has the sections {sections} for {language}, not 1 to {N_SECTIONS}, each once"
                )
        return table

    def scans(self, language: str) -> dict[int, int]:
        """Return {section: scans of its preprocessed recording}. Scan 0 is at the start of the section's audio."""
        return self._column(language, "scans_preprocessed")

    def starts(self, language: str) -> dict[int, float]:
        """Return {section: 0.0}: scan 0 is at the start of the section's audio."""
        return dict.fromkeys(self.scans(language), 0.0)

    def nuisance(self, participant: str) -> None:
        """Return None: the preprocessed recordings come without signals of no interest."""

    def repeats(self, participant: str, targets: str = "regions", cache: str | Path | None = None) -> dict:
        """Return {}: every section was heard once."""
        return {}

    def audio_seconds(self, language: str) -> dict[int, float]:
        """Return {section: duration of its audio in seconds}; EN keeps 4 and FR 2 scans after its end, CN none."""
        return self._column(language, "audio_seconds")

    @once
    def runs(self, participant: str) -> list[Run]:
        """Return the nine runs of a participant, section 1 first (see `little_prince_runs` for what a section is).

        Recordings that are downloaded are opened: each must have as many scans as the table says for its section and
        the dataset's repetition time, and all must lie in one place. Headers without a repetition time get a warning.
        """
        language = language_of(participant)
        scans = self.scans(language) if language in self.languages else dict.fromkeys(range(1, N_SECTIONS + 1), 0)
        runs = find_runs(self.root, participant, scans)
        images = {run.path: open_image(run.path) for run in runs if not is_pointer(run.path)}
        for run in runs:
            if run.path in images:
                check_scans(images[run.path], run.n_scans, run.path, run.section)
        silent = [path.name for path, image in images.items() if not says_repetition_time(image, self.tr, path)]
        if silent:
            warnings.warn(
                f"the headers of {len(silent)} of {len(runs)} recordings of {participant} do not say how far apart "
                f"scans are (0 or 1 s; {silent[0]}): {self.tr:g} s are taken for granted",
                stacklevel=3,
            )
        if images:
            check_same_place(images)
        return runs

    def run(self, participant: str, section: int) -> Run:
        """Return the run in which a participant heard a section (1..9)."""
        if section not in range(1, N_SECTIONS + 1):
            raise DatasetError(f"section {section!r} is not one of the sections 1 to {N_SECTIONS}")
        return self.runs(participant)[section - 1]

    def bold(self, participant: str, section: int, echo: int | None = None) -> nib.spatialimages.SpatialImage:
        """Return a recording as a nibabel image [x, y, z, scans] whose data is read when it is needed.

        Parameters
        ----------
        section : 1..9.
        echo : None for the preprocessed recording; 1, 2 or 3 for a raw echo, in the participant's own space. The raw
            scans before the audio (4 in EN and CN) are left out, so scan 0 is the same moment in both.

        Raises
        ------
        MissingFileError (a DatasetError) : the recording is not downloaded; the message has the command.
        DatasetError : it cannot be opened, or has another number of scans than the table says.
        """
        run = self.run(participant, section)
        if echo is None:
            image = open_image(run.path)
            check_scans(image, run.n_scans, run.path, section)
            return image
        if echo not in run.echoes:
            there = ", ".join(map(str, run.echoes)) or f"none; get them with `datalad get {participant}/func`"
            raise DatasetError(
                f"{participant}, section {section}: no echo {echo!r} in {self.root / participant}; there: {there}"
            )
        image = open_image(run.echoes[echo])
        raw = self._column(run.language, "scans_raw")[section]
        check_scans(image, raw, run.echoes[echo], section)
        says_repetition_time(image, self.tr, run.echoes[echo])
        return image.slicer[..., raw - run.n_scans :]

    def recording(self, run: Run) -> VolumeRecording:
        """Return the preprocessed recording of a run, once it has as many scans as the table says."""
        recording = VolumeRecording(run.path)
        check_scans(recording.image, run.n_scans, run.path, run.section)
        return recording

    @once
    def words(self, language: str) -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds from the start of the section's audio), section (1..9).

        What is known to be wrong is mended (`changed_words` shows it), but nothing of a phantom. There is no
        punctuation: the words in order are the text. Words off the clock of their section's audio are refused.
        """
        self._check_language(language)
        path = self._word_information(language)
        words = read_words(path, language)
        silent = set(range(1, N_SECTIONS + 1)) - set(words.section)
        if silent:
            raise AnnotationError(f"{path} has no word in section {', '.join(map(str, sorted(silent)))}: get it again")
        check_clock(words, self.audio_seconds(language), path)
        return words

    def changed_words(self, language: str) -> pd.DataFrame:
        """Return what `words` changes in the dataset's table: row (its label there), was, is ('' if left out), why."""
        self._check_language(language)
        return changed_words(self._word_information(language), language)

    def _word_information(self, language: str) -> Path:
        return self.root / "annotation" / language / f"lpp{language}_word_information.csv"

    def prosody(self, language: str) -> pd.DataFrame:
        """Return the published sound of the reading: section, time (s), intensity (dB), f0 (Hz; NaN if empty)."""
        self._check_language(language)
        path = self.root / "annotation" / language / f"lpp{language}_prosody.csv"
        columns = {"section": int, "time": float, "intensity": float, "f0": float}
        return read_table(path, columns, blank=("intensity", "f0"), error=AnnotationError)[list(columns)]

    def responses(
        self, participant: str, targets: str = "regions", cache: str | Path | None = None, sampling: str = "line"
    ) -> Responses:
        """Return the cleaned recordings of all nine sections on the cortical surface (see `load_responses`)."""
        return load_responses(self, participant, targets, cache, sampling)

    def _column(self, language: str, name: str) -> dict[int, Any]:
        self._check_language(language)
        own = self.scans_table[self.scans_table.language == language].sort_values("section")
        return dict(zip(own.section.tolist(), own[name].tolist(), strict=True))

    def _check_language(self, language: str) -> None:
        if language not in self.languages:
            known = language in LANGUAGES
            what = "is not here" if known else f"is no language of this dataset ({', '.join(LANGUAGES)})"
            raise DatasetError(f"{language!r} {what}; {self.root} has recordings in {', '.join(self.languages)}")
