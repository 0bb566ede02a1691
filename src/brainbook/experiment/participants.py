"""Group results: what holds over participants, how sure it is, and how many people it takes to see it.

Tables of scores are tidy: language, participant, run (the section, 1..9), group (of regions), model, alignment, value
(Pearson r). They are gathered from the results of other runs (`gather_scores`) or computed (`compute_scores`).

Intervals over participants speak of people like these who hear THIS story. Nothing here speaks of other stories, except
`mixed_difference`, which takes the sections as drawn at random as well.
"""

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.encoding import fdr, fisher_mean, noise_ceiling
from brainbook.errors import ConfigurationError
from brainbook.experiment.features import align, story_states, word_count
from brainbook.experiment.scores import group_members, score_participants, stack_responses
from brainbook.recordings import LittlePrince
from brainbook.study import ROOT, results

ALL = "all"  # the languages together
KEY = ["language", "participant", "run", "group", "model", "alignment"]
SAME = 1e-3  # r that two devices may differ by
FEW = 14  # participants up to whom every pattern of signs is tried (2^14)


def gather_scores(study: str, table: str = "scores_by_group", root: str | Path = ROOT) -> pd.DataFrame:
    """The scores of all runs of a study that saved such a table, each score once.

    A control that several runs computed (the word count, say) is taken once. Raises ConfigurationError when there are
    no scores, when a column lacks, and when two runs say different things (by more than 0.001) of the same participant,
    run, group, model and alignment: their parameters differ, gather them from a study of their own.
    """
    found = results(study, table, root).drop(columns="run").rename(columns={"run_in_table": "run"})  # of the scanner
    if absent := [name for name in [*KEY, "value"] if name not in found]:
        raise ConfigurationError(f"table {table!r} of study {study!r} lacks the columns {', '.join(absent)}")
    ends = found.groupby(KEY, sort=False).value.agg(["min", "max"])
    if (differ := ends["max"] - ends["min"] > SAME).any():
        row = ends[differ].reset_index().iloc[0]
        raise ConfigurationError(
            f"runs of study {study!r} disagree about {', '.join(f'{key} {row[key]}' for key in KEY)}: "
            "they had other parameters (context, layers?); give each setting a study of its own"
        )
    return found[[*KEY, "value"]].drop_duplicates(KEY, ignore_index=True)


def compute_scores(
    prince: LittlePrince,
    people: dict[str, list[str]],
    models: Sequence[str],
    layers: Sequence[int] | None = None,
    context: int = 64,
    alignments: Sequence[str] = ("VLA", "FLA"),
    device: str = "auto",
    cache: str | None = "cache",
    stride: int | None = None,
) -> pd.DataFrame:
    """The same table without any other run: every model under every alignment, and the word count under VLA.

    Parameters
    ----------
    people : participants by language.
    layers : the layers among which each region's training runs choose; None for all.
    cache : folder in which responses, states and scores are kept.
    context, stride : of `story_states`.
    """
    parts = []
    for language, names in people.items():
        responses, _, columns = stack_responses(prince, names, cache=cache)
        members = group_members(columns)
        features = {("word count", "VLA"): word_count(prince, language)}
        for model in models:
            states = story_states(prince, language, model, context=context, cache=cache, device=device, stride=stride)
            states = states if layers is None else states[list(layers)]
            features |= {(model, name): align(prince, language, states, name) for name in alignments}
        for (model, alignment), values in features.items():
            found = score_participants(values, responses, names, columns, device=device, cache=cache)
            parts.append(found.table(members).assign(language=language, model=model, alignment=alignment))
    return pd.concat(parts, ignore_index=True)[[*KEY, "value"]]


def ceilings(prince: LittlePrince, people: dict[str, list[str]], cache: str | None = "cache") -> pd.DataFrame:
    """Each participant's own noise ceiling (what the others' mean tells about it), by group.

    Returns a DataFrame: language, participant, group, value. A language with one participant has none.
    """
    rows = []
    for language, names in people.items():
        if len(names) < 2:
            continue
        responses, runs, columns = stack_responses(prince, names, cache=cache)
        each = noise_ceiling(responses, runs, keep="each")
        for group, chosen in group_members(columns).items():
            values = np.nanmean(each[:, chosen], axis=1)
            rows += [(language, name, group, value) for name, value in zip(names, values, strict=True)]
    return pd.DataFrame(rows, columns=["language", "participant", "group", "value"])


