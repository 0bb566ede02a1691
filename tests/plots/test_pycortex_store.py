import subprocess
import sys

import numpy as np
import pytest

from brainbook.plots import pycortex_store
from brainbook.plots.pycortex_store import FSAVERAGE5, open_store, write_subject


def test_surfaces_are_nilearns(store):
    from nilearn.datasets import load_fsaverage

    cortex = open_store(store)
    meshes = load_fsaverage("fsaverage5")
    for hemisphere, side in (("lh", "left"), ("rh", "right")):
        coordinates, faces = cortex.db.get_surf(FSAVERAGE5, "pia", hemisphere)
        np.testing.assert_allclose(coordinates, meshes["pial"].parts[side].coordinates, atol=1e-4)
        all_faces = meshes["pial"].parts[side].faces
        assert 0 < len(all_faces) - len(faces) < 150  # those that cross the cuts
        flat, flat_faces = cortex.db.get_surf(FSAVERAGE5, "flat", hemisphere)
        assert (flat[:, 2] == 0).all() and len(flat) == 10_242
        # No face that is left spans the map: three vertices on it and yet not one of its faces.
        on_map = np.isin(faces, flat_faces).all(axis=1)
        assert on_map.sum() == len(flat_faces)


def test_gyri_are_positive_in_pycortex(store):
    from nilearn.datasets import load_fsaverage_data

    curvature = open_store(store).db.get_surfinfo(FSAVERAGE5, "curvature").data
    sulcal = load_fsaverage_data("fsaverage5", data_type="sulcal").data.parts
    deep = np.concatenate([sulcal["left"], sulcal["right"]]) > 0.5
    assert curvature[deep].mean() < 0 < curvature[~deep].mean()


def test_a_slower_builder_keeps_what_a_faster_one_made(tmp_path, monkeypatch, store):
    """The slower one finds the subject in place when it comes to move its own there."""
    monkeypatch.setattr(pycortex_store, "_warm", lambda *_, **__: None)
    points = np.eye(3, dtype=np.float32)
    for number in (1, 2):
        write_subject(tmp_path, "sub", {("pia", "lh"): (number * points, np.array([[0, 1, 2]], np.int32))}, {})
    kept, _ = open_store(store).formats.read(str(tmp_path / "sub" / "surfaces" / "pia_lh"))
    np.testing.assert_allclose(kept, points)
    assert [path.name for path in tmp_path.iterdir()] == ["sub"]


def test_nothing_is_written_into_the_users_home(tmp_path):
    code = "from brainbook.plots.pycortex_store import _import_pycortex; _import_pycortex()"
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "MPLCONFIGDIR": str(tmp_path / "mpl")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr == ""
    assert not (tmp_path / ".config" / "pycortex").exists()


def test_a_failed_build_leaves_nothing(tmp_path, store):
    with pytest.raises(AttributeError):
        write_subject(tmp_path, "broken", {("pia", "lh"): (None, None)}, {})
    assert list(tmp_path.iterdir()) == []
