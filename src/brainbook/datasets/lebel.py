"""Eight participants who heard up to 84 stories (OpenNeuro ds003020): voxels of each brain, one story heard ten times.

LeBel, Wagner, Jain, Adhikari-Desai, Gupta, Morgenthal, Tang, Xu & Huth (2023), Scientific Data 10, 555; CC0. Times are
those of the authors' code (`deep-fMRI-dataset`, encoding/): the scanner starts ten seconds before the sound, so that
scan k begins at 2.0045 k - 10 s of the TextGrid's clock, and of every run the first ten and the last five scans are cut
off. This class was written for the real files and tested on a phantom in their layout only.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets.base import Responses, Run, once
from brainbook.datasets.cleaning import clean, zscore
from brainbook.datasets.files import check_content, check_name, is_pointer, read_table
from brainbook.datasets.words import read_textgrid
from brainbook.errors import ConfigurationError, DatasetError
from brainbook.store import read_json

TR = 2.0045
SOUND_START = 10.0  # seconds after the scanner's
TRIM = (10, 5)  # scans that the published files lack at the beginning and at the end of each run
PAD = 5  # further scans that respdict.json counts
_DEFLATE = 1032  # times smaller than its content is the smallest compressed file
_REPEATS = "individual_repeats"
NO_WORDS = frozenset(["sentence_start", "sentence_end", "br", "lg", "ls", "ns", "sp"])
HOW_TO_GET = (
    "Get one participant (CC0) with `python -m brainbook.workflow.download FOLDER UTS01 --dataset ds003020`, or make a "
    "phantom with `python -m brainbook.phantom FOLDER --layout lebel`"
)


class LeBel:
    """The recordings and TextGrids of one folder in the layout of ds003020.

    Parameters
    ----------
    root : the folder, which holds derivative/.
    regions : folder of tables <participant>.csv with the columns voxel (from 0), region, hemisphere ('lh', 'rh'), which
        say where voxels are: the published voxels are those of each participant's own brain, and have no region's name.
        By default derivative/regions, if it is there. Without a table voxels are called by their numbers.

    Attributes
    ----------
    tr : 2.0045 s from one scan to the next.
    stories : those with a TextGrid and a recording, sorted; a section is a whole story.
    targets : 'regions' (means of their voxels) and 'voxels', only the latter without tables.

    Raises
    ------
    DatasetError : the folder is not there or is no such dataset. What is listed but not downloaded is only refused when
        it is read.

    Examples
    --------
    >>> data = LeBel("data/lebel")
    >>> data.participants(), data.targets
    (['UTS01'], ('regions', 'voxels'))
    """

    tr = TR
    license = "CC0"
    languages = ("EN",)

    def __init__(self, root: str | Path, regions: str | Path | None = None) -> None:
        self.root = Path(root)
        self.derivative = self.root / "derivative"
        self._tables = Path(regions) if regions is not None else self.derivative / "regions"
        if regions is not None and not self._tables.is_dir():
            raise DatasetError(f"there is no folder {self._tables.absolute()} of tables of regions")
        for folder in ("preprocessed_data", "TextGrids"):
            if not (self.derivative / folder).is_dir():
                raise DatasetError(f"there is no folder {(self.derivative / folder).absolute()}. {HOW_TO_GET}")
        recorded = {path.stem for path in self.derivative.glob("preprocessed_data/*/*.hf5")}
        heard = {path.stem for path in self.derivative.glob("TextGrids/*.TextGrid")}
        self.stories = tuple(sorted(recorded & heard))
        if not self.stories:
            raise DatasetError(f"{self.derivative} holds no story with a recording and a TextGrid. {HOW_TO_GET}")

    def __repr__(self) -> str:
        return f"LeBel({str(self.root)!r}: {len(self.participants())} participants, {len(self.stories)} stories)"

    @property
    def is_phantom(self) -> bool:
        """Whether the folder is a simulated study, with its truth beside it."""
        return (self.root / "truth").is_dir()

    @property
    def targets(self) -> tuple[str, ...]:
        """What `responses` can give, the default first."""
        return ("regions", "voxels") if any(self._tables.glob("*.csv")) else ("voxels",)

    def participants(self, language: str = "EN") -> list[str]:
        """Return names such as 'UTS01', sorted."""
        self._check_language(language)
        folders = {path.parent for path in self.derivative.glob("preprocessed_data/*/*.hf5")}
        return sorted(check_name(folder.name, folder) for folder in folders)

    @once
    def runs(self, participant: str) -> list[Run]:
        """Return the runs of a participant, one for each story that was heard."""
        if participant not in self.participants():
            raise DatasetError(f"no participant is called {participant!r}; they are {', '.join(self.participants())}")
        runs = []
        for section, story in enumerate(self.stories, start=1):
            path = self.derivative / "preprocessed_data" / participant / f"{story}.hf5"
            if path.is_file() or is_pointer(path):
                runs.append(Run(participant, "EN", section, section, path, self._shape(path)[0], story=story))
        return runs

    @once
    def scans(self, language: str = "EN") -> dict[int, int]:
        """Return {section: scans of the published recording}."""
        self._check_language(language)
        scans = {}
        responses = read_json(check_content(self.derivative / "respdict.json"))
        for section, story in enumerate(self.stories, start=1):
            paths = sorted(self.derivative.glob(f"preprocessed_data/*/{story}.hf5"))
            path = next((path for path in paths if not is_pointer(path)), paths[0])
            scans[section] = self._shape(path)[0]
            recorded = responses.get(story)
            if isinstance(recorded, int) and scans[section] > recorded - sum(TRIM):
                raise DatasetError(
                    f"{path} has {scans[section]} scans of {recorded} that respdict.json counts: the first "
                    f"{TRIM[0]} and the last {TRIM[1]} are not cut off. Get the preprocessed file again"
                )
        return scans

    def starts(self, language: str = "EN") -> dict[int, float]:
        """Return {section: -10.045}: the first published scan begins 10.045 s into the sound."""
        return dict.fromkeys(self.scans(language), SOUND_START - TRIM[0] * TR)

    @once
    def words(self, language: str = "EN") -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds on the TextGrid's clock), section.

        Marks of breaths, pauses, laughter and noise are left out, as the authors' code does it.
        """
        self._check_language(language)
        parts = []
        for section, story in enumerate(self.stories, start=1):
            path = self.derivative / "TextGrids" / f"{story}.TextGrid"
            words = read_textgrid(path, section=1, tier="word", mend=False)
            labels = words["word"].str.lower().str.strip("{} ")
            parts.append(words[~labels.isin(NO_WORDS)].assign(section=section))
        return pd.concat(parts, ignore_index=True)

    def nuisance(self, participant: str) -> None:
        """Return None: the published recordings come without signals of no interest."""

    def responses(self, participant: str, targets: str = "", cache: str | Path | None = None) -> Responses:
        """Return the recordings of all stories of a participant, each detrended, high-passed at 1/128 Hz and z-scored.

        Of a story that was heard again this is the first time; `repeats` has all. `cache` is not used: the files
        hold cleaned data.
        """
        targets = targets or self.targets[0]
        runs = self.runs(participant)
        values = [self._targets(self._first_time(run.path), participant, targets) for run in runs]
        run_of_scan = np.repeat([run.section for run in runs], [run.n_scans for run in runs])
        names = self._names(participant, values[0].shape[1]) if targets == "voxels" else self._regions(participant)[1]
        source = "tables of regions" if self.targets[0] == "regions" else "numbers of voxels"
        return Responses(np.concatenate(values), run_of_scan, names, source, targets)

    def repeats(self, participant: str, targets: str = "", cache: str | Path | None = None) -> dict[int, np.ndarray]:
        """Return {section: array [repetitions, scans, targets]} of the story that was heard ten times."""
        targets, repeated = targets or self.targets[0], {}
        for run in self.runs(participant):
            repeats = _read(run.path, lambda file: file[_REPEATS][:] if _REPEATS in file else [])
            if len(repeats) > 1:
                repeated[run.section] = np.stack([self._targets(each, participant, targets) for each in repeats])
        return repeated

    def _first_time(self, path: Path) -> np.ndarray:
        """Return [scans, voxels] of the first time that a story was heard; `data` is the mean of all times."""
        return _read(path, lambda file: file[_REPEATS][0] if _REPEATS in file else file["data"][:])

    def _targets(self, values: np.ndarray, participant: str, targets: str) -> np.ndarray:
        """Clean [scans, voxels] of a run; average over regions if these are asked for."""
        if targets not in self.targets:
            why = "" if "regions" in self.targets else f", as there are no tables in {self._tables}"
            raise ConfigurationError(f"targets is {targets!r}; it is one of {', '.join(self.targets)}{why}")
        cleaned = clean(values, tr=self.tr)
        if targets == "voxels":
            return cleaned
        owner, names = self._regions(participant)
        if len(outside := owner["voxel"][~owner["voxel"].between(0, values.shape[1] - 1)]):
            raise DatasetError(
                f"{self._table(participant)} names voxel {outside.iloc[0]}, and there are {values.shape[1]} from 0 on"
            )
        moving = np.isfinite(cleaned).all(axis=0)  # a voxel without a signal is left out of its region's mean
        means = np.full((len(cleaned), len(names)), np.nan)
        for target in range(len(names)):
            voxels = owner["voxel"][owner["target"] == target].to_numpy()
            if moving[voxels].any():
                means[:, target] = cleaned[:, voxels[moving[voxels]]].mean(axis=1)
        return zscore(means)

    def _table(self, participant: str) -> Path:
        return self._tables / f"{participant}.csv"

    def _regions(self, participant: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return voxel and target (number of its region) of each row of a table, and the targets' names."""
        columns = {"voxel": int, "region": str, "hemisphere": str}
        table = read_table(self._table(participant), columns)
        if (again := table["voxel"].duplicated()).any():
            raise DatasetError(f"{self._table(participant)} names voxel {table['voxel'][again].iloc[0]} twice")
        names = table[["region", "hemisphere"]].drop_duplicates().reset_index(drop=True)
        table["target"] = table.groupby(["region", "hemisphere"], sort=False).ngroup()
        return table, names

    def _names(self, participant: str, n_voxels: int) -> pd.DataFrame:
        """Return region and hemisphere of each voxel; its number and '' where no table says them."""
        names = pd.DataFrame({"region": [str(voxel) for voxel in range(n_voxels)], "hemisphere": ""})
        if "regions" in self.targets:
            table = self._regions(participant)[0].set_index("voxel")[["region", "hemisphere"]]
            names.loc[table.index, ["region", "hemisphere"]] = table
        return names

    def _shape(self, path: Path) -> tuple[int, int]:
        """Return scans and voxels of a recording; DatasetError if it is no such file."""
        shape, repeated, kind = _read(path, _describe)
        if kind not in "iuf" or len(shape) != 2 or repeated != shape:
            raise DatasetError(
                f"{path}: data is {shape} and its repeats {repeated}, not numbers [scans, voxels] both: get it again"
            )
        if math.prod(shape) > path.stat().st_size * _DEFLATE:
            raise DatasetError(f"{path}: {path.stat().st_size} bytes cannot hold numbers {shape}: get it again")
        return shape

    def _check_language(self, language: str) -> None:
        if language not in self.languages:
            raise DatasetError(f"{language!r} is no language of this dataset, which is in EN")


def _describe(file: Any) -> tuple[tuple, tuple, str]:
    """Return the shapes of a recording and of one repeat, and the kind of its numbers, as NumPy calls it."""
    shape = tuple(file["data"].shape)
    return shape, tuple(file[_REPEATS].shape[1:]) if _REPEATS in file else shape, file["data"].dtype.kind


def _read(path: Path, read: Callable) -> Any:
    """Return what `read` takes from a recording; DatasetError if it is no HDF5 file of one, or damaged."""
    import h5py

    check_content(path)
    try:
        with h5py.File(path) as file:
            return read(file)
    except (OSError, KeyError, AttributeError, TypeError, ValueError, RuntimeError) as error:  # as h5py reports damage
        raise DatasetError(
            f"{path} is no HDF5 file with a dataset `data`, or damaged ({error}): get it again"
        ) from error