def by_participant(scores: pd.DataFrame) -> pd.DataFrame:
    """One score a participant: the mean over runs by Fisher's z. The columns but `run`; `value` is Pearson r."""
    keys = [name for name in KEY if name != "run"]
    return scores.groupby(keys, sort=False).value.agg(lambda r: float(fisher_mean(r.to_numpy(), axis=0))).reset_index()


def differences(people: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> pd.DataFrame:
    """first - second within each participant: language, participant, group, value.

    `first` and `second` name a condition, as {"model": "gpt2", "alignment": "VLA"}; whoever lacks one is left out.
    """
    keys = ["language", "participant", "group"]
    one, two = (_chosen(people, condition).set_index(keys).value for condition in (first, second))
    both = pd.concat([one, two], axis=1, keys=["first", "second"], join="inner")
    if both.empty:
        raise ConfigurationError(f"no participant has both {first} and {second}")
    return (both["first"] - both["second"]).rename("value").reset_index()


def _chosen(table: pd.DataFrame, condition: dict[str, str]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[key] == value for key, value in condition.items()])]


def with_all(table: pd.DataFrame) -> pd.DataFrame:
    """The rows once more under the language "all", when there are several languages."""
    if table.language.nunique() < 2:
        return table
    return pd.concat([table, table.assign(language=ALL)], ignore_index=True)


