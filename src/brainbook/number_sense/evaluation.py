"""Everything that is measured of a model, on held-out images, as tidy tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brainbook.number_sense.arithmetic import arithmetic
from brainbook.number_sense.classifiers import Classifier
from brainbook.number_sense.clusters import cluster_quality
from brainbook.number_sense.images import Images
from brainbook.number_sense.magnitude import magnitude
from brainbook.number_sense.number_line import number_line, read_number, value_by_number
from brainbook.number_sense.recall import confusions, generated_accuracy, joint_coherence, read_made

COLUMNS = ["measure", "source", "target", "factor", "condition", "value", "chance", "cap", "n", "error", "p"]


def measure(
    model,
    held_out: Mapping[str, Images],
    train: Mapping[str, Images],
    judges: Mapping[str, Classifier],
    *,
    n_train: int = 3000,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """Measure a trained VAE or MMVAE, or a PixelControl.

    Parameters
    ----------
    model : one copy (`model.copy(i)` of several). held_out : test images by modality. train : training images by
        modality, the first `n_train` of which the read-outs are fitted on. judges : by modality, from `train_classifier`.
    seed : of noisy decoding, of draws and of permutations.

    Returns
    -------
    Three tables. "confusion" : that of `confusions`, of noise-free images. "number_line" : that of `value_by_number`,
    with a column source (the modality). "evaluation" : one row a number. measure : recall, association, joint
    coherence, silhouette, nearest neighbour, linear read-out, magnitude, arithmetic (also "single images" and
    "shuffled"), number line. source, target : modality that is seen, and in which the answer is given. factor : number,
    colour, shape, or the part of the measure. condition : noise-free, noisy, or a variant. value. chance : what no
    knowledge at all would reach. cap : what the judge reaches on real images. n : images, pairs or equations that
    `value` is over. error, p : where a measure has them.
    """
    z = {name: model.embed(held_out[name], name) for name in model.names}
    fitted = {name: train[name][:n_train] for name in model.names}
    fitted_z = {name: model.embed(fitted[name], name) for name in model.names}
    readings, lines = read_made(model, held_out, judges), []
    tables = [
        generated_accuracy(readings),
        arithmetic(model, z, held_out, judges, seed),
    ]
    if hasattr(model, "senses"):
        tables.append(generated_accuracy(read_made(model, held_out, judges, seed)))
    if len(model.names) > 1 and hasattr(model, "senses"):
        tables.append(joint_coherence(model, judges, seed=seed))
    for name in model.names:
        shown = held_out[name]
        values = value_by_number(read_number(fitted_z[name], fitted[name].number, z[name]), shown.number)
        lines.append(values.assign(source=name))
        tables += [
            cluster_quality(z[name], shown, fitted_z[name], fitted[name], name, seed),
            magnitude(z[name], shown.number, name, seed=seed),
            number_line(values, name),
        ]
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    return {
        "evaluation": table.astype({"value": np.float64, "error": np.float64, "p": np.float64}),
        "confusion": confusions(readings),
        "number_line": pd.concat(lines, ignore_index=True),
    }


def evaluate(model, held_out, train, judges, **options) -> pd.DataFrame:
    """The table "evaluation" of `measure`, whose arguments these are."""
    return measure(model, held_out, train, judges, **options)["evaluation"]
