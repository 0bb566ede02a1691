"""Recall and association: is the number (colour, shape) still there in the image that a model makes of what it saw?

Recall is an image made again from itself. Association is an image of the other modality, made from this one: the digit
that three dots bring to mind. A judge (see `judges`) reads the made image; the truth is what the model was shown.
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
    """What a judge reads off the images of modality `target` that a model makes of images of modality `source`.

    said : int64 [images] by factor, read off the images made. shown : int64 [images] by factor, of what the model saw.
    cap : the judge's accuracy on real images, by factor. blur : of the images made. noisy : whether their latents were
    drawn.
    """

    source: str
    target: str
    said: Mapping[str, np.ndarray]
    shown: Mapping[str, np.ndarray]
    cap: Mapping[str, float]
    blur: float
    noisy: bool


def read_made(
    model, images: Mapping[str, Images], judges: Mapping[str, Classifier], seed: int | None = None
) -> list[Reading]:
    """Make of each modality's images those of each modality, once, and have them read.

    model : VAE, MMVAE or PixelControl. seed : None for noise-free decoding, else see MMVAE.associate.
    """
    can_associate, found = hasattr(model, "senses"), []
    for source in model.names:
        for target in model.names if can_associate else (source,):
            made = model.associate(images[source], source, target, seed)
            said, cap = judges[target].read(made), judges[target].accuracy
            found.append(Reading(source, target, said, images[source].factors, cap, blur(made), seed is not None))
    return found


def generated_accuracy(readings: Sequence[Reading]) -> pd.DataFrame:
    """Recall and association accuracy, from `read_made` of held-out images.

    Returns one row a source, target and factor: measure ("recall", "association"), source, target, factor, condition
    ("noise-free" or "noisy"), value (share of images read right), chance, cap (the judge's own accuracy on real
    images), n. Shape is not shared by the modalities, so association is not scored on it. Two more rows per source and
    target: the factor "each number", the share of the nine numbers whose images are read as that number more often
    than as any other (a model that gives one answer to all reaches 1/9, whatever its accuracy); and the measure "blur"
    of the images made, factor "pixels".
    """
    most_often = confusions(readings)
    most_often = most_often.loc[most_often.groupby(["source", "target", "number"]).share.idxmax()]
    rows = []
    for reading in readings:
        about = {
            "source": reading.source,
            "target": reading.target,
            "condition": "noisy" if reading.noisy else "noise-free",
            "n": len(reading.shown["number"]),
        }
        rows.append(
            {**about, "measure": "blur", "factor": "pixels", "value": reading.blur, "chance": np.nan, "cap": np.nan}
        )
        mine = most_often[(most_often.source == reading.source) & (most_often.target == reading.target)]
        shown = mine[mine.share > 0]
        rows.append(
            {
                **about,
                "measure": "recall" if reading.source == reading.target else "association",
                "factor": EACH_NUMBER,
                "value": float((shown.read == shown.number).sum() / len(NUMBERS)),
                "chance": CHANCE["number"],
                "cap": 1.0,
                "n": len(NUMBERS),
            }
        )
        for factor in [factor for factor in reading.said if factor in reading.shown]:
            rows.append(
                {
                    **about,
                    "measure": "recall" if reading.source == reading.target else "association",
                    "factor": factor,
                    "value": float((reading.said[factor] == reading.shown[factor]).mean()),
                    "chance": CHANCE[factor],
                    "cap": reading.cap.get(factor, np.nan),
                }
            )
    return pd.DataFrame(rows)


def blur(made: np.ndarray) -> float:
    """Share of the light of images (0..1) that is undecided, sum p (1 - p) / sum p: 0 if every pixel is on or off.

    An average over layouts in which a pixel is lit with probability p has 1 - p of its light undecided.
    """
    return float((made * (1 - made)).sum() / max(made.sum(), 1e-9))


def confusions(readings: Sequence[Reading]) -> pd.DataFrame:
    """How often each number was read as each: columns source, target, number, read, share (of the number's images)."""
    tables = []
    for reading in readings:
        shown, said = (pd.Series(part["number"]) for part in (reading.shown, reading.said))
        counts = pd.crosstab(shown.rename("number"), said.rename("read"))
        counts = counts.reindex(index=NUMBERS, columns=NUMBERS, fill_value=0)
        share = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
        about = {"source": reading.source, "target": reading.target}
        tables.append(share.stack().rename("share").reset_index().assign(**about))
    return pd.concat(tables, ignore_index=True)


def describe_confusions(confusion: pd.DataFrame) -> pd.DataFrame:
    """What the confusion matrices say in a line each, over all rows given (such as several seeds).

    confusion : columns source, target, number, read, share, as `confusions` makes them.

    Returns one row per source and target: right (share of images read right), numbers (the numbers read as themselves
    more often than as any other), answer (the number read most often), answer_share (of all images, the numbers alike
    frequent).
    """
    rows = []
    for (source, target), part in confusion.groupby(["source", "target"], sort=False):
        matrix = part.pivot_table(index="number", columns="read", values="share", aggfunc="mean")
        most = [n for n in matrix.index if matrix.loc[n].max() > 0 and matrix.loc[n].idxmax() == n]
        answers = matrix.mean()
        rows.append(
            {
                "source": source,
                "target": target,
                "right": float(np.mean([matrix.loc[n, n] for n in matrix.index])),
                "numbers": most,
                "answer": int(answers.idxmax()),
                "answer_share": float(answers.max()),
            }
        )
    return pd.DataFrame(rows)


def joint_coherence(model, judges: Mapping[str, Classifier], n: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Do the images that one draw from the prior gives in two modalities agree? One row for number, one for colour.

    model : an MMVAE of two modalities. chance is what independent images with the same frequencies would reach.
    """
    rng = np.random.default_rng(seed)
    draw = rng.standard_normal if model.configuration.family == "normal" else lambda size: rng.laplace(size=size)
    z = draw((n, model.configuration.latent)) * model.prior_scale.detach().cpu().numpy().reshape(1, -1)
    first, second = (judges[name].read(model.decode(z, name)) for name in model.names[:2])
    rows = []
    for factor in ("number", "colour"):
        frequencies = [pd.Series(said[factor]).value_counts(normalize=True) for said in (first, second)]
        rows.append(
            {
                "measure": "joint coherence",
                "source": "prior",
                "target": " and ".join(model.names[:2]),
                "factor": factor,
                "condition": "noisy",
                "value": float((first[factor] == second[factor]).mean()),
                "chance": float(frequencies[0].mul(frequencies[1], fill_value=0).sum()),
                "cap": min(judges[name].accuracy.get(factor, np.nan) for name in model.names[:2]),
                "n": n,
            }
        )
    return pd.DataFrame(rows)
