"""A subject folder as FreeSurfer's recon-all leaves one, made of fsaverage5, and stand-ins for FreeSurfer's converters.

The cortex is fsaverage5's, bent and stretched a little, so that it is nobody's and yet registered to fsaverage5 by its
sphere. Files have FreeSurfer's formats (written with nibabel) and the names of a finished recon-all.
"""

import sys
from pathlib import Path

import nibabel as nib
import nibabel.freesurfer as fs
import numpy as np
from nilearn.datasets import load_fsaverage, load_fsaverage_data

from brainbook.datasets.atlas import Regions
from brainbook.plots.pycortex_store import FSAVERAGE5, HEMISPHERES

MIDDLE = np.array([2.5, -14.0, 21.5])  # where the scanner saw the middle of the volume, mm
SURFACES = {"white": "white_matter", "pial": "pial", "inflated": "inflated", "sphere": "sphere"}
NEEDED = ("white", "pial", "inflated", "sphere.reg", "curv", "sulc", "thickness")  # of each hemisphere

VOLUME = {
    "head": np.array([2, 0, 20]),
    "valid": "1  # volume info valid",
    "filename": "../mri/filled-pretess255.mgz",
    "volume": np.array([256, 256, 256]),
    "voxelsize": np.ones(3),
    "xras": np.array([-1.0, 0, 0]),
    "yras": np.array([0, 0, -1.0]),
    "zras": np.array([0, 1.0, 0]),
    "cras": MIDDLE,
}


def bent(points: np.ndarray) -> np.ndarray:
    """Another head: longer, narrower, and a little twisted."""
    x, y, z = (points * (0.96, 1.05, 1.01)).T
    return np.stack([x + 1.5 * np.sin(y / 30), y + np.cos(z / 25), z + 1.2 * np.sin(x / 28)], axis=1)


def write_recon_all(folder: Path, regions: Regions) -> Path:
    """Write the subject's folder with surf, mri, label, stats, scripts, touch, tmp and trash; returns it."""
    for part in ("surf", "mri/orig", "mri/transforms", "label", "stats", "scripts", "touch", "tmp", "trash"):
        (folder / part).mkdir(parents=True)
    meshes = load_fsaverage(FSAVERAGE5)
    shape = {kind: load_fsaverage_data(FSAVERAGE5, data_type=name).data.parts for kind, name in
             {"curv": "curvature", "sulc": "sulcal", "thickness": "thickness", "area": "area"}.items()}  # fmt: skip
    for hemisphere, side in HEMISPHERES.items():
        place = folder / "surf"
        for name, mesh in SURFACES.items():
            part = meshes[mesh].parts[side]
            points = part.coordinates if name == "sphere" else bent(part.coordinates)
            fs.write_geometry(place / f"{hemisphere}.{name}", points, part.faces, volume_info=VOLUME)
        white, faces = fs.read_geometry(place / f"{hemisphere}.white")
        for name in ("smoothwm", "orig"):
            fs.write_geometry(place / f"{hemisphere}.{name}", white + 0.01, faces, volume_info=VOLUME)
        registered = meshes["sphere"].parts[side].coordinates
        fs.write_geometry(place / f"{hemisphere}.sphere.reg", registered, faces, volume_info=VOLUME)
        for kind, parts in shape.items():
            fs.write_morph_data(place / f"{hemisphere}.{kind}", np.asarray(parts[side], np.float32))
        _write_labels(folder / "label", hemisphere, regions)
        (folder / "stats" / f"{hemisphere}.aparc.a2009s.stats").write_text("# Title Segmentation Statistics\n")
    _write_volumes(folder / "mri")
    (folder / "scripts" / "recon-all.log").write_text("recon-all -s sub-EN057 finished without error\n")
    (folder / "scripts" / "recon-all.done").write_text("#CMDARGS -subject sub-EN057 -i T1w.nii.gz -all\n")
    (folder / "touch" / "rh.pial.touch").write_text("")
    return folder


