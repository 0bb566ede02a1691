"""The best that a latent without layout can do: a digit says which number and colour, but not where the objects stand.

A decoder that is given number and colour alone does best, image by image, with the mean of all images of that number
and colour (under a Bernoulli or normal likelihood; under a Laplace, with their median). These images are the measure of
cross-modal generation: what a classifier of real images reads in them is the best it can read in generated ones, and
the nearest of them says which number a generated image has, where a count of its objects is not to be had.
"""

import numpy as np

from brainbook.number_sense.classifiers import Classifier
from brainbook.number_sense.images import Images


class LayoutFree:
    """The typical image of each number and colour, and the reader that takes the nearest of them.

    images : training images of one modality. likelihood : of the decoder, as in Modality; None is "bernoulli".
    """

    factors = ("number", "colour")
    accuracy = {"number": 1.0, "colour": 1.0}  # on the typical images, by construction

    def __init__(self, images: Images, likelihood: str | None = None) -> None:
        typical = np.median if likelihood == "laplace" else np.mean
        table = images.table[["number"]].assign(colour=images.colour)
        rows = table.groupby(list(self.factors)).indices
        self.labels = dict(zip(self.factors, np.array(list(rows)).T, strict=True))
        self.images = np.stack([typical(images.pixels[i], axis=0) / 255 for i in rows.values()]).astype(np.float32)

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return number and colour, int64 [images], of the typical image nearest to each of `images` (float 0..1)."""
        means, shown = self.images.reshape(len(self.images), -1), np.asarray(images).reshape(len(images), -1)
        nearest = ((means**2).sum(1) - 2 * shown @ means.T).argmin(axis=1)
        return {factor: labels[nearest] for factor, labels in self.labels.items()}

    def best_accuracy(self, classifier: Classifier) -> dict[str, float]:
        """Return the share of typical images that `classifier` reads right, by factor."""
        read = classifier.predict(self.images)
        return {factor: float((read[factor] == labels).mean()) for factor, labels in self.labels.items()}
