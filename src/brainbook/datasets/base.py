"""What every dataset offers: one protocol, and what it hands out, runs and responses."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from brainbook.errors import DatasetError


@dataclass(frozen=True)
class Run:
    """One section of a story as one participant heard it.

    Attributes
    ----------
    participant : such as 'sub-EN057'.
    language : 'EN', 'FR' or 'CN'.
    section : the part of the story that was heard, from 1 on.
    number : the scanner's number of the run; it does not tell the section.
    path : the recording that is analysed.
    n_scans : its number of scans.
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
    echoes: dict[int, Path] = field(default_factory=dict)


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
    """

    values: np.ndarray
    run_of_scan: np.ndarray
    names: pd.DataFrame
    source: str

    def __post_init__(self):
        if self.values.shape != (len(self.run_of_scan), len(self.names)):
            raise DatasetError(
                f"values {self.values.shape} do not fit {len(self.run_of_scan)} scans and {len(self.names)} targets"
            )


class Dataset(Protocol):
    """Recordings of participants who heard stories, and the words that they heard.

    Attributes
    ----------
    tr : seconds from one scan to the next.
    stories, languages : names of the stories, and codes of the languages in which they were heard.
    """

    tr: float
    stories: tuple[str, ...]
    languages: tuple[str, ...]

    def participants(self, language: str) -> list[str]:
        """Return the names of those who heard the story in a language, sorted."""

    def runs(self, participant: str) -> list[Run]:
        """Return the runs of a participant, section 1 first."""

    def words(self, language: str) -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds from the start of the section), section."""

    def bold(self, participant: str, section: int):
        """Return the recording of one run: a nibabel image [x, y, z, scans], or a table of regions [scans, regions]."""

    def responses(self, participant: str) -> Responses:
        """Return the cleaned recordings of all runs of a participant."""
