"""Classifiers that read number, colour and shape off an image; trained on real images only.

On generated images a classifier can be no better than on real ones: its own accuracy on held-out real images is the
best that an accuracy for which it is used can be (the `ceiling` of the tables).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from brainbook.number_sense.images import COLOURS, NUMBERS, SHAPES, Images
from brainbook.number_sense.mmvae import ROWS, as_input
from brainbook.number_sense.networks import CNNEncoder
from brainbook.training import fit

FIRST = {"number": NUMBERS[0], "colour": 0, "shape": 0}  # the label of class 0
CLASSES = {"number": len(NUMBERS), "colour": len(COLOURS), "shape": len(SHAPES)}
WIDTHS = (16, 128)  # channels of the first convolution, units of the hidden layer
CHANCE = {factor: 1 / n for factor, n in CLASSES.items()}


@dataclass
class Classifier:
    """A classifier of one modality.

    network : images -> class scores of all its factors. factors : what it reads, in the order of the scores.
    accuracy : share of held-out real images that it reads right, by factor; `train_classifier` measures it.

    Examples
    --------
    >>> images = make_oscn(4)
    >>> Classifier.untrained(images).predict(images)["number"].shape
    (4,)
    """

    network: nn.Module
    factors: tuple[str, ...]
    accuracy: dict[str, float] = field(default_factory=dict)

    @classmethod
    def untrained(cls, images: Images, seed: int = 0) -> "Classifier":
        """Make a classifier of the size and factors of `images`, with random weights."""
        factors, generator = tuple(images.factors), torch.Generator().manual_seed(seed)
        n_outputs = sum(CLASSES[factor] for factor in factors)
        return cls(CNNEncoder(images.size, *WIDTHS, n_outputs, [generator]), factors)

    @torch.no_grad()
    def predict(self, images: Images | np.ndarray) -> dict[str, np.ndarray]:
        """Return labels int64 [images] by factor. images : Images, or float 0..1 [images, channels, height, width]."""
        device = next(self.network.parameters()).device
        pixels = images.pixels if isinstance(images, Images) else np.asarray(images, dtype=np.float32)
        scores = []
        for start in range(0, len(pixels), ROWS):
            part = torch.as_tensor(pixels[start : start + ROWS])[None]
            part = as_input(part, device) if part.dtype == torch.uint8 else part.to(device).flatten(2)
            scores.append(self.network(part)[0].cpu())
        parts = torch.cat(scores).split([CLASSES[factor] for factor in self.factors], 1)
        return {f: part.argmax(1).numpy() + FIRST[f] for f, part in zip(self.factors, parts, strict=True)}


def train_classifier(
    train: Images, held_out: Images, *, steps: int = 600, batch: int = 128, seed: int = 0, device: str = "auto"
) -> Classifier:
    """Train a small CNN on real images and test it on others.

    train, held_out : images of one modality that share nothing. steps : of Adam, at a learning rate of 2e-3 that falls
    to zero, on `batch` images each. Its factors are those of the images: number and colour and, for objects, shape.

    Examples
    --------
    >>> classifier = train_classifier(make_oscn(72, seed=0), make_oscn(36, seed=1), steps=3, device="cpu")
    >>> sorted(classifier.accuracy)
    ['colour', 'number', 'shape']
    """
    classifier = Classifier.untrained(train, seed)
    labels = torch.from_numpy(np.stack([train.factors[f] - FIRST[f] for f in classifier.factors], 1))  # image, factor
    pixels = torch.from_numpy(train.pixels)

    def batches(number: int, stream: torch.Generator) -> tuple:
        rows = torch.randint(len(pixels), (batch,), generator=stream)
        return pixels[rows], labels[rows]

    def loss(module: nn.Module, shown: tuple) -> Any:
        images, truth = shown
        scores = module(as_input(images[None], images.device))[0].split([CLASSES[f] for f in classifier.factors], 1)
        return sum(functional.cross_entropy(part, truth[:, i]) for i, part in enumerate(scores))

    options: dict[str, Any] = {"learning_rate": 2e-3, "seed": seed, "device": device, "description": "classifier"}
    fit(classifier.network, batches, loss, steps=steps, **options)
    predicted = classifier.predict(held_out)
    classifier.accuracy = {f: float((predicted[f] == held_out.factors[f]).mean()) for f in classifier.factors}
    return classifier
