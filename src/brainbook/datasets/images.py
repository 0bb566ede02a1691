"""Opening recordings: no number is used before the file was read to its end, no header that contradicts the dataset.

A .nii.gz ends with a checksum of its content. Readers that stop after the last voxel never come to it: a file with one
flipped bit then gives other numbers and no error. Here every file is read once and whole, checksum included.
"""

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from brainbook.datasets.files import check_content
from brainbook.errors import DatasetError

_NIBABEL_ERRORS = (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError)
_DAMAGE = (*_NIBABEL_ERRORS, OSError, EOFError, ValueError, OverflowError, zlib.error)
_DEFLATE = 1032  # times smaller than its content is the smallest gzip file
_HALF_VOXEL = 0.5


class CheckedData:
    """The numbers of an image file, for nibabel: read when they are asked for, whole, and only if the file is sound."""

    is_proxy = True

    def __init__(self, image: Any, path: Path) -> None:
        self.path, self._image_class = path, type(image)
        self.shape, self.ndim, self.dtype = image.shape, image.ndim, image.get_data_dtype()
        self._end = int(image.dataobj.offset + np.prod(image.shape, dtype=object) * self.dtype.itemsize)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        zipped = self.path.suffix == ".gz"
        try:
            with (gzip.open if zipped else open)(self.path, "rb") as stream:
                values = np.asanyarray(self._image_class.from_stream(stream).dataobj, dtype)
                stream.seek(self._end)
                surplus = 0
                while block := stream.read(1 << 20):  # the checksum is compared when gzip comes to its end
                    surplus += len(block)
        except _DAMAGE as error:
            raise _damaged(self.path, "read to its end", error) from error
        if surplus:
            raise DatasetError(f"{self.path} holds {surplus} bytes more than its header says: get it again")
        return values

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asanyarray(self)[index]

    def content_key(self) -> list | Path:
        """Return what changes with the content: of a .nii.gz its own checksum, else the file (see `fingerprint`)."""
        with self.path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - 8, 0))
            checksum, length = np.frombuffer(stream.read(8).ljust(8, b"\0"), "<u4").tolist()
        # A file of several gzip members has several checksums: the last one does not stand for all.
        one_member = self.path.suffix == ".gz" and length == self._end % 2**32
        return [size, checksum] if one_member else self.path


def open_image(path: str | Path) -> nib.Nifti1Image:
    """Open a NIfTI image whose header makes sense and whose data is not read yet (see `CheckedData`).

    Raises
    ------
    MissingFileError : it is not there, or not downloaded.
    DatasetError : it is no NIfTI file, is damaged or complex, or does not say where in the head its voxels lie.
    """
    path = check_content(path)
    try:
        image = nib.load(path)
        if not isinstance(image, nib.Nifti1Image):
            raise DatasetError(f"{path} is a {type(image).__name__}: recordings are NIfTI files (.nii or .nii.gz)")
        data = CheckedData(image, path)
    except DatasetError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, "opened as an image", error) from error
    if data.dtype.kind not in "iuf":
        raise DatasetError(f"{path} holds numbers of type {data.dtype}, not real ones: export its magnitude")
    size = path.stat().st_size
    if min(data.shape, default=0) < 1 or data._end > size * (_DEFLATE if path.suffix == ".gz" else 1):
        raise DatasetError(
            f"{path}: its header promises {' x '.join(map(str, data.shape))} numbers, which a file of {size} bytes "
            "cannot hold: it is damaged, get it again"
        )
    if not (int(image.header["sform_code"]) or int(image.header["qform_code"])):
        raise DatasetError(
            f"{path} does not say where in the head it lies (sform and qform codes are 0), so that left and right may "
            "be exchanged: take the file that the dataset publishes, or write the codes with the tool that lost them"
        )
    if not is_invertible(image.affine):
        raise DatasetError(
            f"{path}: its affine {np.round(image.affine, 3).tolist()} places voxels nowhere: get it again"
        )
    return type(image)(data, image.affine, image.header, image.extra, image.file_map)


def is_invertible(affine: np.ndarray) -> bool:
    """Return whether a matrix [4, 4] takes voxels to different places, all of them finite."""
    affine = np.asarray(affine, dtype=float)
    return affine.shape == (4, 4) and bool(np.isfinite(affine).all()) and abs(np.linalg.det(affine)) > 1e-9


def check_scans(image: nib.Nifti1Image, expected: int, path: Path, section: int) -> None:
    """Raise DatasetError unless the image holds as many scans as its section has."""
    scans = image.shape[3] if image.ndim == 4 else 1
    if image.ndim > 4 or scans != expected:
        holds = f"{scans} scans" if image.ndim <= 4 else f"the shape {image.shape}"
        raise DatasetError(
            f"{path} has {holds}, section {section} has {expected} scans. Either the file is damaged (get it again, "
            "version 2.0.5 or later), or a preprocessed run is missing and another was taken for section "
            f"{section}, or the table of scans is another study's"
        )


def says_repetition_time(image: nib.Nifti1Image, tr: float, path: Path) -> bool:
    """Return whether the header says that scans are `tr` seconds apart; False if it holds no time (0, or 1).

    Writers put seconds, milliseconds or microseconds there, and their unit is often wrong: any of them is understood.
    DatasetError for every other time.
    """
    time = float(image.header["pixdim"][4])
    if any(abs(time / unit - tr) <= 0.01 * tr for unit in (1, 1e3, 1e6)):
        return True
    if time not in (0, 1):
        raise DatasetError(
            f"{path}: its header says that scans are {time:g} s apart, in this dataset they are {tr:g} s apart. "
            "Either it is another study's, or it was resampled in time: take the file that the dataset publishes"
        )
    return False


def check_same_place(images: dict[Path, nib.Nifti1Image]) -> None:
    """Raise DatasetError if a recording lies over half a voxel from most others of its participant."""
    paths = list(images)
    first = images[paths[0]]
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(first.shape[:3]) - 1)
    places = np.array([nib.affines.apply_affine(images[path].affine, corners) for path in paths])
    apart = np.linalg.norm(places[:, None] - places, axis=-1).max(axis=-1)  # mm, images by images
    near = apart <= _HALF_VOXEL * min(nib.affines.voxel_sizes(first.affine))
    most = int(near.sum(axis=1).argmax())
    if not near[most].all():
        odd = int(np.flatnonzero(~near[most])[0])
        raise DatasetError(
            f"{paths[odd]} lies {apart[most, odd]:.1f} mm away from {paths[most].name} by its affine, though both are "
            "one participant's head in one space: one of them is damaged or was made otherwise, get both again"
        )


def _damaged(path: Path, what: str, error: Exception) -> DatasetError:
    return DatasetError(f"{path} cannot be {what} ({error}): it is damaged, get it again")
