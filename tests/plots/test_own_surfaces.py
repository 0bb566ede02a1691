"""A made-up participant: fsaverage5's surfaces, their vertices in another order, written as FreeSurfer writes them."""

import matplotlib.pyplot as plt
import nibabel.freesurfer as fs
import numpy as np
import pytest
from nilearn.datasets import load_fsaverage

from brainbook.errors import DatasetError
from brainbook.plots import brain_maps
from brainbook.plots.own_surfaces import OwnSurface, _read, nearest_on_fsaverage5, own_surface
from brainbook.plots.pycortex_store import FSAVERAGE5, HEMISPHERES, open_store, without_faces_across_cuts

pytestmark = pytest.mark.integration

N = 10_242


@pytest.fixture(scope="module")
def order():
    """The vertex of fsaverage5 that stands at each place of the participant, by hemisphere."""
    rng = np.random.default_rng(3)
    return {hemisphere: rng.permutation(N) for hemisphere in HEMISPHERES}


@pytest.fixture(scope="module")
def freesurfer(tmp_path_factory, order):
    """A subject folder as recon-all leaves one, with patches that have been flattened."""
    folder = tmp_path_factory.mktemp("subjects") / "sub-EN057"
    (folder / "surf").mkdir(parents=True)
    meshes = load_fsaverage("fsaverage5")
    names = {"pial": "pial", "white_matter": "white", "inflated": "inflated", "sphere": "sphere.reg"}
    for hemisphere, side in HEMISPHERES.items():
        here = order[hemisphere]
        place = np.argsort(here)  # of each vertex of fsaverage5 in the participant
        for mesh, name in names.items():
            part = meshes[mesh].parts[side]
            fs.write_geometry(folder / "surf" / f"{hemisphere}.{name}", part.coordinates[here], place[part.faces])
        for name in ("sulc", "curv", "thickness"):
            fs.write_morph_data(folder / "surf" / f"{hemisphere}.{name}", np.ones(N, np.float32))
        flat = meshes["flat"].parts[side]
        # mris_flatten takes the vertices along a cut away, so that no face of the patch spans it.
        whole = meshes["pial"].parts[side].faces
        in_place = without_faces_across_cuts(whole, flat.faces)
        across = set(map(tuple, whole)) - set(map(tuple, in_place))
        used = np.setdiff1d(flat.faces, np.array(list(across)))
        table = np.zeros(len(used), np.dtype([("index", ">i4"), ("position", ">f4", 3)]))
        table["index"], table["position"] = place[used] + 1, flat.coordinates[used][:, [1, 0, 2]] * (-1, 1, 1)
        raw = np.array([-1, len(used)], ">i4").tobytes() + table.tobytes()
        (folder / "surf" / f"{hemisphere}.full.flat.patch.3d").write_bytes(raw)
    return folder


@pytest.fixture(scope="module")
def own(freesurfer, store) -> OwnSurface:
    return own_surface(freesurfer, store)


def test_surfaces_come_into_the_store(own, store, order):
    cortex = open_store(store)
    assert own.subject == "sub-EN057" and own.flat
    for surface in ("pia", "flat"):
        ours, _ = cortex.db.get_surf("sub-EN057", surface, "rh")
        theirs, _ = cortex.db.get_surf(FSAVERAGE5, surface, "rh")
        there = np.abs(ours).sum(axis=1) > 0  # vertices that the flat map left out lie at 0
        assert there.mean() > 0.85
        np.testing.assert_allclose(ours[there], theirs[order["rh"]][there], atol=1e-3)
    assert cortex.db.get_surfinfo("sub-EN057", "curvature").data.max() == -1  # pycortex's sign, not FreeSurfer's


def test_every_vertex_takes_the_value_of_its_neighbour_on_the_sphere(own, order):
    np.testing.assert_array_equal(own.nearest[:N], order["lh"])
    np.testing.assert_array_equal(own.nearest[N:], N + order["rh"])


def test_an_imported_participant_is_not_imported_again(own, freesurfer, store, monkeypatch):
    monkeypatch.setattr("brainbook.plots.own_surfaces.write_subject", None)  # would fail if it were called
    assert own_surface(freesurfer, store).subject == own.subject


@pytest.mark.parametrize("region", ["G_pariet_inf-Angular", "G_temp_sup-G_T_transv", "G_front_middle"])
def test_regions_lie_on_ones_own_flat_map_where_they_lie_on_fsaverage5s(own, store, regions, region):
    values = np.where((regions.columns.region == region) & (regions.columns.hemisphere == "lh"), 1.0, np.nan)
    places, sizes = [], []
    for surface in (own, brain_maps.AVERAGE):
        image = brain_maps.flatmap(values, regions, limits=(0, 1), store=store, surface=surface).images[1].get_array()
        drawn = np.asarray(image)[..., 3] > 0
        places.append(np.argwhere(drawn).mean(axis=0) / drawn.shape)
        sizes.append(drawn.mean())
    np.testing.assert_allclose(*places, atol=0.01)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
    plt.close("all")


def test_viewer_of_ones_own_surface(own, store, regions, tmp_path):
    page = brain_maps.viewer({"one": np.ones(148)}, tmp_path / "v", regions, store=store, surface=own)
    assert "; sub-EN057" in page.read_text(encoding="utf-8")


def test_without_a_flattening_there_is_no_flat_map(own, store, regions):
    bare = OwnSurface(own.subject, own.nearest, flat=False)
    with pytest.raises(DatasetError, match="sub-EN057 has not been flattened"):
        brain_maps.flatmap(np.zeros(148), regions, store=store, surface=bare)


