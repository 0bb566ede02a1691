"""Damaged, mistaken and unusual recordings: each is refused, or warned of, by name."""

import gzip
import re
import warnings
from contextlib import nullcontext

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from brainbook.datasets import LittlePrince, surface_matrix, to_surface
from brainbook.datasets.atlas import N_VERTICES, destrieux
from brainbook.datasets.images import check_same_place, open_image, says_repetition_time
from brainbook.datasets.responses import check_signal, describe_lost
from brainbook.errors import DatasetError
from brainbook.store import fingerprint

AFFINE = np.diag([3.0, 3, 3, 1])
SMALL = settings(deadline=None, suppress_health_check=list(HealthCheck))


def write(path, data=None, affine=AFFINE, tr=2.0, unit="sec", codes=None):
    data = np.arange(4 * 5 * 6 * 7, dtype=np.int16).reshape(4, 5, 6, 7) % 1013 if data is None else data
    image = nib.Nifti1Image(data, affine, dtype=data.dtype)
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = tr
    nib.save(image, path)
    if codes is not None:  # nibabel would not write such a file
        raw = bytearray(path.read_bytes())
        raw[252:256] = np.array(codes, "<i2").tobytes()
        path.write_bytes(raw)
    return path


def read(path):
    return np.asanyarray(open_image(path).dataobj)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A compressed recording: its path, and its numbers as nibabel itself reads them."""
    rng = np.random.default_rng(0)
    path = write(
        tmp_path_factory.mktemp("images") / "whole.nii.gz", rng.integers(0, 4000, (4, 5, 6, 7)).astype(np.int16)
    )
    return path, np.asanyarray(nib.load(path).dataobj)


def assert_sound(path, content, numbers):
    """A file of this content is refused by name, or read as the whole one was."""
    path.write_bytes(content)
    try:
        values = read(path)
    except DatasetError as error:
        assert path.name in str(error)
        return False
    np.testing.assert_array_equal(values, numbers)
    return True


@SMALL
@given(data=st.data())
def test_one_flipped_bit_is_seen_or_changes_nothing(whole, tmp_path_factory, data):
    path, numbers = whole
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    assert_sound(path.with_name("damaged.nii.gz"), bytes(content), numbers)


def test_most_flipped_bits_are_seen(whole):
    """All but some of gzip's own header and of bits that a decoder does not use."""
    path, numbers = whole
    sound = []
    for place in range(40, path.stat().st_size, 11):
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << place % 8
        sound.append(assert_sound(path.with_name("damaged.nii.gz"), bytes(content), numbers))
    assert len(sound) > 100 and np.mean(sound) < 0.05


@pytest.mark.parametrize("cut", [1, 4, 8, 100])
def test_a_cut_end(whole, cut):
    path, numbers = whole
    assert not assert_sound(path.with_name("cut.nii.gz"), path.read_bytes()[:-cut], numbers)


def test_a_byte_in_the_middle_and_rubbish_at_the_end(whole):
    path, numbers = whole
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xA5
    assert not assert_sound(path.with_name("middle.nii.gz"), bytes(content), numbers)
    assert not assert_sound(path.with_name("rubbish.nii.gz"), path.read_bytes() + b"rubbish", numbers)
    double = gzip.compress(gzip.decompress(path.read_bytes()) + bytes(64))
    path.with_name("long.nii.gz").write_bytes(double)
    with pytest.raises(DatasetError, match="holds 64 bytes more than its header says"):
        read(path.with_name("long.nii.gz"))


@SMALL
@given(place=st.integers(0, 347), value=st.integers(0, 255))
def test_a_damaged_header_raises_nothing_but_the_projects_error(whole, place, value):
    path, _ = whole
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[place] = value
    for name, raw in (("header.nii", bytes(content)), ("header.nii.gz", gzip.compress(bytes(content), 1))):
        damaged = path.with_name(name)
        damaged.write_bytes(raw)
        try:
            image = open_image(damaged)
            values = np.asanyarray(image.dataobj)
            says_repetition_time(image, 2.0, damaged)
        except DatasetError as error:
            assert name in str(error)
        else:
            assert values.shape == image.shape and values.size * image.get_data_dtype().itemsize == 840 * 2


