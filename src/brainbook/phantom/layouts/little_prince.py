"""A phantom in the layout of ds003643 (Le Petit Prince): nine runs on a grid in MNI space, raw echoes beside them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.atlas import Regions
from brainbook.datasets.little_prince import LittlePrince
from brainbook.datasets.little_prince_runs import LANGUAGES, N_SECTIONS
from brainbook.phantom import files
from brainbook.phantom.annotation import write_annotation
from brainbook.phantom.files import write_csv, write_text
from brainbook.phantom.places import Places
from brainbook.phantom.study import BASELINE, UNIT, Participant, Recording, Section, Study, sound_seconds
from brainbook.phantom.volume import Grid, make_grid, write_volume
from brainbook.store import write_json

TR = LittlePrince.tr
STORIES = {"little_prince": N_SECTIONS}
SPACES = ("MNIColin27",)
N_ECHOES = 3
ECHO_MS = {"EN": (12.8, 27.5, 43.0), "CN": (12.8, 27.5, 43.0), "FR": (10.0, 24.46, 38.92)}
SCANS_AFTER = {"EN": 4, "FR": 2, "CN": 0}  # scans of the derivatives after the audio has ended
RAW_BEFORE = {"EN": 4, "FR": 0, "CN": 4}  # further scans of the raw runs, before the audio
RUN_NUMBERS = {"EN": (6, 23), "FR": (1, 9), "CN": (4, 17)}
_FIRST_NUMBER = {"EN": 57, "FR": 1, "CN": 1}
_ABSENT = {"EN": (60, 66, 71, 74, 78, 83, 85, 90, 93, 102), "FR": (4, 21), "CN": (6, 19)}
T2_STAR_MS = 35.0


def places(regions: Regions, voxel_size: float, space: str, seed: int) -> Places:
    """Return the voxels of the dataset's box at a voxel size in mm."""
    return Places.voxels(make_grid(voxel_size)[0], regions)


def sections(ends: dict[int, float], language: str, n_scans: dict[int, int] | None = None) -> dict[int, Section]:
    """Return how each section is recorded, whose last words end at `ends`; `n_scans` are those of a real story."""
    if n_scans is None:
        n_scans = {s: int(np.ceil(sound_seconds(end) / TR)) + SCANS_AFTER[language] for s, end in ends.items()}
    return {s: Section("little_prince", s, start=0.0, n_recorded=n, cut=0, n_scans=n) for s, n in n_scans.items()}


def participant_names(language: str, n: int) -> list[str]:
    """Return names with the gaps of the real study: sub-EN057, sub-EN058, sub-EN059, sub-EN061, ..."""
    numbers = [i for i in range(_FIRST_NUMBER[language], 200) if i not in _ABSENT[language]]
    return [f"sub-{language}{i:03d}" for i in numbers[:n]]


def write_top(folder: Path, study: Study, counts: dict[str, int], space: str) -> None:
    """Write what lies at the top of a BIDS folder, and the annotation."""
    kind = "null phantom" if study.null else "phantom"
    files.write_top(
        folder,
        f"Le Petit Prince, {kind}: simulated recordings in the layout of ds003643",
        "none: its annotation is a book's text, for local use" if study.real_story else "CC0",
        " The annotation has no syntax and no audio.",
        DatasetType="raw",
    )
    participants, scans = [], []
    for language, n in counts.items():
        code = LANGUAGES.index(language)
        rng = np.random.default_rng([study.seed, 20, code])
        for name in participant_names(language, n):
            participants.append(f"{name}\t{rng.integers(18, 36)}\t{rng.choice(['F', 'M'])}\tR\t{language}")
        sidecar = {"TaskName": f"lpp{language}", "RepetitionTime": TR, "Simulated": True}
        write_json(folder / f"task-lpp{language}_bold.json", sidecar)
        rng = np.random.default_rng([study.seed, 21, code])
        write_annotation(folder / "annotation" / language, language, study.words[language], study.audio[language], rng)
    for language in sorted(counts):
        for section, how in study.sections[language].items():
            n = how.n_scans
            scans.append((language, section, study.audio[language][section], n + RAW_BEFORE[language], n))
    header = "participant_id\tage\tsex\thand\tlanguage"
    write_text(folder / "participants.tsv", "\n".join([header, *participants]), encoding="utf-8-sig")
    columns = ["language", "section", "audio_seconds", "scans_raw", "scans_preprocessed"]
    write_csv(folder / "annotation" / "scans.csv", pd.DataFrame(scans, columns=columns))


