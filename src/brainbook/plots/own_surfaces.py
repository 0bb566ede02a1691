"""A participant's own cortex: surfaces that FreeSurfer made of the anatomical scan, in the project's pycortex store.

Scores are computed on fsaverage5, where all participants meet. To look at them on the folds of one person, every vertex
of that person takes the value of the nearest vertex of fsaverage5 on the sphere to which FreeSurfer registered both.

    own = own_surface("subjects/sub-EN057")        # imported into the store now, if it is not there yet
    flatmap(values, regions, surface=own)          # needs the flattening, see below
    viewer(maps, folder, regions, surface=own)

A subject folder of FreeSurfer (recon-all on the T1-weighted image) has all that is read here, with nibabel: FreeSurfer
itself is not needed, as it is for pycortex's own `cortex.freesurfer.import_subj`. What comes into the store is the
same, in scanner coordinates, but for the white surface, which is `white` here and by default the smoothed one there,
and for the anatomical volumes, which maps do not need. A subject that pycortex's importer brought in is used as it is.

A flat map also needs `surf/{lh,rh}.full.flat.patch.3d`, as mris_flatten's are called by custom, or autoflatten's
`surf/{lh,rh}.autoflatten.flat.patch.3d`. Once they are there the participant is imported anew.
"""

import re
import shutil
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel.freesurfer as fs
import numpy as np
from scipy.spatial import cKDTree

from brainbook.errors import DatasetError
from brainbook.plots.pycortex_store import (
    FSAVERAGE5,
    HEMISPHERES,
    open_store,
    store_folder,
    without_faces_across_cuts,
    write_subject,
)

_FILES = {"pia": "pial", "wm": "white", "inflated": "inflated"}
_FLATTENED = ("full", "autoflatten")  # by whom, in the names of patches
_SHAPE = {"curvature": ("curv", -1), "sulcaldepth": ("sulc", -1), "thickness": ("thickness", 1)}  # name, sign


@dataclass(frozen=True, eq=False)
class OwnSurface:
    """A participant in the store.

    Attributes
    ----------
    subject : name in the store.
    nearest : int array [vertices of the participant], left then right: the vertex of fsaverage5 (0..20483) whose value
        each one takes.
    flat : whether the participant has been flattened, so that there is a flat map.
    """

    subject: str
    nearest: np.ndarray
    flat: bool


def own_surface(freesurfer: str | Path, store: str | Path | None = None) -> OwnSurface:
    """Return a participant's own surfaces from a FreeSurfer subject folder, imported into the store if needed.

    Parameters
    ----------
    freesurfer : folder of one subject, `.../sub-EN057`; its name becomes the subject's name in the store.
    store : folder of the pycortex store; None for the one in use, or cache/pycortex.

    Raises
    ------
    DatasetError : a file is missing or damaged; the message names it, and nothing has come into the store.
    """
    freesurfer = Path(freesurfer)
    folder = store_folder(store)
    subject = folder / freesurfer.name
    nearest = nearest_on_fsaverage5(freesurfer)
    outdated = _is_outdated(freesurfer, subject)
    if outdated or not subject.is_dir():
        surfaces, shape = _read(freesurfer)
        if len(nearest) != sum(len(surfaces["pia", hemisphere][0]) for hemisphere in HEMISPHERES):
            raise DatasetError(
                f"{freesurfer / 'surf'}: sphere.reg and pial have different numbers of vertices: these files are not "
                "of one reconstruction."
            )
        folder.mkdir(parents=True, exist_ok=True)
        if outdated:
            shutil.rmtree(subject)
        write_subject(folder, freesurfer.name, surfaces, shape)
    cortex = open_store(folder)
    cortex.db._memocache = {}  # surfaces as they were before
    cortex.db.reload_subjects()
    flat = all((subject / "surfaces" / f"flat_{hemisphere}.gii").exists() for hemisphere in HEMISPHERES)
    return OwnSurface(freesurfer.name, nearest, flat)


def _is_outdated(freesurfer: Path, subject: Path) -> bool:
    """Return whether a subject was imported here before it was flattened; what pycortex itself imported never is."""
    return (
        all(path.exists() for path in _patches(freesurfer).values())
        and (subject / "surfaces").is_dir()
        and not any(any((subject / part).glob("*")) for part in ("anatomicals", "transforms", "views"))
        and not (subject / "surfaces" / "flat_lh.gii").exists()
    )


def _patches(freesurfer: Path) -> dict[str, Path]:
    """Return the flattened patch of each hemisphere: mris_flatten's, or autoflatten's where both of those exist."""
    names = [{h: freesurfer / "surf" / f"{h}.{name}.flat.patch.3d" for h in HEMISPHERES} for name in _FLATTENED]
    return next((paths for paths in names if all(path.exists() for path in paths.values())), names[0])