@SMALL
@given(content=st.binary(max_size=600), name=st.sampled_from(["noise.nii", "noise.nii.gz"]))
def test_noise_is_no_image(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / name
    for raw in (content, gzip.compress(content)):
        path.write_bytes(raw)
        with pytest.raises(DatasetError, match="noise"):
            read(path)


def test_several_gzip_members_are_one_file(whole):
    path, numbers = whole
    content = gzip.decompress(path.read_bytes())
    other = path.with_name("members.nii.gz")
    assert assert_sound(other, gzip.compress(content[:500]) + gzip.compress(content[500:]), numbers)
    assert isinstance(open_image(path).dataobj.content_key(), list)
    assert open_image(other).dataobj.content_key() == other  # its last checksum does not stand for all


def test_the_key_of_a_recording_is_its_content(tmp_path):
    data = np.random.default_rng(0).integers(0, 99, (4, 5, 6, 7)).astype(np.int16)
    changed = data.copy()
    changed[1, 1, 1, 1] += 1
    for name in ("a.nii", "a.nii.gz"):
        keys = []
        for values in (data, changed, data):
            write(tmp_path / name, values)
            keys.append(fingerprint(open_image(tmp_path / name).dataobj.content_key()))
        assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float64, np.float32, np.int16])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_types_of_numbers(tmp_path, kind, name):
    data = np.arange(840).reshape(4, 5, 6, 7).astype(kind)
    found = open_image(write(tmp_path / name, data))
    np.testing.assert_array_equal(np.asanyarray(found.dataobj), data)
    np.testing.assert_array_equal(found.dataobj[..., 2:], data[..., 2:])
    np.testing.assert_array_equal(found.get_fdata(), data)
    np.testing.assert_array_equal(np.asanyarray(found.slicer[..., 3:].dataobj), data[..., 3:])


def test_slope_and_intercept_are_kept(tmp_path):
    path = write(tmp_path / "a.nii.gz")
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[112:120] = np.array([0.5, 10], "<f4").tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))
    np.testing.assert_array_equal(read(path), nib.load(path).get_fdata())
    assert read(path)[0, 0, 0, 1] == 10.5


def test_complex_numbers_are_refused(tmp_path):
    data = np.ones((4, 5, 6, 7), np.complex64)
    with pytest.raises(DatasetError, match="complex64"):
        open_image(write(tmp_path / "a.nii", data))
    with pytest.raises(DatasetError, match="complex64"):
        to_surface(nib.Nifti1Image(data, AFFINE))


