"""OSCN: objects of one shape and colour, one to nine of them (Noda, Soda & Yamashita 2024), drawn from nothing.

The published layout puts identical objects of 6 px into cells of a 3 x 3 grid. There number is also active area (pixels
that are on), and nine objects have a single layout. Two variants take these apart: `layout="free"` places objects
anywhere without touching; `area="constant"` shrinks them as they become more, so that the active area is the same for
every number. (Then the summed contour still grows with the square root of number: no image can hold everything but
number constant.)
"""

from collections.abc import Sequence

import numpy as np

from brainbook.errors import ConfigurationError
from brainbook.number_sense.images import COLOUR_CHANNELS, COLOURS, NUMBERS, SHAPES, Images

SIDE = 32  # px, both ways
OBJECT = 6  # px, side of an object in the published layout
CELLS = (5, 15, 25)  # px, centres of the grid's rows and of its columns
GAP = 1  # px between two objects that are placed freely
MAX_TRIES = 80  # places tried for one object before an image is begun again


def make_oscn(
    n: int = 1000,
    *,
    numbers: Sequence[int] = NUMBERS,
    layout: str = "grid",
    area: str = "growing",
    number: np.ndarray | None = None,
    colour: np.ndarray | None = None,
    shape: np.ndarray | None = None,
    seed: int = 0,
) -> Images:
    """Draw `n` images of objects: 32 x 32, RGB, on black.

    Parameters
    ----------
    n : number of images. Number, colour and shape are balanced: their combinations occur equally often, give or take
        one, in random order.
    numbers : which numbers of objects occur. The grid holds nine, free placement nine objects of 6 px.
    layout : "grid" (cells of a 3 x 3 grid, drawn without repeats) or "free" (anywhere, at least a pixel apart).
    area : "growing" (all objects 6 px, so active area grows with it) or "constant" (the same for all numbers of a
        shape within 3 %; objects are 18 px for one and 6 px for nine; needs layout="free").
    number, colour, shape : int [n], to say what each image shows instead of drawing it; then `n` is not needed.
    seed : decides all that is drawn.

    Returns
    -------
    Images, with pixels uint8 [n, 3, 32, 32].

    Examples
    --------
    >>> images = make_oscn(108, seed=0)
    >>> images.pixels.shape, np.bincount(images.number)[1:].tolist()
    ((108, 3, 32, 32), [12, 12, 12, 12, 12, 12, 12, 12, 12])
    """
    wanted = np.asarray(numbers if number is None else number)
    if not wanted.size or wanted.min() < 1 or wanted.max() > 9:
        raise ConfigurationError(f"numbers {np.unique(wanted).tolist()}: give some of 1..9")
    for name, value, choices in (("layout", layout, ("grid", "free")), ("area", area, ("growing", "constant"))):
        if value not in choices:
            raise ConfigurationError(f"{name} {value!r}: {' or '.join(map(repr, choices))}")
    if area == "constant" and layout == "grid":
        raise ConfigurationError("area='constant' needs layout='free': a large object does not fit a cell of the grid")
    given = [values for values in (number, colour, shape) if values is not None]
    n = len(given[0]) if given else n
    rng = np.random.default_rng(seed)
    drawn = np.array([(i, j, k) for i in numbers for j in range(len(COLOURS)) for k in range(len(SHAPES))])
    drawn = drawn[rng.permutation(np.resize(rng.permutation(len(drawn)), n))]  # image, factor
    number, colour, shape = (
        drawn[:, i].copy() if values is None else np.asarray(values, dtype=np.int64)
        for i, values in enumerate((number, colour, shape))
    )
    grey = _place_grid(number, shape, rng) if layout == "grid" else _place_free(number, shape, area, rng)
    pixels = grey[:, None] * COLOUR_CHANNELS[colour][:, :, None, None]  # image, channel, row, column
    return Images(pixels, number, colour, shape)


