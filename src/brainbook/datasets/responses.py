"""The recordings of a participant as one clean array of scans by vertices or regions."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from brainbook.datasets.atlas import Regions, destrieux
from brainbook.datasets.base import Responses, Run
from brainbook.datasets.cleaning import HIGH_PASS, clean, zscore
from brainbook.datasets.recordings import Recording
from brainbook.errors import ConfigurationError, DatasetError
from brainbook.store import cached_array

TARGETS = ("regions", "vertices")
COVERAGE = 0.5  # share of a region's vertices, or of a hemisphere's, that must carry a signal in a run
_VERSION = 2  # of this computation: count up when its results change


def load_responses(
    dataset: Any,
    participant: str,
    targets: str = "regions",
    cache: str | Path | None = None,
    sampling: str = "line",
    runs: list[Run] | None = None,
) -> Responses:
    """Put all runs of a participant on the cortical surface, clean them, and join them.

    Every run by itself is put on fsaverage5 (`recordings`), detrended, high-passed at 1/128 Hz and z-scored.

    Parameters
    ----------
    dataset : whose `recording` gives a `VolumeRecording` or a `SurfaceRecording` of a run.
    targets : 'regions' (148: the mean over a region's cleaned vertices, z-scored again) or 'vertices' (20,484).
    cache : folder for results, under a key made of the recordings and the settings; None stores none.
    sampling : 'line' or 'ribbon', see `to_surface`.
    runs : those of `dataset.runs(participant)` by default.

    Examples
    --------
    >>> dataset = open_dataset("data/described")
    >>> participant = dataset.participants("EN")[0]
    >>> load_responses(dataset, participant, "vertices", runs=dataset.runs(participant)[:1]).values.shape[1]
    20484
    """
    if targets not in TARGETS:
        raise ConfigurationError(f"targets is {targets!r}; it is one of {', '.join(TARGETS)}")
    runs = dataset.runs(participant) if runs is None else runs
    recordings = [dataset.recording(run) for run in runs]  # all must be there before the long part begins
    regions = destrieux()
    inputs = {
        "version": _VERSION,
        "recordings": [recording.content_key() for recording in recordings],
        "targets": targets,
        "sampling": sampling,
        "high_pass": HIGH_PASS,
        "tr": dataset.tr,
    }
    if targets == "regions":
        inputs["regions"] = regions.region_index

    def compute() -> np.ndarray:
        averaged = regions if targets == "regions" else None
        bar = tqdm(recordings, f"cleaning {participant}", unit="run", leave=False, disable=None)
        return np.concatenate([_clean_run(recording, dataset.tr, averaged, cache, sampling) for recording in bar])

    values = cached_array(cache and Path(cache) / "responses", f"{participant}-{targets}", inputs, compute)
    run_of_scan = np.repeat([run.section for run in runs], [run.n_scans for run in runs])
    names = regions.columns if targets == "regions" else regions.table[["region", "hemisphere"]]
    names = names.reset_index(drop=True)
    if lost := describe_lost(values, run_of_scan, names):
        warnings.warn(f"{participant}: {lost}", stacklevel=3)
    return Responses(values, run_of_scan, names, regions.source)


def describe_lost(values: np.ndarray, run_of_scan: np.ndarray, names: pd.DataFrame) -> str:
    """Say which targets have no signal and in which sections; '' if all have one.

    Vertices (several to a region) that have none in any section lie outside the image: only others are named.
    """
    sections = np.unique(run_of_scan)
    lost = np.array([np.isnan(values[run_of_scan == section]).any(axis=0) for section in sections])  # sections, targets
    by_vertex = names.duplicated().any()
    if by_vertex:
        lost[:, lost.all(axis=0)] = False
    if not lost.any():
        return ""
    where = ", ".join(str(section) for section in sections[lost.any(axis=1)])
    targets = names[lost.any(axis=0)]
    listed = [f"{row.hemisphere}.{row.region}" for row in targets.drop_duplicates().itertuples()]
    which = ", ".join(listed[:5]) + (f" and {len(listed) - 5} more regions" if len(listed) > 5 else "")
    what = f"{len(targets)} vertices (of {which}) have" if by_vertex else f"less than half of {which} has"
    return f"{what} no signal in section {where}, where the values are NaN"


def _clean_run(
    recording: Recording,
    tr: float,
    regions: Regions | None,
    cache: str | Path | None,
    sampling: str,
) -> np.ndarray:
    """Return float32 [scans, 148] with `regions`, [scans, 20484] without."""
    surface = recording.to_surface(cache, sampling)
    check_signal(surface, recording.path)
    vertices = clean(surface, tr=tr)
    if regions is None:
        return vertices
    means = zscore(regions.average(vertices)[0])  # vertices without a signal are left out of a region's mean
    share = regions.average(np.isfinite(vertices[0]).astype(float))[0]
    means[:, share < COVERAGE] = np.nan
    return means


def check_signal(surface: np.ndarray, path: Path) -> None:
    """Refuse a recording on the surface [scans, 20484] if most of a hemisphere is empty, or all of it in some scans.

    Scans that repeat the one before get a warning: a scanner does not measure the same twice.
    """
    there = np.nan_to_num(surface) != 0
    for side, half in zip(("left", "right"), np.split(there, 2, axis=1), strict=True):
        empty = ~half.any(axis=1)
        if empty.any() and not empty.all():
            raise DatasetError(
                f"{path}: nothing was recorded of the {side} hemisphere in {which_scans(empty)}. It is damaged: get it "
                "again"
            )
    with np.errstate(invalid="ignore"):
        moving = np.ptp(surface, axis=0) > 0
    left, right = np.split(moving, 2)
    parts = {"left hemisphere": left, "right hemisphere": right} if moving.any() else {"cortex": moving}
    for name, part in parts.items():
        if part.mean() < COVERAGE:
            raise DatasetError(
                f"{path}: {int((~part).sum())} of {len(part)} vertices of the {name} carry no signal (outside the "
                "image, or the same in every scan). The recording is damaged or not in MNI space: get it again, "
                "version 2.0.5 or later"
            )
    repeats = np.append(False, (np.diff(surface[:, moving], axis=0) == 0).all(axis=1))
    if repeats.any():
        warnings.warn(f"{path}: the same numbers as in the scan before in {which_scans(repeats)}", stacklevel=2)


def which_scans(which: Any) -> str:
    """Say which scans of a bool array [scans] are True, the first scan being 0."""
    numbers = np.flatnonzero(which)
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"{len(numbers)} of {len(which)} scans ({', '.join(map(str, numbers[:5]))}{more}, counted from 0)"
