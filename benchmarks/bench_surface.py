"""Nine runs from voxels to fsaverage5: one cached matrix against nilearn's vol_to_surf called nine times.

    python benchmarks/bench_surface.py [--scans 40] [--runs 9]

The grid is that of ds003643 (2 mm, 73 x 90 x 74). Both take the same images in turn, run by run, so a busy machine
slows both alike; time grows with the scans for both, so real runs (about 300 scans) have this ratio or a better one.
The last column is the largest difference between the two results, in the unit of the images (mean 1000, deviation 50).
"""

import argparse
import tempfile
import time
import warnings

import nibabel as nib
import numpy as np
from nilearn.datasets import load_fsaverage
from nilearn.surface import vol_to_surf

from brainbook.datasets import to_surface
from brainbook.datasets.surface import _cached_matrix

AFFINE = np.array([[2.0, 0, 0, -72], [0, 2, 0, -108], [0, 0, 2, -60], [0, 0, 0, 1]])
SHAPE = (73, 90, 74)


def with_nilearn(image: nib.Nifti1Image) -> np.ndarray:
    """What a user would write: both hemispheres, nilearn's defaults. [scans, 20484]"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # means of nothing, at vertices outside the image
        sides = [vol_to_surf(image, mesh) for mesh in load_fsaverage("fsaverage5")["pial"].parts.values()]
    return np.concatenate(sides).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    seconds = {"nilearn": 0.0, "first call": 0.0, "matrix cached on disk": 0.0}
    difference = 0.0
    with tempfile.TemporaryDirectory() as cache:
        for run in range(arguments.runs):
            data = rng.normal(1000, 50, (*SHAPE, arguments.scans)).astype(np.float32)
            image = nib.Nifti1Image(np.asfortranarray(data), AFFINE)
            start = time.perf_counter()
            theirs = with_nilearn(image)
            seconds["nilearn"] += time.perf_counter() - start
            start = time.perf_counter()
            ours = to_surface(image, cache=cache)
            seconds["first call" if run == 0 else "matrix cached on disk"] += time.perf_counter() - start
            difference = max(difference, float(np.nanmax(np.abs(ours - theirs))))
            assert (np.isnan(ours) == np.isnan(theirs)).all()
            _cached_matrix.cache_clear()  # every further call reads the matrix from disk, as a new program would
    ours = seconds["first call"] + seconds["matrix cached on disk"]
    print(f"{arguments.runs} runs of {arguments.scans} scans, {SHAPE} voxels of 2 mm -> 20,484 vertices")
    print(f"{'nilearn.surface.vol_to_surf':<40}{seconds['nilearn']:8.2f} s")
    print(f"{'brainbook.datasets.to_surface':<40}{ours:8.2f} s  (the first run {seconds['first call']:.2f} s)")
    print(f"{'ratio':<40}{seconds['nilearn'] / ours:8.1f}")
    print(f"{'largest difference':<40}{difference:8.1e}")


if __name__ == "__main__":
    main()
