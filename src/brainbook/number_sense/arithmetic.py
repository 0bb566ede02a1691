"""Arithmetic: does the decoded image of z(a) + z(b) - z(c) show a + b - c objects?

All a, b, c in 1..9 with 1 <= a + b - c <= 9 and a != c: 408 equations, of which 72 have b = c and are identities, since
z(a) + z(b) - z(b) is z(a) whatever the latents are. Those are reported apart.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainbook.number_sense.classifiers import CHANCE, Classifier
from brainbook.number_sense.images import NUMBERS, Images
from brainbook.number_sense.latents import class_means
from brainbook.number_sense.mmvae import MMVAE
from brainbook.number_sense.pixel_control import PixelControl

OF_BEST = "without identities, of the best possible"
Sums = tuple[pd.DataFrame, np.ndarray]  # equations, and the latents z(a) + z(b) - z(c) [equations, latent]


def equations() -> pd.DataFrame:
    """Return the 408 equations: columns a, b, c, answer (a + b - c) and identity (b = c)."""
    grid = [(a, b, c) for a in NUMBERS for b in NUMBERS for c in NUMBERS if a != c and a + b - c in NUMBERS]
    table = pd.DataFrame(grid, columns=["a", "b", "c"])
    return table.assign(answer=table.a + table.b - table.c, identity=table.b == table.c)


def combine(means: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Return latents z(a) + z(b) - z(c) of each equation: [9, latent] -> [equations, latent]."""
    a, b, c = (table[name].to_numpy() - 1 for name in "abc")
    return means[a] + means[b] - means[c]


def sums_of_means(z: np.ndarray, images: Images) -> Sums:
    """Return the equations on class means of the latents `z` [images, latent] of `images`."""
    table = equations()
    return table, combine(class_means(z, images.number), table)


def sums_within_colours(z: np.ndarray, images: Images) -> Sums:
    """Return the equations on class means within each colour, one colour after the other: nothing pale is decoded."""
    parts = [sums_of_means(z[rows], images[rows]) for rows in (images.colour == c for c in np.unique(images.colour))]
    tables, latents = zip(*parts, strict=True)
    return pd.concat(tables, ignore_index=True), np.concatenate(latents)


def sums_of_images(z: np.ndarray, images: Images, draws: int = 2, seed: int = 0) -> Sums:
    """Return the equations on single images in place of class means: three of one colour each time, `draws` times."""
    rng = np.random.default_rng(seed)
    table = pd.concat([equations()] * draws, ignore_index=True)
    n_colours = images.colour.max() + 1
    colour = rng.integers(0, n_colours, len(table))
    picked = []
    for name in "abc":
        rows, operand = np.zeros(len(table), dtype=np.int64), table[name].to_numpy()
        for n in NUMBERS:
            for c in range(n_colours):
                wanted = np.flatnonzero((operand == n) & (colour == c))
                rows[wanted] = rng.choice(np.flatnonzero((images.number == n) & (images.colour == c)), len(wanted))
        picked.append(z[rows])
    return table, picked[0] + picked[1] - picked[2]


def solve(
    model: MMVAE | PixelControl, sums: Sums, target: str, classifier: Classifier, seed: int | None = None
) -> pd.DataFrame:
    """Decode sums in modality `target`: the equations with the column read, the number in the image, by the classifier.

    seed : None decodes as it is; a number adds one draw of the prior, as the published code does.
    """
    table, latents = sums
    if seed is not None:
        latents = latents + model.prior_sample(len(latents), np.random.default_rng(seed), target)
    return table.assign(read=classifier.predict(model.decode(latents, target))["number"])


