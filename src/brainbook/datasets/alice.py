"""Alice: recordings of six brain regions while participants heard twelve minutes of Alice's Adventures in Wonderland.

Brennan, Stabler, Van Wagenen, Luh & Hale (2016), Brain and Language 157-158, 81-94; CC BY 4.0. Every clock here starts
with scan 0, which was taken 20 s into the sound file: the first ten volumes, during which nothing was said, are dropped
in the region files, and what was dropped there is dropped here from the files that still have it (motion, predictors).
"""

import re
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.base import Responses, Run, once
from brainbook.datasets.cleaning import clean, without_drifts
from brainbook.datasets.files import check_content
from brainbook.datasets.responses import which_scans
from brainbook.datasets.words import read_textgrid
from brainbook.errors import ConfigurationError, DatasetError

REGIONS = {
    "LATL": "left anterior temporal lobe",
    "RATL": "right anterior temporal lobe",
    "LPTL": "left posterior temporal lobe",
    "LIPL": "left inferior parietal lobule",
    "LPreM": "left premotor cortex",
    "LIFG": "left inferior frontal gyrus",
}
N_SCANS = 362
START = 20.0  # seconds on the TextGrid's clock at scan 0
DROPPED = 10  # volumes before scan 0 that motion and predictors still have
MOTION = ["x", "y", "z", "pitch", "roll", "yaw"]  # as SPM writes them: mm, then radians
_PARSES = ["top_down_pda", "top_down_x", "bottom_up_pda", "bottom_up_x", "surprisal_grammar"]
PREDICTORS = ["rate", "frequency", "break", *_PARSES, "bigram_word", "trigram_word", "bigram_tag", "trigram_tag"]
HOW_TO_GET = "Get the recordings (CC BY 4.0, 4 MB) with `make alice`"