def test_where_an_image_lies(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere\.nii.*sform and qform codes are 0"):
        open_image(write(tmp_path / "nowhere.nii", codes=(0, 0)))
    for codes in ((1, 0), (0, 1), (4, 4)):
        open_image(write(tmp_path / "somewhere.nii", codes=codes))
    flat, missing = AFFINE.copy(), AFFINE.copy()
    flat[2, 2], missing[0, 3] = 0, np.nan
    for affine in (flat, missing):
        path = write(tmp_path / "a.nii")
        raw = bytearray(path.read_bytes())
        raw[280:328] = affine[:3].astype("<f4").tobytes()
        raw[252:254] = bytes(2)  # no qform that could stand in
        path.write_bytes(raw)
        with pytest.raises(DatasetError, match=r"a\.nii.*places voxels nowhere"):
            open_image(path)
        with pytest.raises(DatasetError, match="places voxels nowhere"):
            surface_matrix(affine, (4, 5, 6))


@pytest.mark.parametrize(
    ("tr", "unit", "said"),
    [(2.0, "sec", True), (2000, "msec", True), (2000, "sec", True), (2e6, "usec", True), (2.0, "msec", True),
     (2.0, "unknown", True), (0, "sec", False), (1, "sec", False), (1.5, "sec", None), (1500, "msec", None),
     (-2, "sec", None), (np.nan, "sec", None), (2.1, "sec", None), (1000, "msec", None)],
)  # fmt: skip
def test_repetition_time(tmp_path, tr, unit, said):
    image = open_image(write(tmp_path / "a.nii", tr=tr, unit=unit))
    if said is None:
        with pytest.raises(
            DatasetError, match=r"a\.nii: its header says that scans are .* in this dataset they are 2 s"
        ):
            says_repetition_time(image, 2.0, tmp_path / "a.nii")
    else:
        assert says_repetition_time(image, 2.0, tmp_path / "a.nii") is said


@pytest.mark.parametrize(("shift", "refused"), [(0, False), (1.4, False), (1.6, True), (20, True), (40, True)])
def test_one_run_that_lies_elsewhere(tmp_path, shift, refused):
    elsewhere = AFFINE.copy()
    elsewhere[1, 3] = shift  # mm; voxels are 3 mm wide
    images = {tmp_path / f"{n}.nii": open_image(write(tmp_path / f"{n}.nii", affine=elsewhere if n == 0 else AFFINE))
              for n in range(4)}  # fmt: skip
    outcome = pytest.raises(DatasetError, match=rf"/0\.nii lies {shift:.1f} mm away") if refused else nullcontext()
    with outcome:
        check_same_place(images)


def test_a_flipped_run_lies_elsewhere(tmp_path):
    flipped = np.diag([-3.0, 3, 3, 1])
    flipped[0, 3] = 9  # the same box, left and right exchanged
    images = {tmp_path / f"{n}.nii": open_image(write(tmp_path / f"{n}.nii", affine=flipped if n == 2 else AFFINE))
              for n in range(3)}  # fmt: skip
    with pytest.raises(DatasetError, match=r"2\.nii lies 9\.0 mm away"):
        check_same_place(images)


@pytest.fixture
def surface(rng):
    return rng.normal(size=(12, N_VERTICES)) + 100


def test_empty_scans_and_hemispheres(surface, tmp_path):
    check_signal(surface, tmp_path / "a.nii")
    for nothing in (0, np.nan):
        holed = surface.copy()
        holed[[3, 4, 7]] = nothing
        with pytest.raises(DatasetError, match=r"a\.nii.*of the left hemisphere in 3 of 12 scans \(3, 4, 7"):
            check_signal(holed, tmp_path / "a.nii")
        holed = surface.copy()
        holed[5, 10_242:] = nothing
        with pytest.raises(DatasetError, match=r"of the right hemisphere in 1 of 12 scans \(5,"):
            check_signal(holed, tmp_path / "a.nii")
        for side, half in (("left", slice(None, 10_242)), ("right", slice(10_242, None))):
            holed = surface.copy()
            holed[:, half] = nothing
            with pytest.raises(DatasetError, match=f"10242 of 10242 vertices of the {side} hemisphere"):
                check_signal(holed, tmp_path / "a.nii")
    with pytest.raises(DatasetError, match="20484 of 20484 vertices of the cortex"):
        check_signal(np.repeat(surface[:1], 12, axis=0), tmp_path / "a.nii")


def test_repeated_scans_get_a_warning(surface, tmp_path):
    surface[[6, 9]] = surface[[5, 8]]
    with pytest.warns(UserWarning, match=r"the same numbers as in the scan before in 2 of 12 scans \(6, 9"):
        check_signal(surface, tmp_path / "a.nii")


def test_headers_of_a_participant(fake, tmp_path):
    fake.participant("sub-EN057")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # of what earlier tests left open
        LittlePrince(fake.root).runs("sub-EN057")
    path = fake.preprocessed("sub-EN057", 9)
    data = nib.load(path).get_fdata().astype(np.float32)
    affine = nib.load(path).affine
    write(path, data, affine, tr=1)
    with pytest.warns(UserWarning, match="1 of 9 recordings of sub-EN057 .*run-09.*2 s are taken for granted"):
        LittlePrince(fake.root).runs("sub-EN057")
    write(path, data, affine, tr=1.5)
    with pytest.raises(DatasetError, match=r"run-09.*scans are 1\.5 s apart"):
        LittlePrince(fake.root).runs("sub-EN057")
    affine[2, 3] += 20
    write(path, data, affine)
    with pytest.raises(DatasetError, match=r"run-09.*lies 20\.0 mm away"):
        LittlePrince(fake.root).runs("sub-EN057")


def test_a_region_of_little_coverage_is_missing_and_named(fake):
    """Voxels of the front half are still in section 1: regions there are NaN in it, and only in it."""
    fake.participant("sub-EN057")
    path = fake.preprocessed("sub-EN057", 6)
    image = nib.load(path)
    data = image.get_fdata().astype(np.float32)
    where = nib.affines.apply_affine(image.affine, np.moveaxis(np.indices(data.shape[:3]), 0, -1))
    data[where[..., 1] > 25] = 7.0
    write(path, data, image.affine)
    with pytest.warns(UserWarning, match=r"sub-EN057: less than half of .*lh\..* has no signal in section 1, where"):
        found = LittlePrince(fake.root).responses("sub-EN057")
    lost = np.isnan(found.values[found.run_of_scan == 1]).all(axis=0)
    front = found.names.region == "G_and_S_frontomargin"
    assert lost[front].all() and 5 < lost.sum() < 100
    assert not lost[found.names.region == "G_cuneus"].any()
    assert np.isfinite(found.values[found.run_of_scan != 1]).all()
    by_vertex = destrieux().table[["region", "hemisphere"]]
    values = np.ones((4, N_VERTICES))
    runs = np.array([1, 1, 2, 2])
    values[:, 0] = np.nan  # outside the image: not spoken of
    assert describe_lost(values, runs, by_vertex) == ""
    values[2:, 5] = np.nan
    assert re.search("1 vertices .* no signal in section 2,", describe_lost(values, runs, by_vertex))
