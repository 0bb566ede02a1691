"""What layouts of surface data share: GIFTI files, fsaverage6, tables of events, runs that begin before the story."""

import base64
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.atlas import VERTICES_PER_HEMISPHERE
from brainbook.phantom.files import write_csv, write_text
from brainbook.phantom.study import Section

SPACES = ("fsaverage6", "fsaverage5")
HEMISPHERES = ("L", "R")
AFTER = 12.0  # seconds that a run goes on after the last word
MARGIN = 10.0  # of which these are analysed
_NEAR = 1e-6  # of a scan
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">
<GIFTI Version="1.0" NumberOfDataArrays="{n_scans}">
<MetaData>{about}</MetaData><LabelTable/>"""
_ARRAY = (
    '<DataArray Intent="NIFTI_INTENT_TIME_SERIES" DataType="NIFTI_TYPE_FLOAT32" ArrayIndexingOrder="RowMajorOrder" '
    'Dimensionality="1" Dim0="{n_vertices}" Encoding="GZipBase64Binary" Endian="LittleEndian" ExternalFileName="" '
    'ExternalFileOffset="0"><MetaData/>'
)
_STRUCTURE = {"L": "CortexLeft", "R": "CortexRight"}


def section_after(story: str, number: int, start: float, seconds: float, tr: float, lead_in: float = 0.0) -> Section:
    """Return a section whose sound begins `start` seconds after its run, and whose last word ends `seconds` later.

    Analysed are the scans from the one in which the sound begins (or the lead-in ends) to the one that holds the end of
    the margin after the last word, as `open_dataset` takes them from a description.
    """
    cut = int((start + lead_in) / tr + _NEAR)
    n_scans = int(np.ceil((start + seconds + MARGIN) / tr - cut - _NEAR))
    return Section(story, number, start, int(np.ceil((start + seconds + AFTER) / tr)), cut, n_scans)


def write_gifti(
    path: Path, values: np.ndarray, hemisphere: str, space: str, tr: float, edges: np.ndarray, step: float
) -> None:
    """Write one hemisphere's [scans, 10242] as fMRIPrep does: one array per scan; fsaverage6's are interpolated.

    edges : of this hemisphere's fsaverage5 (`subdivided_edges`).
    step : a power of two to multiples of which values are rounded, which makes files half as large.
    """
    values = np.round(values / step) * np.float32(step)
    if space == "fsaverage6":
        values = np.hstack([values, values[:, edges].mean(axis=2)])
    meta = {"AnatomicalStructurePrimary": _STRUCTURE[hemisphere], "TimeStep": f"{1000 * tr:.6f}"}
    about = "".join(f"<MD><Name>{name}</Name><Value>{value}</Value></MD>" for name, value in meta.items())
    head = _HEAD.format(n_scans=len(values), about=about)
    array = _ARRAY.format(n_vertices=values.shape[1])
    scans = [f"{array}<Data>{_packed(scan)}</Data></DataArray>" for scan in values.astype("<f4")]
    write_text(path, "\n".join([head, *scans, "</GIFTI>"]))


def _packed(scan: np.ndarray) -> str:
    """Return the bytes of a scan as GIFTI files hold them; nibabel's own writing looks for repetitions, in vain."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return base64.b64encode(packer.compress(scan.tobytes()) + packer.flush()).decode("ascii")


def subdivided_edges(faces: np.ndarray) -> np.ndarray:
    """Return the ends of a surface's edges, int array [edges, 2]: fsaverage6 adds one vertex in the middle of each.

    The first 10,242 vertices of a hemisphere of fsaverage6 are those of fsaverage5. The order of the 30,720 others is
    not FreeSurfer's, which no file at hand tells.
    """
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0)


def halves(values: np.ndarray) -> dict[str, np.ndarray]:
    """Split [scans, 20484] into hemispheres: {"L": [scans, 10242], "R": ...}."""
    left, right = np.split(values, [VERTICES_PER_HEMISPHERE], axis=1)
    return {"L": left, "R": right}


def write_events(path: Path, events: list[tuple[float, float, str, str]]) -> None:
    """Write events.tsv from rows of onset (s from the first scan), duration (s), trial_type, stim_file."""
    table = pd.DataFrame(events, columns=["onset", "duration", "trial_type", "stim_file"])
    write_csv(path, table, sep="\t")
