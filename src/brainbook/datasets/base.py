"""What every dataset offers: one protocol, and what it hands out, runs and responses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import pandas as pd

from brainbook.errors import DatasetError


@dataclass(frozen=True)
class Run:
    """One section of a story as one participant heard it.

    Attributes
    ----------
    participant : such as 'sub-EN057'.
    language : code of the language that was heard, such as 'EN'.
    section : the part that was heard, from 1 on: sections are numbered through all stories of a language.
    number : the scanner's number of the run; it does not tell the section.
    path : the recording that is analysed.
    n_scans : its number of analysed scans.
    echoes : raw recordings by number of the echo (1, 2, 3); empty where the raw data is not there. Echoes are readings
        of the same scans at different times after excitation: they share all but the thermal noise, so they are no
        repetitions of the story.
    story : name of the story that the section belongs to.
    repetition : 1 when this participant heard the section for the first time, then 2, 3, ...

    Examples
    --------
    >>> run = open_dataset("data/phantom").runs("sub-EN057")[0]
    >>> run.section, run.number, run.path.name
    (1, 7, 'sub-EN057_task-lppEN_run-07_space-MNIColin27_desc-preproc_bold.nii.gz')
    """

    participant: str
    language: str
    section: int
    number: int
    path: Path
    n_scans: int
    echoes: dict[int, Path] = field(default_factory=dict)
    story: str = ""
    repetition: int = 1


@dataclass(frozen=True, eq=False)
class Responses:
    """What was measured, on the clock of the scans.

    Attributes
    ----------
    values : float32 array [scans, targets]: all runs one after the other, each z-scored by itself. A target that has no
        signal in a run (a vertex that does not change or lies outside the image; a region of which less than half of
        the vertices have one) is NaN in that run.
    run_of_scan : int array [scans]: the section that was heard.
    names : DataFrame with one row per target: region, hemisphere (of vertices: the region each belongs to).
    source : where the names come from, such as 'nilearn' or 'embedded (approximate)' for the Destrieux parcellation.
    space : where the targets are: 'fsaverage5' (vertices, or regions of them), 'voxels' or 'regions'.

    Examples
    --------
    >>> regions = pd.DataFrame({"region": ["Heschl's gyrus"], "hemisphere": ["lh"]})
    >>> responses = Responses(np.zeros((4, 1), np.float32), np.array([1, 1, 2, 2]), regions, "by hand", "regions")
    >>> responses.values[responses.run_of_scan == 2].shape
    (2, 1)
    """

    values: np.ndarray
    run_of_scan: np.ndarray
    names: pd.DataFrame
    source: str
    space: str = "fsaverage5"

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.run_of_scan), len(self.names)):
            raise DatasetError(
                f"values {self.values.shape} do not fit {len(self.run_of_scan)} scans and {len(self.names)} targets"
            )


Method = TypeVar("Method", bound=Callable)


def once(method: Method) -> Method:
    """Cache in the object what a method returns for its arguments; every call returns a copy of what can be copied."""

    @wraps(method)
    def cached(self: Any, *arguments: Any, **named: Any) -> Any:
        returned, key = vars(self).setdefault(f"_{method.__name__}", {}), (arguments, *named.items())
        if key not in returned:
            returned[key] = method(self, *arguments, **named)
        value = returned[key]
        return value.copy() if hasattr(value, "copy") else value

    return cast(Method, cached)


ATTRIBUTES = ("root", "tr", "stories", "languages", "targets", "is_phantom")
METHODS = ("participants", "runs", "words", "scans", "starts", "responses", "nuisance", "repeats")


def lacking_of_protocol(dataset: object) -> list[str]:
    """Return the attributes and methods of `Dataset` that an object does not have."""
    methods = [f"{name}()" for name in METHODS if not callable(getattr(dataset, name, None))]
    return [name for name in ATTRIBUTES if not hasattr(dataset, name)] + methods


class Dataset(Protocol):
    """Recordings of participants who heard stories, and the words that they heard.

    A class of your own need not inherit from this; it only has to have all of it. One whose recordings are volumes in
    MNI space or on fsaverage can leave `responses` to `load_responses`, which asks it for `recording(run)`, a
    `VolumeRecording` or a `SurfaceRecording`. `license` and `left_out` ({participant: reason}) are shown where there
    are any.

    Attributes
    ----------
    root : the folder.
    tr : seconds from one scan to the next.
    stories, languages : names of the stories, and codes of the languages in which they were heard.
    targets : what `responses` can give, the default first: 'regions', 'vertices', 'voxels'.
    is_phantom : whether the recordings are simulated, with their truth in the folder.

    Examples
    --------
    >>> dataset = open_dataset("data/phantom")
    >>> dataset.tr, dataset.languages, dataset.targets
    (2.0, ('EN',), ('regions', 'vertices'))
    """

    @property
    def root(self) -> Path: ...

    @property
    def tr(self) -> float: ...

    @property
    def stories(self) -> tuple[str, ...]: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def targets(self) -> tuple[str, ...]: ...

    @property
    def is_phantom(self) -> bool: ...

    def participants(self, language: str) -> list[str]:
        """Return the names of those who heard the stories of a language, sorted."""

    def runs(self, participant: str) -> list[Run]:
        """Return the analysed runs of a participant by section; of a section heard again, the first time only."""

    def words(self, language: str) -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds on the clock of the section's sound), section."""

    def scans(self, language: str) -> dict[int, int]:
        """Return {section: number of analysed scans}."""

    def starts(self, language: str) -> dict[int, float]:
        """Return {section: seconds from the first analysed scan to zero of the clock of its words}, of either sign."""

    def responses(self, participant: str, targets: str = "regions", cache: str | Path | None = None) -> Responses:
        """Return the cleaned recordings of all runs of a participant, in the order of `runs`."""

    def nuisance(self, participant: str) -> np.ndarray | None:
        """Return signals [scans, signals] that are no response to the story (motion, say), or None."""

    def repeats(
        self, participant: str, targets: str = "regions", cache: str | Path | None = None
    ) -> dict[int, np.ndarray]:
        """Return {section: array [repetitions, scans, targets]} of the sections that were heard more than once."""
