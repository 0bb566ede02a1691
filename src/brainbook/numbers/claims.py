"""The claims of the paper one by one, each decided by criteria that are written down here and by intervals over seeds.

A criterion holds when the 95 % interval of its difference (of a mean from a fixed value, or of two arms by Welch) lies
above zero. Such an interval tells what another seed would do with the same nine numbers. Whether nine numbers in any
order would do as well is another question, which permutations answer: there a criterion holds when twice the median p
over seeds, a valid p however the seeds depend on each other (Vovk & Wang 2020), is below .05.

A claim "holds" if all its criteria do and "holds in part" if some do; it "does not show here" if none does, or only
those that ask for the absence of something. With a single seed there is no interval, and nothing "can be told". The
first nine are the paper's (Noda, Soda & Yamashita 2024); the others are ours, on controls that it left out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from brainbook.numbers.arithmetic import guesses, score
from brainbook.numbers.statistics import against, welch

VERDICTS = ("holds", "holds in part", "does not show here", "cannot be told")
ALPHA = 0.05


@dataclass(frozen=True)
class Pick:
    """Which values of an evaluation: one a seed. `factor`, `condition` and `target` may be left open where they are
    one."""

    measure: str
    source: str
    factor: str
    arm: str = "multi"
    target: str | None = None
    condition: str = "noise-free"
    design: str = "published"

    def rows(self, evaluation: pd.DataFrame) -> pd.DataFrame:
        """The rows of the evaluation, in the order of the seeds."""
        chosen = evaluation[
            (evaluation.design == self.design)
            & (evaluation.arm == self.arm)
            & (evaluation.measure == self.measure)
            & (evaluation.source == self.source)
            & (evaluation.target == (self.target or self.source))
            & (evaluation.factor == self.factor)
            & (evaluation.condition == self.condition)
        ]
        return chosen.sort_values("seed")

    def values(self, evaluation: pd.DataFrame) -> np.ndarray:
        """Their values, float [seeds]."""
        return self.rows(evaluation).value.to_numpy()


@dataclass(frozen=True)
class Criterion:
    """That `pick` is above `other` (a number or another Pick), is not above it, or is above it by the measure's own
    permutation test. `figure` is the title of the chapter's figure that shows it."""

    claim: str
    figure: str
    what: str
    pick: Pick
    other: "float | Pick"
    kind: Literal["above", "not above", "permutation"] = "above"