def write_participant(
    folder: Path, study: Study, participant: Participant, space: str, raw: bool, done: Callable[[], object]
) -> None:
    """Write nine preprocessed runs of one participant, its anatomy, and its raw echoes if asked for."""
    language, name, rng, grid = participant.language, participant.name, participant.rng, study.places.grid
    first, last = RUN_NUMBERS[language]
    runs = sorted(int(r) for r in rng.choice(np.arange(first, last + 1), N_SECTIONS, replace=False))
    baseline = (BASELINE * rng.uniform(0.9, 1.1, len(grid.inside))).astype(np.float32)
    write_volume(folder / name / "anat" / f"{name}_T1w.nii.gz", grid, baseline[None] / 10, TR)
    for section, run in enumerate(runs, start=1):
        recording = participant.record(section)
        stem = f"{name}_task-lpp{language}_run-{run:02d}"
        path = folder / "derivatives" / name / "func" / f"{stem}_space-MNIColin27_desc-preproc_bold.nii.gz"
        write_volume(path, grid, baseline * (1 + UNIT / BASELINE * recording.combined), TR)
        if raw:
            _write_echoes(folder / name / "func" / stem, grid, language, baseline, recording)
        done()
    if raw and language != "FR":
        _write_aborted(folder / name / "func", grid, language, name, runs, baseline)


def _write_echoes(stem: Path, grid: Grid, language: str, baseline: np.ndarray, recording: Recording) -> None:
    """Write three readings of every scan: signal grows with the echo time, thermal noise is each one's own.

    Raw runs have more scans than preprocessed ones, before and after (EN 4 and 4, CN 4 and 0, FR none and 2, of which
    the preprocessed runs have those after). As if the head had lain in MNI space: the phantom has no native space.
    """
    series = recording.series + recording.drift
    before = recording.rng.normal(0, 0.8, (RAW_BEFORE[language], series.shape[1])).astype(np.float32)
    for echo, (milliseconds, own) in enumerate(zip(ECHO_MS[language], recording.thermal, strict=True), start=1):
        level = np.exp((ECHO_MS[language][1] - milliseconds) / T2_STAR_MS)
        sensitivity = milliseconds / ECHO_MS[language][1]
        values = np.concatenate([before, series + own])
        path = stem.with_name(f"{stem.name}_echo-{echo}_bold.nii.gz")
        write_volume(path, grid, baseline * level * (1 + sensitivity * UNIT / BASELINE * values), TR)
        _write_sidecar(path, language, milliseconds)


def _write_aborted(where: Path, grid: Grid, language: str, name: str, runs: list[int], baseline: np.ndarray) -> None:
    """Write a run that was broken off after ten scans: raw files without a derivative, numbered among the others."""
    first, last = RUN_NUMBERS[language]
    free = [run for run in range(first, last + 1) if run not in runs]
    for echo, milliseconds in enumerate(ECHO_MS[language], start=1):
        path = where / f"{name}_task-lpp{language}_run-{free[0]:02d}_echo-{echo}_bold.nii.gz"
        write_volume(path, grid, np.repeat(baseline[None], 10, axis=0), TR)
        _write_sidecar(path, language, milliseconds)


def _write_sidecar(path: Path, language: str, milliseconds: float) -> None:
    sidecar = {"TaskName": f"lpp{language}", "RepetitionTime": TR, "EchoTime": round(milliseconds / 1000, 5)}
    write_json(path.with_name(path.name.replace(".nii.gz", ".json")), sidecar)
