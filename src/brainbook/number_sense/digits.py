"""Handwritten digits, and CMNIST: the digits 1..9 in four colours (Noda, Soda & Yamashita 2024)."""

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.datasets import fetch_openml, load_digits

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.number_sense.images import COLOUR_CHANNELS, COLOURS, NUMBERS, Images

SIDE = 28  # px, both ways
SPLITS = ("train", "validation", "test")
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MNIST_FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
               "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip


@dataclass(frozen=True)
class Digits:
    """Handwritten digits of one split: ink uint8 [digits, 28, 28], label int64 [digits], source int64 [digits].

    `source` numbers the handwritten digits over all splits, so two splits share a digit if they share a source.
    """

    ink: np.ndarray
    label: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.ink)

    def __getitem__(self, index) -> "Digits":
        return Digits(self.ink[index], self.label[index], self.source[index])


def make_cmnist(
    n: int | None = None,
    *,
    digits: str | Path | Digits = "embedded",
    split: str = "train",
    numbers: Sequence[int] = NUMBERS,
    colours: Sequence[int] = range(len(COLOURS)),
    seed: int = 0,
) -> Images:
    """Tint handwritten digits: 28 x 28, RGB, on black.

    Parameters
    ----------
    n : number of images; None takes every digit once in every colour, as published. Otherwise digits are balanced by
        number and colour as far as `n` divides, and are used again when there are too few.
    digits : "embedded" (scikit-learn's own, upscaled), a folder of MNIST idx files, or Digits.
    split : "train", "validation" or "test" (when `digits` is not Digits). No digit is in two splits.
    numbers : which digits; never 0, which has no objects to be paired with.
    colours : which colours, as indices into COLOURS.
    seed : order of the images, and which digits are taken when `n` is not all of them.

    Returns
    -------
    Images, with pixels uint8 [n, 3, 28, 28] and the handwritten digit each comes from as `source`.
    """
    if not isinstance(digits, Digits):
        digits = read_digits(digits)[_known_split(split)]
    colours = np.asarray(colours)
    rng = np.random.default_rng(seed)
    digits = digits[np.isin(digits.label, numbers) & (digits.label > 0)]
    missing = sorted(set(numbers) - set(np.unique(digits.label)))
    if missing:
        raise DatasetError(f"there is no handwritten digit {missing[0]} in the {split} split: give more digits")
    if n is None:
        which, colour = (a.ravel() for a in np.meshgrid(np.arange(len(digits)), colours, indexing="ij"))
    else:
        which, colour = _balanced(n, digits.label, np.asarray(numbers), colours, rng)
    order = rng.permutation(len(which))
    which, colour = which[order], colour[order]
    pixels = digits.ink[which][:, None] * COLOUR_CHANNELS[colour][:, :, None, None]  # image, channel, row, column
    return Images(pixels, digits.label[which], colour.astype(np.int64), source=digits.source[which])


def read_digits(digits: str | Path = "embedded", seed: int = 0) -> dict[str, Digits]:
    """Handwritten digits by split: {"train": Digits, "validation": Digits, "test": Digits}.

    digits : "embedded" for the 1,797 digits that scikit-learn carries (8 x 8, upscaled to 24 and framed to 28; a fifth
        is test, a tenth validation); "mnist" to have scikit-learn download MNIST from OpenML; otherwise the folder of
        MNIST's four idx files, gzipped or not, or torchvision's folder around them (test is test; the last 5,000
        training digits are validation).
    seed : which embedded digits go to which split.
    """
    if str(digits) == "embedded":
        return _split(_embedded(), np.random.default_rng(seed))
    if str(digits) == "mnist":
        return _openml()
    read = {}
    for split, names in MNIST_FILES.items():
        ink, label = (read_idx(_find(Path(digits), name)) for name in names)
        read[split] = _checked(ink, label, Path(digits), names)
    return _mnist_splits(*read["train"], *read["test"])


