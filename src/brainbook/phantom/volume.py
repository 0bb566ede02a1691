"""Vertices to voxels: the grid of the preprocessed recordings, made coarser, filled from the cortical surface."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import sparse

from brainbook.datasets.atlas import N_VERTICES
from brainbook.datasets.surface import surface_matrix
from brainbook.errors import ConfigurationError

CORNER = np.array([-73.0, -109.0, -61.0])  # mm, outer corner of the first voxel
EXTENT = np.array([146.0, 180.0, 148.0])  # mm: 73 x 90 x 74 voxels of 2 mm
DEPTHS = np.linspace(0, 1, 5)  # from white matter to pial surface


@dataclass
class Grid:
    """A box of voxels in MNI space.

    Attributes
    ----------
    shape : voxels along x, y, z; affine : [4, 4], voxel indices to mm.
    inside : int array, flat indices (C order) of the voxels of the brain.
    mixture : csr matrix [voxels inside, 20484]: rows are the mean over the vertices whose cortex passes through the
        voxel, weighted by how much of it does; empty rows are brain without cortex.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    inside: np.ndarray
    mixture: sparse.csr_matrix

    def volume(self, values: np.ndarray, dtype: type = np.int16) -> np.ndarray:
        """Return [scans, voxels inside] as [x, y, z, scans], zero outside the brain."""
        filled: np.ndarray = np.zeros((int(np.prod(self.shape)), len(values)), dtype)
        filled[self.inside] = values.T
        return filled.reshape(*self.shape, len(values))


def shape_and_affine(voxel_size: float) -> tuple[Any, np.ndarray]:
    """Return shape and affine of the preprocessed recordings' box at a voxel size in mm (2: 73 x 90 x 74 voxels)."""
    if not 2 <= voxel_size <= 15:
        raise ConfigurationError(f"voxel_size={voxel_size}: choose between 2 and 15 mm")
    shape = tuple(int(n) for n in np.ceil(np.round(EXTENT / voxel_size, 6)))
    affine = np.diag([voxel_size, voxel_size, voxel_size, 1.0])
    affine[:3, 3] = CORNER + voxel_size / 2
    return shape, affine


def triangles() -> list[np.ndarray]:
    """Return the triangles of the left and the right surface of fsaverage5, each an array [20480, 3]."""
    from nilearn.datasets import load_fsaverage

    pial = load_fsaverage("fsaverage5")["pial"]
    return [np.asarray(pial.parts[side].faces) for side in ("left", "right")]


def make_grid(voxel_size: float) -> tuple[Grid, list[np.ndarray]]:
    """Make the grid, and return it with the triangles of the left and the right surface."""
    from nilearn.datasets import load_fsaverage, load_mni152_brain_mask

    shape, affine = shape_and_affine(voxel_size)
    surfaces = load_fsaverage("fsaverage5")
    parts = (surfaces[name].parts for name in ("pial", "white_matter"))
    pial, white = (np.concatenate([part["left"].coordinates, part["right"].coordinates]) for part in parts)
    points = np.concatenate([white + depth * (pial - white) for depth in DEPTHS])
    rows = np.ravel_multi_index(np.floor((points - CORNER) / voxel_size).astype(int).T, shape)
    columns = np.tile(np.arange(N_VERTICES), len(DEPTHS))
    mask = load_mni152_brain_mask(resolution=4)
    indices = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), axis=1)
    millimetres = indices @ affine[:3, :3].T + affine[:3, 3]
    there = np.round((millimetres - mask.affine[:3, 3]) / np.diag(mask.affine)[:3]).astype(int)
    there = np.clip(there, 0, np.array(mask.shape) - 1)
    brain = np.asarray(mask.dataobj)[tuple(there.T)] > 0
    brain[rows] = True
    inside = np.flatnonzero(brain)
    position = np.full(len(brain), -1)
    position[inside] = np.arange(len(inside))
    counts = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (position[rows], columns)), shape=(len(inside), N_VERTICES)
    )
    total = np.asarray(counts.sum(axis=1)).ravel()
    mixture = sparse.diags(np.where(total > 0, 1 / np.maximum(total, 1), 0)).dot(counts).tocsr().astype(np.float32)
    return Grid(shape, affine, inside, mixture), triangles()


def loader_sampling(grid: Grid) -> sparse.csr_matrix:
    """Return how `to_surface` reads vertices from these voxels: csr matrix [20484, voxels inside]."""
    matrix = surface_matrix(grid.affine, grid.shape)
    x, y, z = np.unravel_index(grid.inside, grid.shape)
    columns = x + grid.shape[0] * (y + grid.shape[1] * z)  # the loader counts as NIfTI files do, x fastest
    return matrix.tocsc()[:, columns].tocsr().astype(np.float32)


def write_volume(path: Path, grid: Grid, values: np.ndarray, tr: float) -> None:
    """Write [scans, voxels inside] as a compressed NIfTI of 16-bit integers without a time stamp (same bytes again)."""
    data = grid.volume(np.clip(np.rint(values), 0, 32_767))
    image = nib.Nifti1Image(data[..., 0] if len(values) == 1 else data, grid.affine)
    image.header.set_xyzt_units("mm", "sec")
    if len(values) > 1:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    path.parent.mkdir(parents=True, exist_ok=True)
    # runs of zeros outside the head are all that can be packed, and Z_RLE finds them in half the time; 31: as gzip does
    packer = zlib.compressobj(1, zlib.DEFLATED, 31, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    path.write_bytes(packer.compress(image.to_bytes()) + packer.flush())
