"""From a volume to the vertices of fsaverage5, by one sparse matrix per geometry.

`nilearn.surface.vol_to_surf` interpolates every scan anew, although where the vertices lie in the grid of voxels never
changes. Trilinear interpolation and the mean over the points along a vertex's normal are both linear, so together they
are one sparse matrix [vertices, voxels]: it is made once for an affine and a shape, kept on disk, and then multiplies
all scans at once. The result equals nilearn's (see tests/datasets/test_surface.py).
"""

from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import sparse

from brainbook.datasets.atlas import N_VERTICES
from brainbook.datasets.images import is_invertible, open_image
from brainbook.errors import ConfigurationError, DatasetError
from brainbook.store import cached_array

POINTS = 10  # along the line through a vertex
HALF_LINE = 3.0  # mm on either side of the vertex
SAMPLING = ("line", "ribbon")


def to_surface(
    image: nib.spatialimages.SpatialImage | str | Path,
    cache: str | Path | None = None,
    sampling: str = "line",
) -> np.ndarray:
    """Project an image to the 20,484 vertices of fsaverage5's pial surface, left hemisphere first.

    Parameters
    ----------
    image : a nibabel image in MNI space (or its path), 3-D or 4-D with scans last.
    cache : folder for the matrix of a geometry; None keeps it in memory only.
    sampling : 'line': the mean of ten points within 3 mm of the vertex along its normal, nilearn's default; 'ribbon':
        of ten points from the white to the pial surface, nilearn's with `inner_mesh`.

    Returns
    -------
    array [20484], or [scans, 20484] for a 4-D image. A vertex whose points all lie outside the image is NaN; points
    beside voxels that are NaN are left out of the mean.

    Examples
    --------
    >>> import nibabel as nib
    >>> affine = np.diag([16.0, 16, 16, 1])
    >>> affine[:3, 3] = -72, -108, -70
    >>> to_surface(nib.Nifti1Image(np.ones((10, 12, 10)), affine)).shape
    (20484,)
    """
    if not isinstance(image, nib.spatialimages.SpatialImage):
        image = open_image(image)
    if image.ndim not in (3, 4):
        raise DatasetError(f"an image of shape {image.shape} is neither one volume nor a series of volumes")
    data = np.asanyarray(image.dataobj)
    if data.dtype.kind not in "biuf":
        raise DatasetError(f"an image of {data.dtype} numbers has no values to put on a surface: take its magnitude")
    voxels = data.reshape(int(np.prod(image.shape[:3])), -1, order="F")  # in the matrix's order of voxels
    geometry = {"affine": image.affine, "shape": image.shape[:3], "sampling": sampling}
    matrix = surface_matrix(**geometry, cache=cache)
    used = np.unique(matrix.indices)
    values = np.ascontiguousarray(voxels[used], dtype=np.float64)  # used voxels, scans
    missing = np.isnan(values)
    if not missing.any():
        surface = _project(matrix[:, used], values)
    else:
        surface = np.empty((N_VERTICES, values.shape[1]))
        patterns, pattern_of_scan = np.unique(missing, axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            scans = pattern_of_scan.ravel() == number
            left_out = np.zeros(matrix.shape[1], dtype=bool)
            left_out[used[pattern]] = True
            without = _matrix(np.asarray(image.affine, dtype=float), image.shape[:3], sampling, left_out)
            surface[:, scans] = _project(without[:, used], np.nan_to_num(values[:, scans]))
    return np.ascontiguousarray(surface[:, 0] if image.ndim == 3 else surface.T)


def _project(matrix: sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    surface = matrix @ values
    surface[np.diff(matrix.indptr) == 0] = np.nan
    return surface


def surface_matrix(
    affine: np.ndarray, shape: tuple[int, ...], sampling: str = "line", cache: str | Path | None = None
) -> sparse.csr_matrix:
    """Return the matrix that takes the voxels of a volume to the vertices of fsaverage5.

    Parameters
    ----------
    affine : [4, 4], from voxel indices to mm in MNI space.
    shape : voxels along the three axes.
    sampling, cache : see `to_surface`.

    Returns
    -------
    sparse matrix [20484, voxels]; the voxel (i, j, k) has the column i + n_i (j + n_j k), the order of
    NIfTI files. Rows sum to 1, or are empty where a vertex lies outside the volume.

    Examples
    --------
    >>> affine = np.diag([16.0, 16, 16, 1])
    >>> affine[:3, 3] = -72, -108, -70
    >>> surface_matrix(affine, (10, 12, 10)).shape
    (20484, 1200)
    """
    if sampling not in SAMPLING:
        raise ConfigurationError(f"sampling is {sampling!r}; it is one of {', '.join(SAMPLING)}")
    affine = np.asarray(affine, dtype=float)
    shape = tuple(int(size) for size in shape)
    if affine.shape != (4, 4) or len(shape) != 3 or min(shape) < 2:
        raise DatasetError(f"an affine of shape {affine.shape} and a volume of {shape} voxels make no geometry")
    if not is_invertible(affine):
        raise DatasetError(f"the affine {np.round(affine, 3).tolist()} places voxels nowhere")
    return _cached_matrix(affine.tobytes(), shape, sampling, None if cache is None else str(cache))


@lru_cache(maxsize=8)
def _cached_matrix(affine_bytes: bytes, shape: tuple, sampling: str, cache: str | None) -> sparse.csr_matrix:
    affine = np.frombuffer(affine_bytes).reshape(4, 4)
    inputs = {"affine": affine, "shape": list(shape), "sampling": sampling, "points": POINTS, "half_line": HALF_LINE}

    def compute() -> np.ndarray:
        matrix = _matrix(affine, shape, sampling).tocoo()
        return np.stack([matrix.row.astype(float), matrix.col.astype(float), matrix.data])

    rows, columns, weights = cached_array(cache, "surface-matrix", inputs, compute)
    entries = (weights, (rows.astype(np.int32), columns.astype(np.int64)))
    return sparse.csr_matrix(entries, shape=(N_VERTICES, int(np.prod(shape))))


def _matrix(affine: np.ndarray, shape: tuple, sampling: str, left_out: np.ndarray | None = None) -> sparse.csr_matrix:
    """Compute `surface_matrix`; the voxels of the bool array `left_out` [voxels] are treated as if absent."""
    points = _sample_points(sampling)  # vertices, points, 3 (mm)
    places = nib.affines.apply_affine(np.linalg.inv(affine), points).reshape(-1, 3)  # in voxels
    # nilearn keeps a point up to one voxel beyond the last centre, where trilinear interpolation extrapolates
    inside = ((places >= 0) & (places < np.array(shape))).all(axis=1)
    corner = np.clip(np.floor(places[inside]).astype(int), 0, np.array(shape) - 2)
    fraction = places[inside] - corner
    rows = np.flatnonzero(inside) // points.shape[1]
    strides = np.array([1, shape[0], shape[0] * shape[1]])
    steps = list(np.ndindex(2, 2, 2))
    columns = np.stack([(corner + step) @ strides for step in steps], axis=1)  # points inside, 8
    weights = np.stack([np.prod(np.where(step, fraction, 1 - fraction), axis=1) for step in steps], axis=1)
    if left_out is not None:
        complete = ~left_out[columns].any(axis=1)
        rows, columns, weights = rows[complete], columns[complete], weights[complete]
    counts = np.bincount(rows, minlength=N_VERTICES)
    weights = weights / counts[rows][:, None]
    entries = (weights.ravel(), (np.repeat(rows, 8), columns.ravel()))  # those of the same voxel are summed
    matrix = sparse.csr_matrix(entries, shape=(N_VERTICES, int(np.prod(shape))))
    matrix.eliminate_zeros()
    return matrix


def _sample_points(sampling: str) -> np.ndarray:
    """Return where each vertex is sampled, array [20484, points, 3] in mm."""
    from nilearn.datasets import load_fsaverage

    meshes = load_fsaverage("fsaverage5")
    places = []
    for part in ("left", "right"):
        pial = meshes["pial"].parts[part]
        outer = np.asarray(pial.coordinates, dtype=float)
        if sampling == "line":
            direction, steps = _normals(outer, pial.faces), np.linspace(HALF_LINE, -HALF_LINE, POINTS)
        else:
            inner = np.asarray(meshes["white_matter"].parts[part].coordinates, dtype=float)
            direction, steps = inner - outer, np.linspace(0, 1, POINTS)
        places.append(outer[:, None] + direction[:, None] * steps[None, :, None])
    return np.concatenate(places)


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the outward unit normal of each vertex: of the sum of the unit normals of its faces. [vertices, 3]"""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sums = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(sums, faces[:, corner], normals)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)
