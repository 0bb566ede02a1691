"""Writes a phantom: a folder in the layout of ds003643 (Le Petit Prince), its truth in `truth/` unless left out."""

import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from brainbook.datasets.atlas import destrieux
from brainbook.datasets.little_prince import PARTICIPANTS
from brainbook.datasets.little_prince_runs import LANGUAGES, N_SECTIONS
from brainbook.errors import ConfigurationError
from brainbook.phantom.annotation import write_annotation
from brainbook.phantom.brain import (
    COMMON_WEIGHT,
    DRIFT,
    GLOBAL,
    OWN_SHARE,
    THERMAL,
    Cortex,
    DrivenResponses,
    autoregressive,
    cortical_noise,
    gains,
    plan_regions,
)
from brainbook.phantom.drivers import CELLS, TR, slow_basis, story_drivers, without_slow
from brainbook.phantom.real_story import RealStory, scan_drivers
from brainbook.phantom.story import tell_story
from brainbook.phantom.truth import write_csv, write_truth
from brainbook.phantom.volume import Grid, loader_sampling, make_grid
from brainbook.phantom.world import make_world
from brainbook.store import read_json, write_json

ECHO_MS = {"EN": (12.8, 27.5, 43.0), "CN": (12.8, 27.5, 43.0), "FR": (10.0, 24.46, 38.92)}
SCANS_AFTER = {"EN": 4, "FR": 2, "CN": 0}  # scans of the derivatives after the audio has ended
RAW_BEFORE = {"EN": 4, "FR": 0, "CN": 4}  # further scans of the raw runs, before the audio
RUN_NUMBERS = {"EN": (6, 23), "FR": (1, 9), "CN": (4, 17)}
_FIRST_NUMBER = {"EN": 57, "FR": 1, "CN": 1}
_ABSENT = {"EN": (60, 66, 71, 74, 78, 83, 85, 90, 93, 102), "FR": (4, 21), "CN": (6, 19)}
AUTHORS = ["brainbook.phantom"]
T2_STAR_MS = 35.0
BASELINE, UNIT = 10_000, 150  # grey value of a voxel at rest, and what a standard deviation of 1 adds to it


@dataclass
class _Study:
    """What is drawn once for a phantom."""

    seed: int
    null: bool
    grid: Grid
    cortex: Cortex
    plan: pd.DataFrame
    words: dict[str, pd.DataFrame]
    audio: dict[str, dict[int, float]]  # language -> section -> seconds
    n_scans: dict[str, dict[int, int]]
    averaging: sparse.csr_matrix  # voxels inside -> region means as the loader reads them
    real_story: bool
    responses: dict[str, DrivenResponses] = field(default_factory=dict)
    measured: list[pd.DataFrame] = field(default_factory=list)


