import time

import numpy as np
import pytest
from scipy import ndimage

from brainbook.errors import ConfigurationError
from brainbook.number_sense import make_oscn
from brainbook.number_sense.images import COLOUR_CHANNELS, SHAPES
from brainbook.number_sense.oscn import CELLS, OBJECT, stamp


def counted(images) -> np.ndarray:
    """Number of connected active parts of each image."""
    return np.array([ndimage.label(image.max(axis=0) > 0)[1] for image in images.pixels])


@pytest.mark.parametrize(
    "variant", [{}, {"layout": "free"}, {"layout": "free", "area": "constant"}], ids=["grid", "free", "area"]
)
class TestAnyVariant:
    def test_number_is_what_is_drawn(self, variant):
        images = make_oscn(360, seed=1, **variant)
        assert images.pixels.shape == (360, 3, 32, 32)
        assert images.pixels.dtype == np.uint8
        np.testing.assert_array_equal(counted(images), images.number)

    def test_colour_is_what_is_drawn(self, variant):
        images = make_oscn(200, seed=2, **variant)
        active = images.pixels.max(axis=(2, 3)) > 0  # image, channel
        np.testing.assert_array_equal(active, COLOUR_CHANNELS[images.colour].astype(bool))

    def test_shape_is_what_is_drawn(self, variant):
        """One object alone in its image: cut out, it is the stamp of its label, pixel for pixel."""
        images = make_oscn(60, number=np.ones(60, dtype=int), seed=6, **variant)
        assert set(images.shape) == {0, 1, 2}
        side = 3 * OBJECT if variant.get("area") == "constant" else OBJECT
        for pixels, shape in zip(images.pixels.max(axis=1), images.shape, strict=True):
            expected = stamp(shape, side, crisp=side == OBJECT)
            np.testing.assert_array_equal(pixels[np.ix_(pixels.any(axis=1), pixels.any(axis=0))],
                                          expected[np.ix_(expected.any(axis=1), expected.any(axis=0))])  # fmt: skip

    def test_factors_are_balanced_and_independent(self, variant):
        images = make_oscn(9 * 4 * 3 * 5, seed=3, **variant)
        _, counts = np.unique(np.stack([images.number, images.colour, images.shape]), axis=1, return_counts=True)
        assert len(counts) == 108
        assert set(counts) == {5}

    def test_seed_decides_everything(self, variant):
        first, again, other = (make_oscn(50, seed=seed, **variant) for seed in (4, 4, 5))
        np.testing.assert_array_equal(first.pixels, again.pixels)
        assert (first.pixels != other.pixels).any()

    def test_given_factors_are_drawn(self, variant):
        number, colour, shape = np.array([1, 9, 4]), np.array([0, 3, 2]), np.array([2, 1, 0])
        images = make_oscn(number=number, colour=colour, shape=shape, seed=0, **variant)
        np.testing.assert_array_equal(counted(images), number)
        np.testing.assert_array_equal(images.colour, colour)
        np.testing.assert_array_equal(images.shape, shape)


def test_published_layout_stays_in_the_cells():
    images = make_oscn(300, seed=0)
    inside = np.zeros((32, 32), dtype=bool)
    for y in CELLS:
        for x in CELLS:
            inside[y - 3 : y + 3, x - 3 : x + 3] = True
    assert not images.pixels[:, :, ~inside].any()
    corners = [(y - 3, x - 3) for y in CELLS for x in CELLS]
    cells = np.stack([images.pixels[:, :, y : y + 6, x : x + 6].any(axis=(1, 2, 3)) for y, x in corners])
    np.testing.assert_array_equal(cells.sum(axis=0), images.number)
    assert (cells[:, images.number == 1].mean(axis=1) > 0).all(), "every cell is used"


def mean_area(images, shape: int) -> np.ndarray:
    """Mean active area, in pixels, of the numbers 1 .. 9 of one shape."""
    area = images.pixels.max(axis=1).sum(axis=(1, 2)) / 255
    return np.array([area[(images.shape == shape) & (images.number == n)].mean() for n in range(1, 10)])


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_active_area_is_number_or_is_not(shape):
    growing = mean_area(make_oscn(1000, seed=0), shape)
    np.testing.assert_allclose(growing, growing[0] * np.arange(1, 10))
    constant = mean_area(make_oscn(1000, layout="free", area="constant", seed=0), shape)
    np.testing.assert_allclose(constant, constant.mean(), rtol=0.03)


def test_free_placement_keeps_a_gap_and_uses_the_whole_image():
    images = make_oscn(800, layout="free", numbers=[9], seed=0)
    assert (counted(images) == 9).all()
    assert (images.pixels.max(axis=(0, 1)) > 0).mean() > 0.95


@pytest.mark.parametrize("side", [5, 6, 8.05, 18])
def test_stamp_covers_the_area_of_its_shape(side):
    square, triangle, cross = (stamp(shape, side).sum() / 255 for shape in range(3))
    assert square == pytest.approx(side**2, rel=0.03)
    assert triangle == pytest.approx(side**2 / 2, rel=0.04)
    assert cross == pytest.approx(5 / 9 * side**2, rel=0.06)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numbers": [0, 1]}, "1..9"),
        ({"numbers": []}, "1..9"),
        ({"layout": "ring"}, "'grid' or 'free'"),
        ({"area": "equal"}, "'growing' or 'constant'"),
        ({"area": "constant"}, "layout='free'"),
        ({"number": np.array([10])}, "1..9"),
    ],
)
def test_impossible_requests_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        make_oscn(10, **arguments)


def test_twenty_thousand_images_a_second():
    began = time.process_time()  # CPU seconds: two cores have twice that to spend
    make_oscn(10_000, seed=0)
    assert 10_000 / (time.process_time() - began) > 10_000