def over_participants(
    table: pd.DataFrame, by: Sequence[str] = ("language", "group"), level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Mean and spread over participants for each set of rows, with Student's interval and two tests of a mean of 0.

    Parameters
    ----------
    table : one row a participant in each set; column value. by : the columns that make the sets.

    Returns
    -------
    DataFrame: by, n, value (mean), spread (standard deviation), lower, upper, p (Student's t, two-sided), p_flip (sign
    flips, two-sided: exact up to 14 participants, so that n people give 2 / 2^n at the least), q (p, corrected for the
    share of false discoveries among all rows). A set of one participant has a mean and nothing else.
    """
    rows = []
    for key, part in table.groupby(list(by), sort=False):
        values = part.value.dropna().to_numpy(float)
        n, mean = len(values), values.mean()
        row = dict(zip(by, key, strict=True)) | {"n": n, "value": mean}
        if n > 1:
            spread = values.std(ddof=1)
            half = stats.t.ppf((1 + level) / 2, n - 1) * spread / np.sqrt(n)
            row |= {"spread": spread, "lower": mean - half, "upper": mean + half}
            row |= {"p": stats.ttest_1samp(values, 0).pvalue, "p_flip": sign_flip(values, seed=seed)}
        rows.append(row)
    found = pd.DataFrame(rows, columns=[*by, "n", "value", "spread", "lower", "upper", "p", "p_flip"])
    return found.assign(q=fdr(found.p.to_numpy(float)))


def sign_flip(values: np.ndarray, n_flips: int = 20_000, seed: int = 0) -> float:
    """Two-sided p of a mean of 0, if each participant's difference could as well have had the other sign.

    All patterns of signs are tried up to 14 participants, `n_flips` random ones beyond. It assumes that differences are
    symmetric around 0 under the null, not that they are normal.
    """
    values = np.asarray(values, float)
    n = len(values)
    seen = abs(values.sum()) * (1 - 1e-12)
    if n <= FEW:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float(np.mean(np.abs(signs @ values) >= seen))
    signs = np.random.default_rng(seed).choice((1.0, -1.0), size=(n_flips, n))
    return float((1 + np.sum(np.abs(signs @ values) >= seen)) / (1 + n_flips))


def mixed_difference(
    scores: pd.DataFrame, first: dict[str, str], second: dict[str, str], level: float = 0.95
) -> pd.DataFrame:
    """first - second by a mixed model: participants and sections both drawn at random; one row a group.

    The differences of Fisher's z of each run, z ~ language + (1 | participant) + (1 | section of a language), by REML
    (statsmodels). Languages weigh alike. All who hear a story hear the same sections, so a section that suits one model
    suits it in every listener: an interval over participants alone does not know this.

    Returns
    -------
    DataFrame: group, n (participants), value, lower, upper, p, sd_participant, sd_section, sd_rest, converged. The
    interval is Student's with as many degrees of freedom as the rarer of participants and sections leaves beside the
    languages: on the wide side. Scores of a participant's runs are trained on each other's scans, so that sd_rest is a
    little too small; the interval is wide for the first reason and narrow for the second.
    """
    keys = ["language", "participant", "run", "group"]
    one, two = (_chosen(scores, condition).set_index(keys).value for condition in (first, second))
    table = (np.arctanh(one) - np.arctanh(two)).dropna().rename("z").reset_index()
    if table.empty:
        raise ConfigurationError(f"no participant has both {first} and {second}")
    rows = [
        {"group": group, **_mixed(part.reset_index(drop=True), level)}
        for group, part in table.groupby("group", sort=False)
    ]
    return pd.DataFrame(rows)


def _mixed(part: pd.DataFrame, level: float) -> dict:
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    languages = sorted(part.language.unique())
    levels = {
        "participant": part.language + " " + part.participant,
        "section": part.language + " " + part.run.astype(str),
    }
    # deviation coding: the first coefficient is the mean of the languages' means
    fixed = [np.ones(len(part))] + [
        (part.language == code).to_numpy(float) - (part.language == languages[-1]).to_numpy(float)
        for code in languages[:-1]
    ]
    designs = {name: pd.get_dummies(values, dtype=float) for name, values in levels.items()}
    spec = VCSpec(
        list(designs), [[list(it.columns)] for it in designs.values()], [[it.to_numpy()] for it in designs.values()]
    )
    model = MixedLM(part.z.to_numpy(), np.column_stack(fixed), groups=np.ones(len(part)), exog_vc=spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a spread at its limit of 0 is no failure; `converged` tells of one
        fit = model.fit(reml=True, method=["lbfgs", "powell", "nm"])  # the last two follow a spread down to 0
    value, error = float(fit.fe_params[0]), float(fit.bse_fe[0])
    free = max(min(it.shape[1] for it in designs.values()) - len(languages), 1)
    half = stats.t.ppf((1 + level) / 2, free) * error
    spreads = dict(zip(designs, np.sqrt(np.maximum(fit.vcomp, 0)), strict=True))
    return {
        "n": designs["participant"].shape[1],
        "value": value,
        "lower": value - half,
        "upper": value + half,
        "p": float(2 * stats.t.sf(abs(value) / error, free)),
        "sd_participant": float(spreads["participant"]),
        "sd_section": float(spreads["section"]),
        "sd_rest": float(np.sqrt(fit.scale)),
        "converged": bool(fit.converged),
    }


def winners(people: pd.DataFrame, level: float = 0.95, n_draws: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Which model is best for how many participants, by group.

    Parameters
    ----------
    people : one row a participant, group and model (of one alignment); every participant has every model.

    Returns
    -------
    DataFrame: group, model, n (for how many it is best), share, lower, upper (Clopper & Pearson), chance (1 / models),
    p (one for each group: how often the most frequent winner would win as often as it did if, for everybody alike and
    for each by himself, every model were as likely the best; drawn `n_draws` times).
    """
    from statsmodels.stats.proportion import proportion_confint

    rng = np.random.default_rng(seed)
    rows = []
    for group, part in people.groupby("group", sort=False):
        wide = _wide(part)
        counts = wide.idxmax(axis=1).value_counts().reindex(wide.columns, fill_value=0)
        n, chance = len(wide), 1 / wide.shape[1]
        drawn = rng.multinomial(n, np.full(wide.shape[1], chance), size=n_draws).max(axis=1)
        p = (1 + np.sum(drawn >= counts.max())) / (1 + n_draws)
        for model, count in counts.items():
            lower, upper = proportion_confint(count, n, alpha=1 - level, method="beta")
            rows.append((group, model, int(count), count / n, lower, upper, chance, p))
    return pd.DataFrame(rows, columns=["group", "model", "n", "share", "lower", "upper", "chance", "p"])


def winner_repeats(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """For how many participants the best model on odd sections is the best on even sections, too.

    Returns a DataFrame: group, n (participants), same, share, lower, upper, chance (1 / models). If a winner is no more
    than luck, the two halves agree as often as chance lets them.
    """
    from statsmodels.stats.proportion import proportion_confint

    halves = [by_participant(scores[scores.run % 2 == half]) for half in (1, 0)]
    rows = []
    for group in dict.fromkeys(scores.group):
        odd, even = (_wide(half[half.group == group]) for half in halves)
        best = odd.idxmax(axis=1)
        same, n = int((best == even.idxmax(axis=1).reindex(best.index)).sum()), len(best)
        lower, upper = proportion_confint(same, n, alpha=1 - level, method="beta")
        rows.append((group, n, same, same / n, lower, upper, 1 / odd.shape[1]))
    return pd.DataFrame(rows, columns=["group", "n", "same", "share", "lower", "upper", "chance"])


def _wide(part: pd.DataFrame) -> pd.DataFrame:
    """Scores [participants, models]; ConfigurationError if one is there twice or not at all."""
    if part.duplicated(["language", "participant", "model"]).any():
        raise ConfigurationError("a participant has several scores of one model: choose one alignment first")
    wide = part.pivot(index=["language", "participant"], columns="model", values="value")[
        list(dict.fromkeys(part.model))
    ]
    if wide.isna().any(axis=None):
        language, name = wide.index[wide.isna().any(axis=1)][0]
        lacking = ", ".join(wide.columns[wide.loc[(language, name)].isna()])
        raise ConfigurationError(f"{name} ({language}) has no score of {lacking}: compare models that all have")
    return wide


def pooled_spread(gain: pd.DataFrame) -> tuple[pd.Series, int]:
    """The spread of differences between the participants of one language, over all languages together.

    Returns the standard deviation by group, and the number of participants of one language that would tell it as surely
    (its degrees of freedom and one). ConfigurationError when no language has two participants.
    """
    free = gain.participant.nunique() - gain.language.nunique()
    if free < 1:
        raise ConfigurationError("a spread between people needs two participants of a language: raise `participants`")
    own = gain.value - gain.groupby(["language", "group"]).value.transform("mean")
    return np.sqrt((own**2).groupby(gain.group, sort=False).sum() / free), free + 1


def spread_interval(spread: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a standard deviation that n participants gave, for normal differences (chi-square)."""
    lower, upper = stats.chi2.ppf(((1 + level) / 2, (1 - level) / 2), n - 1)
    return float(spread * np.sqrt((n - 1) / lower)), float(spread * np.sqrt((n - 1) / upper))


def half_widths(spread: float, n: int, sizes: Sequence[int], level: float = 0.95) -> pd.DataFrame:
    """Half the width of Student's interval for groups of other sizes, from the spread that n participants gave.

    Returns a DataFrame: n, value, lower, upper (for the ends of the spread's own interval).
    """
    sizes = np.asarray(sizes)
    factor = stats.t.ppf((1 + level) / 2, sizes - 1) / np.sqrt(sizes)
    low, high = spread_interval(spread, n, level)
    return pd.DataFrame({"n": sizes, "value": factor * spread, "lower": factor * low, "upper": factor * high})


def people_needed(difference: float, spread: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """The fewest participants with whom a paired t-test finds a true mean `difference` as often as `power` says.

    Parameters
    ----------
    difference, spread : mean and standard deviation of the differences, in one unit.
    power, alpha : share of studies that find it; level of the two-sided test.
    """
    if not (difference and spread > 0 and alpha < power < 1):
        raise ValueError("people_needed wants a difference other than 0, a spread above 0, and alpha < power < 1")
    effect = abs(difference) / spread

    def found(n: int) -> float:
        limit, shift = stats.t.ppf(1 - alpha / 2, n - 1), effect * np.sqrt(n)
        return stats.nct.sf(limit, n - 1, shift)  # that it is found with the wrong sign does not count

    many = 2
    while found(many) < power:
        many *= 2
    few = max(many // 2, 1)  # too few, unless 2 are enough
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if found(middle) >= power else (middle, many)
    return many


def plan(spread: float, n: int, wanted: Sequence[float], power: float = 0.8) -> pd.DataFrame:
    """How many people each difference in r takes, from the spread that n participants gave.

    Returns a DataFrame: difference, people, fewest, most (for the ends of the spread's own 95% interval).
    """
    low, high = spread_interval(spread, n)
    rows = [(it, *(people_needed(it, sd, power) for sd in (spread, low, high))) for it in wanted]
    return pd.DataFrame(rows, columns=["difference", "people", "fewest", "most"])