class Alice:
    """The recordings of one folder that holds alice_data_shared/ and alice_stim_shared/.

    Parameters
    ----------
    root : that folder.
    radius : of the spheres that the regions are, 10 or 6 mm.

    Attributes
    ----------
    tr : 2.0 s from one scan to the next. n_scans : 362. stories, languages : one of each.
    regions : full name of each of the six regions.

    Raises
    ------
    DatasetError : the folder or one of its parts is missing; the message says how to get it.

    Examples
    --------
    >>> alice = Alice("data/alice")
    >>> len(alice.participants())
    27
    >>> alice.bold("s18").shape
    (362, 6)
    """

    tr = 2.0
    stories = ("alice",)
    languages = ("EN",)
    license = "CC BY 4.0"
    n_scans = N_SCANS
    regions = REGIONS
    targets = ("regions",)
    is_phantom = False

    def __init__(self, root: str | Path, radius: int = 10) -> None:
        self.root = Path(root)
        if radius not in (6, 10):
            raise ConfigurationError(f"radius is {radius!r}; the regions are spheres of 6 or of 10 mm")
        self.data = self.root / "alice_data_shared"
        self.stimulus = self.root / "alice_stim_shared"
        self.spheres = self.data / f"{radius}mm"
        for folder in (self.spheres, self.stimulus):
            if not folder.is_dir():
                raise DatasetError(f"there is no folder {folder.absolute()}. {HOW_TO_GET}")
        if not self._files:
            raise DatasetError(f"{self.spheres} holds no s*-timecourses.txt. {HOW_TO_GET}")

    def __repr__(self) -> str:
        return (
            f"Alice({str(self.root)!r}: {len(self.participants())} participants, left out: {', '.join(self.left_out)})"
        )

    def participants(self, language: str = "EN") -> list[str]:
        """Return those with recordings that can be used, sorted: 's18', 's22', ... (27 in the published data)."""
        return [name for name in self._files if name not in self.left_out]

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Those who are not among the participants, and why."""
        reasons = {}
        for name in self._files:
            values = self._recording(name)
            still = [region for index, region in enumerate(REGIONS) if np.ptp(values[:, index]) == 0]
            if still:
                where = "all six regions" if len(still) == len(REGIONS) else ", ".join(still)
                what = "zero" if not values.any() else "constant"
                reasons[name] = f"the recording is {what} in {where} at all {N_SCANS} scans"
            elif (empty := ~values.any(axis=1)).any():
                reasons[name] = f"the recording is zero in all six regions at {which_scans(empty)}"
        return reasons

    def runs(self, participant: str) -> list[Run]:
        """Return the one run of a participant."""
        self._check(participant)
        return [Run(participant, "EN", 1, 1, self._files[participant], N_SCANS, story="alice")]

    def scans(self, language: str = "EN") -> dict[int, int]:
        """Return the number of scans of each section: {1: 362}."""
        return {1: N_SCANS}

    def starts(self, language: str = "EN") -> dict[int, float]:
        """Return {1: 0.0}: the words are on the clock of scan 0."""
        return {1: 0.0}

    def bold(self, participant: str, section: int = 1) -> pd.DataFrame:
        """Return the recording as it was published: [362 scans, 6 regions], arbitrary unit."""
        self._check(participant)
        return self._frame(self._recording(participant), list(REGIONS))

    def motion(self, participant: str) -> pd.DataFrame:
        """Return the movement of the head, DataFrame [362 scans, 6]: x, y, z (mm), pitch, roll, yaw (radians)."""
        self._check(participant)
        path = _only_file(self.data, f"{participant}-rp_*.txt")
        return self._frame(_table(path, N_SCANS + DROPPED, len(MOTION))[DROPPED:], MOTION)

    def nuisance(self, participant: str) -> np.ndarray:
        """Return the six movements of the head without slow drifts, array [362 scans, 6], as `motion` has them.

        `responses` takes them out already, unless it is asked not to.
        """
        return without_drifts(self.motion(participant).to_numpy(), self.tr)

    def repeats(self, participant: str, targets: str = "regions", cache: str | Path | None = None) -> dict:
        """Return {}: the story was heard once."""
        return {}

    def responses(
        self, participant: str, targets: str = "regions", cache: str | Path | None = None, motion: bool = True
    ) -> Responses:
        """Return the cleaned recording of a participant; its targets are the six regions.

        Detrended, high-passed at 1/128 Hz; with `motion` the six movements are taken out in the same regression. They
        know nothing of the story, so this may be done before scans are split into training and test. `cache` is not
        used: the files are small.
        """
        if targets not in self.targets:
            raise ConfigurationError(f"targets is {targets!r}; these recordings are of regions only")
        confounds = self.motion(participant).to_numpy() if motion else None
        values = clean(self.bold(participant).to_numpy(), tr=self.tr, confounds=confounds)
        names = pd.DataFrame({"region": list(REGIONS), "hemisphere": ["rh" if n == "RATL" else "lh" for n in REGIONS]})
        return Responses(values, np.ones(N_SCANS, int), names, "spheres of the publication", "regions")

    def responses_of_all(self, motion: bool = True) -> np.ndarray:
        """Return the cleaned recordings of all participants, float32 array [participants, 362 scans, 6 regions]."""
        return np.stack([self.responses(name, motion=motion).values for name in self.participants()])

    @once
    def words(self, language: str = "EN") -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds after scan 0), section (always 1). 2,127 words.

        Clitics ('ll, n't, 's) stand as words of their own.
        """
        return read_textgrid(_only_file(self.stimulus, "*.TextGrid"), section=1, start=START)

    @cached_property
    def word_rate(self) -> np.ndarray:
        """Number of words that are heard, convolved with the response of the blood: array [362], arbitrary unit.

        The published files differ between participants in the fifth digit only; this is their mean.
        """
        return self._predictor("rate")

    @cached_property
    def sound_power(self) -> np.ndarray:
        """Power of the sound, convolved with the response of the blood: array [362], arbitrary unit, as `word_rate`."""
        return self._predictor("sndpwr")

    @cached_property
    def predictors(self) -> pd.DataFrame:
        """The published linguistic predictors, DataFrame [362 scans, 12], convolved and orthogonalised to the rate.

        rate; frequency (log, HAL corpus); break (prosodic); nodes built by top-down and bottom-up parsing in two
        grammars (pda: context-free, x: X-bar); surprisal of the grammar, of words and of parts of speech in bi- and
        trigrams.
        """
        path = _only_file(self.data, "*generic-predictors*.txt")
        return self._frame(_table(path, N_SCANS + DROPPED, len(PREDICTORS))[DROPPED:], PREDICTORS)

    @cached_property
    def _files(self) -> dict[str, Path]:
        ending = "-timecourses.txt"
        paths = sorted(self.spheres.glob(f"s*{ending}"))
        return {name: path for path in paths if re.fullmatch(r"s\d+", name := path.name.removesuffix(ending))}

    def _recording(self, participant: str) -> np.ndarray:
        return _table(self._files[participant], N_SCANS, len(REGIONS))

    def _predictor(self, name: str) -> np.ndarray:
        files = [self.data / f"{participant}-{name}.txt" for participant in self.participants()]
        return np.mean([_table(path, N_SCANS, 1)[:, 0] for path in files], axis=0)

    def _check(self, participant: str) -> None:
        if participant in self.left_out:
            raise DatasetError(f"{participant} is left out: {self.left_out[participant]}")
        if participant not in self._files:
            raise DatasetError(f"no participant is called {participant!r}; they are {', '.join(self.participants())}")

    @staticmethod
    def _frame(values: np.ndarray, columns: list[str]) -> pd.DataFrame:
        return pd.DataFrame(values, columns=columns, index=pd.RangeIndex(len(values), name="scan"))


def _only_file(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        raise DatasetError(f"{folder} holds {len(paths)} files {pattern}, not one. {HOW_TO_GET}")
    return paths[0]


def _table(path: Path, rows: int, columns: int) -> np.ndarray:
    """Read a text file of numbers, float array [rows, columns]; DatasetError if it is anything else."""
    check_content(path)
    try:
        values = np.loadtxt(path, ndmin=2, encoding="utf-8")
    except ValueError as error:  # also text that is not UTF-8
        raise DatasetError(f"{path} is no table of numbers: {error}") from error
    if values.shape != (rows, columns):
        raise DatasetError(f"{path} has {values.shape[0]} rows of {values.shape[1]} numbers, not {rows} of {columns}")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise DatasetError(f"{path}, row {bad[0, 0] + 1}, column {bad[0, 1] + 1}: the value is not finite")
    return values
