"""The claims of the paper one by one, each decided by criteria that are written down and by intervals over seeds.

`criteria.csv`, one row per criterion, says which values of an evaluation are compared (design, arm, measure, source,
target, factor, condition: one value per seed) with which reference: a number, or the same values with one column
changed, such as "arm: unimodal". A criterion of kind "above" holds when the 95 % interval of the difference (of a mean
from a number, or of two arms by Welch) lies above zero, one of kind "not above" when it does not. Such an interval says
what another seed would do with the same nine numbers. Whether nine numbers in any order would do as well is another
question, which permutations answer: a criterion of kind "permutation" holds when twice the median p over seeds, a valid
p however the seeds depend on each other (Vovk & Wang 2020), is below .05.

A claim has one or more parts, such as objects and digits. A part holds if all its criteria do, which always include
chance, its control where there is one, and a least value that makes the words of the claim true ("keeps", "gives the
right number": more often than not). A claim "holds" if all its parts do and "holds in part" if some do; it "does not
show here" if none does, or only parts that ask for the absence of something. With a single seed there is no interval,
and the claim "cannot be decided". The first nine are the paper's (Noda, Soda & Yamashita 2024); the others are ours, on
controls that it left out.
"""

import warnings
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

VERDICTS = ("holds", "holds in part", "does not show here", "cannot be decided")
ALPHA = 0.05
SAME = 1e-9  # relative spread of values that differ by rounding only
VALUES = ("design", "arm", "measure", "source", "target", "factor", "condition")  # columns that pick values


@cache
def criteria() -> pd.DataFrame:
    """Read all criteria: columns claim, figure, parts, criterion, kind, those of VALUES, and reference."""
    return pd.read_csv(Path(__file__).parent / "criteria.csv")


def decide_criteria(evaluation: pd.DataFrame) -> pd.DataFrame:
    """Decide each criterion.

    evaluation : tables of `evaluate`, with design, arm and seed, as `run_study` returns. Criteria of designs or arms
    that were not run are left out.

    Returns one row per criterion: claim, figure, parts, criterion, kind, value (mean over seeds), against (the mean of
    its reference), difference and its lower and upper limit, t, df, p, g (Hedges), holds (True, False, or None where it
    cannot be decided).
    """
    groups = {key: group.sort_values("seed") for key, group in evaluation.groupby(list(VALUES), sort=False)}
    rows = []
    for criterion in criteria().to_dict("records"):
        column, _, changed = criterion["reference"].partition(": ")
        reference_key = tuple({**criterion, column: changed}[name] for name in VALUES) if changed else None
        reference: Any
        values, reference = groups.get(tuple(criterion[name] for name in VALUES)), groups.get(reference_key)
        if values is None or (changed and reference is None):
            continue
        reference = reference.value.to_numpy() if changed else float(Fraction(criterion["reference"]))
        if changed == "pixels":
            reference = reference[0]  # the pixel control is one model without seeds: a number
        result = compare(values.value, reference)
        if criterion["kind"] == "permutation":
            result["p"] = min(1.0, 2 * values.p.median())
            holds = bool(result["p"] < ALPHA)
        elif np.isnan(result["lower"]):
            holds = None
        else:
            holds = bool((result["lower"] > 0) == (criterion["kind"] == "above"))
        about = {name: criterion[name] for name in ("claim", "figure", "parts", "criterion", "kind")}
        about |= {"value": values.value.mean(), "against": float(np.mean(reference))}
        rows.append({**about, **result, "holds": holds})
    return pd.DataFrame(rows).astype({"holds": object})


def compare(values: Sequence[float], reference: float | Sequence[float]) -> dict[str, float]:
    """Compare seeds with a fixed value (one-sample t) or with the seeds of another arm (Welch's t).

    Returns difference of the means, lower and upper (95 %), t, df, p (two-sided), g (Hedges); NaN where there is a
    single seed, and no t where all seeds agree.
    """
    groups = [np.asarray(values, dtype=float)]
    if np.ndim(reference):
        groups.append(np.asarray(reference, dtype=float))
    difference = groups[0].mean() - np.mean(reference)
    result = {"difference": difference, **dict.fromkeys(("lower", "upper", "t", "df", "p", "g"), np.nan)}
    if min(len(group) for group in groups) < 2:
        return result
    df = sum(len(group) - 1 for group in groups)
    pooled = np.sqrt(sum(group.var(ddof=1) * (len(group) - 1) for group in groups) / df)
    if pooled <= SAME * max(abs(group.mean()) for group in groups):
        return {**result, "lower": difference, "upper": difference}
    with warnings.catch_warnings():  # one arm may not vary at all, which is no trouble here
        warnings.simplefilter("ignore", RuntimeWarning)
        if len(groups) == 2:
            test = stats.ttest_ind(*groups, equal_var=False)
        else:
            test = stats.ttest_1samp(groups[0] - reference, 0.0)
    g = difference / pooled * (1 - 3 / (4 * df - 1)) if df > 1 else np.nan
    numbers = (*test.confidence_interval(1 - ALPHA), test.statistic, test.df, test.pvalue, g)
    return {"difference": difference, **dict(zip(("lower", "upper", "t", "df", "p", "g"), numbers, strict=True))}


def verdicts(decided: pd.DataFrame) -> pd.DataFrame:
    """Decide each claim from `decide_criteria`.

    Returns one row per claim: claim, verdict (one of VERDICTS), holds for (the parts that do), criteria met (of how
    many), figure.
    """
    rows = []
    for claim, group in decided.groupby("claim", sort=False):
        parts = group.assign(part=group.parts.str.split(", ")).explode("part").groupby("part", sort=False)
        state = {part: _all_hold(rows.holds) for part, rows in parts}
        shown = [part for part, rows in parts if state[part] and (rows.kind != "not above").any()]
        if all(state.values()):
            verdict, shown = VERDICTS[0], list(state)
        elif shown:
            verdict = VERDICTS[1]
        else:
            verdict = VERDICTS[3] if None in state.values() else VERDICTS[2]
        met = f"{sum(group.holds.eq(True))} of {len(group)}"
        about = {"claim": claim, "verdict": verdict, "holds for": ", ".join(shown), "criteria met": met}
        rows.append({**about, "figure": group.figure.iloc[0]})
    return pd.DataFrame(rows)


def _all_hold(holds: pd.Series) -> bool | None:
    """Whether all hold: False as soon as one does not, None while one cannot be decided."""
    if holds.eq(False).any():
        return False
    return None if holds.isna().any() else True
