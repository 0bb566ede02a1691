"""A pycortex store that belongs to the project, with fsaverage5 built from the surfaces that nilearn brings along.

pycortex keeps its subjects inside the environment that it was installed into, writes a settings file into the user's
home when it is first imported, and downloads fsaverage. None of that happens here: the store is a folder of the project
(`cache/pycortex`), the settings are thrown away, and nothing is downloaded.

A subject of pycortex is a folder: `surfaces/{pia,wm,inflated,flat}_{lh,rh}.gii`, `surface-info/*.npz` with the keys
left and right, and empty folders that pycortex expects to find.

    python -m brainbook.plots.pycortex_store [FOLDER]    builds the store before any chapter needs it
"""

import contextlib
import functools
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from brainbook.errors import ConfigurationError

STORE = Path("cache/pycortex")
FSAVERAGE5 = "fsaverage5"
HEMISPHERES = {"lh": "left", "rh": "right"}
HEIGHT = 512  # pixels of a flat map
_OPENED: list[Path] = []  # the store that is in use; pycortex itself has only one at a time
_SHAPE = (("curvature", "curvature", -1), ("sulcaldepth", "sulcal", -1), ("thickness", "thickness", 1))
_SURFACES = {"pia": "pial", "wm": "white_matter", "inflated": "inflated", "flat": "flat"}


def store_folder(folder: str | Path | None = None) -> Path:
    """Return the store that is meant by `folder`: that one, else the one opened last, else cache/pycortex."""
    return Path(folder).resolve() if folder is not None else _OPENED[-1] if _OPENED else STORE.resolve()


def open_store(folder: str | Path | None = None) -> ModuleType:
    """Return the module `cortex`, reading from `folder` (see `store_folder`) from now on.

    fsaverage5 is built there first if it is missing (8 s).
    """
    cortex = _import_pycortex()
    folder = store_folder(folder)
    if not (folder / FSAVERAGE5).is_dir():
        build_fsaverage5(folder)
    if Path(cortex.db.filestore) != folder:
        _use(cortex, folder)
    _OPENED[:] = [folder]
    return cortex


@functools.cache
def _import_pycortex() -> ModuleType:
    """Import pycortex quietly, its settings in a folder that is thrown away.

    The settings that it would write into the user's home freeze the path of today's environment.
    """
    before = os.environ.get("XDG_CONFIG_HOME")
    with tempfile.TemporaryDirectory() as settings, quiet():
        os.environ["XDG_CONFIG_HOME"] = settings
        try:
            import cortex
        except ImportError as error:
            raise ConfigurationError(
                "brain maps need pycortex, which is not installed. Install it with: pip install -e .[maps] "
                "(it is compiled, so a C compiler and Python's headers must be there)."
            ) from error
        finally:
            del os.environ["XDG_CONFIG_HOME"]
            if before is not None:
                os.environ["XDG_CONFIG_HOME"] = before
    return cortex


def build_fsaverage5(folder: str | Path = STORE) -> Path:
    """Write the subject fsaverage5 (10,242 vertices a hemisphere) into the store; return its folder.

    It is built beside its place and moved there whole, so that two chapters that start together do no harm.
    """
    from nilearn.datasets import load_fsaverage, load_fsaverage_data

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    meshes = load_fsaverage(FSAVERAGE5)
    # FreeSurfer counts curvature and depth positive in sulci, pycortex negative: left as they are, gyri would be dark.
    shape: dict[str, dict] = {}
    for quantity, kind, sign in _SHAPE:
        parts = load_fsaverage_data(FSAVERAGE5, data_type=kind).data.parts
        shape[quantity] = {side: sign * values for side, values in parts.items()}
    surfaces: dict[Any, Any] = {}
    for hemisphere, side in HEMISPHERES.items():
        for surface, name in _SURFACES.items():
            part = meshes[name].parts[side]
            surfaces[surface, hemisphere] = np.float32(part.coordinates), np.int32(part.faces)
        flat, flat_faces = surfaces["flat", hemisphere]
        faces = without_faces_across_cuts(surfaces["pia", hemisphere][1], flat_faces)
        for surface in ("pia", "wm", "inflated"):
            surfaces[surface, hemisphere] = surfaces[surface, hemisphere][0], faces
        cut_out = np.setdiff1d(np.arange(len(flat)), flat_faces)  # the medial wall keeps 3-d positions: no place here
        flat[cut_out] = 0
    return write_subject(folder, FSAVERAGE5, surfaces, shape)