def make_phantom(
    root: str | Path,
    participants: dict[str, int] | int = 3,
    scans: int = 150,
    seed: int = 0,
    voxel_size: float = 6.0,
    null: bool = False,
    languages: tuple[str, ...] = LANGUAGES,
    echoes: int = 1,
    signal: float = 1.0,
    truth: bool = True,
    story: RealStory | None = None,
) -> Path:
    """Write a phantom study. The folder appears when it is complete, or not at all.

    Parameters
    ----------
    root : folder to write. It may exist if it is empty or a phantom, which is then replaced.
    participants : of each language, or {"EN": 3, "FR": 3, "CN": 3}.
    scans : mean number of scans that a section's audio takes in English (2 s each); there are nine sections.
    seed : of story, reader, brains and noise: equal seeds write equal bytes (with the same versions of the libraries
        and the same parcellation, which truth/phantom.json names).
    voxel_size : of the recordings, mm; 2 mm is what the real ones have (and takes much longer).
    null : the same noise, and no response to the story in any region.
    languages : some of EN, FR, CN. Dropping one does not change the others.
    echoes : so many participants of each language also get raw runs of three echoes.
    signal : multiplies the share of variance that the story explains; 1 follows the published reliabilities.
    truth : False leaves `truth/` out: the folder is then read as real recordings are, for rehearsals of real studies.
    story : a real story that is heard in place of a made-up one (`real_story`), in its languages and with its scans;
        `scans` then does not count. Its annotation holds the story's text: such a phantom is not to be passed on.

    Returns
    -------
    the path of the folder.

    Raises
    ------
    ConfigurationError : for impossible parameters, and if `root` holds anything but a phantom.
    """
    root = Path(root)
    if story is not None:
        languages = tuple(language for language in languages if language in story.words)
    counts = _participant_counts(participants, languages)
    if not 30 <= scans <= 400:
        raise ConfigurationError(f"scans={scans}: a section has 30 to 400 scans on average")
    if echoes < 0 or not 0 < signal <= 5:
        raise ConfigurationError(f"echoes={echoes}, signal={signal}: echoes is at least 0, signal between 0 and 5")
    if root.exists() and not is_simulated(root) and (not root.is_dir() or any(root.iterdir())):
        raise ConfigurationError(f"{root} exists and is not a phantom: name another folder, or empty this one first")
    given = {"seed": seed, "null": null, "scans": scans, "voxel_size": voxel_size, "signal": signal}
    with _written_whole(root) as folder:
        study = _draw(**given, languages=tuple(languages), folder=folder, story=story)
        parameters = {**given, "participants": counts, "languages": list(languages), "echoes": echoes}
        parameters["regions"] = study.cortex.regions.source
        if story is not None:
            parameters["made_of"] = {language: story.made_of[language] for language in languages}
        _write_top(folder, study, counts)
        with tqdm(total=sum(counts.values()) * N_SECTIONS, desc="phantom runs", disable=None) as bar:
            for language, n in counts.items():
                for number, name in enumerate(participant_names(language, n)):
                    _write_participant(folder, study, language, number, name, number < echoes, bar)
        if truth:
            stored = {} if story is None else {code: scan_drivers(story.drivers[code]) for code in languages}
            write_truth(folder, study.plan, study.words, study.measured, parameters, stored)
        else:
            shutil.rmtree(folder / "truth")
    return root


def participant_names(language: str, n: int) -> list[str]:
    """Return names with the gaps of the real study: sub-EN057, sub-EN058, sub-EN059, sub-EN061, ..."""
    numbers = [i for i in range(_FIRST_NUMBER[language], 200) if i not in _ABSENT[language]]
    return [f"sub-{language}{i:03d}" for i in numbers[:n]]


def is_simulated(root: Path) -> bool:
    """Return whether a folder says that it was written by `make_phantom`, with or without its truth."""
    try:
        return read_json(root / "dataset_description.json").get("Authors") == AUTHORS
    except ConfigurationError:
        return False


def _participant_counts(participants: dict[str, int] | int, languages: tuple[str, ...]) -> dict[str, int]:
    if not languages or set(languages) - set(LANGUAGES):
        raise ConfigurationError(f"languages={tuple(languages)!r}: choose some of {LANGUAGES}")
    counts = participants if isinstance(participants, dict) else dict.fromkeys(languages, participants)
    for language in languages:
        most = PARTICIPANTS[language]
        if not 1 <= counts.get(language, 0) <= most:
            raise ConfigurationError(f"participants={participants!r}: {language} takes 1 to {most} participants")
    return {language: counts[language] for language in languages}


