"""Reconstruction and cross-modal generation: do generated images still show the number (colour, shape) of their source?

Reconstruction ('recall' in the paper) decodes an image in its own modality. Cross-modal generation ('association')
decodes it in the other: the digit that three dots give. A classifier reads the generated image; the truth is the label
of the image that the model was given.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainbook.number_sense.classifiers import CHANCE, Classifier
from brainbook.number_sense.images import NUMBERS, Images
from brainbook.number_sense.mmvae import MMVAE
from brainbook.number_sense.pixel_control import PixelControl

EACH_NUMBER = "each number"  # the factor of a share of the nine numbers
DIRECTION = ["source", "target"]


def read_generated(
    model: MMVAE | PixelControl,
    images: Mapping[str, Images],
    classifiers: Mapping[str, Any],
    seed: int | None = None,
) -> pd.DataFrame:
    """Generate images of each modality from each modality's `images`, and classify them.

    model : VAE, MMVAE or PixelControl. seed : None for noise-free decoding, else see MMVAE.generate.

    Returns one row per generated image and factor: source and target (modalities), factor, true (label of the source
    image), predicted (by the classifier), ceiling (the classifier's accuracy on real images), blur (of all images of
    source and target). Shape is not shared by the modalities, so only reconstructed objects have it.
    """
    tables = []
    for source in model.names:
        for target in model.targets(source):
            generated, classifier = model.generate(images[source], source, target, seed), classifiers[target]
            predicted, true = classifier.predict(generated), images[source].factors
            for factor in [factor for factor in predicted if factor in true]:
                labels = pd.DataFrame({"true": true[factor], "predicted": predicted[factor]})
                about = {"source": source, "target": target, "factor": factor, "blur": blur(generated)}
                tables.append(labels.assign(**about, ceiling=classifier.accuracy.get(factor, np.nan)))
    return pd.concat(tables, ignore_index=True)


def blur(images: np.ndarray) -> float:
    """Return the share of the light of images (0..1) that is undecided, sum p (1 - p) / sum p.

    It is 0 if every pixel is on or off. An average over layouts in which a pixel is on with probability p has 1 - p of
    its light undecided.
    """
    return float((images * (1 - images)).sum() / max(images.sum(), 1e-9))


def confusions(readings: pd.DataFrame) -> pd.DataFrame:
    """Return how often each number was read as each: columns source, target, number, read, share (of its images)."""
    rows = readings[readings.factor == "number"].rename(columns={"true": "number", "predicted": "read"})
    share = pd.crosstab([rows.source, rows.target, rows.number], rows.read, normalize="index")
    return share.reindex(columns=pd.Index(NUMBERS, name="read"), fill_value=0.0).stack().rename("share").reset_index()


def summarise_confusions(confusion: pd.DataFrame) -> pd.DataFrame:
    """Summarise the confusion matrices of `confusions`, over all rows given (such as several seeds).

    Returns one row per source and target: accuracy (mean over numbers), numbers (how many of the nine are read as
    themselves more often than as any other), most_frequent (the number read most often), its_share (of all images, if
    all numbers were equally frequent).
    """
    rows = []
    for (source, target), table in confusion.groupby(DIRECTION):
        matrix = table.pivot_table(index="number", columns="read", values="share", aggfunc="mean")
        accuracy = np.mean([matrix.loc[number, number] for number in matrix.index])
        right = (matrix.idxmax(axis=1) == matrix.index).sum()
        rows.append((source, target, accuracy, right, matrix.mean().idxmax(), matrix.mean().max()))
    return pd.DataFrame(rows, columns=[*DIRECTION, "accuracy", "numbers", "most_frequent", "its_share"])


def generated_accuracy(readings: pd.DataFrame, condition: str, best: Mapping[str, dict] | Any = None) -> pd.DataFrame:
    """Compute the accuracy of reconstruction and cross-modal generation, from `read_generated` of held-out images.

    best : by target, the accuracy (by factor) that is the best possible for images of the other modality, such as
        `LayoutFree.best_accuracy`; without it that of real images.

    Returns one row per source, target and factor: measure ("reconstruction", "cross-modal generation"), source, target,
    factor, condition, value (share of images read right), chance, ceiling (`best` for cross-modal generation, else the
    classifier's own accuracy on real images), n. Two more rows per source and target: the factor "each number", the
    share of the nine numbers whose images are read as that number more often than as any other (a model that gives one
    answer to all reaches 1/9, whatever its accuracy); and the measure "blur" of the generated images, factor "pixels".
    """
    readings = readings.assign(right=readings.true == readings.predicted)
    columns = {"value": ("right", "mean"), "ceiling": ("ceiling", "first"), "n": ("right", "size")}
    accuracy = readings.groupby([*DIRECTION, "factor"], sort=False).agg(**columns).reset_index()
    accuracy["chance"] = accuracy.factor.map(CHANCE)
    for row in accuracy[accuracy.source != accuracy.target].itertuples() if best else ():
        accuracy.loc[row.Index, "ceiling"] = best[row.target][row.factor]
    each = summarise_confusions(confusions(readings))[[*DIRECTION, "numbers"]]
    each = each.assign(value=each.pop("numbers") / len(NUMBERS), factor=EACH_NUMBER, chance=CHANCE["number"])
    table = pd.concat([accuracy, each.assign(ceiling=1.0, n=len(NUMBERS))], ignore_index=True)
    table["measure"] = np.where(table.source == table.target, "reconstruction", "cross-modal generation")
    blurred = readings[readings.factor == "number"].groupby(DIRECTION, sort=False).blur.agg(value="first", n="size")
    blurred = blurred.reset_index().assign(measure="blur", factor="pixels")
    return pd.concat([table, blurred], ignore_index=True).assign(condition=condition)


def joint_coherence(model: MMVAE, classifiers: Mapping[str, Classifier], n: int = 1000, seed: int = 0) -> pd.DataFrame:
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