def stamp(shape: int, side: float, crisp: bool = False) -> np.ndarray:
    """Draw one object as uint8 [height, width]: how much of each pixel it covers, 0..255.

    shape : index into SHAPES. side : px, need not be whole. crisp : pixels are on or off.
    """
    fine = 16
    n = int(np.ceil(side - 1e-9))
    y, x = np.meshgrid(*[(np.arange(n * fine) + 0.5) / fine] * 2, indexing="ij")
    y, x = y - (n - side) / 2, x - (n - side) / 2  # the object is centred in its whole pixels
    inside = (y >= 0) & (y < side) & (x >= 0) & (x < side)
    if SHAPES[shape] == "triangle":
        inside &= np.abs(x - side / 2) <= y / 2
    elif SHAPES[shape] == "cross":
        inside &= (np.abs(x - side / 2) < side / 6) | (np.abs(y - side / 2) < side / 6)
    cover = inside.reshape(n, fine, n, fine).mean(axis=(1, 3))
    if crisp:
        cover = cover >= 0.2  # a triangle keeps its tip
    return np.round(cover * 255).astype(np.uint8)


def _place_grid(number: np.ndarray, shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw grey images, uint8 [images, 32, 32]: as many of the nine cells as `number` says, each with an object."""
    stamps = np.stack([stamp(s, OBJECT, crisp=True) for s in range(len(SHAPES))])
    draws = rng.random((len(number), 9), dtype=np.float32)
    taken = draws.argsort(axis=1).argsort(axis=1) < number[:, None]  # image, cell
    objects = stamps[shape]  # image, row, column
    grey = np.zeros((len(number), SIDE, SIDE), dtype=np.uint8)
    for cell in range(9):
        top, left = CELLS[cell // 3] - OBJECT // 2, CELLS[cell % 3] - OBJECT // 2
        grey[:, top : top + OBJECT, left : left + OBJECT] = objects * taken[:, cell, None, None]
    return grey


def _place_free(number: np.ndarray, shape: np.ndarray, area: str, rng: np.random.Generator) -> np.ndarray:
    """Draw grey images, uint8 [images, 32, 32]: objects one by one, each at a random place that is still free."""
    grey = np.zeros((len(number), SIDE, SIDE), dtype=np.uint8)
    for count in np.unique(number):
        side = OBJECT if area == "growing" else OBJECT * 3 / np.sqrt(count)
        extent = int(np.ceil(side - 1e-9))
        images = np.flatnonzero(number == count)
        corners = _free_corners(len(images), int(count), extent, rng)
        for s in range(len(SHAPES)):
            drawn = stamp(s, side, crisp=area == "growing")
            chosen = shape[images] == s
            rows = corners[chosen, :, 0, None, None] + np.arange(extent)[:, None]  # image, object, row, 1
            columns = corners[chosen, :, 1, None, None] + np.arange(extent)  # image, object, 1, column
            grey[images[chosen][:, None, None, None], rows, columns] = drawn
    return grey


def _free_corners(n: int, count: int, extent: int, rng: np.random.Generator) -> np.ndarray:
    """Draw top left corners, int [n, count, 2], of squares of `extent` px that keep GAP px apart.

    All images are filled at once; one in which an object finds no place in MAX_TRIES tries is begun again.
    """
    corners = np.zeros((n, count, 2), dtype=np.int64)
    todo = np.arange(n)
    while len(todo):
        stuck = np.zeros(len(todo), dtype=bool)
        for k in range(count):
            waiting = np.arange(len(todo))[~stuck]
            for _ in range(MAX_TRIES):
                place = rng.integers(0, SIDE - extent + 1, (len(waiting), 2))
                apart = np.abs(corners[todo[waiting], :k] - place[:, None]).max(axis=2) >= extent + GAP
                good = apart.all(axis=1)
                corners[todo[waiting[good]], k] = place[good]
                waiting = waiting[~good]
                if not len(waiting):
                    break
            stuck[waiting] = True
        todo = todo[stuck]
    return corners
