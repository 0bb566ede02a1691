"""A participant's nine recordings as one clean array of scans by vertices or regions."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pandas as pd

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.recordings.cleaning import HIGH_PASS, clean, zscore
from brainbook.recordings.images import read_data
from brainbook.recordings.layout import Run
from brainbook.recordings.regions import N_VERTICES, Regions, destrieux
from brainbook.recordings.surface import to_surface
from brainbook.store import keep_array

if TYPE_CHECKING:
    from brainbook.recordings.little_prince import LittlePrince

TARGETS = ("regions", "vertices")
_VERSION = 1  # of this computation: count up when its results change


@dataclass(frozen=True, eq=False)
class Responses:
    """What was measured, on the clock of the scans.

    Attributes
    ----------
    values : float32 array [scans, targets]: all runs one after the other, each z-scored by itself.
    run_of_scan : int array [scans]: the section (1..9) that was heard.
    names : DataFrame with one row a target: region, hemisphere (of vertices: the region each belongs to).
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
        "recordings": [_state_of(run) for run in runs],
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

    values = keep_array(cache and Path(cache) / "responses", f"{participant}-{targets}", inputs, compute)
    run_of_scan = np.repeat([run.section for run in runs], [run.n_scans for run in runs])
    names = regions.columns if targets == "regions" else regions.table[["region", "hemisphere"]]
    return Responses(values, run_of_scan, names.reset_index(drop=True), regions.source)


def _one_run(
    image: nib.spatialimages.SpatialImage,
    run: Run,
    tr: float,
    regions: Regions | None,
    cache: str | Path | None,
    sampling: str,
) -> np.ndarray:
    """float32 [scans, 148] with `regions`, [scans, 20484] without."""
    read = image.__class__(read_data(image, run.path), image.affine)
    vertices = clean(to_surface(read, cache=cache, sampling=sampling), tr=tr)
    dead = np.isnan(vertices).all(axis=0) | (vertices == 0).all(axis=0)  # outside the image, or of no signal
    if dead.mean() > 0.5:
        raise DatasetError(
            f"{run.path}: {int(dead.sum())} of {N_VERTICES} vertices of the cortex carry no signal. The recording is "
            "damaged or not in MNI space: get it again, version 2.0.5 or later"
        )
    if regions is None:
        return vertices
    vertices[:, dead] = np.nan  # silence is left out of a region's mean
    return zscore(regions.average(vertices)[0])


def _state_of(run: Run) -> list:
    """What changes when a recording does, without reading it: name, size, time of the last change."""
    status = run.path.stat()
    return [run.path.name, status.st_size, status.st_mtime_ns, run.section]
