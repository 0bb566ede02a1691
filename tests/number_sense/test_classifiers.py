import numpy as np

from brainbook.number_sense.classifiers import CHANCE, train_classifier
from brainbook.number_sense.pairs import make_pairs


def test_a_judge_learns_to_count():
    pairs = make_pairs({"train": 2000, "test": 300}, seed=0)
    made = train_classifier(pairs["train"].oscn, pairs["test"].oscn, steps=60)
    assert made.accuracy["colour"] > 0.95
    assert made.accuracy["number"] > 2 * CHANCE["number"]
    scaled = pairs["test"].oscn.pixels.astype(np.float32) / 255
    assert (made.read(scaled)["shape"] == made.read(pairs["test"].oscn)["shape"]).all()
    assert (made.read(pairs["test"].oscn)["colour"] == pairs["test"].oscn.colour).mean() == made.accuracy["colour"]
