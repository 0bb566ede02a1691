"""What a latent without layout can at best decode, worked out by hand on images that are known pixel by pixel."""

import numpy as np
import pytest

from brainbook.number_sense import make_oscn
from brainbook.number_sense.evaluation import nearest_mean_accuracy
from brainbook.number_sense.layout_free import LayoutFree
from brainbook.number_sense.pixel_control import PixelControl


@pytest.fixture(scope="module")
def objects():
    return make_oscn(21_600, seed=0)


def test_the_typical_image_of_n_objects_lights_each_cell_n_times_in_nine(objects):
    squares = objects[objects.shape == 0]
    typical = LayoutFree(squares)
    centre = typical.images[:, :, 15, 15].max(axis=1)  # of the middle cell, in the brightest channel
    np.testing.assert_allclose(centre, typical.labels["number"] / 9, atol=0.15)
    assert len(typical.images) == 36


def test_under_a_laplace_likelihood_few_objects_are_none(objects):
    """The median pixel is off where less than half of the images have it: the number is lost."""
    typical = LayoutFree(objects[objects.shape == 0], "laplace")
    light = typical.images.sum(axis=(1, 2, 3))
    number = typical.labels["number"]
    assert (light[number <= 3] == 0).all()
    assert (light[number >= 7] > 0).all()


def test_the_reader_reads_its_own_images_and_noisy_ones_and_no_blank_ones(objects, rng):
    typical = LayoutFree(objects)
    noisy = typical.images + 0.02 * rng.standard_normal(typical.images.shape)
    for images in (typical.images, noisy):
        read = typical.predict(images)
        assert all((read[factor] == typical.labels[factor]).all() for factor in typical.factors)
    blank = typical.predict(np.zeros((36, 3, 32, 32), dtype=np.float32))["number"]
    assert set(blank) == {1}


def test_single_layouts_are_no_blur_and_are_read_less_well(objects):
    """The reader is for blurred images alone: a single layout lies far from every mean."""
    typical, other = LayoutFree(objects), make_oscn(360, seed=1)
    assert (typical.predict(other.pixels / 255)["number"] == other.number).mean() < 0.9


def test_a_classifier_that_cannot_read_a_blur_says_so(objects):
    class Bright:  # answers 1 to anything with a pixel that is half on, else 9
        def predict(self, images):
            number = np.where(images.max(axis=(1, 2, 3)) > 0.5, 1, 9)
            return {"number": number, "colour": np.zeros(len(images), dtype=int)}

    best = LayoutFree(objects).best_accuracy(Bright())
    assert best == {"number": 0.0, "colour": 0.25}  # a mean of one object is pale, one of nine bright


def test_one_modality_alone_generates_nothing_across(objects):
    model = PixelControl({"oscn": objects}, latent=4)
    assert nearest_mean_accuracy(model, {"oscn": objects}, {"oscn": LayoutFree(objects)}).empty