def without_faces_across_cuts(faces: np.ndarray, flat_faces: np.ndarray) -> np.ndarray:
    """Drop the faces [n, 3] whose three vertices all lie on the flat map although the face itself was cut open.

    Flattened in the browser, such a face would be drawn as a sliver across the whole map.
    """
    on_map = np.isin(faces, flat_faces).all(axis=1)
    in_flat = np.isin(_face_keys(faces), _face_keys(flat_faces))
    return faces[~on_map | in_flat]


def _face_keys(faces: np.ndarray) -> np.ndarray:
    """Return one number for each face [n, 3], whatever the order of its vertices."""
    return np.sort(faces, axis=1).astype(np.int64) @ np.array([1 << 42, 1 << 21, 1])


def write_subject(folder: str | Path, name: str, surfaces: dict, shape: dict) -> Path:
    """Write a subject of pycortex, whole or not at all; one that is there already stays.

    Parameters
    ----------
    folder, name : the store and the subject's name in it.
    surfaces : (surface, hemisphere) -> (coordinates [vertices, 3] in mm, faces [faces, 3]); the surfaces are pia, wm,
        inflated, and flat where the subject has been flattened; the hemispheres lh and rh.
    shape : curvature, sulcaldepth, thickness -> {"left": [vertices], "right": [vertices]}, in pycortex's sign: sulci
        negative.
    """
    cortex = _import_pycortex()
    folder = Path(folder)
    place = folder / name
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as scratch:
        subject = Path(scratch) / name
        for part in ("surfaces", "surface-info", "transforms", "views", "anatomicals", "cache"):
            (subject / part).mkdir(parents=True)
        for (surface, hemisphere), (coordinates, faces) in surfaces.items():
            path = subject / "surfaces" / f"{surface}_{hemisphere}.gii"
            cortex.formats.write_gii(str(path), coordinates, faces)
        for quantity, parts in shape.items():
            np.savez(subject / "surface-info" / f"{quantity}.npz", left=parts["left"], right=parts["right"])
        _warm(cortex, Path(scratch), name, flat=("flat", "lh") in surfaces)
        try:
            subject.rename(place)
        except OSError:
            if not place.is_dir():  # not a second builder that was faster, but a real failure
                raise
    return place


def _warm(cortex: ModuleType, store: Path, name: str, flat: bool) -> None:
    """Let pycortex compute what it caches of a subject (flat map pixels, browser surfaces) before others see it.

    pycortex writes these files in place: two processes that need them at once would read each other's halves.
    """
    before = cortex.db.filestore
    try:
        _use(cortex, store)
        with quiet():
            cortex.utils.get_ctmpack(name, ("inflated",), method="mg2", level=9)
            if flat:
                cortex.quickflat.utils.get_flatmask(name, height=HEIGHT)
                cortex.quickflat.utils.get_flatcache(name, None, height=HEIGHT)
    finally:
        _use(cortex, Path(before))


def _use(cortex: ModuleType, folder: Path) -> None:
    cortex.db.filestore = str(folder)
    # `import_subj` and its kin read the module's default, not the database's own folder.
    cortex.database.default_filestore = str(folder)
    cortex.db._memocache = {}  # surfaces of another store under the same names
    cortex.db.reload_subjects()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what pycortex prints (progress, advice about Inkscape), so that it is not in rendered chapters."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    open_store(sys.argv[1] if len(sys.argv) > 1 else STORE)
    print(store_folder())
