"""A dataset that no description fits: one array file for each participant and story.

words/<story>.csv          word, onset, offset (seconds from the start of the sound)
<participant>_<story>.npy  float array [scans, parcels]; the sound starts with scan `first`
parcels.csv                region, hemisphere: one row a parcel
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets import Responses, Run, clean
from brainbook.errors import DatasetError


class Arrays:
    """The recordings of one folder. The description beside it says `reader: arrays.Arrays`."""

    targets = ("regions",)
    is_phantom = False

    def __init__(self, root, tr, language="EN", first=0):
        self.root, self.tr, self.first = Path(root), tr, first
        self.languages = (language,)
        self.stories = tuple(sorted(path.stem for path in (self.root / "words").glob("*.csv")))
        if not self.stories:
            raise DatasetError(f"{self.root}/words holds no table of words")
        self.parcels = pd.read_csv(self.root / "parcels.csv", dtype=str)

    def participants(self, language):
        return sorted({path.stem.split("_")[0] for path in self.root.glob("*_*.npy")})

    def runs(self, participant):
        files = [self.root / f"{participant}_{story}.npy" for story in self.stories]
        n_scans = [len(np.load(file, mmap_mode="r")) - self.first for file in files]
        numbered = enumerate(zip(self.stories, files, n_scans, strict=True), start=1)
        return [Run(participant, *self.languages, i, i, file, n, story=story) for i, (story, file, n) in numbered]

    def words(self, language):
        tables = [pd.read_csv(self.root / "words" / f"{story}.csv") for story in self.stories]
        tables = [table.assign(section=number) for number, table in enumerate(tables, start=1)]
        return pd.concat(tables, ignore_index=True)

    def scans(self, language):
        return {run.section: run.n_scans for run in self.runs(self.participants(language)[0])}

    def starts(self, language):
        return dict.fromkeys(self.scans(language), 0.0)  # what came before the sound is cut off

    def responses(self, participant, targets="regions", cache=None):
        runs = self.runs(participant)
        values = [clean(np.load(run.path)[self.first :], self.tr) for run in runs]
        sections = np.repeat([run.section for run in runs], [run.n_scans for run in runs])
        return Responses(np.concatenate(values), sections, self.parcels, "parcels.csv", "regions")

    def nuisance(self, participant):
        return None

    def repeats(self, participant, targets="regions", cache=None):
        return {}
