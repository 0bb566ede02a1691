"""A phantom in the layout of LeBel et al. (2023; OpenNeuro ds003020): voxels in HDF5, one story heard ten times.

Names are those of real stories, what is heard is not. The scanner starts ten seconds before the sound, and of every run
the first ten and the last five scans are cut off, so that the first analysed scan lies inside the story.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from brainbook.datasets.atlas import N_VERTICES, Regions
from brainbook.datasets.lebel import PAD, SOUND_START, TR, TRIM
from brainbook.phantom import files
from brainbook.phantom.annotation import textgrid
from brainbook.phantom.brain import neighbours
from brainbook.phantom.files import write_csv, write_text
from brainbook.phantom.places import Places
from brainbook.phantom.study import Participant, Section, Study
from brainbook.phantom.volume import triangles
from brainbook.store import write_json

STORIES = dict.fromkeys(("alternateithicatom", "avatar", "legacy", "odetostepfather", "souls", "wheretheressmoke"), 1)
SPACES = ("voxels",)
N_ECHOES = 1
REPEATED, REPETITIONS = "wheretheressmoke", 10
VOXELS_PER_REGION = 3
AFTER = 10.0  # seconds that a run goes on after the last word, as far as it is analysed


def places(regions: Regions, voxel_size: float, space: str, seed: int) -> Places:
    """Return some voxels of each region, each the mean over a vertex and those of its neighbours in the region."""
    rng = np.random.default_rng([seed, 61])
    means = sparse.block_diag([neighbours(faces, N_VERTICES // 2) for faces in triangles()], format="csr")
    rows, owners = [], []
    for region in range(len(regions.columns)):
        inside = np.flatnonzero(regions.region_index == region)
        centres = np.sort(rng.choice(inside, min(VOXELS_PER_REGION, len(inside)), replace=False))
        weights = means[centres].multiply(regions.region_index == region).tocsr()
        rows.append(sparse.diags(1 / np.asarray(weights.sum(axis=1)).ravel()) @ weights)
        owners += [region] * len(centres)
    masks = np.array(owners)[None, :] == np.arange(len(regions.columns))[:, None]
    averaging = masks / np.maximum(masks.sum(axis=1, keepdims=True), 1)
    return Places(sparse.vstack(rows, "csr").astype(np.float32), sparse.csr_matrix(averaging.astype(np.float32)))


def sections(ends: dict[int, float], language: str) -> dict[int, Section]:
    """Return how each story is recorded."""
    first, last = TRIM
    recorded = {section: int(np.ceil((SOUND_START + end + AFTER) / TR)) + last for section, end in ends.items()}
    return {
        section: Section(story, 1, SOUND_START, recorded[section], first, recorded[section] - first - last)
        for section, story in enumerate(STORIES, start=1)
    }


def participant_names(language: str, n: int) -> list[str]:
    """Return UTS01, UTS02, ..."""
    return [f"UTS{number:02d}" for number in range(1, n + 1)]


def write_top(folder: Path, study: Study, counts: dict[str, int], space: str) -> None:
    """Write the top of the folder, the TextGrids and the numbers of scans."""
    kind = "null phantom" if study.null else "phantom"
    files.write_top(folder, f"Natural language fMRI, {kind}: simulated in the layout of ds003020", DatasetType="raw")
    ((language, n),) = counts.items()
    derivative, names = folder / "derivative", participant_names(language, n)
    write_text(folder / "participants.tsv", "\n".join(["participant_id", *(f"sub-{name}" for name in names)]))
    how = study.sections[language]
    write_json(derivative / "respdict.json", {it.story: it.n_recorded + PAD for it in how.values()})
    for section, it in how.items():
        words = study.words[language][study.words[language]["section"] == section]
        seconds = study.audio[language][section]
        tiers = {"phone": phones(words), "word": with_marks(words, seconds)}
        write_text(derivative / "TextGrids" / f"{it.story}.TextGrid", textgrid(tiers, seconds).strip())
    owner = study.places.averaging.tocsc().indices  # each voxel is in one region
    table = study.plan[["region", "hemisphere"]].iloc[owner].reset_index(drop=True)
    for name in names:
        write_csv(derivative / "regions" / f"{name}.csv", table.rename_axis("voxel").reset_index())


def phones(words: pd.DataFrame) -> list[tuple[float, float, str]]:
    """Return a phone for each letter: intervals (start, end, label)."""
    intervals = []
    for word in words.itertuples():
        times = np.linspace(word.onset, word.offset, len(word.word) + 1).round(4)
        intervals += list(zip(times[:-1].tolist(), times[1:].tolist(), word.word.upper(), strict=True))
    return intervals


def with_marks(words: pd.DataFrame, seconds: float) -> list[tuple[float, float, str]]:
    """Return the words, with the marks of the real files where nothing is said: sentence_start, sp, {LG}, {NS}."""
    intervals: list[tuple[float, float, str]] = []
    now = 0.0
    for word in words.itertuples():
        if word.onset > now + 0.01:
            long = word.onset - now > 0.8
            intervals.append((now, word.onset, "sentence_start" if not intervals else "{LG}" if long else "sp"))
        intervals.append((max(word.onset, now), word.offset, word.word))
        now = word.offset
    return [*intervals, (now, seconds, "{NS}")]


def write_participant(
    folder: Path, study: Study, participant: Participant, space: str, raw: bool, done: Callable[[], object]
) -> None:
    """Write one file a story: z-scored voxels, and of the repeated story their mean and every repetition."""
    import h5py

    where = folder / "derivative" / "preprocessed_data" / participant.name
    where.mkdir(parents=True)
    for section, how in study.sections[participant.language].items():
        n = REPETITIONS if how.story == REPEATED else 1
        runs = [participant.record(section, repetition) for repetition in range(1, n + 1)]
        repeats: Any = [run.series + run.thermal.mean(axis=0) for run in runs]  # drifts are taken out of published data
        repeats = np.stack([_zscore(values[how.analysed]) for values in repeats])
        with h5py.File(where / f"{how.story}.hf5", "w", track_order=False) as file:
            file.create_dataset("data", data=_zscore(repeats.mean(axis=0)), track_times=False)
            if n > 1:
                file.create_dataset("individual_repeats", data=repeats, track_times=False)
        done()


def _zscore(values: np.ndarray) -> np.ndarray:
    return ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float32)
