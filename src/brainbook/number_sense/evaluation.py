"""Everything that is measured of a model, on held-out images, as tidy tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.number_sense.arithmetic import arithmetic, arithmetic_in_latents
from brainbook.number_sense.classifiers import Classifier
from brainbook.number_sense.generation import confusions, generated_accuracy, joint_coherence, read_generated
from brainbook.number_sense.images import Images
from brainbook.number_sense.latents import cluster_quality, magnitude, number_line, read_number, value_by_number
from brainbook.number_sense.layout_free import LayoutFree
from brainbook.number_sense.mmvae import MMVAE
from brainbook.number_sense.pixel_control import PixelControl

ARMS = ("unimodal", "multimodal", "private", "untrained", "pixels")
MODALITIES = {"oscn": "objects", "cmnist": "digits"}
COLUMNS = ["measure", "source", "target", "factor", "condition", "value", "chance", "ceiling", "n", "error", "p"]


def measure(
    model: Any,  # a VAE, an MMVAE or a PixelControl
    held_out: Mapping[str, Images],
    train: Mapping[str, Images],
    classifiers: Mapping[str, Classifier],
    *,
    n_train: int = 3000,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """Measure a trained VAE or MMVAE, or a PixelControl.

    Parameters
    ----------
    model : one copy (`model.copy(i)` of several). held_out : test images by modality. train : training images by
        modality, the first `n_train` of which the read-outs are fitted on. classifiers : by modality, from
        `train_classifier`. seed : of noisy decoding, of draws and of permutations.

    Returns
    -------
    Three tables. "confusion" : that of `confusions`, of noise-free images. "number_line" : that of `value_by_number`,
    with a column source (the modality). "evaluation" : one row per number. measure : reconstruction, cross-modal
    generation (also read by the "nearest mean image", see LayoutFree), joint coherence, silhouette, nearest neighbour,
    linear read-out, magnitude, arithmetic (also "single images", "shuffled", "latents"), number line. source, target :
    modality of the images, and in which the answer is given. factor : number, colour, shape, or the part of the
    measure. condition : noise-free, noisy, or a variant. value. chance : what no knowledge at all would reach.
    ceiling : the best possible: the classifier's accuracy on real images or, for what is generated from the other
    modality without a layout, on mean images. n : images, pairs or equations that `value` is over. error, p : where a
    measure has them.
    """
    fitted = {name: train[name][:n_train] for name in model.names}
    z = {name: model.embed(held_out[name], name) for name in model.names}
    readings, lines, typical = read_generated(model, held_out, classifiers), [], layout_free(model, train)
    best = {name: images.best_accuracy(classifiers[name]) for name, images in typical.items()}
    tables = [generated_accuracy(readings, "noise-free", best), nearest_mean_accuracy(model, held_out, typical)]
    tables += [arithmetic(model, z, held_out, classifiers, seed), arithmetic_in_latents(z, held_out, seed)]
    if model.can_sample:
        drawn = model.configuration.private > 0  # a layout is drawn, too
        noisy = read_generated(model, held_out, classifiers, seed)
        tables.append(generated_accuracy(noisy, "noisy", None if drawn else best))
    if len(model.targets(model.names[0])) > 1:
        tables.append(joint_coherence(model, classifiers, seed=seed))
    for name in model.names:
        number, fitted_z = held_out[name].number, model.embed(fitted[name], name)
        values = value_by_number(read_number(fitted_z, fitted[name].number, z[name]), number)
        lines.append(values.assign(source=name))
        tables += [
            cluster_quality(z[name], held_out[name], fitted_z, fitted[name], name, seed),
            magnitude(z[name], number, name, seed=seed),
            number_line(values, name),
        ]
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    return {
        "evaluation": table.astype({"value": np.float64, "error": np.float64, "p": np.float64}),
        "confusion": confusions(readings),
        "number_line": pd.concat(lines, ignore_index=True),
    }


def evaluate(
    model: MMVAE | PixelControl,
    held_out: Mapping[str, Images],
    train: Mapping[str, Images],
    classifiers: Mapping[str, Classifier],
    **options: Any,
) -> pd.DataFrame:
    """Return the table "evaluation" of `measure`: reconstruction, cross-modal generation, arithmetic and more.

    model : one copy. held_out, train : test and training images by modality. classifiers : by modality. Further
    options : `n_train`, images that read-outs are fitted on, and `seed`.

    Examples
    --------
    >>> sizes = {"oscn": (3, 32, 32), "cmnist": (3, 28, 28)}
    >>> modalities = [Modality(name=name, size=size) for name, size in sizes.items()]
    >>> model = MMVAE(ModelConfiguration(modalities=modalities, layers=1, width=16))
    >>> pairs = make_image_pairs({"train": 360, "test": 180})
    >>> test, train = pairs["test"].modalities, pairs["train"].modalities
    >>> classifiers = {name: Classifier.untrained(images) for name, images in test.items()}
    >>> table = evaluate(model, test, train, classifiers, n_train=200)
    >>> table.columns[:6].tolist()
    ['measure', 'source', 'target', 'factor', 'condition', 'value']
    """
    return measure(model, held_out, train, classifiers, **options)["evaluation"]


def measure_by_occurrence(
    model: MMVAE | PixelControl,
    held_out: Mapping[str, Images],
    train: Mapping[str, Images],
    classifiers: Mapping[str, Classifier],
    left_out: Sequence[tuple[int, int]],
) -> dict[str, pd.DataFrame]:
    """Measure generated images apart for (number, colour) classes that were `left_out` of training and for the others.

    train : training images of all classes, met in pairs or not.

    Returns "evaluation" and "confusion" as `measure` does, with condition "seen" or "unseen".
    """
    number, colour = held_out["oscn"].number, held_out["oscn"].colour
    unseen = np.isin(number * 10 + colour, [n * 10 + c for n, c in left_out])
    tables, matrices, typical = [], [], layout_free(model, train)
    for condition, rows in (("seen", ~unseen), ("unseen", unseen)):
        shown = {name: images[rows] for name, images in held_out.items()}
        readings = read_generated(model, shown, classifiers)
        tables += [generated_accuracy(readings, condition), nearest_mean_accuracy(model, shown, typical, condition)]
        matrices.append(confusions(readings).assign(condition=condition))
    evaluation = pd.concat(tables).reindex(columns=COLUMNS)
    return {"evaluation": evaluation, "confusion": pd.concat(matrices)}


def layout_free(model: MMVAE | PixelControl, train: Mapping[str, Images]) -> dict[str, LayoutFree]:
    """Return the typical images of each modality, for the likelihood that `model` has."""
    settings = getattr(model, "configuration", None)
    likelihoods = {modality.name: modality.likelihood for modality in settings.modalities} if settings else {}
    return {name: LayoutFree(train[name], likelihoods.get(name)) for name in model.names}


def nearest_mean_accuracy(
    model: MMVAE | PixelControl,
    held_out: Mapping[str, Images],
    typical: Mapping[str, LayoutFree],
    condition: str = "noise-free",
) -> pd.DataFrame:
    """Compute the accuracy of cross-modal generation, read by the nearest mean image; no rows for a single modality."""
    if len(model.targets(model.names[0])) == 1:
        return pd.DataFrame()
    table = generated_accuracy(read_generated(model, held_out, typical), condition)
    return table[table.measure == "cross-modal generation"].assign(measure="nearest mean image")


def summarise(evaluation: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return the mean over seeds and its 95 % interval (Student's) for each group of rows, arm by arm.

    evaluation : columns value, seed, chance, ceiling and `by`, among them arm and source.

    Returns columns `by`, value, chance, ceiling, lower, upper, seeds, images ("objects", "objects to digits").
    """
    groups = evaluation.groupby(list(by), sort=False)
    table = groups[["value", "chance", "ceiling"]].mean().reset_index()
    seeds, sem = groups.seed.nunique().to_numpy(), groups.value.sem().to_numpy()
    half = stats.t.ppf(0.975, seeds - 1) * sem
    source, target = table.source.replace(MODALITIES), table.get("target", table.source).replace(MODALITIES)
    table = table.assign(lower=table.value - half, upper=table.value + half, seeds=seeds)
    table["images"] = source.where(source == target, source + " to " + target)
    return table.sort_values("arm", key=lambda arms: arms.map(ARMS.index), kind="stable", ignore_index=True)


def by_arm(summary: pd.DataFrame, *index: str) -> pd.DataFrame:
    """Arrange a table of `summarise` by arm: columns `index`, then "mean (lower to upper)" of each arm as text."""
    rows = zip(summary.value, summary.lower, summary.upper, strict=True)
    cells = [f"{mean:.2f}" + (f" ({low:.2f} to {high:.2f})" if high >= low else "") for mean, low, high in rows]
    options = {"columns": "arm", "values": "cell", "aggfunc": "first", "sort": False}
    table = summary.assign(cell=cells).pivot_table(index=list(index), **options)
    return table.fillna("").reset_index().rename_axis(columns=None)
