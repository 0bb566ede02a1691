import numpy as np

from brainbook.number_sense.classifiers import CHANCE, train_classifier
from brainbook.number_sense.pairs import make_image_pairs


def test_a_classifier_learns_to_count():
    pairs = make_image_pairs({"train": 2000, "test": 300}, seed=0)
    classifier = train_classifier(pairs["train"].oscn, pairs["test"].oscn, steps=60)
    assert classifier.accuracy["colour"] > 0.95
    assert classifier.accuracy["number"] > 2 * CHANCE["number"]
    scaled = pairs["test"].oscn.pixels.astype(np.float32) / 255
    assert (classifier.predict(scaled)["shape"] == classifier.predict(pairs["test"].oscn)["shape"]).all()
    assert (
        classifier.predict(pairs["test"].oscn)["colour"] == pairs["test"].oscn.colour
    ).mean() == classifier.accuracy["colour"]
