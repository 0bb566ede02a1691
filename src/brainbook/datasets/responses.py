"""A participant's nine recordings as one clean array of scans by vertices or regions."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pandas as pd

from brainbook.datasets.atlas import Regions, destrieux
from brainbook.datasets.cleaning import HIGH_PASS, clean, zscore
from brainbook.datasets.layout import Run
from brainbook.datasets.surface import to_surface
from brainbook.errors import ConfigurationError, DatasetError
from brainbook.store import cached_array

if TYPE_CHECKING:
    from brainbook.datasets.little_prince import LittlePrince

TARGETS = ("regions", "vertices")
COVERAGE = 0.5  # share of a region's vertices, or of a hemisphere's, that must carry a signal in a run
_VERSION = 2  # of this computation: count up when its results change


@dataclass(frozen=True, eq=False)
class Responses:
    """What was measured, on the clock of the scans.

    Attributes
    ----------
    values : float32 array [scans, targets]: all runs one after the other, each z-scored by itself. A target that has no
        signal in a run (a still or missing vertex; a region of which less than half has one) is NaN in that run.
    run_of_scan : int array [scans]: the section (1..9) that was heard.
    names : DataFrame with one row per target: region, hemisphere (of vertices: the region each belongs to).
    source : which parcellation the names come from, 'nilearn' or 'embedded (approximate)'.
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


def responses(
    prince: "LittlePrince", participant: str, targets: str, cache: str | Path | None, sampling: str
) -> Responses:
    """See `LittlePrince.responses`."""
    if targets not in TARGETS:
        raise ConfigurationError(f"targets is {targets!r}; it is one of {', '.join(TARGETS)}")
    runs = prince.runs(participant)
    images = [prince.bold(participant, run.section) for run in runs]  # all must be there before the long part begins
    regions = destrieux()
    inputs = {
        "version": _VERSION,
        "recordings": [image.dataobj.content_key() for image in images],
        "targets": targets,
        "sampling": sampling,
        "high_pass": HIGH_PASS,
        "tr": prince.tr,
    }
    if targets == "regions":
        inputs["regions"] = regions.region_index

    def compute() -> np.ndarray:
        return np.concatenate(
            [
                _one_run(image, run, prince.tr, regions if targets == "regions" else None, cache, sampling)
                for image, run in zip(images, runs, strict=True)
            ]
        )

    values = cached_array(cache and Path(cache) / "responses", f"{participant}-{targets}", inputs, compute)
    run_of_scan = np.repeat([run.section for run in runs], [run.n_scans for run in runs])
    names = regions.columns if targets == "regions" else regions.table[["region", "hemisphere"]]
    names = names.reset_index(drop=True)
    if lost := describe_lost(values, run_of_scan, names):
        warnings.warn(f"{participant}: {lost}", stacklevel=3)
    return Responses(values, run_of_scan, names, regions.source)


def describe_lost(values: np.ndarray, run_of_scan: np.ndarray, names: pd.DataFrame) -> str:
    """Which targets have no signal and in which sections, in words; '' if all have one.

    Vertices (several to a region) that have none in any section lie outside the image: only others are spoken of.
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


def _one_run(
    image: nib.spatialimages.SpatialImage,
    run: Run,
    tr: float,
    regions: Regions | None,
    cache: str | Path | None,
    sampling: str,
) -> np.ndarray:
    """float32 [scans, 148] with `regions`, [scans, 20484] without."""
    surface = to_surface(image, cache=cache, sampling=sampling)
    check_signal(surface, run.path)
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


def which_scans(which: np.ndarray) -> str:
    """The scans of a bool array [scans] in words, the first scan being 0."""
    numbers = np.flatnonzero(which)
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"{len(numbers)} of {len(which)} scans ({', '.join(map(str, numbers[:5]))}{more}, counted from 0)"
