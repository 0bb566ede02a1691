"""Arithmetic: does the picture of z(a) + z(b) - z(c) show a + b - c objects?

All a, b, c in 1..9 with 1 <= a + b - c <= 9 and a != c: 408 equations, of which 72 have b = c and are identities, since
z(a) + z(b) - z(b) is z(a) whatever the latents are. Those are reported apart.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brainbook.number_sense.classifiers import CHANCE, Classifier
from brainbook.number_sense.images import NUMBERS, Images
from brainbook.number_sense.magnitude import class_means

SUBSETS = ("all", "identities", "without identities")


def equations() -> pd.DataFrame:
    """The 408 equations: columns a, b, c, answer (a + b - c) and identity (b = c)."""
    grid = [(a, b, c) for a in NUMBERS for b in NUMBERS for c in NUMBERS if a != c and a + b - c in NUMBERS]
    table = pd.DataFrame(grid, columns=["a", "b", "c"])
    return table.assign(answer=table.a + table.b - table.c, identity=table.b == table.c)


def combine(means: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Latents z(a) + z(b) - z(c) of each equation: [9, latent] -> [equations, latent]."""
    a, b, c = (table[name].to_numpy() - 1 for name in "abc")
    return means[a] + means[b] - means[c]


def solve(
    model, z: np.ndarray, images: Images, target: str, judge: Classifier, seed: int | None = None
) -> pd.DataFrame:
    """The equations on class means, with the column read: the number that the judge sees in the decoded image.

    model : whatever can decode. z : float [images, latent], of `images`. seed : None decodes as it is; a number adds
    one draw of the prior's scale, as the published code does.
    """
    table = equations()
    latents = combine(class_means(z, images.number), table)
    return table.assign(read=judge.read(model.decode(_noisy(model, latents, target, seed), target))["number"])


def solve_one_colour(model, z: np.ndarray, images: Images, target: str, judge: Classifier) -> pd.DataFrame:
    """The equations on class means within each colour, one colour after the other: nothing pale is decoded."""
    solved = []
    for colour in np.unique(images.colour):
        rows = images.colour == colour
        solved.append(solve(model, z[rows], images[rows], target, judge))
    return pd.concat(solved, ignore_index=True)


def solve_single(
    model,
    z: np.ndarray,
    images: Images,
    target: str,
    judge: Classifier,
    draws: int = 2,
    seed: int = 0,
    noisy: bool = False,
) -> pd.DataFrame:
    """The equations on single images in place of class means: three images of one colour each time, `draws` times."""
    rng = np.random.default_rng(seed)
    table = pd.concat([equations()] * draws, ignore_index=True)
    colour = rng.integers(0, images.colour.max() + 1, len(table))
    picked = []
    for name in "abc":
        rows, operand = np.zeros(len(table), dtype=np.int64), table[name].to_numpy()
        for n in NUMBERS:
            for c in range(images.colour.max() + 1):
                wanted = np.flatnonzero((operand == n) & (colour == c))
                rows[wanted] = rng.choice(np.flatnonzero((images.number == n) & (images.colour == c)), len(wanted))
        picked.append(z[rows])
    latents = picked[0] + picked[1] - picked[2]
    latents = _noisy(model, latents, target, seed if noisy else None)
    return table.assign(read=judge.read(model.decode(latents, target))["number"])


def shuffled(
    model, z: np.ndarray, images: Images, target: str, judge: Classifier, times: int = 3, seed: int = 0
) -> pd.DataFrame:
    """The control: the class means are given to the numbers at random, the equations solved, and the answers given
    back.

    Latents in which numbers are clusters without order do as well as ordered ones only if order is not used.
    """
    rng = np.random.default_rng(seed)
    means, solved = class_means(z, images.number), []
    for _ in range(times):
        order = rng.permutation(len(NUMBERS))  # the mean that stands for number n is that of order[n - 1] + 1
        table = equations()
        said = judge.read(model.decode(combine(means[order], table), target))["number"]
        solved.append(table.assign(read=np.argsort(order)[said - 1] + 1))
    return pd.concat(solved, ignore_index=True)