def nearest_on_fsaverage5(freesurfer: str | Path) -> np.ndarray:
    """Find the vertex of fsaverage5 (0..20483) nearest to each of a participant's on the registered sphere.

    Reads `surf/{lh,rh}.sphere.reg`. Returns an int array [vertices], left then right.
    """
    from nilearn.datasets import load_fsaverage

    sphere, parts = load_fsaverage(FSAVERAGE5)["sphere"].parts, []
    for hemisphere, side in HEMISPHERES.items():
        own, *_ = _read_file(_read_surface, Path(freesurfer) / "surf" / f"{hemisphere}.sphere.reg")
        average = np.asarray(sphere[side].coordinates)
        average, own = (points / np.linalg.norm(points, axis=1, keepdims=True) for points in (average, own))
        parts.append(cKDTree(average).query(own)[1] + (0 if hemisphere == "lh" else len(average)))
    return np.concatenate(parts)


def _read(freesurfer: Path) -> tuple[dict, dict]:
    """Read what `write_subject` takes. Raises DatasetError that names the first missing file."""
    surfaces: dict[Any, Any] = {}
    shape: dict[str, dict] = {quantity: {} for quantity in _SHAPE}
    folder = freesurfer / "surf"
    patches = _patches(freesurfer)
    flat = all(path.exists() for path in patches.values())
    for hemisphere, side in HEMISPHERES.items():
        for surface, name in _FILES.items():
            surfaces[surface, hemisphere] = _read_file(_in_scanner, folder / f"{hemisphere}.{name}")
        n_vertices = len(surfaces["pia", hemisphere][0])
        for quantity, (name, sign) in _SHAPE.items():
            path = folder / f"{hemisphere}.{name}"
            values = _read_file(fs.read_morph_data, path)
            if len(values) != n_vertices:
                raise DatasetError(
                    f"{path} has {len(values)} vertices, the pial surface {n_vertices}: these files are not of one "
                    "reconstruction."
                )
            shape[quantity][side] = sign * values
        if flat:
            coordinates, faces = _read_flat_patch(patches[hemisphere], *surfaces["pia", hemisphere])
            surfaces["flat", hemisphere] = coordinates, faces
            uncut = without_faces_across_cuts(surfaces["pia", hemisphere][1], faces)
            for surface in _FILES:
                surfaces[surface, hemisphere] = surfaces[surface, hemisphere][0], uncut
    return surfaces, shape


def _read_flat_patch(path: Path, coordinates: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read flat positions [vertices, 3] (vertices outside the patch at 0) and the faces that lie on the patch.

    Format: big endian; -1, the number of vertices, then for each its index + 1 (negative at the border) and x, y, z.
    """
    raw = path.read_bytes()
    marker, n_vertices = np.frombuffer(raw[:8].ljust(8, b"\0"), ">i4").tolist()
    entries = np.dtype([("index", ">i4"), ("position", ">f4", 3)])
    if marker != -1 or n_vertices < 1 or len(raw) < 8 + n_vertices * entries.itemsize:
        raise DatasetError(f"{path} is not a FreeSurfer patch of version -1; flatten the participant again.")
    table = np.frombuffer(raw, entries, n_vertices, offset=8)
    index = np.abs(table["index"].astype(int)) - 1
    if index.min() < 0 or index.max() >= len(coordinates) or not np.isfinite(table["position"]).all():
        raise DatasetError(
            f"{path} holds vertices that the pial surface of {len(coordinates)} does not have, or positions that are "
            "no numbers; flatten the participant again."
        )
    flat = np.zeros_like(coordinates)
    flat[index] = table["position"][:, [1, 0, 2]] * (1, -1, 0)  # FreeSurfer's patches lie on their side
    return flat, faces[np.isin(faces, index).all(axis=1)]


def _in_scanner(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read coordinates in mm as the scanner counts them (float32), if the file has their origin, and faces."""
    coordinates, faces, middle = _read_surface(path)
    return (coordinates + middle).astype(np.float32), faces.astype(np.int32)


def _read_surface(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read coordinates and faces as they are in the file, and their origin in the scanner (zeros if unknown)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no such information
        coordinates, faces, about = fs.read_geometry(path, read_metadata=True)
    if not np.isfinite(coordinates).all() or faces.min() < 0 or faces.max() >= len(coordinates):
        raise ValueError("vertices that are nowhere, or faces of vertices that there are not")
    known = str(about.get("valid", "")).startswith("1")
    return coordinates, faces, np.asarray(about["cras"], float) if known else np.zeros(3)


def _read_file(reader: Callable, path: Path) -> Any:
    """Return what `reader` reads in a file. Raises DatasetError that names the file if it is missing or damaged."""
    path = _link_target(path)
    if not path.exists():
        raise DatasetError(
            f"{path} is missing: run FreeSurfer's recon-all on this participant, or use fsaverage5 maps."
        )
    try:
        return reader(path)
    except (ValueError, LookupError, OSError, EOFError, OverflowError, TypeError, MemoryError, struct.error) as error:
        raise DatasetError(f"{path} cannot be read ({error}): is recon-all finished, the file whole?") from error


def _link_target(path: Path) -> Path:
    """Return the file that a link of FreeSurfer 7 (lh.pial to lh.pial.T1) leads to, also where a copy broke the link.

    Zip files and network shares turn such a link into a text that names its target, or leave it out.
    """
    if path.is_file():
        name = path.read_bytes()[:80].strip() if path.stat().st_size < 80 else b""
        target = path.with_name(name.decode()) if re.fullmatch(rb"[lr]h\.[\w.]+", name) else path
    else:
        target = path.with_name(f"{path.name}.T1")
    return target if target.is_file() else path
