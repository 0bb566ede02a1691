"""A whole recon-all folder comes into the store as pycortex's own importer would bring it, or not at all."""

import os
import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import nibabel as nib
import nibabel.freesurfer as fs
import numpy as np
import pytest

from brainbook.errors import DatasetError
from brainbook.plots import brain_maps, pycortex_store
from brainbook.plots.own_surfaces import own_surface
from brainbook.plots.pycortex_store import HEMISPHERES, open_store

from .recon_all import MIDDLE, NEEDED, bent, write_converters, write_flattening, write_recon_all

pytestmark = pytest.mark.integration

N = 10_242
FILES = [f"{hemisphere}.{name}" for hemisphere in HEMISPHERES for name in NEEDED]

IMPORT = """
import sys
from brainbook.plots.pycortex_store import open_store
cortex = open_store(sys.argv[1])
from cortex import freesurfer
freesurfer.import_subj("sub-EN057", "sub-cortex", freesurfer_subject_dir=sys.argv[2], whitematter_surf="white",
                       autoflatten=False)
cortex.database.db.filestore = sys.argv[1]  # import_subj has made a new database, with the environment's store
freesurfer.import_flat("sub-EN057", "full", cx_subject="sub-cortex", auto_overwrite=True,
                       freesurfer_subject_dir=sys.argv[2])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, regions):
    """recon-all has finished, nothing has been flattened."""
    return write_recon_all(tmp_path_factory.mktemp("subjects") / "sub-EN057", regions)


@pytest.fixture(scope="module")
def flattened(tmp_path_factory, folder):
    """The same participant, flattened: another folder of the same name."""
    copy = tmp_path_factory.mktemp("flattened") / "sub-EN057"
    shutil.copytree(folder, copy)
    write_flattening(copy)
    return copy


@pytest.fixture(scope="module")
def own_store(store, tmp_path_factory):
    """A store of this module: fsaverage5 is there, the participant is not."""
    place = tmp_path_factory.mktemp("own") / "pycortex"
    place.mkdir()
    shutil.copytree(store / "fsaverage5", place / "fsaverage5")
    yield place
    open_store(store)


def listing(place):
    """Every file of the store and of the folder around it, hidden ones too."""
    return sorted(str(path.relative_to(place.parent)) for path in place.parent.rglob("*"))


def same_folder(folder, tmp_path, without=()):
    """The participant again under another name, of links, less some files of surf."""
    copy = tmp_path / "sub-FR001"
    (copy / "surf").mkdir(parents=True)
    for path in (folder / "surf").iterdir():
        if path.name not in without:
            (copy / "surf" / path.name).symlink_to(path)
    return copy


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_needed_is_named_when_it_is_missing(folder, own_store, tmp_path, name):
    before = listing(own_store)
    with pytest.raises(DatasetError, match=rf"surf/{name} is missing.*recon-all"):
        own_surface(same_folder(folder, tmp_path, without=[name]), own_store)
    assert listing(own_store) == before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.4], ids=["empty", "cut short"])
def test_every_file_that_is_needed_is_named_when_it_is_damaged(folder, own_store, tmp_path, name, share):
    before, copy = listing(own_store), same_folder(folder, tmp_path, without=[name])
    raw = (folder / "surf" / name).read_bytes()
    (copy / "surf" / name).write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(DatasetError, match=f"surf/{name}"):
        own_surface(copy, own_store)
    assert listing(own_store) == before


def test_a_sphere_of_another_reconstruction_is_refused(folder, own_store, tmp_path):
    before, copy = listing(own_store), same_folder(folder, tmp_path, without=["rh.sphere.reg"])
    points, _ = fs.read_geometry(folder / "surf" / "rh.sphere.reg")
    fs.write_geometry(copy / "surf" / "rh.sphere.reg", points[:-5], np.array([[0, 1, 2]]))
    with pytest.raises(DatasetError, match="sphere.reg and pial have different numbers of vertices"):
        own_surface(copy, own_store)
    assert listing(own_store) == before


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=["disk full", "interrupted"])
@pytest.mark.parametrize("step", ["a surface", "the cache"])
def test_an_import_that_breaks_off_leaves_nothing(folder, own_store, monkeypatch, step, error):
    before, cortex = listing(own_store), open_store(own_store)
    write, written = cortex.formats.write_gii, []

    def fail(*arguments, **options):
        raise error

    def fourth_fails(path, *arguments):
        written.append(path)
        return write(path, *arguments) if len(written) < 4 else fail()

    if step == "a surface":
        monkeypatch.setattr(cortex.formats, "write_gii", fourth_fails)
    else:
        monkeypatch.setattr(cortex.utils, "get_ctmpack", fail)
    with pytest.raises(type(error)):
        own_surface(folder, own_store)
    assert listing(own_store) == before
    assert "fsaverage5" in cortex.db.subjects and cortex.db.filestore == str(own_store)


@pytest.fixture(scope="module")
def imported_store(own_store, tmp_path_factory):
    """A store of its own, into which `own` comes: tests pass in any order."""
    return shutil.copytree(own_store, tmp_path_factory.mktemp("imported") / "pycortex")


@pytest.fixture(scope="module")
def own(folder, imported_store):
    return own_surface(folder, imported_store)


def test_a_finished_recon_all_is_all_that_is_needed(own, imported_store, regions, tmp_path):
    cortex = open_store(imported_store)
    assert own.subject in cortex.db.subjects and not own.flat
    np.testing.assert_array_equal(own.nearest, np.arange(2 * N))
    page = brain_maps.viewer({"r": np.ones(148)}, tmp_path / "v", regions, store=imported_store, surface=own)
    assert "; sub-EN057" in page.read_text(encoding="utf-8")
    with pytest.raises(DatasetError, match=r"sub-EN057 has not been flattened.*lh\.full\.flat\.patch\.3d"):
        brain_maps.flatmap(np.zeros(148), regions, store=imported_store, surface=own)
    assert sorted(path.name for path in imported_store.parent.iterdir()) == ["pycortex"]  # no scaffolding is left


@pytest.fixture(scope="module")
def later_store(own, imported_store, tmp_path_factory):
    return shutil.copytree(imported_store, tmp_path_factory.mktemp("later") / "pycortex")


@pytest.fixture(scope="module")
def later(flattened, later_store):
    """The participant has been flattened since; the store has it without."""
    return own_surface(flattened, later_store)


def test_flattened_later_is_imported_anew(later, later_store, regions):
    assert later.flat
    values = np.where(regions.columns.hemisphere == "lh", 1.0, 2.0)
    image = np.asarray(brain_maps.flatmap(values, regions, limits=(0, 3), store=later_store, surface=later)
                       .images[1].get_array())  # fmt: skip
    left, right = np.array_split(image[..., 3] > 0, 2, axis=1)
    assert left.mean() > 0.3 and right.mean() > 0.3
    plt.close("all")


def test_a_subject_in_which_someone_has_worked_is_not_replaced(flattened, later, later_store, tmp_path):
    place = tmp_path / "pycortex"
    shutil.copytree(later_store, place)
    for hemisphere in HEMISPHERES:
        (place / "sub-EN057" / "surfaces" / f"flat_{hemisphere}.gii").unlink(missing_ok=True)
    work = place / "sub-EN057" / "transforms" / "fullhead"
    work.mkdir(parents=True)
    assert not own_surface(flattened, place).flat and work.is_dir()
    open_store(later_store)


@pytest.fixture(scope="module")
def by_pycortex(flattened, later, later_store, tmp_path_factory):
    """The participant as `cortex.freesurfer.import_subj` and `import_flat` bring it in: sub-cortex in the same store.

    A process of its own: the importer replaces pycortex's database. FreeSurfer's two converters are stand-ins.
    """
    copy = tmp_path_factory.mktemp("original") / "sub-EN057"  # the importer writes a surface into the folder
    shutil.copytree(flattened, copy)
    tools = write_converters(tmp_path_factory.mktemp("freesurfer") / "bin")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORT, str(later_store), str(copy.parent)],
                          env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return copy


def test_what_comes_in_is_what_pycortexs_importer_brings(later, by_pycortex, later_store):
    cortex = open_store(later_store)
    cortex.db.reload_subjects()
    for hemisphere in HEMISPHERES:
        for surface, name in {"pia": "pial", "wm": "white", "inflated": "inflated", "flat": None}.items():
            ours, our_faces = cortex.db.get_surf("sub-EN057", surface, hemisphere)
            theirs, their_faces = cortex.db.get_surf("sub-cortex", surface, hemisphere)
            used = np.unique(their_faces)  # pycortex sets vertices that it leaves out of a flat map to 0
            np.testing.assert_allclose(ours[used], theirs[used], atol=1e-3)
            if name is None:
                assert set(map(tuple, their_faces)) <= set(map(tuple, our_faces))
            else:  # faces across a cut of the flat map are left out here: in a browser they become slivers
                assert set(map(tuple, our_faces)) <= set(map(tuple, their_faces))
                assert len(our_faces) > 0.95 * len(their_faces)
    for quantity in ("curvature", "sulcaldepth", "thickness"):
        ours, theirs = (np.load(later_store / subject / "surface-info" / f"{quantity}.npz")
                        for subject in ("sub-EN057", "sub-cortex"))  # fmt: skip
        sign = -1 if quantity == "thickness" else 1  # pycortex negates thickness, too
        for side in ("left", "right"):
            np.testing.assert_allclose(ours[side], sign * theirs[side], atol=1e-6)


def test_coordinates_are_the_scanners(later, later_store, folder):
    points, _ = open_store(later_store).db.get_surf("sub-EN057", "pia", "lh")
    written, _ = fs.read_geometry(folder / "surf" / "lh.pial")
    np.testing.assert_allclose(points, written + MIDDLE, atol=1e-3)
    anatomy = nib.load(folder / "mri" / "T1.mgz")
    voxels = nib.affines.apply_affine(np.linalg.inv(anatomy.affine), points)
    assert (voxels > 0).all() and (voxels < 31).all()  # the cortex lies inside its own head
    from nilearn.datasets import load_fsaverage

    np.testing.assert_allclose(written, bent(load_fsaverage("fsaverage5")["pial"].parts["left"].coordinates), atol=1e-3)


def test_a_subject_that_pycortex_imported_serves_as_it_is(by_pycortex, later_store, regions, tmp_path, monkeypatch):
    monkeypatch.setattr("brainbook.plots.own_surfaces.write_subject", None)  # would fail if it were called
    link = tmp_path / "sub-cortex"
    link.symlink_to(by_pycortex)
    theirs = own_surface(link, later_store)
    assert theirs.subject == "sub-cortex" and theirs.flat
    page = brain_maps.viewer({"r": np.ones(148)}, tmp_path / "v", regions, store=later_store, surface=theirs)
    assert "; sub-cortex" in page.read_text(encoding="utf-8")
    axes = brain_maps.flatmap(np.ones(148), regions, limits=(0, 2), store=later_store, surface=theirs)
    assert (np.asarray(axes.images[1].get_array())[..., 3] > 0).mean() > 0.3
    plt.close("all")


def test_the_store_is_the_one_that_was_named(later_store):
    open_store(later_store)
    assert pycortex_store.store_folder() == later_store.resolve()