def _write_labels(place: Path, hemisphere: str, regions: Regions) -> None:
    """Destrieux's and two other annotations of the hemisphere, and a label of its cortex."""
    rows = np.flatnonzero(regions.columns.hemisphere == hemisphere)
    half = np.array_split(regions.region_index, 2)[0 if hemisphere == "lh" else 1]
    index = np.where(np.isin(half, rows), half - rows[0] + 1, 0)
    table = np.column_stack([np.arange(len(rows) + 1) * 3 % 256, np.arange(len(rows) + 1), np.full((len(rows) + 1), 20),
                             np.zeros(len(rows) + 1, int), np.zeros(len(rows) + 1, int)])  # fmt: skip
    names = ["Medial_wall", *regions.columns.region[rows]]
    for name in ("aparc.a2009s", "aparc", "aparc.DKTatlas"):
        fs.write_annot(place / f"{hemisphere}.{name}.annot", index, table.astype(int), names, fill_ctab=True)
    inside = np.flatnonzero(index)
    lines = [f"{vertex} 0.0 0.0 0.0 0.0" for vertex in inside]
    (place / f"{hemisphere}.cortex.label").write_text("\n".join(["#!ascii label", str(len(inside)), *lines]) + "\n")


def _write_volumes(place: Path) -> None:
    """The usual volumes, conformed (coronal slices, left to the right), at 8 mm."""
    affine = np.array([[-8.0, 0, 0, 128], [0, 0, 8, -128], [0, -8, 0, 128], [0, 0, 0, 1]])
    affine[:3, 3] += MIDDLE
    values = np.random.default_rng(4).integers(0, 110, (32, 32, 32)).astype(np.uint8)
    for name in ("T1", "orig", "nu", "aseg", "aparc+aseg", "brain", "brainmask", "wm", "filled", "ribbon", "orig/001"):
        nib.save(nib.MGHImage(values, affine), place / f"{name}.mgz")
    (place / "transforms" / "talairach.xfm").write_text("MNI Transform File\n")


def write_flattening(folder: Path) -> None:
    """What mris_flatten or autoflatten add: the patches of fsaverage5's flat map."""
    from brainbook.plots.pycortex_store import without_faces_across_cuts

    meshes = load_fsaverage(FSAVERAGE5)
    for hemisphere, side in HEMISPHERES.items():
        flat, whole = meshes["flat"].parts[side], meshes["pial"].parts[side].faces
        across = set(map(tuple, whole)) - set(map(tuple, without_faces_across_cuts(whole, flat.faces)))
        used = np.setdiff1d(flat.faces, np.array(list(across)))  # vertices along a cut are taken away
        table = np.zeros(len(used), np.dtype([("index", ">i4"), ("position", ">f4", 3)]))
        table["index"], table["position"] = used + 1, flat.coordinates[used][:, [1, 0, 2]] * (-1, 1, 1)
        raw = np.array([-1, len(used)], ">i4").tobytes() + table.tobytes()
        (folder / "surf" / f"{hemisphere}.full.flat.patch.3d").write_bytes(raw)


def write_converters(folder: Path) -> Path:
    """`mri_convert` and `mris_convert --to-scanner`, as far as pycortex's importer calls them, done with nibabel."""
    folder.mkdir()
    scripts = {
        "mri_convert": "import nibabel as nib\nimage = nib.load(sys.argv[1])\n"
        "nib.save(nib.Nifti1Image(image.dataobj[:], image.affine), sys.argv[2])\n",
        "mris_convert": "import nibabel as nib, numpy as np\nassert sys.argv[1] == '--to-scanner'\n"
        "points, faces, about = nib.freesurfer.read_geometry(sys.argv[2], read_metadata=True)\n"
        "arrays = [nib.gifti.GiftiDataArray((points + about['cras']).astype('f4'), 'NIFTI_INTENT_POINTSET'),\n"
        "          nib.gifti.GiftiDataArray(faces.astype('i4'), 'NIFTI_INTENT_TRIANGLE')]\n"
        "nib.save(nib.gifti.GiftiImage(darrays=arrays), sys.argv[3])\n",
    }
    for name, body in scripts.items():
        (folder / name).write_text(f"#!{sys.executable}\nimport sys\n{body}")
        (folder / name).chmod(0o755)
    return folder
