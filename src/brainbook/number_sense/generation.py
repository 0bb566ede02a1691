"""Reconstruction and cross-modal generation: do generated images still show the number (colour, shape) of their source?

Reconstruction ('recall' in the paper) decodes an image in its own modality. Cross-modal generation ('association')
decodes it in the other: the digit that three dots give. A classifier reads the generated image; the truth is the label
of the image that the model was given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainbook.number_sense.classifiers import CHANCE, Classifier
from brainbook.number_sense.images import NUMBERS, Images

EACH_NUMBER = "each number"  # the factor of a share of the nine numbers


@dataclass(frozen=True)
class Reading:
    """The labels of images of modality `target` that a model generates from images of modality `source`.

    predicted : int64 [images] by factor, by a classifier. true : int64 [images] by factor, of the source images.
    ceiling : the classifier's accuracy on real images, by factor. blur : of the generated images. noisy : whether their
    latents were sampled.
    """

    source: str
    target: str
    predicted: Mapping[str, np.ndarray]
    true: Mapping[str, np.ndarray]
    ceiling: Mapping[str, float]
    blur: float
    noisy: bool


def read_generated(
    model, images: Mapping[str, Images], classifiers: Mapping[str, Classifier], seed: int | None = None
) -> list[Reading]:
    """Generate images of each modality from each modality's `images`, and classify them.

    model : VAE, MMVAE or PixelControl. seed : None for noise-free decoding, else see MMVAE.generate.
    """
    readings = []
    for source in model.names:
        for target in model.targets(source):
            generated, classifier = model.generate(images[source], source, target, seed), classifiers[target]
            labels = classifier.predict(generated), images[source].factors, classifier.accuracy
            readings.append(Reading(source, target, *labels, blur(generated), noisy=seed is not None))
    return readings


def blur(images: np.ndarray) -> float:
    """Return the share of the light of images (0..1) that is undecided, sum p (1 - p) / sum p.

    It is 0 if every pixel is on or off. An average over layouts in which a pixel is on with probability p has 1 - p of
    its light undecided.
    """
    return float((images * (1 - images)).sum() / max(images.sum(), 1e-9))


def confusions(readings: Sequence[Reading]) -> pd.DataFrame:
    """Return how often each number was read as each: columns number, read, share (of its images), source, target."""
    tables = []
    for reading in readings:
        true, predicted = pd.Series(reading.true["number"]), pd.Series(reading.predicted["number"])
        share = pd.crosstab(true, predicted, normalize="index").reindex(index=NUMBERS, columns=NUMBERS, fill_value=0.0)
        table = share.rename_axis(index="number", columns="read").stack().rename("share").reset_index()
        tables.append(table.assign(source=reading.source, target=reading.target))
    return pd.concat(tables, ignore_index=True)


def summarise_confusions(confusion: pd.DataFrame) -> pd.DataFrame:
    """Summarise the confusion matrices of `confusions`, over all rows given (such as several seeds).

    Returns one row per source and target: accuracy (mean over numbers), numbers (how many of the nine are read as
    themselves more often than as any other), most_frequent (the number read most often), its_share (of all images, if
    all numbers were equally frequent).
    """
    rows = []
    for (source, target), table in confusion.groupby(["source", "target"], sort=False):
        matrix = table.pivot_table(index="number", columns="read", values="share", aggfunc="mean")
        right = (matrix.idxmax(axis=1) == matrix.index) & (matrix.max(axis=1) > 0)
        rows.append(
            {
                "source": source,
                "target": target,
                "accuracy": np.diag(matrix).mean(),
                "numbers": right.sum(),
                "most_frequent": matrix.mean().idxmax(),
                "its_share": matrix.mean().max(),
            }
        )
    return pd.DataFrame(rows)


def generated_accuracy(readings: Sequence[Reading]) -> pd.DataFrame:
    """Compute the accuracy of reconstruction and cross-modal generation, from `read_generated` of held-out images.

    Returns one row per source, target and factor: measure ("reconstruction", "cross-modal generation"), source, target,
    factor, condition ("noise-free" or "noisy"), value (share of images read right), chance, ceiling (the classifier's
    own accuracy on real images), n. Shape is not shared by the modalities, so cross-modal generation is not scored on
    it. Two more rows per source and target: the factor "each number", the share of the nine numbers whose images are
    read as that number more often than as any other (a model that gives one answer to all reaches 1/9, whatever its
    accuracy); and the measure "blur" of the generated images, factor "pixels".
    """
    numbers = summarise_confusions(confusions(readings)).numbers
    rows = []
    for reading, n_right in zip(readings, numbers, strict=True):
        source, target = reading.source, reading.target
        measure = "reconstruction" if source == target else "cross-modal generation"
        common = {"source": source, "target": target, "condition": "noisy" if reading.noisy else "noise-free"}
        common |= {"measure": measure, "n": len(reading.true["number"])}
        rows.append(common | {"measure": "blur", "factor": "pixels", "value": reading.blur})
        each = {"factor": EACH_NUMBER, "value": n_right / len(NUMBERS), "chance": CHANCE["number"], "ceiling": 1.0}
        rows.append(common | each | {"n": len(NUMBERS)})
        for factor in [factor for factor in reading.predicted if factor in reading.true]:
            value = float((reading.predicted[factor] == reading.true[factor]).mean())
            limits = {"chance": CHANCE[factor], "ceiling": reading.ceiling.get(factor, np.nan)}
            rows.append(common | {"factor": factor, "value": value} | limits)
    return pd.DataFrame(rows)


def joint_coherence(model, classifiers: Mapping[str, Classifier], n: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Test whether images that one draw from the prior gives in two modalities agree, in number and in colour.

    model : an MMVAE of two modalities. chance is what independent images with the same frequencies would reach.
    """
    z, names = model.prior_sample(n, np.random.default_rng(seed)), model.names[:2]
    first, second = (pd.DataFrame(classifiers[name].predict(model.decode(z, name))) for name in names)
    rows = []
    for factor in ("number", "colour"):
        frequencies = [labels[factor].value_counts(normalize=True) for labels in (first, second)]
        rows.append(
            {
                "factor": factor,
                "value": (first[factor] == second[factor]).mean(),
                "chance": frequencies[0].mul(frequencies[1], fill_value=0).sum(),
                "ceiling": min(classifiers[name].accuracy.get(factor, np.nan) for name in names),
            }
        )
    about = {"measure": "joint coherence", "source": "prior", "target": " and ".join(names)}
    return pd.DataFrame(rows).assign(**about, condition="noisy", n=n)
