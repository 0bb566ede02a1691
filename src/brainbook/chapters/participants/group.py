"""Group results: what holds over participants, how sure it is, and how many participants it takes to see it.

Tables of scores are tidy: language, participant, run (the section, 1..9), group (of regions), model, alignment, value
(Pearson r). They are gathered from the results of other runs (`gather_scores`) or computed (`compute_scores`).

Intervals over participants speak of people like these who hear THIS story. Nothing here speaks of other stories; see
`brainbook.chapters.participants.mixed_model`, which takes the sections as drawn at random as well.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.shared import (
    ALIGNMENTS,
    EDGE,
    align,
    group_masks,
    rows_with,
    score_participants,
    speech_or_silence,
    stack_responses,
    story_states,
    word_count,
)
from brainbook.datasets import Dataset
from brainbook.errors import ConfigurationError
from brainbook.phantom import Truth
from brainbook.stats import fdr, fisher_mean, mean_interval, noise_ceiling, perfect_r, sign_flip_test
from brainbook.workflow import ROOT, results

ALL = "all"  # the languages together
KEY = ["language", "participant", "run", "group", "model", "alignment"]
TOLERANCE = 1e-3  # r that two devices may differ by


def gather_scores(study: str, table: str = "scores_by_group", root: str | Path = ROOT) -> pd.DataFrame:
    """Gather the scores of all runs of a study that saved such a table, each score once.

    A control that several runs computed (the word count, say) is taken once. Raises ConfigurationError when there are
    no scores, when a column is missing, and when two runs say different things (by more than 0.001) of the same
    participant, run, group, model and alignment: their parameters differ, gather them from a study of their own.
    """
    scores = results(study, table, root).drop(columns="run").rename(columns={"run_in_table": "run"})  # of the scanner
    if missing := [name for name in [*KEY, "value"] if name not in scores]:
        raise ConfigurationError(f"table {table!r} of study {study!r} lacks the columns {', '.join(missing)}")
    return unique_rows(scores[[*KEY, "value"]], KEY, "value", f"study {study!r}, table {table!r}")


def unique_rows(table: pd.DataFrame, key: list[str], value: str, source: str) -> pd.DataFrame:
    """Return each row of `key` once; ConfigurationError where runs disagree about its `value` by more than 0.001."""
    ends = table.groupby(key, sort=False)[value].agg(["min", "max"])
    if (differ := ends["max"] - ends["min"] > TOLERANCE).any():
        row = ends[differ].reset_index().iloc[0]
        raise ConfigurationError(
            f"{source}: runs disagree about {', '.join(f'{name} {row[name]}' for name in key)}: they had other "
            "parameters (context, layers?); give each setting a study of its own"
        )
    return table.drop_duplicates(key, ignore_index=True)


def compute_scores(
    dataset: Dataset,
    participants: Mapping[str, list[str]],
    models: Sequence[str],
    layers: Sequence[int] | None = None,
    context: int = 64,
    device: str = "auto",
    cache: str | None = "cache",
    stride: int | None = None,
) -> pd.DataFrame:
    """Compute the same table without any other run: every model under every alignment, and two controls under VLA.

    The controls are the word count, and the one bit of whether there is speech.

    Parameters
    ----------
    participants : names by language.
    layers : the layers among which each region's training runs choose; None for all.
    cache : folder in which responses, states and scores are cached.
    context, stride : of `story_states`.
    """
    parts = []
    for language, names in participants.items():
        responses, _, columns = stack_responses(dataset, names, cache=cache)
        features = {
            ("word count", "VLA"): word_count(dataset, language),
            ("speech or silence", "VLA"): speech_or_silence(dataset, language),
        }
        for model in models:
            states = story_states(dataset, language, model, context=context, cache=cache, device=device, stride=stride)
            states = states if layers is None else states[list(layers)]
            features |= {(model, name): align(dataset, language, states, name) for name in ALIGNMENTS}
        for (model, alignment), values in features.items():
            scores = score_participants(values, responses, names, columns, device, cache, dataset=dataset)
            table = scores.table(group_masks(columns))
            parts.append(table.assign(language=language, model=model, alignment=alignment))
    return pd.concat(parts, ignore_index=True)[[*KEY, "value"]]


def intersubject_correlations(
    dataset: Dataset, participants: Mapping[str, list[str]], cache: str | None = "cache"
) -> pd.DataFrame:
    """Correlate each participant with the mean of the others, by group of regions.

    It is no bound on a model's r; `perfect_models` makes one of it. The scans at the edges of
    sections are left out, as they are of the scores.

    Returns a DataFrame: language, participant, group, value. A language with one participant has none.
    """
    from brainbook.encoding import leave_one_run_out, used_scans  # with scikit-learn, which takes a second

    rows = []
    for language, names in participants.items():
        if len(names) < 2:
            continue
        responses, runs, columns = stack_responses(dataset, names, cache=cache)
        inner = used_scans(leave_one_run_out(runs, round(EDGE / dataset.tr)))
        each = noise_ceiling(responses[:, inner], runs[inner], keep="each")
        for group, mask in group_masks(columns).items():
            values = np.nanmean(each[:, mask], axis=1)
            rows += [(language, name, group, value) for name, value in zip(names, values, strict=True)]
    return pd.DataFrame(rows, columns=["language", "participant", "group", "value"])


def perfect_models(intersubject: pd.DataFrame) -> pd.DataFrame:
    """Compute what a perfect model of what participants share would reach in one of them, by language and group.

    Parameters
    ----------
    intersubject : from `intersubject_correlations`.

    Returns
    -------
    DataFrame: language, group, n (participants), intersubject (their mean), value (the perfect model's r). Of a group
    of regions it is the root of a mean square: where regions differ it lies above the mean over them.
    """
    table = intersubject.groupby(["language", "group"], sort=False).value.agg(n="size", intersubject="mean")
    value = [perfect_r(row.intersubject, row.n) for row in table.itertuples()]
    return table.assign(value=value).reset_index()


def true_shared_ceilings(truth: Truth, participants: Mapping[str, list[str]], columns: pd.DataFrame) -> pd.DataFrame:
    """Return a phantom's own ceilings of the same participants: root mean squares over regions.

    Columns: language, group, shared (what a perfect model of the common response reaches, as `perfect_models` estimates
    it), all (what a model of each participant's own response to the story reaches beside).
    """
    rows = []
    for language, names in participants.items():
        known = truth.ceilings[truth.ceilings.participant.isin(names)].set_index(["region", "hemisphere"])
        squares = (known[["share", "ceiling"]] ** 2).groupby(level=[0, 1]).mean()
        squares = columns[["region", "hemisphere"]].join(squares, on=["region", "hemisphere"])
        for group, mask in group_masks(columns).items():
            share = np.sqrt(squares.share[mask]).mean()
            rows.append((language, group, share**0.5, squares.ceiling[mask].mean() ** 0.5))
    return pd.DataFrame(rows, columns=["language", "group", "shared", "all"])


def mean_over_runs(scores: pd.DataFrame) -> pd.DataFrame:
    """Average over runs by Fisher's z: one score per participant. The columns but `run`; `value` is Pearson r."""
    keys = [name for name in KEY if name != "run"]
    return scores.groupby(keys, sort=False).value.agg(lambda r: float(fisher_mean(r.to_numpy(), axis=0))).reset_index()


def paired_differences(scores: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> pd.DataFrame:
    """Compute first - second within each participant: language, participant, group, value.

    `first` and `second` name a condition, as {"model": "gpt2", "alignment": "VLA"}; a participant without one of them
    is left out.
    """
    keys = ["language", "participant", "group"]
    sides = [rows_with(scores, condition).set_index(keys).value for condition in (first, second)]
    both = pd.concat(sides, axis=1, keys=["first", "second"], join="inner")
    if both.empty:
        raise ConfigurationError(f"no participant has both {first} and {second}")
    return (both["first"] - both["second"]).rename("value").reset_index()


def with_all(table: pd.DataFrame) -> pd.DataFrame:
    """Add the rows once more under the language "all", when there are several languages."""
    if table.language.nunique() < 2:
        return table
    return pd.concat([table, table.assign(language=ALL)], ignore_index=True)


def group_intervals(table: pd.DataFrame, by: Sequence[str] = ("language", "group"), seed: int = 0) -> pd.DataFrame:
    """Compute mean and spread over participants for each set of rows, with Student's interval and two tests of 0.

    Parameters
    ----------
    table : one row per participant in each set; column value. by : the columns that make the sets.

    Returns
    -------
    DataFrame: by, n, value (mean), spread (standard deviation), lower, upper, p (Student's t, two-sided), p_flip
    (`sign_flip_test`, two-sided: n participants give 2 / 2^n at the least), q (p, corrected for the share of false
    discoveries among all rows). A set of one participant has a mean and nothing else.
    """
    rows = []
    for key, part in table.groupby(list(by), sort=False):
        values = part.value.dropna().to_numpy(float)
        row = dict(zip(by, key, strict=True)) | {"n": len(values), "value": values.mean()}
        if len(values) > 1:
            interval = mean_interval(values)
            row |= {"spread": values.std(ddof=1), "lower": interval.lower, "upper": interval.upper, "p": interval.p}
            row["p_flip"] = float(sign_flip_test(values, seed=seed))
        rows.append(row)
    means = pd.DataFrame(rows, columns=[*by, "n", "value", "spread", "lower", "upper", "p", "p_flip"])
    return means.assign(q=fdr(means.p.to_numpy(float)))


def winners(scores: pd.DataFrame, n_draws: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Count for how many participants each model is the best, by group.

    Parameters
    ----------
    scores : one row per participant, group and model (of one alignment); every participant has every model.

    Returns
    -------
    DataFrame: group, model, n (for how many it is best), share, lower, upper (Clopper & Pearson), chance (1 / models),
    p (one for each group: how often the most frequent winner would win as often as it did if, for everybody alike and
    for each by himself, every model were as likely the best; drawn `n_draws` times).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for group, part in scores.groupby("group", sort=False):
        wide = _by_model(part)
        counts = wide.idxmax(axis=1).value_counts().reindex(wide.columns, fill_value=0)
        n, n_models = wide.shape
        drawn = rng.multinomial(n, np.full(n_models, 1 / n_models), size=n_draws).max(axis=1)
        p = (1 + np.sum(drawn >= counts.max())) / (1 + n_draws)
        for model, count in counts.items():
            rows.append({"group": group, "model": model, **_share(count, n, n_models), "p": p})
    return pd.DataFrame(rows).drop(columns="of")


def winner_repeats(scores: pd.DataFrame) -> pd.DataFrame:
    """Count for how many participants the best model on odd sections is the best on even sections, too.

    Returns a DataFrame: group, of (participants), n (for how many), share, lower, upper, chance (1 / models). If a
    winner is no more than luck, the two halves agree as often as chance lets them.
    """
    rows = []
    for group, part in scores.groupby("group", sort=False):
        odd, even = (_by_model(mean_over_runs(part[part.run % 2 == half])) for half in (1, 0))
        best = odd.idxmax(axis=1)
        same = (best == even.idxmax(axis=1).reindex(best.index)).sum()
        rows.append({"group": group, **_share(same, *odd.shape)})
    return pd.DataFrame(rows)


def _share(count: int, n: int, n_models: int) -> dict[str, float]:
    interval = stats.binomtest(int(count), n).proportion_ci(method="exact")
    ends = {"lower": interval.low, "upper": interval.high}
    return {"of": n, "n": int(count), "share": count / n, **ends, "chance": 1 / n_models}


def _by_model(part: pd.DataFrame) -> pd.DataFrame:
    """Scores [participants, models]; ConfigurationError if one is there twice or not at all."""
    if part.duplicated(["language", "participant", "model"]).any():
        raise ConfigurationError("a participant has several scores of one model: choose one alignment first")
    wide = part.pivot(index=["language", "participant"], columns="model", values="value")[pd.unique(part.model)]
    if wide.isna().any(axis=None):
        language, name = wide.index[wide.isna().any(axis=1)][0]
        missing = ", ".join(wide.columns[wide.loc[(language, name)].isna()])
        raise ConfigurationError(f"{name} ({language}) has no score of {missing}: compare models that all have")
    return wide


def pooled_spread(gain: pd.DataFrame) -> tuple[pd.Series, int]:
    """Compute the spread of differences between the participants of one language, over all languages together.

    Returns the standard deviation by group, and the number of participants of one language that would give it as surely
    (its degrees of freedom and one). ConfigurationError when no language has two participants.
    """
    free = gain.participant.nunique() - gain.language.nunique()
    if free < 1:
        raise ConfigurationError("a spread needs two participants of a language: raise the parameter `participants`")
    own = gain.value - gain.groupby(["language", "group"]).value.transform("mean")
    return np.sqrt((own**2).groupby(gain.group, sort=False).sum() / free), free + 1


def spread_interval(spread: float, n: int) -> tuple[float, float]:
    """Compute the 95% interval of a standard deviation that n participants gave (chi-square: normal differences)."""
    lower, upper = stats.chi2.ppf((0.975, 0.025), n - 1)
    return float(spread * np.sqrt((n - 1) / lower)), float(spread * np.sqrt((n - 1) / upper))


def half_widths(spread: float, n: int, sizes: Any) -> pd.DataFrame:
    """Compute half the width of Student's 95% interval for groups of other sizes, from the spread of n participants.

    Returns a DataFrame: n, value, lower, upper (for the ends of the spread's own interval).
    """
    sizes = np.asarray(sizes)
    factor = stats.t.ppf(0.975, sizes - 1) / np.sqrt(sizes)
    low, high = spread_interval(spread, n)
    return pd.DataFrame({"n": sizes, "value": factor * spread, "lower": factor * low, "upper": factor * high})


def participants_needed(difference: float, spread: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return with how many participants a paired t-test finds a true mean `difference` as often as `power` says.

    `spread` : standard deviation of the differences, in the same unit. The test is two-sided at the level `alpha`.
    Three at the least: where the difference is above five spreads, statsmodels finds no solution.
    """
    from statsmodels.stats.power import tt_solve_power

    effect = min(abs(difference) / spread, 5.0)
    return int(np.ceil(tt_solve_power(effect_size=effect, alpha=alpha, power=power)))


def plan(spread: float, n: int, wanted: Sequence[float], power: float = 0.8) -> pd.DataFrame:
    """Compute how many participants each difference in r takes, from the spread that n participants gave.

    Returns a DataFrame: difference, participants, fewest, most (for the ends of the spread's own 95% interval).
    """
    spreads = (spread, *spread_interval(spread, n))
    rows = [(difference, *(participants_needed(difference, sd, power) for sd in spreads)) for difference in wanted]
    return pd.DataFrame(rows, columns=["difference", "participants", "fewest", "most"])
