"""Where a phantom is recorded: voxels of a grid or vertices of a surface, and how regions are averaged over them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from brainbook.datasets.atlas import N_VERTICES, Regions
from brainbook.phantom.volume import Grid, loader_sampling


@dataclass
class Places:
    """The places of a recording.

    Attributes
    ----------
    mixture : csr matrix [places, 20484], the vertices of fsaverage5 that each place measures; empty rows are brain
        without cortex.
    averaging : csr matrix [148, places], region means as the loader reads them.
    grid : the voxels, None for places on a surface.
    """

    mixture: sparse.csr_matrix
    averaging: sparse.csr_matrix
    grid: Grid | Any = None  # None on a surface

    @classmethod
    def voxels(cls, grid: Grid, regions: Regions) -> "Places":
        """Return the voxels of a grid, which the loader projects to the surface."""
        averaging = (region_means(regions) @ loader_sampling(grid)).tocsr().astype(np.float32)
        return cls(grid.mixture, averaging, grid)

    @classmethod
    def vertices(cls, regions: Regions) -> "Places":
        """Return the vertices of fsaverage5."""
        return cls(sparse.identity(N_VERTICES, np.float32, "csr"), region_means(regions).astype(np.float32))


def region_means(regions: Regions) -> sparse.csr_matrix:
    """Return the matrix [148, 20484] that averages over the vertices of each region."""
    masks = regions.region_index[None, :] == np.arange(len(regions.columns))[:, None]
    return sparse.csr_matrix(masks / np.maximum(masks.sum(axis=1, keepdims=True), 1))