@pytest.mark.parametrize("name", ["rh.white", "lh.sphere.reg", "lh.curv"])
def test_a_missing_file_is_named(freesurfer, store, tmp_path, name):
    damaged = tmp_path / "sub-FR001"
    (damaged / "surf").mkdir(parents=True)
    for path in (freesurfer / "surf").iterdir():
        if path.name != name:
            (damaged / "surf" / path.name).symlink_to(path)
    with pytest.raises(DatasetError, match=f"{name} is missing.*recon-all"):
        own_surface(damaged, store)
    assert not (store / "sub-FR001").exists()


def copied(freesurfer, folder):
    """The participant's folder again, as links."""
    (folder / "surf").mkdir(parents=True)
    for path in (freesurfer / "surf").iterdir():
        (folder / "surf" / path.name).symlink_to(path)
    return folder / "surf"


@pytest.mark.parametrize("left", ["text", "text, windows", "dangling link", "nothing", "link"])
def test_a_pial_surface_that_was_a_link(freesurfer, tmp_path, left):
    """recon-all 7 writes lh.pial.T1 and a link lh.pial to it, which zip files and network shares do not keep."""
    surf = copied(freesurfer, tmp_path / "sub-EN058")
    for hemisphere in HEMISPHERES:
        pial = surf / f"{hemisphere}.pial"
        pial.rename(surf / f"{hemisphere}.pial.T1")
        if left.startswith("text"):
            pial.write_bytes(f"{hemisphere}.pial.T1".encode() + (b"\r\n" if "windows" in left else b""))
        elif left == "dangling link":
            pial.symlink_to("/nowhere/lh.pial.T1")
        elif left == "link":
            pial.symlink_to(f"{hemisphere}.pial.T1")
    surfaces, _ = _read(tmp_path / "sub-EN058")
    whole, _ = _read(freesurfer)
    for hemisphere in HEMISPHERES:
        np.testing.assert_array_equal(surfaces["pia", hemisphere][0], whole["pia", hemisphere][0])


def test_the_patches_that_autoflatten_writes(freesurfer, tmp_path):
    surf = copied(freesurfer, tmp_path / "sub-EN058")
    (surf / "lh.full.flat.patch.3d").rename(surf / "lh.autoflatten.flat.patch.3d")
    assert not any(surface == "flat" for surface, _ in _read(tmp_path / "sub-EN058")[0])  # one of each kind: not a pair
    (surf / "rh.full.flat.patch.3d").rename(surf / "rh.autoflatten.flat.patch.3d")
    ours, theirs = _read(tmp_path / "sub-EN058")[0], _read(freesurfer)[0]
    for hemisphere in HEMISPHERES:
        np.testing.assert_array_equal(ours["flat", hemisphere][0], theirs["flat", hemisphere][0])


def test_damaged_surfaces_and_patches_are_named(freesurfer, tmp_path, rng):
    """Cut off, or with bytes changed: the project's error with the file's name, or surfaces that can be drawn."""
    surf = copied(freesurfer, tmp_path / "sub-EN058")
    for patch in surf.glob("?h.full.flat.patch.3d"):
        patch.rename(surf / f"{patch.name}.later")
    for name in ("lh.pial", "rh.sulc", "lh.full.flat.patch.3d"):
        if "patch" in name:
            for patch in surf.glob("*.later"):
                patch.rename(patch.with_suffix(""))
        whole = (surf / name).read_bytes()
        damages = [b"", whole[:9], whole[: len(whole) // 2], b"\xff\xff\xff\xff\x7f" + whole[5:]]
        for place in rng.integers(0, 60, 4):
            damages.append(whole[:place] + bytes([rng.integers(256)]) + whole[place + 1 :])
        for damage in damages:
            (surf / name).unlink()
            (surf / name).write_bytes(damage)
            try:
                surfaces, _ = _read(tmp_path / "sub-EN058")
            except DatasetError as error:
                assert name in str(error)
            else:
                assert all(np.isfinite(points).all() and faces.max() < N for points, faces in surfaces.values())
        (surf / name).write_bytes(whole)
    patch = bytearray(whole)
    patch[8:12] = (N + 5).to_bytes(4, "big")
    (surf / name).write_bytes(patch)
    with pytest.raises(DatasetError, match="patch.3d holds vertices that the pial surface of 10242 does not have"):
        _read(tmp_path / "sub-EN058")


def test_files_of_different_reconstructions_are_refused(freesurfer, store, tmp_path):
    damaged = tmp_path / "sub-FR002"
    (damaged / "surf").mkdir(parents=True)
    for path in (freesurfer / "surf").iterdir():
        (damaged / "surf" / path.name).symlink_to(path)
    (damaged / "surf" / "lh.sulc").unlink()
    fs.write_morph_data(damaged / "surf" / "lh.sulc", np.ones(7, np.float32))
    with pytest.raises(DatasetError, match="lh.sulc has 7 vertices.*not of one reconstruction"):
        own_surface(damaged, store)


def test_nearest_takes_spheres_of_any_radius(freesurfer, tmp_path):
    folder = tmp_path / "surf"
    folder.mkdir()
    for hemisphere in HEMISPHERES:
        points, faces = fs.read_geometry(freesurfer / "surf" / f"{hemisphere}.sphere.reg")
        fs.write_geometry(folder / f"{hemisphere}.sphere.reg", 0.37 * points, faces)
    np.testing.assert_array_equal(nearest_on_fsaverage5(tmp_path), nearest_on_fsaverage5(freesurfer))