def solve_shuffled(
    model: MMVAE | PixelControl,
    z: np.ndarray,
    images: Images,
    target: str,
    classifier: Classifier,
    times: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Solve the control: class means given to the numbers at random, and the answers given back.

    Latents in which numbers are clusters without order do as well as ordered ones only if order is not used.
    """
    rng = np.random.default_rng(seed)
    means, table, solved = class_means(z, images.number), equations(), []
    for _ in range(times):
        order = rng.permutation(len(NUMBERS))  # the mean that stands for number n is that of order[n - 1] + 1
        answers = solve(model, (table, combine(means[order], table)), target, classifier)
        solved.append(answers.assign(read=np.argsort(order)[answers.read - 1] + 1))
    return pd.concat(solved, ignore_index=True)


def solve_in_latents(means: np.ndarray, table: pd.DataFrame, order: np.ndarray) -> pd.DataFrame:
    """Solve the equations without decoding: the number read is that whose mean latent lies nearest to the sum's.

    means : [9, latent]. order : int [9], which mean stands for each number. Operands are not left out.
    """
    distance = np.linalg.norm(combine(means[order], table)[:, None] - means[order], axis=-1)  # equation, number
    return table.assign(read=distance.argmin(axis=1) + 1)


def arithmetic_in_latents(
    latents: Mapping[str, np.ndarray], images: Mapping[str, Images], seed: int = 0, times: int = 20
) -> pd.DataFrame:
    """Measure sums by the nearest class mean: rows as of `arithmetic`, measure "arithmetic, latents".

    The control "arithmetic, latents, shuffled" gives the means to the numbers at random, `times`. Identities are right
    in any space. Among means that are equally far from each other the nearest is always an operand, so a space of
    clusters without order solves nothing else.
    """
    rng, tables, table = np.random.default_rng(seed), [], equations()
    for source, z in latents.items():
        means = class_means(z, images[source].number)
        orders = [rng.permutation(len(NUMBERS)) for _ in range(times)]
        shuffled = pd.concat([solve_in_latents(means, table, order) for order in orders], ignore_index=True)
        for name, solved in (("", solve_in_latents(means, table, np.arange(9))), (", shuffled", shuffled)):
            about: dict[str, Any] = {"measure": f"arithmetic, latents{name}", "condition": "noise-free"}
            about |= {"source": source, "target": source, "chance": CHANCE["number"], "ceiling": 1.0}
            tables.append(score(solved).assign(**about).rename_axis("factor").reset_index())
    return pd.concat(tables, ignore_index=True)


def guesses(rng: np.random.Generator, times: int = 200) -> dict[str, pd.DataFrame]:
    """Solve the equations by rules that need no latents: they know the numbers of an equation but cannot add.

    "nearest number" answers a number next to a, on the side that b and c point to, or a itself when b = c: it knows
    order, not amount. "an operand" answers a, b or c at random. "best constant" always gives the most frequent answer.
    """
    table = equations()
    step = (table.a + np.sign(table.b - table.c)).clip(NUMBERS[0], NUMBERS[-1])
    repeated = pd.concat([table] * times, ignore_index=True)
    operands = repeated[["a", "b", "c"]].to_numpy()[np.arange(len(repeated)), rng.integers(0, 3, len(repeated))]
    return {
        "nearest number": table.assign(read=step),
        "an operand": repeated.assign(read=operands),
        "best constant": table.assign(read=table[~table.identity].answer.mode()[0]),
    }


def score(solved: pd.DataFrame) -> pd.DataFrame:
    """Return value (accuracy), error (mean distance from the right answer) and n (equations), by subset."""
    error, identity = (solved.read - solved.answer).abs(), solved.identity
    subsets = {"all": error, "identities": error[identity], "without identities": error[~identity]}
    rows = {name: ((part == 0).mean(), part.mean(), len(part)) for name, part in subsets.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "error", "n"])


def score_guesses(seed: int = 0) -> pd.DataFrame:
    """Return the accuracy of each rule of `guesses`: columns rule, all, identities, without identities."""
    rows = {rule: score(solved).value for rule, solved in guesses(np.random.default_rng(seed)).items()}
    return pd.DataFrame(rows).T.rename_axis("rule").reset_index()


def arithmetic(
    model: MMVAE | PixelControl,
    latents: Mapping[str, np.ndarray],
    images: Mapping[str, Images],
    classifiers: Mapping[str, Classifier],
    seed: int = 0,
) -> pd.DataFrame:
    """Measure all of the above for a model: every source of latents, every modality it can be decoded in.

    latents : float [images, latent] by modality, of held-out `images`.

    Returns rows with measure "arithmetic" (class means), "arithmetic, one colour" (class means within a colour),
    "arithmetic, single images" and "arithmetic, shuffled", factor (the subset: all, identities, without identities;
    OF_BEST is the last one's accuracy as a share of its ceiling),
    condition ("noise-free" or "noisy"), value (accuracy), error (mean distance from the right answer, in numbers),
    chance (1/9), ceiling (what is read right off the decoded latents of single operands, which are the identities: no
    sum can be expected to be read better; for the identities themselves the classifier's accuracy on real images).
    """
    tables = []
    for source in model.names:
        z, shown = latents[source], images[source]
        means, single = sums_of_means(z, shown), sums_of_images(z, shown, seed=seed)
        for target in model.targets(source):
            how = (target, classifiers[target])
            solved = {
                ("arithmetic", "noise-free"): solve(model, means, *how),
                ("arithmetic", "noisy"): solve(model, means, *how, seed=seed),
                ("arithmetic, one colour", "noise-free"): solve(model, sums_within_colours(z, shown), *how),
                ("arithmetic, single images", "noise-free"): solve(model, single, *how),
                ("arithmetic, single images", "noisy"): solve(model, single, *how, seed=seed),
                ("arithmetic, shuffled", "noise-free"): solve_shuffled(model, z, shown, *how, seed=seed),
            }
            of_real = classifiers[target].accuracy.get("number", np.nan)
            for (measure, condition), answers in solved.items():
                scores = score(answers)
                scores["ceiling"] = np.where(scores.index == "identities", of_real, scores.value["identities"])
                without = scores.loc["without identities"]
                of_best = without.value / max(without.ceiling, CHANCE["number"])  # less than chance is no best
                scores.loc[OF_BEST] = {**without, "value": of_best, "ceiling": 1.0}
                scores = scores.assign(measure=measure, condition=condition, source=source, target=target)
                tables.append(scores.rename_axis("factor").reset_index())
    return pd.concat(tables, ignore_index=True).assign(chance=CHANCE["number"])
