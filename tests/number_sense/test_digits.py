import gzip
import shutil
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.datasets import load_digits

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.number_sense import make_cmnist
from brainbook.number_sense.digits import read_digits, read_idx
from brainbook.number_sense.images import COLOUR_CHANNELS


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path, rng):
    """A tiny folder in MNIST's own form: 60 training and 30 test digits."""
    for name, n in (("train", 60), ("t10k", 30)):
        ink = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(ink)))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(np.resize(np.arange(10, dtype=np.uint8), n)))
    return tmp_path


class TestReadIdx:
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.booleans())
    def test_reads_what_was_written(self, tmp_path_factory, shape, zipped):
        array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        path = tmp_path_factory.mktemp("idx") / "a"
        path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
        read = read_idx(path)
        np.testing.assert_array_equal(read, array)
        assert read.dtype == np.uint8

    def test_reads_big_endian_integers(self, tmp_path):
        (tmp_path / "a").write_bytes(idx(np.array([1, -2, 70000], dtype=">i4"), 0x0C))
        np.testing.assert_array_equal(read_idx(tmp_path / "a"), [1, -2, 70000])

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda b: b[:-1], "cannot reshape array of size 2351"),
            (lambda b: b + b"x", "cannot reshape array of size 2353"),
            (lambda b: b"\x01" + b[1:], "not an idx file"),
            (lambda b: b[:2] + b"\x07" + b[3:], "not an idx file"),
            (lambda b: b"", "not an idx file"),
            (lambda b: b[:6], "buffer is smaller"),
            (lambda b: gzip.compress(b)[:-9], "cannot be read"),
            (lambda b: gzip.compress(b)[:12] + b"\xff" * 8, "cannot be read"),
            (lambda b: b"<html>404</html>", "not an idx file"),
            (lambda b: struct.pack(">4B4I", 0, 0, 8, 4, 0, 1 << 24, 157 << 24, 1 << 24), "cannot be read"),
        ],
    )
    def test_damage_is_named(self, tmp_path, damage, message):
        path = tmp_path / "broken"
        path.write_bytes(damage(idx(np.zeros((3, 28, 28), dtype=np.uint8))))
        with pytest.raises(DatasetError, match=message) as error:
            read_idx(path)
        assert str(path) in str(error.value)

    @given(st.binary(max_size=60))
    def test_any_bytes_are_an_array_or_a_dataset_error(self, tmp_path_factory, content):
        path = tmp_path_factory.mktemp("idx") / "a"
        path.write_bytes(content)
        try:
            assert read_idx(path).size < 60
        except DatasetError as error:
            assert str(path) in str(error)


class TestFolder:
    def test_splits_share_no_digit(self, mnist):
        splits = read_digits(mnist)
        assert {split: len(digits) for split, digits in splits.items()} == {"train": 54, "validation": 6, "test": 30}
        sources = np.concatenate([digits.source for digits in splits.values()])
        assert len(np.unique(sources)) == 90

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("train-labels-idx1-ubyte", idx(np.zeros(59, dtype=np.uint8)), "59 labels for the 60 images"),
            ("train-labels-idx1-ubyte", idx(np.full(60, 10, dtype=np.uint8)), "label 10 at row 0"),
            ("train-labels-idx1-ubyte", idx(np.zeros((60, 28, 28), dtype=np.uint8)), "swapped"),
            ("train-images-idx3-ubyte", idx(np.zeros(60, dtype=np.uint8)), "swapped"),
            ("train-images-idx3-ubyte", idx(np.zeros((60, 8, 8), dtype=np.uint8)), "28, 28"),
        ],
    )
    def test_files_that_do_not_belong_together(self, mnist, name, content, message):
        (mnist / f"{name}.gz").unlink(missing_ok=True)
        (mnist / name).write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            read_digits(mnist)

    def test_missing_file_is_named_with_the_way_out(self, mnist):
        (mnist / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(DatasetError, match="t10k-labels-idx1-ubyte.*embedded"):
            read_digits(mnist)
        with pytest.raises(DatasetError, match="no such folder"):
            read_digits(mnist / "nowhere")

    @pytest.mark.parametrize("inside", ["raw", "MNIST/raw"])
    def test_torchvisions_folder_is_read(self, mnist, tmp_path_factory, inside):
        root = tmp_path_factory.mktemp("torchvision")
        shutil.copytree(mnist, root / inside)
        for split, digits in read_digits(root).items():
            np.testing.assert_array_equal(digits.ink, read_digits(mnist)[split].ink)

    def test_real_mnist(self, real_mnist):
        splits = read_digits(real_mnist)
        assert [len(splits[split]) for split in ("train", "validation", "test")] == [55_000, 5_000, 10_000]
        assert splits["test"].label[:4].tolist() == [7, 2, 1, 0]
        assert splits["train"].label[:4].tolist() == [5, 0, 4, 1]


class TestEmbedded:
    def test_upscaling_keeps_the_digit(self):
        splits = read_digits()
        small, label = load_digits(return_X_y=True)
        for digits in splits.values():
            assert digits.ink.shape[1:] == (28, 28)
            back = digits.ink[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean(axis=(2, 4)).reshape(-1, 64)  # digit, pixel
            np.testing.assert_array_equal(digits.label, label[digits.source])
            r = [np.corrcoef(a, b)[0, 1] for a, b in zip(back, small[digits.source], strict=True)]
            assert min(r) > 0.95

    def test_splits_share_no_digit_and_have_all(self):
        splits = read_digits()
        assert sorted(np.concatenate([d.source for d in splits.values()])) == list(range(1797))
        assert all(set(digits.label) == set(range(10)) for digits in splits.values())


class TestCMNIST:
    def test_every_digit_in_every_colour(self):
        images = make_cmnist()
        digits = read_digits()["train"]
        assert len(images) == 4 * (digits.label > 0).sum()
        pairs = np.stack([images.source, images.colour])
        assert len(np.unique(pairs, axis=1).T) == len(images)
        assert 0 not in images.number

    def test_tint_zeroes_the_other_channels(self):
        images = make_cmnist(400, seed=1)
        ink = images.pixels.max(axis=1)
        np.testing.assert_array_equal(images.pixels, ink[:, None] * COLOUR_CHANNELS[images.colour][:, :, None, None])

    @pytest.mark.parametrize("n", [36, 100, 7200])
    def test_balanced_however_many(self, n):
        images = make_cmnist(n, split="test", seed=2)
        counts = np.unique(images.number * 4 + images.colour, return_counts=True)[1]
        assert len(images) == n
        assert np.ptp(counts) <= 1

    def test_unknown_split_or_missing_digit(self, mnist):
        with pytest.raises(ConfigurationError, match="train, validation, test"):
            make_cmnist(10, split="dev")
        digits = read_digits()["train"]
        with pytest.raises(DatasetError, match="no handwritten digit 7"):
            make_cmnist(10, digits=digits[digits.label != 7])