def guesses(rng: np.random.Generator, times: int = 200) -> dict[str, pd.DataFrame]:
    """What needs no latents: rules that know the numbers of an equation but cannot add.

    "nearest number" says a number next to a, on the side that b and c point to, or a itself when b = c: it knows
    order, not amount. "an operand" says a, b or c at random. "best constant" always says the most frequent answer.
    """
    table = equations()
    step = (table.a + np.sign(table.b - table.c)).clip(NUMBERS[0], NUMBERS[-1])
    many = pd.concat([table] * times, ignore_index=True)
    chosen = many[["a", "b", "c"]].to_numpy()[np.arange(len(many)), rng.integers(0, 3, len(many))]
    constant = table[~table.identity].answer.mode()[0]
    return {
        "nearest number": table.assign(read=step),
        "an operand": many.assign(read=chosen),
        "best constant": table.assign(read=constant),
    }


def score(solved: pd.DataFrame) -> dict[str, tuple[float, float, int]]:
    """Accuracy, mean distance of the answer from the right one, and number of equations, by subset."""
    away, identity = np.abs((solved.read - solved.answer).to_numpy()), solved.identity.to_numpy()
    parts = {"all": away, "identities": away[identity], "without identities": away[~identity]}
    return {name: (float((part == 0).mean()), float(part.mean()), len(part)) for name, part in parts.items()}


def arithmetic(
    model,
    latents: Mapping[str, np.ndarray],
    images: Mapping[str, Images],
    judges: Mapping[str, Classifier],
    seed: int = 0,
) -> pd.DataFrame:
    """All of the above for a model: every source of latents, every modality it can be decoded in.

    latents : float [images, latent] by modality, of held-out `images`.

    Returns rows with measure "arithmetic" (class means), "arithmetic, one colour" (class means within a colour),
    "arithmetic, single images" and "arithmetic, shuffled", factor
    (the subset: all, identities, without identities), condition ("noise-free" or "noisy"), value (accuracy), error
    (mean distance from the right answer, in numbers), chance (1/9), cap (what is read right off the decoded latents of
    single operands, which are the identities: no sum can be expected to be read better; for the identities themselves
    the judge's accuracy on real images).
    """
    rows = []
    for source in model.names:
        for target in model.names if hasattr(model, "senses") else (source,):
            shown = (model, latents[source], images[source], target, judges[target])
            found = {
                ("arithmetic", "noise-free"): solve(*shown),
                ("arithmetic", "noisy"): solve(*shown, seed=seed),
                ("arithmetic, one colour", "noise-free"): solve_one_colour(*shown),
                ("arithmetic, single images", "noise-free"): solve_single(*shown, seed=seed),
                ("arithmetic, single images", "noisy"): solve_single(*shown, seed=seed, noisy=True),
                ("arithmetic, shuffled", "noise-free"): shuffled(*shown, seed=seed),
            }
            of_real = judges[target].accuracy.get("number", np.nan)
            rows += [
                {"measure": measure, "source": source, "target": target, "factor": subset, "condition": condition,
                 "value": accuracy, "error": error, "chance": CHANCE["number"],
                 "cap": of_real if subset == "identities" else scored["identities"][0], "n": n}
                for (measure, condition), scored in ((key, score(solved)) for key, solved in found.items())
                for subset, (accuracy, error, n) in scored.items()
            ]  # fmt: skip
    return pd.DataFrame(rows)


def _noisy(model, latents: np.ndarray, target: str, seed: int | None) -> np.ndarray:
    if seed is None:
        return latents
    rng = np.random.default_rng(seed)
    if not hasattr(model, "senses"):
        return latents + rng.standard_normal(latents.shape) * model.noise_scale(target)
    scale = model.prior_scale.detach().cpu().numpy().reshape(1, -1)
    noise = rng.standard_normal if model.configuration.family == "normal" else lambda size: rng.laplace(size=size)
    return latents + noise(latents.shape) * scale
