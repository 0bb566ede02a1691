"""Handwritten digits, and CMNIST: the digits 1..9 in four colours (Noda, Soda & Yamashita 2024)."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    def __getitem__(self, index: Any) -> "Digits":
        return Digits(self.ink[index], self.label[index], self.source[index])


def make_cmnist(
    n: int | None = None,
    *,
    digits: str | Path | Digits = "embedded",
    split: str = "train",
    numbers: Sequence[int] = NUMBERS,
    colours: Sequence[int] | np.ndarray = range(len(COLOURS)),  # noqa: B008
    seed: int = 0,
) -> Images:
    """Tint handwritten digits: images of 28 x 28, RGB, on black.

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

    Examples
    --------
    >>> images = make_cmnist(36, seed=0)
    >>> images.pixels.shape, sorted(set(images.number.tolist()))
    ((36, 3, 28, 28), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if not isinstance(digits, Digits):
        if split not in SPLITS:
            raise ConfigurationError(f"split {split!r}: one of {', '.join(SPLITS)}")
        digits = read_digits(digits)[split]
    colours = np.asarray(colours)
    rng = np.random.default_rng(seed)
    digits = digits[np.isin(digits.label, numbers) & (digits.label > 0)]
    if missing := sorted(set(numbers) - set(digits.label)):
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
    """Read handwritten digits by split: {"train": Digits, "validation": Digits, "test": Digits}.

    digits : "embedded" for the 1,797 digits that scikit-learn carries (8 x 8, upscaled to 24 and framed to 28; a fifth
        is test, a tenth validation); "mnist" to have scikit-learn download MNIST from OpenML; otherwise the folder of
        MNIST's four idx files, gzipped or not, or torchvision's folder around them (test is test; the last 5,000
        training digits are validation).
    seed : which embedded digits go to which split.

    Raises DatasetError if a file is missing, damaged or does not belong to the others, or OpenML cannot be reached.
    """
    if str(digits) == "embedded":
        return _split(embedded_digits(), np.random.default_rng(seed))
    if str(digits) == "mnist":
        try:
            pixels, label = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
        except OSError as error:
            raise DatasetError(f"MNIST cannot be downloaded ({error}): give its folder, or 'embedded'") from error
        ink, label, n_train = pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), label.astype(np.int64), 60_000
    else:
        parts = [_read_labelled(Path(digits), *names) for names in MNIST_FILES.values()]
        ink, label = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        n_train = len(parts[0][0])
    everything = Digits(ink, label, np.arange(len(ink)))
    ends = max(n_train - 5000, n_train * 9 // 10), n_train
    return {
        "train": everything[: ends[0]],
        "validation": everything[ends[0] : ends[1]],
        "test": everything[ends[1] :],
    }


def embedded_digits() -> Digits:
    """Return the digits that scikit-learn carries, upscaled."""
    small, label = load_digits(return_X_y=True)
    large = ndimage.zoom(small.reshape(-1, 8, 8) / 16, (1, 3, 3), order=1, mode="grid-constant", grid_mode=True)
    ink = np.pad(np.round(large.clip(0, 1) * 255).astype(np.uint8), ((0, 0), (2, 2), (2, 2)))
    return Digits(ink, label.astype(np.int64), np.arange(len(label)))


def read_idx(path: str | Path) -> np.ndarray:
    """Read an idx file (http://yann.lecun.com/exdb/mnist), gzipped or not, as an array of its own shape and type.

    Raises DatasetError that names the file if it is not idx, is truncated, has bytes left over or a broken gzip stream.
    """
    try:
        content = Path(path).read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not 1 <= content[3] <= 4:
            raise ValueError(f"not an idx file, it begins with {content[:4].hex(' ') or 'nothing'}")
        dtype, n_axes = np.dtype(IDX_TYPES[content[2]]), content[3]
        shape = np.frombuffer(content, ">u4", n_axes, offset=4).tolist()
        values = np.frombuffer(content, dtype, offset=4 + 4 * n_axes)
        return values.reshape(shape).astype(dtype.newbyteorder("="))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); fetch it again") from error


def _read_labelled(folder: Path, images_name: str, labels_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read images, uint8 [digits, 28, 28], and their labels, int64 [digits]."""
    images, labels = _find(folder, images_name), _find(folder, labels_name)
    ink, label = read_idx(images), read_idx(labels)
    problem = ""
    if ink.ndim != 3 or ink.dtype != np.uint8 or ink.shape[1:] != (SIDE, SIDE):
        problem = f"{images} holds {ink.dtype} {ink.shape}, not uint8 [digits, 28, 28] (images and labels swapped?)"
    elif label.ndim != 1 or label.dtype != np.uint8:
        problem = f"{labels} holds {label.dtype} {label.shape}, not uint8 [digits] (images and labels swapped?)"
    elif len(ink) != len(label):
        problem = f"{labels} has {len(label)} labels for the {len(ink)} images of {images}: they are of two sets"
    elif label.max(initial=0) > 9:
        problem = f"{labels}: label {label.max()} at row {label.argmax()} is no digit 0..9"
    if problem:
        raise DatasetError(problem)
    return ink, label.astype(np.int64)


def _find(folder: Path, name: str) -> Path:
    for place in (folder, folder / "raw", folder / "MNIST" / "raw"):  # the latter two are torchvision's
        for path in (place / name, place / f"{name}.gz", place / name.replace("-idx", ".idx")):
            if path.is_file():
                return path
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) if folder.is_dir() else "no such folder"
    raise DatasetError(
        f"{folder / name}[.gz] is missing ({there}): give the folder of MNIST's four idx files, 'mnist' to download, "
        "or 'embedded'"
    )


def _split(digits: Digits, rng: np.random.Generator) -> dict[str, Digits]:
    """Take a tenth for validation and a fifth for test, of each digit."""
    chosen: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for label in np.unique(digits.label):
        rows = rng.permutation(np.flatnonzero(digits.label == label))
        ends = np.cumsum([round(0.7 * len(rows)), round(0.1 * len(rows))])
        for split, part in zip(SPLITS, np.split(rows, ends), strict=True):
            chosen[split].append(part)
    return {split: digits[np.sort(np.concatenate(parts))] for split, parts in chosen.items()}


def _balanced(
    n: int, label: np.ndarray, numbers: np.ndarray, colours: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose `n` rows of digits and their colours: number-colour classes of equal size, give or take one."""
    classes = [(number, colour) for number in numbers for colour in colours]
    sizes = np.bincount(np.resize(rng.permutation(len(classes)), n), minlength=len(classes))
    which = [
        repeat_shuffled(np.flatnonzero(label == number), m, rng) for (number, _), m in zip(classes, sizes, strict=True)
    ]
    return np.concatenate(which), np.repeat([colour for _, colour in classes], sizes)


def repeat_shuffled(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` of `rows`: each once in random order, then each once again, and so on."""
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:n]
