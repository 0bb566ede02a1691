"""The claims of the paper one by one, each decided by criteria that are written down here and by intervals over seeds.

A criterion holds when the 95 % interval of its difference (of a mean from a fixed value, or of two arms by Welch) lies
above zero. Such an interval tells what another seed would do with the same nine numbers. Whether nine numbers in any
order would do as well is another question, which permutations answer: there a criterion holds when twice the median p
over seeds, a valid p however the seeds depend on each other (Vovk & Wang 2020), is below .05.

A claim has one or more parts, such as objects and digits. A part holds if all its criteria do, which always include
chance, its control where there is one, and a least value that makes the words of the claim true. A claim "holds" if all
its parts do and "holds in part" if some do; it "does not show here" if none does, or only parts that ask for the
absence of something. With a single seed there is no interval, and nothing "can be told". The first nine are the paper's
(Noda, Soda & Yamashita 2024); the others are ours, on controls that it left out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from brainbook.number_sense.arithmetic import guesses, score
from brainbook.number_sense.recall import EACH_NUMBER
from brainbook.number_sense.statistics import against, welch

VERDICTS = ("holds", "holds in part", "does not show here", "cannot be told")
ALPHA = 0.05
CHANCE, CHANCE_COLOUR = 1 / 9, 1 / 4
MOST = 0.5  # "keeps", "brings to mind", "gives the right number": more often than not


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
    permutation test. `parts` names the parts of the claim that ask for it, `figure` the chapter's figure."""

    claim: str
    figure: str
    parts: tuple[str, ...]
    what: str
    pick: Pick
    other: "float | Pick"
    kind: Literal["above", "not above", "permutation"] = "above"


def criteria() -> list[Criterion]:
    """All criteria, in the order of the claims."""
    nearest = score(guesses(np.random.default_rng(0))["nearest number"])["without identities"][0]
    rows: list[Criterion] = []

    def claim(name: str, figure: str, *asked: tuple) -> None:
        """asked : (parts, separated by commas; what; pick; other; kind) each."""
        rows.extend(Criterion(name, figure, tuple(parts.split(", ")), *rest) for parts, *rest in asked)

    def recall(modality: str, **rest) -> Pick:
        return Pick("recall", modality, "number", **rest)

    def association(source: str, target: str, factor: str = "number", **rest) -> Pick:
        return Pick("association", source, factor, target=target, **rest)

    def sums(modality: str, measure: str = "arithmetic", **rest) -> Pick:
        return Pick(measure, modality, "without identities", **rest)

    def order(modality: str, **rest) -> Pick:
        return Pick("magnitude", modality, "Spearman", condition="linear", **rest)

    def silhouette(modality: str, factor: str, **rest) -> Pick:
        return Pick("silhouette", modality, factor, **rest)

    def read_out(**rest) -> Pick:
        return Pick("linear read-out", "oscn", "number", **rest)

    both = (("objects", "oscn"), ("digits", "cmnist"))
    across = (("objects to digits", "oscn", "cmnist"), ("digits to objects", "cmnist", "oscn"))
    claim(
        "1 Recalled images keep their number",
        "Which number is in the painted picture?",
        *((part, f"{part}: accuracy above {what}", recall(modality), least)
          for part, modality in both for what, least in (("chance", CHANCE), ("one half", MOST))),
    )  # fmt: skip
    claim(
        "2 One sense brings the number to mind in the other",
        "Which number is in the painted picture?",
        *((part, f"{part}: {what}", association(*ways, factor), least)
          for part, *ways in across
          for what, factor, least in (
              ("accuracy above chance", "number", CHANCE),
              ("more than half of the nine numbers are read as themselves most often", EACH_NUMBER, MOST),
          )),
    )  # fmt: skip
    claim(
        "3 Two senses make latents of objects cluster by number",
        "Number in the latents",
        ("clusters", "silhouette by number above 0", silhouette("oscn", "number"), 0.0),
        ("clusters", "more than with objects alone", silhouette("oscn", "number"),
         silhouette("oscn", "number", arm="single")),
    )  # fmt: skip
    beyond = "than untrained, than pixels"
    claim(
        "4 Latents of objects are ordered by magnitude",
        "Magnitude",
        (beyond, "rank correlation above 0", order("oscn"), 0.0),
        (beyond, "above that of numbers in random order", order("oscn"), 0.0, "permutation"),
        ("than untrained", "more than before any learning", order("oscn"), order("oscn", arm="untrained")),
        ("than pixels", "more than in principal components of the pixels", order("oscn"), order("oscn", arm="pixels")),
    )
    claim(
        "5 Latents of digits are ordered by magnitude only if objects are seen too",
        "Magnitude",
        ("with both", "rank correlation above 0 with both senses", order("cmnist"), 0.0),
        ("with both", "above that of numbers in random order", order("cmnist"), 0.0, "permutation"),
        ("with both", "more than with digits alone", order("cmnist"), order("cmnist", arm="single")),
        ("only then", "not above 0 with digits alone", order("cmnist", arm="single"), 0.0, "not above"),
    )
    colour_alone = silhouette("cmnist", "colour", arm="single")
    claim(
        "6 Digits cluster by colour only if objects are seen too",
        "Latents of digits",
        ("with both", "silhouette by colour above 0 with both senses", silhouette("cmnist", "colour"), 0.0),
        ("with both", "more than with digits alone", silhouette("cmnist", "colour"), colour_alone),
        ("only then", "not above 0 with digits alone", colour_alone, 0.0, "not above"),
    )
    claim(
        "7 Objects cluster by colour first, then by shape",
        "Latents of objects",
        ("colour first", "silhouette by colour above 0", silhouette("oscn", "colour"), 0.0),
        ("colour first", "silhouette by colour above that by shape", silhouette("oscn", "colour"),
         silhouette("oscn", "shape")),
        ("then shape", "silhouette by shape above 0", silhouette("oscn", "shape"), 0.0),
    )  # fmt: skip
    claim(
        "8 Arithmetic on latents gives the right number",
        "Sums on class means",
        *((part, f"{part}: above {what}", sums(modality), other)
          for part, modality in both
          for what, other in (
              ("chance", CHANCE),
              ("guessing the nearest number", nearest),
              ("shuffled latents", sums(modality, "arithmetic, shuffled")),
              ("one half", MOST),
          )),
    )  # fmt: skip
    claim(
        "9 Two senses calculate better than one",
        "Sums on class means",
        *((part, f"{part}: above {what}", sums(modality), other)
          for part, modality in both
          for what, other in (
              ("one sense", sums(modality, arm="single")),
              ("chance", CHANCE),
              ("guessing the nearest number", nearest),
          )),
    )  # fmt: skip
    imagined = {"source": "cmnist", "target": "oscn", "condition": "noisy"}  # with a layout drawn from the prior
    imagined_number = association(**imagined, arm="private")
    claim(
        "A Private latents sharpen what digits bring to mind",
        "Which number is in the painted picture?",
        ("number", "digits to objects, sampled: number, above the arm without", imagined_number,
         association(**imagined)),
        ("number, blur", "digits to objects, sampled: number, above chance", imagined_number, CHANCE),
        ("blur", "blur of the arm without, above the arm with", Pick("blur", factor="pixels", **imagined),
         Pick("blur", factor="pixels", arm="private", **imagined)),
    )  # fmt: skip
    claim(
        "B Number sense survives when lit area says nothing of number",
        "Number without area",
        ("recall", "objects: recall above chance", recall("oscn", design="area"), CHANCE),
        ("recall", "objects: recall above one half", recall("oscn", design="area"), MOST),
        ("read-out", "objects: number read out linearly better than with objects alone", read_out(design="area"),
         read_out(arm="single", design="area")),
        ("read-out", "objects: number read out linearly above chance", read_out(design="area"), CHANCE),
        ("order", "objects: rank correlation above 0", order("oscn", design="area"), 0.0),
        ("order", "objects: above that of numbers in random order", order("oscn", design="area"), 0.0, "permutation"),
        ("order", "objects: rank correlation above that of the pixels", order("oscn", design="area"),
         order("oscn", arm="pixels", design="area")),
        ("arithmetic", "objects: arithmetic above chance", sums("oscn", design="area"), CHANCE),
        ("arithmetic", "objects: arithmetic above guessing the nearest number", sums("oscn", design="area"), nearest),
    )  # fmt: skip
    claim(
        "C Pairs of number and colour that never met are understood",
        "Pairs that never met",
        *((part, f"{part}: {factor}, above chance",
           association(*ways, factor, design="unseen", condition="unseen"), chance)
          for part, *ways in across
          for factor, chance in (("number", CHANCE), ("colour", CHANCE_COLOUR))),
    )  # fmt: skip
    claim(
        "D Number is read more easily off latents of objects if digits are seen too",
        "Number in the latents",
        ("read-out", "number read out linearly better than with objects alone", read_out(), read_out(arm="single")),
        ("read-out", "number read out linearly above chance", read_out(), CHANCE),
    )
    return rows


