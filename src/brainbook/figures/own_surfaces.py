"""A participant's own cortex: surfaces that FreeSurfer made of the anatomical scan, in the project's pycortex store.

Scores are computed on fsaverage5, where all participants meet. To look at them on the folds of one person, every vertex
of that person takes the value of the nearest vertex of fsaverage5 on the sphere to which FreeSurfer registered both.

    own = own_surface("subjects/sub-EN057")        # imported into the store now, if it is not there yet
    flatmap(values, regions, surface=own)          # needs the flattening, see below
    viewer(maps, folder, regions, surface=own)

A subject folder of FreeSurfer (recon-all on the T1-weighted image) has all that is read here, with nibabel: FreeSurfer
itself is not needed. A flat map also needs `surf/{lh,rh}.full.flat.patch.3d`, which mris_flatten or autoflatten write.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel.freesurfer as fs
import numpy as np
from scipy.spatial import cKDTree

from brainbook.errors import DatasetError
from brainbook.figures.pycortex_store import (
    FSAVERAGE5,
    HEMISPHERES,
    open_store,
    store_folder,
    without_faces_across_cuts,
    write_subject,
)

_FILES = {"pia": "pial", "wm": "white", "inflated": "inflated"}
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
    """A participant's own surfaces from a FreeSurfer subject folder, imported into the store when they are not in it.

    Parameters
    ----------
    freesurfer : folder of one subject, `.../sub-EN057`; its name becomes the subject's name in the store.
    store : folder of the pycortex store; None for the one in use, or cache/pycortex.

    Raises
    ------
    DatasetError : a file is missing or damaged; the message names it.
    """
    freesurfer = Path(freesurfer)
    folder = store_folder(store)
    nearest = nearest_on_fsaverage5(freesurfer)
    if not (folder / freesurfer.name).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        write_subject(folder, freesurfer.name, *_read(freesurfer))
    open_store(folder).db.reload_subjects()
    flat = (folder / freesurfer.name / "surfaces" / "flat_lh.gii").exists()
    return OwnSurface(freesurfer.name, nearest, flat)


def nearest_on_fsaverage5(freesurfer: str | Path) -> np.ndarray:
    """The vertex of fsaverage5 (0..20483) nearest to each of a participant's on the registered sphere.

    Reads `surf/{lh,rh}.sphere.reg`. Returns an int array [vertices], left then right.
    """
    from nilearn.datasets import load_fsaverage

    sphere, parts = load_fsaverage(FSAVERAGE5)["sphere"].parts, []
    for hemisphere, side in HEMISPHERES.items():
        own, _ = fs.read_geometry(_must_exist(Path(freesurfer) / "surf" / f"{hemisphere}.sphere.reg"))
        average = np.asarray(sphere[side].coordinates)
        place = cKDTree(_unit(average)).query(_unit(own))[1]
        parts.append(place + (0 if hemisphere == "lh" else len(average)))
    return np.concatenate(parts)


def _unit(points: np.ndarray) -> np.ndarray:
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _read(freesurfer: Path) -> tuple[dict, dict]:
    """What `write_subject` takes. Raises DatasetError that names the first missing file."""
    surfaces, shape = {}, {quantity: {} for quantity in _SHAPE}
    patches = {hemisphere: freesurfer / "surf" / f"{hemisphere}.full.flat.patch.3d" for hemisphere in HEMISPHERES}
    flat = all(path.exists() for path in patches.values())
    for hemisphere, side in HEMISPHERES.items():
        for surface, name in _FILES.items():
            coordinates, faces = fs.read_geometry(_must_exist(freesurfer / "surf" / f"{hemisphere}.{name}"))
            surfaces[surface, hemisphere] = coordinates.astype(np.float32), faces.astype(np.int32)
        for quantity, (name, sign) in _SHAPE.items():
            values = fs.read_morph_data(_must_exist(freesurfer / "surf" / f"{hemisphere}.{name}"))
            if len(values) != len(surfaces["pia", hemisphere][0]):
                raise DatasetError(
                    f"{freesurfer / 'surf' / f'{hemisphere}.{name}'} has {len(values)} vertices, the pial surface "
                    f"{len(surfaces['pia', hemisphere][0])}: these files are not of one reconstruction."
                )
            shape[quantity][side] = sign * values
        if flat:
            coordinates, faces = _read_flat_patch(patches[hemisphere], *surfaces["pia", hemisphere])
            surfaces["flat", hemisphere] = coordinates, faces
            whole = without_faces_across_cuts(surfaces["pia", hemisphere][1], faces)
            for surface in _FILES:
                surfaces[surface, hemisphere] = surfaces[surface, hemisphere][0], whole
    return surfaces, shape


def _read_flat_patch(path: Path, coordinates: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat positions [vertices, 3] (vertices outside the patch at 0) and the faces that lie on the patch.

    Format: big endian; -1, the number of vertices, then for each its index + 1 (negative at the border) and x, y, z.
    """
    raw = path.read_bytes()
    marker, n_vertices = np.frombuffer(raw, ">i4", 2)
    entries = np.dtype([("index", ">i4"), ("position", ">f4", 3)])
    if marker != -1 or len(raw) < 8 + n_vertices * entries.itemsize:
        raise DatasetError(f"{path} is not a FreeSurfer patch of version -1; flatten the participant again.")
    table = np.frombuffer(raw, entries, n_vertices, offset=8)
    index = np.abs(table["index"]) - 1
    flat = np.zeros_like(coordinates)
    flat[index] = table["position"][:, [1, 0, 2]] * (1, -1, 0)  # FreeSurfer's patches lie on their side
    return flat, faces[np.isin(faces, index).all(axis=1)]


def _must_exist(path: Path) -> Path:
    if not path.exists():
        raise DatasetError(
            f"{path} is missing: run FreeSurfer's recon-all on this participant, or use fsaverage5 maps."
        )
    return path
