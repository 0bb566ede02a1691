import numpy as np
import pytest

from brainbook.errors import DatasetError
from brainbook.number_sense import make_cmnist, make_image_pairs, make_oscn, pair


@pytest.fixture(scope="module")
def images():
    return make_oscn(1080, seed=0), make_cmnist(1080, seed=0)


def test_number_and_colour_are_shared_and_nothing_else(images):
    pairs = pair(*images, seed=0)
    shown = pairs.aligned()
    np.testing.assert_array_equal(shown["oscn"].number, shown["cmnist"].number)
    np.testing.assert_array_equal(shown["oscn"].colour, shown["cmnist"].colour)
    np.testing.assert_array_equal(pairs.number, shown["cmnist"].number)
    np.testing.assert_array_equal(pairs.colour, shown["cmnist"].colour)
    # shape tells nothing of which handwritten digit of its number and colour comes with it
    rank = shown["cmnist"].source.argsort().argsort()
    means = [rank[shown["oscn"].shape == s].mean() for s in range(3)]
    assert np.ptp(means) < 0.15 * len(rank)


def test_each_image_is_in_two_pairs_as_published(images):
    pairs = pair(*images, seed=0)
    assert len(pairs) == 2160
    for rows in pairs.rows.values():
        assert set(np.bincount(rows)) == {2}
    together = np.stack([pairs.oscn_row, pairs.cmnist_row])
    assert np.unique(together, axis=1).shape[1] > 0.9 * len(pairs)


def test_the_rarer_modality_is_used_more_often(images):
    pairs = pair(images[0], images[1][:540], seed=0)
    uses = np.bincount(pairs.cmnist_row, minlength=540)
    assert np.bincount(pairs.oscn_row).min() >= 2
    assert uses.min() >= 2
    assert len(pairs) >= 2160


def test_left_out_classes_do_not_meet(images):
    left_out = [(3, 1), (9, 0)]
    pairs = pair(*images, without=left_out, seed=0)
    met = set(zip(pairs.number.tolist(), pairs.colour.tolist(), strict=True))
    assert len(met) == 34
    assert not met & set(left_out)


def test_a_number_without_partner_is_named(images):
    oscn, cmnist = images
    with pytest.raises(DatasetError, match="cmnist has no green 5"):
        pair(oscn, cmnist[~((cmnist.number == 5) & (cmnist.colour == 1))])


def test_seeded(images):
    a, b, c = (pair(*images, n=100, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.cmnist_row, b.cmnist_row)
    assert (a.cmnist_row != c.cmnist_row).any()
    assert len(a) == 100


def test_splits_never_share_a_handwritten_digit():
    made = make_image_pairs({"train": 2000, "validation": 500, "test": 500}, without=[(1, 1)], seed=3)
    sources = {split: set(pairs.cmnist.source) for split, pairs in made.items()}
    assert not sources["train"] & sources["validation"]
    assert not sources["train"] & sources["test"]
    assert not sources["validation"] & sources["test"]
    assert not ((made["train"].number == 1) & (made["train"].colour == 1)).any()
    assert ((made["test"].number == 1) & (made["test"].colour == 1)).any()
    assert (made["train"].oscn.pixels[:500] != made["test"].oscn.pixels).any()


def test_a_test_image_is_measured_about_once():
    made = make_image_pairs({"train": 1000, "test": 500}, seed=3)
    assert set(np.bincount(made["train"].oscn_row)) <= {2, 3}
    for rows in made["test"].rows.values():
        assert set(np.bincount(rows, minlength=500)) <= {1, 2}
    assert len(made["test"]) < 520


def test_unknown_split():
    with pytest.raises(DatasetError, match="train, validation, test"):
        make_image_pairs({"dev": 100})
