"""Pairs of an image of objects and a handwritten digit: number and colour are shared, the rest is free."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.errors import DatasetError
from brainbook.number_sense.digits import SPLITS, make_cmnist, read_digits, repeat_shuffled
from brainbook.number_sense.images import COLOURS, Images
from brainbook.number_sense.oscn import make_oscn


@dataclass(frozen=True)
class Pairs:
    """Images of two modalities and, for each pair, the row in either: oscn_row and cmnist_row, int64 [pairs]."""

    oscn: Images
    cmnist: Images
    oscn_row: np.ndarray
    cmnist_row: np.ndarray

    def __len__(self) -> int:
        return len(self.oscn_row)

    @property
    def modalities(self) -> dict[str, Images]:
        return {"oscn": self.oscn, "cmnist": self.cmnist}

    @property
    def rows(self) -> dict[str, np.ndarray]:
        return {"oscn": self.oscn_row, "cmnist": self.cmnist_row}

    @property
    def number(self) -> np.ndarray:
        """The number that both images of a pair show, int64 [pairs]."""
        return self.oscn.number[self.oscn_row]

    @property
    def colour(self) -> np.ndarray:
        """The colour both images of a pair have, int64 [pairs]."""
        return self.oscn.colour[self.oscn_row]

    def aligned(self) -> dict[str, Images]:
        """Return the images of each modality in the order of the pairs."""
        return {name: images[self.rows[name]] for name, images in self.modalities.items()}


def pair(
    oscn: Images, cmnist: Images, repeats: int = 2, *, n: int | None = None, without: Collection = (), seed: int = 0
) -> Pairs:
    """Match each image with images of the other modality that show the same number in the same colour.

    Parameters
    ----------
    oscn, cmnist : the images. Shape, layout and handwriting play no part in the matching.
    repeats : how many pairs each image is in (two, as published); where one modality has fewer images of a number and
        colour than the other, its images are used more often.
    n : keep so many pairs, drawn at random; None keeps all.
    without : (number, colour) classes to leave out, colour as an index into COLOURS, so that their meeting can be
        tested later on.
    seed : decides the matching and its order.

    Raises
    ------
    DatasetError : one modality has a number and colour that the other lacks.

    Examples
    --------
    >>> pairs = pair(make_oscn(72, seed=0), make_cmnist(72, seed=0))
    >>> (pairs.oscn.number[pairs.oscn_row] == pairs.cmnist.number[pairs.cmnist_row]).all().item()
    True
    """
    rng = np.random.default_rng(seed)
    left, right = _rows_by_class(oscn), _rows_by_class(cmnist)
    left_out = {(int(number), int(colour)) for number, colour in without}
    rows: Any = []
    for key in sorted((set(left) | set(right)) - left_out):
        if key not in left or key not in right:
            lacking = "oscn" if key not in left else "cmnist"
            raise DatasetError(f"{lacking} has no {COLOURS[key[1]]} {key[0]} to pair with: make more images")
        m = repeats * max(len(left[key]), len(right[key]))
        rows.append(np.stack([repeat_shuffled(left[key], m, rng), repeat_shuffled(right[key], m, rng)]))
    if not rows:
        raise DatasetError("no number and colour is left to be paired")
    rows = np.concatenate(rows, axis=1)  # modality, pair
    rows = rows[:, rng.permutation(rows.shape[1])[:n]]
    return Pairs(oscn, cmnist, rows[0], rows[1])


def make_image_pairs(
    sizes: dict[str, int],
    *,
    digits: str = "embedded",
    layout: str = "grid",
    area: str = "growing",
    without: Collection = (),
    repeats: int = 2,
    seed: int = 0,
) -> dict[str, Pairs]:
    """Make pairs by split, each split with its own objects and its own handwritten digits; return {split: pairs}.

    sizes : {"train": n, "validation": n, "test": n}, images per modality (a split may be left out).
    layout, area : as in `make_oscn`. digits : as in `make_cmnist`. without, repeats : as in `pair`; they are for
        training and validation only. A test image is in one pair, or in a few where the other modality has more images
        of its number and colour: to measure it twice adds nothing. seed : decides all that is drawn.

    Examples
    --------
    >>> pairs = make_image_pairs({"train": 360, "test": 180})
    >>> {split: len(found) for split, found in pairs.items()}
    {'train': 742, 'test': 190}
    """
    if unknown := sorted(set(sizes) - set(SPLITS)):
        raise DatasetError(f"split {unknown[0]!r}: one of {', '.join(SPLITS)}")
    handwritten = read_digits(digits)
    made = {}
    for split, n in sizes.items():
        step = [seed, SPLITS.index(split)]
        oscn_seed, cmnist_seed, pair_seed = (int(s) for s in np.random.SeedSequence(step).generate_state(3, np.uint32))
        oscn = make_oscn(n, layout=layout, area=area, seed=oscn_seed)
        cmnist = make_cmnist(n, digits=handwritten[split], split=split, seed=cmnist_seed)
        options = {"without": without, "repeats": repeats} if split != "test" else {"repeats": 1}
        made[split] = pair(oscn, cmnist, **options, seed=pair_seed)
    return made


def _rows_by_class(images: Images) -> dict[tuple[int, int], np.ndarray]:
    """Return the rows of the images of each (number, colour)."""
    table = pd.DataFrame({"number": images.number, "colour": images.colour})
    return table.groupby(["number", "colour"]).indices
