"""A set of labelled pictures of number, in memory."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from brainbook.errors import DatasetError

COLOURS = ("red", "green", "blue", "white")
COLOUR_CHANNELS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=np.uint8)  # colour, channel
SHAPES = ("square", "triangle", "cross")
NUMBERS = tuple(range(1, 10))


@dataclass(frozen=True)
class Images:
    """Pictures and what is known of each.

    pixels : uint8 [images, 3, height, width], 0..255.
    number : int64 [images], how many objects, or the digit that is written.
    colour : int64 [images], index into COLOURS.
    shape : int64 [images], index into SHAPES; None for digits.
    source : int64 [images], which handwritten digit was tinted; None for objects.
    """

    pixels: np.ndarray
    number: np.ndarray
    colour: np.ndarray
    shape: np.ndarray | None = None
    source: np.ndarray | None = None

    def __post_init__(self):
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[1] != 3:
            raise DatasetError(
                f"pixels must be uint8 [images, 3, height, width], not {self.pixels.dtype} {self.pixels.shape}"
            )
        for field in fields(self)[1:]:
            values = getattr(self, field.name)
            if values is not None and values.shape != (len(self.pixels),):
                raise DatasetError(f"{field.name} has shape {values.shape}, but there are {len(self.pixels)} images")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index) -> "Images":
        """The images at `index` (slice, mask or integers), in that order."""
        chosen = {
            field.name: None if getattr(self, field.name) is None else getattr(self, field.name)[index]
            for field in fields(self)
        }
        return replace(self, **chosen)

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return tuple(self.pixels.shape[1:])

    @property
    def factors(self) -> dict[str, np.ndarray]:
        """What varies by name: number, colour and, for objects, shape."""
        return {name: getattr(self, name) for name in ("number", "colour", "shape") if getattr(self, name) is not None}

    @property
    def table(self) -> pd.DataFrame:
        """One row an image: number, and colour and shape by name."""
        columns = {"number": self.number, "colour": np.array(COLOURS)[self.colour]}
        if self.shape is not None:
            columns["shape"] = np.array(SHAPES)[self.shape]
        return pd.DataFrame(columns)

    def lit(self) -> np.ndarray:
        """Lit area of each image in pixels [images]: a white and a red object of one size count the same."""
        return self.pixels.max(axis=1).astype(np.float64).sum(axis=(1, 2)) / 255
