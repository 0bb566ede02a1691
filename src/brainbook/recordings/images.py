"""Opening recordings, with errors that name the file and say what to do."""

from pathlib import Path

import nibabel as nib
import numpy as np

from brainbook.errors import DatasetError
from brainbook.stimuli import check_content

_DAMAGE = (nib.filebasedimages.ImageFileError, OSError, EOFError, ValueError)


def open_image(path: Path) -> nib.spatialimages.SpatialImage:
    """A nibabel image whose data is not read yet. Raises MissingFileError or DatasetError."""
    check_content(path)
    try:
        return nib.load(path)
    except _DAMAGE as error:
        raise DatasetError(f"{path} cannot be opened as an image ({error}): it is damaged, get it again") from error


def read_data(image: nib.spatialimages.SpatialImage, path: Path) -> np.ndarray:
    """The numbers of an image; DatasetError if its file ends too early."""
    try:
        return np.asanyarray(image.dataobj)
    except _DAMAGE as error:
        raise DatasetError(f"{path} cannot be read to its end ({error}): it is damaged, get it again") from error


def check_scans(image: nib.spatialimages.SpatialImage, expected: int, path: Path, section: int) -> None:
    """DatasetError unless the image holds as many scans as its section has."""
    scans = image.shape[3] if image.ndim == 4 else 1
    if scans != expected:
        raise DatasetError(
            f"{path} has {scans} scans, section {section} has {expected}. Either the file is damaged (get it again, "
            "version 2.0.5 or later), or a preprocessed run is missing and another was taken for section "
            f"{section}, or the table of scans is another study's"
        )
