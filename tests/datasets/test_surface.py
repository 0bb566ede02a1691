import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_fsaverage
from nilearn.surface import vol_to_surf

from brainbook.datasets import surface as module
from brainbook.datasets.surface import surface_matrix, to_surface
from brainbook.errors import ConfigurationError, DatasetError

AFFINE = np.array([[6.0, 0, 0, -75], [0, 6, 0, -110], [0, 0, 6, -70], [0, 0, 0, 1]])
OBLIQUE = AFFINE + np.array([[0, 0.4, 0.1, 0], [-0.3, 0, 0.2, 0], [0, 0.3, 0, 0], [0, 0, 0, 0]])
SHAPE = (26, 32, 27)


@pytest.fixture
def image(rng):
    return nib.Nifti1Image(rng.normal(1000, 50, (*SHAPE, 3)).astype(np.float32), AFFINE)


def nilearns(image, inner=False):
    meshes = load_fsaverage("fsaverage5")
    white = meshes["white_matter"].parts
    sides = [
        vol_to_surf(image, mesh, inner_mesh=white[part] if inner else None)
        for part, mesh in meshes["pial"].parts.items()
    ]
    return np.concatenate(sides).T


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE, np.diag([-1, 1, 1, 1]) @ AFFINE], ids=["plain", "oblique", "flip"])
@pytest.mark.parametrize("sampling", ["line", "ribbon"])
def test_equal_to_nilearn(rng, affine, sampling):
    image = nib.Nifti1Image(rng.normal(1000, 50, (*SHAPE, 2)), affine)
    ours = to_surface(image, sampling=sampling)
    assert ours.shape == (2, 20_484)
    np.testing.assert_allclose(ours, nilearns(image, inner=sampling == "ribbon"), atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")  # nilearn's
def test_vertices_outside_the_volume_are_missing_as_in_nilearn(rng):
    image = nib.Nifti1Image(rng.normal(size=(20, 20, 20, 2)), AFFINE)
    ours, theirs = to_surface(image), nilearns(image)
    assert 0.1 < np.isnan(ours).mean() < 0.9
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")  # nilearn's
def test_missing_voxels_are_left_out_as_in_nilearn(image):
    data = image.get_fdata()
    data[:13, :, :10] = np.nan  # in every scan
    data[20:, 20:, :, 1] = np.nan  # in one scan only
    image = nib.Nifti1Image(data, AFFINE)
    ours, theirs = to_surface(image), nilearns(image)
    assert np.isnan(ours[1]).sum() > np.isnan(ours[0]).sum() > 0
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_one_volume_integers_paths_and_types(image, tmp_path):
    volume = nib.Nifti1Image(np.asarray(image.dataobj)[..., 0].astype(np.int16), AFFINE)
    nib.save(volume, tmp_path / "volume.nii.gz")
    single = to_surface(tmp_path / "volume.nii.gz")
    assert single.shape == (20_484,)
    np.testing.assert_allclose(single, nilearns(volume).ravel(), rtol=1e-6)


def test_rows_sum_to_one_and_a_linear_field_is_kept():
    matrix = surface_matrix(AFFINE, SHAPE)
    assert matrix.shape == (20_484, np.prod(SHAPE))
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    i, j, k = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    millimetres = nib.affines.apply_affine(AFFINE, np.stack([i, j, k], axis=-1))
    found = matrix @ millimetres.reshape(-1, 3, order="F")
    pial = np.concatenate([part.coordinates for part in load_fsaverage("fsaverage5")["pial"].parts.values()])
    np.testing.assert_allclose(found, pial, atol=1e-3)  # the points along a line have their vertex as their mean


def test_the_matrix_is_made_once_for_a_geometry(image, tmp_path, monkeypatch):
    first = to_surface(image, cache=tmp_path)
    module._cached_matrix.cache_clear()
    assert len(list(tmp_path.glob("surface-matrix-*.npy"))) == 1
    monkeypatch.setattr(module, "_matrix", lambda *_: pytest.fail("made again"))
    np.testing.assert_array_equal(to_surface(image, cache=tmp_path), first)
    module._cached_matrix.cache_clear()


def test_what_is_no_geometry_is_refused(rng):
    with pytest.raises(DatasetError, match="neither one volume"):
        to_surface(nib.Nifti1Image(np.zeros((4, 4)), np.eye(4)))
    with pytest.raises(ConfigurationError, match="'cube'; it is one of line, ribbon"):
        surface_matrix(AFFINE, SHAPE, sampling="cube")
    with pytest.raises(DatasetError, match="make no geometry"):
        surface_matrix(AFFINE, (1, 32, 27))