@contextmanager
def _written_whole(root: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of `root` when the block succeeds; remove what killed processes left."""
    root = root.absolute()
    root.parent.mkdir(parents=True, exist_ok=True)
    for left in root.parent.glob(f".{root.name}.unfinished-*"):
        process = int(re.sub(r"\D", "", left.suffix) or 0)
        if process == os.getpid() or not _is_running(process):
            shutil.rmtree(left, ignore_errors=True)
    scratch = root.parent / f".{root.name}.unfinished-{os.getpid()}"
    folder = scratch / "new"
    folder.mkdir(parents=True)
    try:
        yield folder
        if root.exists():
            root.rename(scratch / "old")
        folder.rename(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process > 0


def _draw(seed, null, scans, voxel_size, languages, signal, folder: Path, story: RealStory | None) -> _Study:
    """Draw story (unless a real one is given), brains and grid, and write the printed story."""
    grid, faces = make_grid(voxel_size)
    regions = destrieux()
    cortex = Cortex.make(regions, faces)
    if story is not None:
        words = {language: story.words[language] for language in languages}
        texts, audio, n_scans = {}, story.audio, story.n_scans
    else:
        words, texts = tell_story(scans * TR, seed, languages)
        audio, n_scans = {}, {}
    for language in texts:
        ends = words[language].groupby("section")["offset"].max()
        audio[language] = {int(s): round(float(end) + 0.4, 1) for s, end in ends.items()}
        n_scans[language] = {s: int(np.ceil(t / TR)) + SCANS_AFTER[language] for s, t in audio[language].items()}
    masks = regions.region_index[None, :] == np.arange(len(regions.columns))[:, None]
    means = sparse.csr_matrix(masks / np.maximum(masks.sum(axis=1, keepdims=True), 1))
    averaging = (means @ loader_sampling(grid)).tocsr().astype(np.float32)
    plan = plan_regions(regions, seed, signal)
    study = _Study(seed, null, grid, cortex, plan, words, audio, n_scans, averaging, story is not None)
    (folder / "truth").mkdir()
    for language in languages:
        if story is not None:
            drivers = story.drivers[language]
        else:
            drivers = story_drivers(words[language], make_world(), n_scans[language], CELLS)
        printed = texts.get(language, ["A real story, whose text is not shown."])
        _write_text(folder / "truth" / f"story_{language}.txt", "\n\n".join(printed))
        study.responses[language] = DrivenResponses(cortex, plan, drivers, seed)
    return study


def _write_top(folder: Path, study: _Study, counts: dict[str, int]) -> None:
    """Write what lies at the top of a BIDS folder, and the annotation."""
    kind = "null phantom" if study.null else "phantom"
    description = {
        "Name": f"Le Petit Prince, {kind}: simulated recordings in the layout of ds003643",
        "BIDSVersion": "1.6.0",
        "DatasetType": "raw",
        "License": "none: its annotation is a book's text, for local use" if study.real_story else "CC0",
        "Authors": AUTHORS,
    }
    write_json(folder / "dataset_description.json", description)
    _write_text(
        folder / "README",
        f"A {kind}: nobody was scanned. Made by brainbook.phantom, described in truth/ if there.\n"
        "Nothing that is found here is true of brains. The annotation has no syntax and no audio.",
    )
    _write_text(folder / "CHANGES", "1.0.0\n  - simulated")
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
        for section, n in study.n_scans[language].items():
            scans.append((language, section, study.audio[language][section], n + RAW_BEFORE[language], n))
    header = "participant_id\tage\tsex\thand\tlanguage"
    _write_text(folder / "participants.tsv", "\n".join([header, *participants]), encoding="utf-8-sig")
    columns = ["language", "section", "audio_seconds", "scans_raw", "scans_preprocessed"]
    write_csv(folder / "annotation" / "scans.csv", pd.DataFrame(scans, columns=columns))


def _write_participant(
    folder: Path, study: _Study, language: str, number: int, name: str, raw: bool, bar: tqdm
) -> None:
    """Write nine preprocessed runs of one participant, its anatomy, and its raw echoes if asked for."""
    code = LANGUAGES.index(language)
    rng = np.random.default_rng([study.seed, 30, code, number])
    first, last = RUN_NUMBERS[language]
    runs = sorted(int(r) for r in rng.choice(np.arange(first, last + 1), N_SECTIONS, replace=False))
    baseline = (BASELINE * rng.uniform(0.9, 1.1, len(study.grid.inside))).astype(np.float32)
    _write_volume(folder / name / "anat" / f"{name}_T1w.nii.gz", study.grid, baseline[None] / 10)
    responses, plan = study.responses[language], study.plan
    shared = responses.weights([40, code], COMMON_WEIGHT)
    own = responses.weights([41, code, number], COMMON_WEIGHT)
    gain = gains(plan, study.seed, [42, code, number])
    share = plan[f"vertex_share_{language}"].to_numpy() * gain**2
    share = np.minimum(share, 0.6 / (1 + OWN_SHARE))
    tally = _Tally(study)
    for section, run in enumerate(runs, start=1):
        noise_rng = np.random.default_rng([study.seed, 50, code, number, section])
        signal = responses.response(shared, section), responses.response(own, section)
        at_rest, thermal = _noise(study, study.n_scans[language][section], share, noise_rng)
        amplitude = _at_vertices(study, np.sqrt(share))
        mixture = study.grid.mixture
        parts = [(mixture @ (values * amplitude).T).T for values in signal]
        parts[1] *= np.float32(np.sqrt(OWN_SHARE))
        series = at_rest if study.null else at_rest + parts[0] + parts[1]
        tally.add(parts, series + thermal.mean(axis=0))
        drift = _drift(study, len(series), noise_rng)
        stem = f"{name}_task-lpp{language}_run-{run:02d}"
        path = folder / "derivatives" / name / "func" / f"{stem}_space-MNIColin27_desc-preproc_bold.nii.gz"
        _write_volume(path, study.grid, baseline * (1 + UNIT / BASELINE * (series + drift + thermal.mean(axis=0))))
        if raw:
            where = folder / name / "func"
            _write_echoes(where, stem, study, language, baseline, series + drift, thermal, noise_rng)
        bar.update()
    if raw and language != "FR":
        _write_aborted(folder / name / "func", study, language, name, runs, baseline)
    study.measured.append(tally.table(language, name, study.null))


class _Tally:
    """Sums up how much of each region's variance, as the loader will see it, is shared signal and own signal."""

    def __init__(self, study: _Study):
        self.averaging, self.columns = study.averaging, study.plan[["region", "hemisphere"]]
        self.sums = np.zeros((4, len(self.columns)))

    def add(self, parts: list[np.ndarray], series: np.ndarray) -> None:
        shared, both, everything = (
            without_slow((self.averaging @ values.T).T) for values in (parts[0], parts[0] + parts[1], series)
        )
        scale = (everything**2).sum(axis=0) / len(everything) + 1e-20  # each run is z-scored by itself
        for row, values in enumerate((shared, both, everything)):
            self.sums[row] += (values**2).sum(axis=0) / scale
        self.sums[3] += len(series)

    def table(self, language: str, name: str, null: bool) -> pd.DataFrame:
        share, total = (self.sums[:2] / np.maximum(self.sums[2], 1e-20)) * (0.0 if null else 1.0)
        ceiling = np.sqrt(total).clip(0, 1)
        return self.columns.assign(language=language, participant=name, share=share, ceiling=ceiling)


def _at_vertices(study: _Study, of_regions: np.ndarray) -> np.ndarray:
    """Return values of regions [148] by vertex, float32 [20484], zero outside the cortex."""
    return np.append(of_regions, 0.0).astype(np.float32)[study.cortex.regions.region_index]


def _noise(study: _Study, n_scans: int, share: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return noise of brain and head [scans, voxels], and thermal noise of three echoes [3, scans, voxels]."""
    left = np.sqrt(1 - (1 + OWN_SHARE) * share)  # a null phantom has the same noise, not more
    cortex = cortical_noise(study.cortex, n_scans, rng) * np.where(
        study.cortex.regions.cortex, _at_vertices(study, left), np.float32(1)
    )
    noise = (study.grid.mixture @ cortex.T).T
    empty = np.flatnonzero(np.diff(study.grid.mixture.indptr) == 0)  # brain, but no cortex
    noise[:, empty] += np.float32(0.7) * autoregressive((n_scans, len(empty)), rng)
    noise += np.sqrt(np.float32(GLOBAL)) * autoregressive((n_scans, 1), rng)
    thermal = np.sqrt(np.float32(3 * THERMAL)) * rng.standard_normal((3, *noise.shape), dtype=np.float32)
    return noise, thermal


def _drift(study: _Study, n_scans: int, rng: np.random.Generator) -> np.ndarray:
    """Return slow drift [scans, voxels], partly the same everywhere."""
    basis = slow_basis(n_scans)[:, 1:] * np.sqrt(n_scans)
    weights = rng.standard_normal((basis.shape[1], 1)) + rng.standard_normal((basis.shape[1], len(study.grid.inside)))
    return (DRIFT / np.sqrt(2 * basis.shape[1]) * basis @ weights).astype(np.float32)


def _write_echoes(where: Path, stem: str, study, language, baseline, series, thermal, rng) -> None:
    """Write three readings of every scan: signal grows with the echo time, thermal noise is each one's own.

    Raw runs have more scans than preprocessed ones, before and after (EN 4 and 4, CN 4 and 0, FR none and 2, of which
    the preprocessed runs have those after). As if the head had lain in MNI space: the phantom has no native space.
    """
    before = rng.normal(0, 0.8, (RAW_BEFORE[language], series.shape[1])).astype(np.float32)
    for echo, (milliseconds, own) in enumerate(zip(ECHO_MS[language], thermal, strict=True), start=1):
        level = np.exp((ECHO_MS[language][1] - milliseconds) / T2_STAR_MS)
        sensitivity = milliseconds / ECHO_MS[language][1]
        values = np.concatenate([before, series + own])
        path = where / f"{stem}_echo-{echo}_bold.nii.gz"
        _write_volume(path, study.grid, baseline * level * (1 + sensitivity * UNIT / BASELINE * values))
        _write_sidecar(path, language, milliseconds)


def _write_aborted(where: Path, study: _Study, language: str, name: str, runs: list[int], baseline) -> None:
    """Write a run that was broken off after ten scans: raw files without a derivative, numbered among the others."""
    first, last = RUN_NUMBERS[language]
    free = [run for run in range(first, last + 1) if run not in runs]
    for echo, milliseconds in enumerate(ECHO_MS[language], start=1):
        path = where / f"{name}_task-lpp{language}_run-{free[0]:02d}_echo-{echo}_bold.nii.gz"
        _write_volume(path, study.grid, np.repeat(baseline[None], 10, axis=0))
        _write_sidecar(path, language, milliseconds)


def _write_sidecar(path: Path, language: str, milliseconds: float) -> None:
    sidecar = {"TaskName": f"lpp{language}", "RepetitionTime": TR, "EchoTime": round(milliseconds / 1000, 5)}
    write_json(path.with_name(path.name.replace(".nii.gz", ".json")), sidecar)


def _write_volume(path: Path, grid: Grid, values: np.ndarray) -> None:
    """Write [scans, voxels inside] as a compressed NIfTI of 16-bit integers without a time stamp (same bytes again)."""
    data = grid.volume(np.clip(np.rint(values), 0, 32_767))
    image = nib.Nifti1Image(data[..., 0] if len(values) == 1 else data, grid.affine)
    image.header.set_xyzt_units("mm", "sec")
    if len(values) > 1:
        image.header.set_zooms((*image.header.get_zooms()[:3], TR))
    path.parent.mkdir(parents=True, exist_ok=True)
    # runs of zeros outside the head are all that can be packed, and Z_RLE finds them in half the time; 31: as gzip does
    packer = zlib.compressobj(1, zlib.DEFLATED, 31, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    path.write_bytes(packer.compress(image.to_bytes()) + packer.flush())


def _write_text(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.write_text(text + "\n", encoding=encoding, newline="\n")