def judge_criteria(evaluation: pd.DataFrame) -> pd.DataFrame:
    """One row a criterion: claim, figure, parts, criterion, kind, value (mean over seeds), against (what it is held
    against), difference and its lower and upper limit, t, df, p, g (Hedges), holds (True, False, or None where it
    cannot be decided).

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
        about = {"claim": asked.claim, "figure": asked.figure, "parts": ", ".join(asked.parts)}
        about |= {"criterion": asked.what, "kind": asked.kind}
        rows.append({**about, "value": values.mean(), "against": other.mean(), **found, "holds": holds})
    return pd.DataFrame(rows).astype({"holds": object})


def verdicts(judged: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: claim, verdict (one of VERDICTS), holds for (the parts that do), the criteria that are met, of
    how many, and the figure."""
    rows = []
    for name, group in judged.groupby("claim", sort=False):
        asked = group.assign(part=group.parts.str.split(", ")).explode("part").groupby("part", sort=False)
        state = {part: _all(rows.holds) for part, rows in asked}
        shows = [part for part, rows in asked if state[part] and (rows.kind != "not above").any()]
        if all(state.values()):
            verdict = VERDICTS[0]
        elif shows:
            verdict = VERDICTS[1]
        else:
            verdict = VERDICTS[3] if None in state.values() else VERDICTS[2]
        rows.append(
            {
                "claim": name,
                "verdict": verdict,
                "holds for": ", ".join(state if all(state.values()) else shows),
                "criteria met": f"{(group.holds == True).sum()} of {len(group)}",  # noqa: E712 - None is not met
                "figure": group.figure.iloc[0],
            }
        )
    return pd.DataFrame(rows)


def _all(holds: pd.Series) -> bool | None:
    """Whether all hold: False as soon as one does not, None while one cannot be told."""
    if (holds == False).any():  # noqa: E712 - None is not False
        return False
    return None if holds.isna().any() else True
