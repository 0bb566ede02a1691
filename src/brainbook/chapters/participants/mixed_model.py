"""A difference between conditions whose participants and sections are both drawn at random, and what intervals cover.

Three intervals stand side by side on the page, and none of them covers everything:

    pooled    over all participants as if of one language: what languages differ by widens it
    within    over participants, languages fixed: of these languages and this story
    mixed     over participants and sections, languages fixed: of these languages and stories like this one
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.participants.group import pooled_spread
from brainbook.chapters.shared import rows_with
from brainbook.errors import ConfigurationError

UPPER = 0.975  # share below the upper end of an interval that covers 95%


def mixed_difference(scores: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> pd.DataFrame:
    """Estimate first - second by a mixed model: participants and sections both drawn at random; one row per group.

    The differences of Fisher's z of each run, z ~ language + (1 | participant) + (1 | section of a language), by REML
    (statsmodels). Languages weigh alike. All who hear a story hear the same sections, so a section that suits one model
    suits it in every participant: an interval over participants alone does not know this.

    Returns
    -------
    DataFrame: group, n (participants), value, lower, upper, p, sd_participant, sd_section, sd_rest, converged. The
    interval is Student's with as many degrees of freedom as the rarer of participants and sections leaves beside the
    languages: on the wide side. Scores of a participant's runs are trained on each other's scans, so that sd_rest is a
    little too small; the interval is wide for the first reason and narrow for the second.

    Languages are fixed: the interval is of the mean of THESE languages, over participants and sections like these. How
    other languages would differ is not in it (`coverage` says what that costs).
    """
    keys = ["language", "participant", "run", "group"]
    one, two = (rows_with(scores, condition).set_index(keys).value for condition in (first, second))
    table = (np.arctanh(one) - np.arctanh(two)).dropna().rename("z").reset_index()
    if table.empty:
        raise ConfigurationError(f"no participant has both {first} and {second}")
    table["section"] = table.language + " " + table.run.astype(str)
    rows = [{"group": group, **_fit(part)} for group, part in table.groupby("group", sort=False)]
    return pd.DataFrame(rows)


def _fit(part: pd.DataFrame) -> dict:
    from statsmodels.formula.api import mixedlm

    random = ("participant", "section")
    # coded as sums, the languages leave the mean of their means to the intercept
    model = mixedlm(
        "z ~ C(language, Sum)" if part.language.nunique() > 1 else "z ~ 1",
        part.reset_index(drop=True),
        groups=np.ones(len(part)),
        vc_formula={name: f"0 + C({name})" for name in random},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a spread at its limit of 0 is no failure; `converged` reports one
        fit = model.fit(reml=True, method=["lbfgs", "powell", "nm"])  # the last two follow a spread down to 0
    counts = part[[*random, "language"]].nunique()
    free = max(counts[list(random)].min() - counts.language, 1)
    value, error = float(fit.fe_params.iloc[0]), float(fit.bse_fe.iloc[0])
    half = stats.t.ppf(UPPER, free) * error
    spreads = dict(zip(model.exog_vc.names, np.sqrt(np.maximum(fit.vcomp, 0)), strict=True))
    return {
        "n": counts.participant,
        "value": value,
        "lower": value - half,
        "upper": value + half,
        "p": float(2 * stats.t.sf(abs(value) / error, free)),
        "sd_participant": float(spreads["participant"]),
        "sd_section": float(spreads["section"]),
        "sd_rest": float(np.sqrt(fit.scale)),
        "converged": bool(fit.converged),
    }


def within_languages(gain: pd.DataFrame) -> pd.DataFrame:
    """Compute the interval over participants of the mean of the languages' means, languages fixed; one row per group.

    gain : language, participant, group, value (`paired_differences`). Returns: group, n, value, lower, upper. The
    spread is that between participants of one language (`pooled_spread`).
    """
    spread, degrees = pooled_spread(gain)
    rows = []
    for group, part in gain.groupby("group", sort=False):
        each = part.groupby("language").value.agg(["mean", "size"])
        half = stats.t.ppf(UPPER, degrees - 1) * spread[group] * np.sqrt((1 / each["size"]).sum()) / len(each)
        mean = each["mean"].mean()
        rows.append((group, len(part), mean, mean - half, mean + half))
    return pd.DataFrame(rows, columns=["group", "n", "value", "lower", "upper"])


def coverage(
    spreads: tuple[float, float, float, float],
    sizes: tuple[int, int, int],
    n_studies: int = 4000,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate how often the three intervals cover the true mean, in studies of known spreads.

    Parameters
    ----------
    spreads : standard deviations of languages, participants, sections (of a language) and the rest, on the z scale.
    sizes : languages, participants of each, sections.

    Returns
    -------
    DataFrame: interval (pooled, within, mixed), width (mean), and how often it covers the mean of: this story (these
    languages and sections), these languages (sections like these), other languages (and sections like these). The mixed
    model's interval is that of the balanced analysis of variance, which REML equals where no spread is at its limit.
    """
    (n_languages, n, m), rng = sizes, np.random.default_rng(seed)
    shapes = (n_languages, 1, 1), (n_languages, n, 1), (n_languages, 1, m), (n_languages, n, m)
    drawn = [sd * rng.standard_normal((n_studies, *shape)) for sd, shape in zip(spreads, shapes, strict=True)]
    z: Any = sum(drawn)  # studies, languages, participants, sections; the true mean over languages is 0
    means = {
        "this story": (drawn[0] + drawn[2]).mean(axis=(1, 2, 3)),
        "these languages": drawn[0].mean(axis=(1, 2, 3)),
        "other languages": np.zeros(n_studies),
    }
    persons, sections = z.mean(axis=3), z.mean(axis=2)  # studies, languages, participants | sections
    total = n_languages * n
    rest = z - persons[..., None] - sections[:, :, None] + z.mean(axis=(2, 3), keepdims=True)
    rest = (rest**2).sum(axis=(1, 2, 3)) / (n_languages * (n - 1) * (m - 1))
    of_persons = persons.var(axis=2, ddof=1).mean(axis=1)  # variance of participants' means, within languages
    of_sections = sections.var(axis=2, ddof=1).mean(axis=1)
    error = {
        "pooled": (persons.reshape(n_studies, -1).var(axis=1, ddof=1) / total, total - 1),
        "within": (of_persons / total, total - n_languages),
        "mixed": (
            (np.maximum(of_persons, rest / m) / n + np.maximum(of_sections - rest / n, 0) / m) / n_languages,
            max(min(total, n_languages * m) - n_languages, 1),
        ),
    }
    estimate = z.mean(axis=(1, 2, 3))
    rows = []
    for name, (variance, free) in error.items():
        half = stats.t.ppf(UPPER, free) * np.sqrt(variance)
        covers = {target: np.mean(np.abs(estimate - mean) <= half) for target, mean in means.items()}
        rows.append({"interval": name, "width": 2 * half.mean(), **covers})
    return pd.DataFrame(rows)


def like_this_study(mixed: pd.DataFrame, gain: pd.DataFrame, sections: int) -> tuple[tuple, tuple]:
    """Return spreads and sizes for `coverage` as estimated in the first group (languages: the spread of their means).

    mixed : from `mixed_difference`. gain : from `paired_differences`, of the same conditions.
    """
    row = mixed.iloc[0]
    means = gain[gain.group == row.group].groupby("language").value.mean()
    between = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    each = round(gain.groupby("language").participant.nunique().median())
    spreads = between, float(row.sd_participant), float(row.sd_section), float(row.sd_rest)
    return spreads, (len(means), each, sections)
