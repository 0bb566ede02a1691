"""Nine runs from voxels to fsaverage5: one cached matrix against nilearn's vol_to_surf called nine times.

    python benchmarks/bench_surface.py [--scans 40] [--runs 9] [--keep]

The grid is that of ds003643 (2 mm, 73 x 90 x 74). Both take the same images in turn, run by run, so a busy machine
slows both alike; time grows with the scans for both, so real runs (about 300 scans) have this ratio or a better one.
`difference` is the largest one between the two results, in the unit of the images (mean 1000, deviation 50). With
--keep the table goes to book/archive/bench.
"""

import argparse
import tempfile
import time
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.datasets import load_fsaverage
from nilearn.surface import vol_to_surf

from brainbook.datasets import to_surface
from brainbook.datasets.surface import _cached_matrix
from brainbook.workflow import archive_table

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
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
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
    table = pd.DataFrame({
        "contestant": ["brainbook to_surface", "of it, the first run", "nilearn vol_to_surf"],
        "seconds": [ours, seconds["first call"], seconds["nilearn"]],
        "times_brainbook": [1.0, np.nan, seconds["nilearn"] / ours],
        "difference": [0.0, np.nan, difference],
    }).assign(runs=arguments.runs, scans=arguments.scans)  # fmt: skip
    print(f"{arguments.runs} runs of {arguments.scans} scans, {SHAPE} voxels of 2 mm -> 20,484 vertices")
    print(table.to_string(index=False))
    if arguments.keep:
        command = f"python benchmarks/bench_surface.py --scans {arguments.scans} --runs {arguments.runs} --keep"
        archive_table("bench", "surface", table, command)


if __name__ == "__main__":
    main()
