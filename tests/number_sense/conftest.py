"""A world in which the answers are known: latents that say number, and a decoder and a classifier that read it back."""

import numpy as np
import pytest

from brainbook.number_sense.classifiers import Classifier
from brainbook.number_sense.images import Images


class ExactModel:
    """Latent = (number, colour, then noise dimensions); decoding writes both into the first pixels."""

    names = ("oscn",)

    def embed(self, images: Images, name: str | None = None) -> np.ndarray:
        rng = np.random.default_rng(0)
        z = np.stack([images.number, 100.0 * images.colour], 1)
        return np.hstack([z, 1e-3 * rng.standard_normal((len(images), 3))])

    def decode(self, z: np.ndarray, name: str | None = None) -> np.ndarray:
        made = np.zeros((len(z), 3, 4, 4), dtype=np.float32)
        made[:, 0, 0, :2] = z[:, :2]
        return made

    def generate(self, images: Images, source: str, target: str, seed: int | None = None) -> np.ndarray:
        return self.decode(self.embed(images))

    def targets(self, source: str) -> tuple[str, ...]:
        return (source,)

    def prior_sample(self, n: int, rng: np.random.Generator, name: str) -> np.ndarray:
        return rng.standard_normal((n, 5)) * [3.0, 0, 0, 0, 0]


class ExactClassifier(Classifier):
    def __init__(self):
        super().__init__(None, ("number", "colour"), {"number": 1.0, "colour": 1.0})

    def predict(self, images) -> dict:
        made = images if isinstance(images, np.ndarray) else ExactModel().decode(ExactModel().embed(images))
        number = np.round(made[:, 0, 0, 0]).clip(1, 9).astype(int)
        return {"number": number, "colour": np.round(made[:, 0, 0, 1] / 100).clip(0, 3).astype(int)}


@pytest.fixture
def exact() -> tuple[ExactModel, ExactClassifier]:
    return ExactModel(), ExactClassifier()


@pytest.fixture
def shown() -> Images:
    """360 blank images of all numbers and colours, ten of each."""
    number, colour = (a.ravel() for a in np.meshgrid(np.tile(np.arange(1, 10), 10), np.arange(4), indexing="ij"))
    return Images(np.zeros((360, 3, 4, 4), dtype=np.uint8), number, colour)