def read_idx(path: str | Path) -> np.ndarray:
    """Read an idx file (http://yann.lecun.com/exdb/mnist), gzipped or not, as an array of its own shape and type.

    Raises DatasetError that names the file if it is not idx, is truncated, has bytes left over or a broken gzip stream.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, gzip.zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); fetch it again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not 1 <= content[3] <= 4:
        raise DatasetError(
            f"{path}: not an idx file (it begins with {content[:4].hex(' ') or 'nothing'}); fetch it again"
        )
    dtype, n_axes = np.dtype(IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * n_axes
    if len(content) < start:
        raise DatasetError(f"{path}: ends within its header, after {len(content)} bytes; fetch it again")
    shape = struct.unpack(f">{n_axes}I", content[4:start])
    expected = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(content) != expected:
        what = "truncated" if len(content) < expected else "too long"
        raise DatasetError(
            f"{path}: {what}: its header promises {shape}, that is {expected} bytes, but there are {len(content)}; "
            "fetch it again"
        )
    try:
        return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError as error:  # no value, along axes that are too long
        raise DatasetError(f"{path}: its header promises {shape}, which no array has ({error})") from error


def _known_split(split: str) -> str:
    if split not in SPLITS:
        raise ConfigurationError(f"split {split!r}: one of {', '.join(SPLITS)}")
    return split


def _find(folder: Path, name: str) -> Path:
    for place in (folder, folder / "raw", folder / "MNIST" / "raw"):  # the latter two are torchvision's
        for path in (place / name, place / f"{name}.gz", place / name.replace("-idx", ".idx")):
            if path.is_file():
                return path
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) if folder.is_dir() else "no such folder"
    raise DatasetError(
        f"{folder / name}[.gz] is missing ({found}): give the folder of MNIST's four idx files, 'mnist' to download, "
        "or 'embedded'"
    )


def _checked(ink: np.ndarray, label: np.ndarray, folder: Path, names: tuple[str, str]) -> tuple:
    images, labels = (str(folder / name) for name in names)
    if ink.ndim != 3 or ink.dtype != np.uint8 or ink.shape[1:] != (SIDE, SIDE):
        raise DatasetError(
            f"{images}: holds {ink.dtype} {ink.shape}, not uint8 [digits, 28, 28] (images and labels swapped?)"
        )
    if label.ndim != 1 or label.dtype != np.uint8:
        raise DatasetError(
            f"{labels}: holds {label.dtype} {label.shape}, not uint8 [digits] (images and labels swapped?)"
        )
    if len(ink) != len(label):
        raise DatasetError(f"{labels}: {len(label)} labels for the {len(ink)} images of {images}: they are of two sets")
    wrong = np.flatnonzero(label > 9)
    if len(wrong):
        raise DatasetError(f"{labels}: label {label[wrong[0]]} at row {wrong[0]} is no digit 0..9")
    return ink, label.astype(np.int64)


def _mnist_splits(ink, label, test_ink, test_label, n_validation: int = 5000) -> dict[str, Digits]:
    source = np.arange(len(ink) + len(test_ink))
    everything = Digits(ink, label, source[: len(ink)])
    cut = max(len(ink) - n_validation, len(ink) * 9 // 10)
    return {
        "train": everything[:cut],
        "validation": everything[cut:],
        "test": Digits(test_ink, test_label, source[len(ink) :]),
    }


def _openml() -> dict[str, Digits]:
    try:
        pixels, label = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
    except OSError as error:
        raise DatasetError(
            f"MNIST cannot be downloaded from OpenML ({error}): give its folder, or 'embedded'"
        ) from error
    ink, label = pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), label.astype(np.int64)
    return _mnist_splits(ink[:60_000], label[:60_000], ink[60_000:], label[60_000:])


def _embedded() -> Digits:
    small, label = load_digits(return_X_y=True)
    large = ndimage.zoom(small.reshape(-1, 8, 8) / 16, (1, 3, 3), order=1, mode="grid-constant", grid_mode=True)
    ink = np.pad(np.round(large.clip(0, 1) * 255).astype(np.uint8), ((0, 0), (2, 2), (2, 2)))
    return Digits(ink, label.astype(np.int64), np.arange(len(label)))


def _split(digits: Digits, rng: np.random.Generator) -> dict[str, Digits]:
    """A tenth for validation and a fifth for test, of each digit."""
    chosen = {split: [] for split in SPLITS}
    for label in np.unique(digits.label):
        rows = rng.permutation(np.flatnonzero(digits.label == label))
        ends = np.cumsum([round(0.7 * len(rows)), round(0.1 * len(rows))])
        for split, part in zip(SPLITS, np.split(rows, ends), strict=True):
            chosen[split].append(part)
    return {split: digits[np.sort(np.concatenate(parts))] for split, parts in chosen.items()}


def _balanced(
    n: int, label: np.ndarray, numbers: np.ndarray, colours: np.ndarray, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of digits and their colours, `n` of each: number-colour classes of equal size, give or take one."""
    classes = [(number, colour) for number in numbers for colour in colours]
    size = np.bincount(np.resize(rng.permutation(len(classes)), n), minlength=len(classes))
    which, colour = [], []
    for (number, c), m in zip(classes, size, strict=True):
        rows = np.flatnonzero(label == number)
        rounds = [rng.permutation(rows) for _ in range(-(-m // len(rows)))] or [rows[:0]]
        which.append(np.concatenate(rounds)[:m])
        colour.append(np.full(m, c))
    return np.concatenate(which), np.concatenate(colour)
