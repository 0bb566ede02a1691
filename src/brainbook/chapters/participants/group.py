"""Group results: what holds over participants, how sure it is, and how many people it takes to see it.

Tables of scores are tidy: language, participant, run (the section, 1..9), group (of regions), model, alignment, value
(Pearson r). They are gathered from the results of other runs (`gather_scores`) or computed (`compute_scores`).

Intervals over participants speak of people like these who hear THIS story. Nothing here speaks of other stories; see
`brainbook.chapters.participants.mixed_model`, which takes the sections as drawn at random as well.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.shared import (
    TRIM,
    align,
    group_masks,
    score_participants,
    speech_or_silence,
    stack_responses,
    story_states,
    word_count,
)
from brainbook.datasets import LittlePrince
from brainbook.encoding import fisher_mean, leave_one_run_out
from brainbook.encoding.splits import used_scans
from brainbook.errors import ConfigurationError
from brainbook.phantom import Truth
from brainbook.stats import fdr, largest_r, noise_ceiling, perfect_r
from brainbook.workflow import ROOT, results

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
    """The same table without any other run: every model under every alignment, and under VLA the word count and the one
    bit of whether there is speech.

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
        members = group_masks(columns)
        features = {
            ("word count", "VLA"): word_count(prince, language),
            ("speech or silence", "VLA"): speech_or_silence(prince, language),
        }
        for model in models:
            states = story_states(prince, language, model, context=context, cache=cache, device=device, stride=stride)
            states = states if layers is None else states[list(layers)]
            features |= {(model, name): align(prince, language, states, name) for name in alignments}
        for (model, alignment), values in features.items():
            found = score_participants(values, responses, names, columns, device=device, cache=cache)
            parts.append(found.table(members).assign(language=language, model=model, alignment=alignment))
    return pd.concat(parts, ignore_index=True)[[*KEY, "value"]]


def shared_responses(
    prince: LittlePrince, people: dict[str, list[str]], cache: str | None = "cache", trim: int = TRIM
) -> pd.DataFrame:
    """How much participants share: each one's correlation with the mean of the others (inter-subject), by group.

    It is no bound on a model's r; `perfect_models` makes one of it. `trim` : scans at each edge of every section that
    are left out, as they are of the scores.

    Returns a DataFrame: language, participant, group, value. A language with one participant has none.
    """
    rows = []
    for language, names in people.items():
        if len(names) < 2:
            continue
        responses, runs, columns = stack_responses(prince, names, cache=cache)
        inner = used_scans(leave_one_run_out(runs, trim))
        each = noise_ceiling(responses[:, inner], runs[inner], keep="each")
        for group, chosen in group_masks(columns).items():
            values = np.nanmean(each[:, chosen], axis=1)
            rows += [(language, name, group, value) for name, value in zip(names, values, strict=True)]
    return pd.DataFrame(rows, columns=["language", "participant", "group", "value"])


def perfect_models(shared: pd.DataFrame) -> pd.DataFrame:
    """What a perfect model of what participants share would reach in one of them (`perfect_r`), by language and group.

    Parameters
    ----------
    shared : from `shared_responses`.

    Returns
    -------
    DataFrame: language, group, n (participants), intersubject (their mean), value (the perfect model's r). Of a group
    of regions it is the root of a mean square: where regions differ it lies above the mean over them.
    """
    table = shared.groupby(["language", "group"], sort=False).value.agg(["size", "mean"]).reset_index()
    table.columns = ["language", "group", "n", "intersubject"]
    return table.assign(value=[perfect_r(row.intersubject, row.n) for row in table.itertuples()])


def true_ceilings(truth: Truth, people: dict[str, list[str]], columns: pd.DataFrame) -> pd.DataFrame:
    """A phantom's own ceilings of the same participants: language, group, shared, all (root mean squares over regions).

    `shared` is what a perfect model of the common response reaches, as `perfect_models` estimates it; `all` what a
    model of each participant's own response to the story reaches beside.
    """
    rows = []
    for language, names in people.items():
        known = truth.ceilings[truth.ceilings.participant.isin(names)]
        known = known.groupby(["region", "hemisphere"])[["share", "ceiling"]].agg(lambda it: (it**2).mean() ** 0.5)
        known = columns[["region", "hemisphere"]].join(known, on=["region", "hemisphere"])
        for group, chosen in group_masks(columns).items():
            own = known[chosen]
            rows.append((language, group, own.share.mean() ** 0.5, (own.ceiling**2).mean() ** 0.5))
    return pd.DataFrame(rows, columns=["language", "group", "shared", "all"])


def read_ceilings(scores: pd.DataFrame, shared: pd.DataFrame, perfect: pd.DataFrame) -> str:
    """Do scores lie above what participants share, and what does that mean? In words.

    scores, shared : language, participant, group, value. perfect : from `perfect_models`.
    """
    both = scores.merge(shared, on=["language", "participant", "group"], suffixes=("", "_shared"))
    above = int((both.value > both.value_shared).sum())
    limits = scores.groupby(["language", "group"], as_index=False).value.mean().merge(
        perfect[["language", "group", "value"]], on=["language", "group"], suffixes=("", "_perfect")
    )  # fmt: skip
    over = limits[limits.value > limits.value_perfect]
    known = largest_r(0.25, 2 / 35)
    usual = known**2 * np.sqrt(34 / (1 + 33 * known**2))
    text = (
        f"{above} of {len(both)} dots lie above their own inter-subject correlation. That alone is no reason to look "
        "for a mistake, for the mean of the others is noisy, too: where 35 participants are so alike that the averages "
        f"of two halves correlate at 0.25, the inter-subject correlation is {usual:.3f} and a perfect model reaches "
        f"{known:.3f}. "
    )
    if over.empty:
        return text + "No mean over participants lies above the estimate for a perfect model."
    return text + (
        "Above the estimate for a perfect model lie the means of "
        + ", ".join(
            f"{row.language} {row.group} ({row.value:.3f} > {row.value_perfect:.3f})" for row in over.itertuples()
        )
        + ": look for a leak first, then for responses that are a participant's own."
    )


def by_participant(scores: pd.DataFrame) -> pd.DataFrame:
    """One score a participant: the mean over runs by Fisher's z. The columns but `run`; `value` is Pearson r."""
    keys = [name for name in KEY if name != "run"]
    return scores.groupby(keys, sort=False).value.agg(lambda r: float(fisher_mean(r.to_numpy(), axis=0))).reset_index()


def differences(people: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> pd.DataFrame:
    """first - second within each participant: language, participant, group, value.

    `first` and `second` name a condition, as {"model": "gpt2", "alignment": "VLA"}; whoever lacks one is left out.
    """
    keys = ["language", "participant", "group"]
    one, two = (chosen_rows(people, condition).set_index(keys).value for condition in (first, second))
    both = pd.concat([one, two], axis=1, keys=["first", "second"], join="inner")
    if both.empty:
        raise ConfigurationError(f"no participant has both {first} and {second}")
    return (both["first"] - both["second"]).rename("value").reset_index()


def chosen_rows(table: pd.DataFrame, condition: dict[str, str]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[key] == value for key, value in condition.items()])]


def with_all(table: pd.DataFrame) -> pd.DataFrame:
    """The rows once more under the language "all", when there are several languages."""
    if table.language.nunique() < 2:
        return table
    return pd.concat([table, table.assign(language=ALL)], ignore_index=True)


def mean_interval(
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
