"""A set of labelled images of number, in memory."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from brainbook.errors import DatasetError

COLOURS = ("red", "green", "blue", "white")
COLOUR_CHANNELS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=np.uint8)  # colour, channel
SHAPES = ("square", "triangle", "cross")
NUMBERS = tuple(range(1, 10))


@dataclass(frozen=True)
class Images:
    """Images and the labels of each.

    pixels : uint8 [images, 3, height, width], 0..255.
    number : int64 [images], how many objects, or the digit that is written.
    colour : int64 [images], index into COLOURS.
    shape : int64 [images], index into SHAPES; None for digits.
    source : int64 [images], which handwritten digit was tinted; None for objects.

    Examples
    --------
    >>> images = make_oscn(2, seed=0)
    >>> images.table
       number colour     shape
    0       8  green  triangle
    1       5   blue  triangle
    """

    pixels: np.ndarray
    number: np.ndarray
    colour: np.ndarray
    shape: np.ndarray | None = None
    source: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[1] != 3:
            raise DatasetError(
                f"pixels must be uint8 [images, 3, height, width], not {self.pixels.dtype} {self.pixels.shape}"
            )
        for name, values in self._arrays().items():
            if len(values) != len(self.pixels) or (name != "pixels" and values.ndim != 1):
                raise DatasetError(f"{name} has shape {values.shape}, but there are {len(self.pixels)} images")

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: values for name, values in arrays.items() if values is not None}

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Any) -> "Images":
        """Return the images at `index` (slice, mask or integers), in that order."""
        return Images(**{name: values[index] for name, values in self._arrays().items()})

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.pixels.shape[1:]

    @property
    def factors(self) -> dict[str, np.ndarray]:
        """Labels by factor: number, colour and, for objects, shape."""
        return {name: values for name, values in self._arrays().items() if name not in ("pixels", "source")}

    @property
    def table(self) -> pd.DataFrame:
        """One row per image: number, and colour and (of objects) shape by name."""
        words = {"colour": np.array(COLOURS), "shape": np.array(SHAPES)}
        factors = self.factors.items()
        return pd.DataFrame({name: words[name][label] if name in words else label for name, label in factors})