def criteria() -> list[Criterion]:
    """All criteria, in the order of the claims."""
    nearest = score(guesses(np.random.default_rng(0))["nearest number"])["without identities"][0]
    rows: list[Criterion] = []

    def claim(name: str, figure: str, *asked: tuple) -> None:
        rows.extend(Criterion(name, figure, *row) for row in asked)

    def recall(modality: str, **rest) -> Pick:
        return Pick("recall", modality, "number", **rest)

    def association(source: str, target: str, **rest) -> Pick:
        return Pick("association", source, "number", target=target, **rest)

    def sums(modality: str, measure: str = "arithmetic", **rest) -> Pick:
        return Pick(measure, modality, "without identities", **rest)

    def order(modality: str, **rest) -> Pick:
        return Pick("magnitude", modality, "Spearman", condition="linear", **rest)

    claim(
        "1 Recalled images keep their number",
        "Which number is in the painted picture?",
        ("objects: accuracy above chance", recall("oscn"), 1 / 9),
        ("digits: accuracy above chance", recall("cmnist"), 1 / 9),
    )
    claim(
        "2 One sense brings the number to mind in the other",
        "Which number is in the painted picture?",
        ("objects to digits: accuracy above chance", association("oscn", "cmnist"), 1 / 9),
        ("digits to objects: accuracy above chance", association("cmnist", "oscn"), 1 / 9),
    )
    claim(
        "3 Two senses make latents of objects cluster by number",
        "Number in the latents",
        ("silhouette by number above 0", Pick("silhouette", "oscn", "number"), 0.0),
        (
            "more than with objects alone",
            Pick("silhouette", "oscn", "number"),
            Pick("silhouette", "oscn", "number", arm="single"),
        ),
        (
            "number read out linearly better than with objects alone",
            Pick("linear read-out", "oscn", "number"),
            Pick("linear read-out", "oscn", "number", arm="single"),
        ),
    )
    claim(
        "4 Latents of objects are ordered by magnitude",
        "Magnitude",
        ("rank correlation above 0", order("oscn"), 0.0),
        ("above that of numbers in random order", order("oscn"), 0.0, "permutation"),
        ("more than before any learning", order("oscn"), order("oscn", arm="untrained")),
        ("more than in principal components of the pixels", order("oscn"), order("oscn", arm="pixels")),
    )
    claim(
        "5 Latents of digits are ordered by magnitude only if objects are seen too",
        "Magnitude",
        ("rank correlation above 0 with both senses", order("cmnist"), 0.0),
        ("above that of numbers in random order", order("cmnist"), 0.0, "permutation"),
        ("more than with digits alone", order("cmnist"), order("cmnist", arm="single")),
        ("not above 0 with digits alone", order("cmnist", arm="single"), 0.0, "not above"),
    )
    colour = Pick("silhouette", "cmnist", "colour")
    colour_alone = Pick("silhouette", "cmnist", "colour", arm="single")
    claim(
        "6 Digits cluster by colour only if objects are seen too",
        "Latents of digits",
        ("silhouette by colour above 0 with both senses", colour, 0.0),
        ("more than with digits alone", colour, colour_alone),
        ("not above 0 with digits alone", colour_alone, 0.0, "not above"),
    )
    claim(
        "7 Objects cluster by colour first, then by shape",
        "Latents of objects",
        (
            "silhouette by colour above that by shape",
            Pick("silhouette", "oscn", "colour"),
            Pick("silhouette", "oscn", "shape"),
        ),
        ("silhouette by shape above 0", Pick("silhouette", "oscn", "shape"), 0.0),
    )
    claim(
        "8 Arithmetic on latents gives the right number",
        "Sums on class means",
        *(
            (f"{name}: above {what}", sums(modality), other)
            for name, modality in (("objects", "oscn"), ("digits", "cmnist"))
            for what, other in (
                ("chance", 1 / 9),
                ("guessing the nearest number", nearest),
                ("shuffled latents", sums(modality, "arithmetic, shuffled")),
            )
        ),
    )
    claim(
        "9 Two senses calculate better than one",
        "Sums on class means",
        ("objects", sums("oscn"), sums("oscn", arm="single")),
        ("digits", sums("cmnist"), sums("cmnist", arm="single")),
    )
    imagined = {"target": "oscn", "condition": "noisy"}  # with a layout drawn from the prior
    claim(
        "A Private latents sharpen what digits bring to mind",
        "Which number is in the painted picture?",
        (
            "digits to objects, sampled: number, above the arm without",
            Pick("association", "cmnist", "number", arm="private", **imagined),
            Pick("association", "cmnist", "number", **imagined),
        ),
        (
            "blur of the arm without, above the arm with",
            Pick("blur", "cmnist", "pixels", **imagined),
            Pick("blur", "cmnist", "pixels", arm="private", **imagined),
        ),
    )
    claim(
        "B Number sense survives when lit area says nothing of number",
        "Number without area",
        ("objects: recall above chance", recall("oscn", design="area"), 1 / 9),
        (
            "objects: number read out linearly better than with objects alone",
            Pick("linear read-out", "oscn", "number", design="area"),
            Pick("linear read-out", "oscn", "number", arm="single", design="area"),
        ),
        ("objects: rank correlation above 0", order("oscn", design="area"), 0.0),
        ("objects: above that of numbers in random order", order("oscn", design="area"), 0.0, "permutation"),
        (
            "objects: rank correlation above that of the pixels",
            order("oscn", design="area"),
            order("oscn", arm="pixels", design="area"),
        ),
        ("objects: arithmetic above guessing the nearest number", sums("oscn", design="area"), nearest),
    )
    claim(
        "C Pairs of number and colour that never met are understood",
        "Pairs that never met",
        (
            "objects to digits: number, above chance",
            association("oscn", "cmnist", design="unseen", condition="unseen"),
            1 / 9,
        ),
        (
            "objects to digits: colour, above chance",
            Pick("association", "oscn", "colour", target="cmnist", design="unseen", condition="unseen"),
            1 / 4,
        ),
        (
            "digits to objects: colour, above chance",
            Pick("association", "cmnist", "colour", target="oscn", design="unseen", condition="unseen"),
            1 / 4,
        ),
    )
    return rows


def judge_criteria(evaluation: pd.DataFrame) -> pd.DataFrame:
    """One row a criterion: claim, figure, criterion, kind, value (mean over seeds), against (what it is held against),
    difference and its lower and upper limit, t, df, p, g (Hedges), holds (True, False, or None where it cannot be
    told).

    evaluation : tables of `evaluate`, with design, arm and seed, as `runs.run` returns. Criteria of designs or arms
    that were not run are left out.
    """
    rows = []
    for asked in criteria():
        values = asked.pick.values(evaluation)
        other = asked.other.values(evaluation) if isinstance(asked.other, Pick) else np.array([asked.other])
        if not len(values) or not len(other):
            continue
        # the pixel control is one model without seeds: a fixed value
        fixed = not isinstance(asked.other, Pick) or asked.other.arm == "pixels"
        found = against(values, float(other[0])) if fixed else welch(values, other)
        if asked.kind == "permutation":
            found["p"] = min(1.0, 2 * asked.pick.rows(evaluation).p.median())
            holds = bool(found["p"] < ALPHA)
        else:
            above = found["lower"] > 0
            holds = None if np.isnan(found["lower"]) else bool(above if asked.kind == "above" else not above)
        about = {"claim": asked.claim, "figure": asked.figure, "criterion": asked.what, "kind": asked.kind}
        rows.append({**about, "value": values.mean(), "against": other.mean(), **found, "holds": holds})
    return pd.DataFrame(rows).astype({"holds": object})


def verdicts(judged: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: claim, verdict (one of VERDICTS), the criteria that hold, of how many, and the figure."""
    rows = []
    for name, group in judged.groupby("claim", sort=False):
        told = [holds for holds in group.holds if holds is not None]
        met = group.holds == True  # noqa: E712 - None is not met
        if not told:
            verdict = VERDICTS[3]
        elif met.all():
            verdict = VERDICTS[0]
        else:
            verdict = VERDICTS[1] if (met & (group.kind != "not above")).any() else VERDICTS[2]
        criteria_met = f"{met.sum()} of {len(group)}"
        rows.append({"claim": name, "verdict": verdict, "criteria met": criteria_met, "figure": group.figure.iloc[0]})
    return pd.DataFrame(rows)
