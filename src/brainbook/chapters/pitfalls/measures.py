"""How an encoding score fools its makers: what each of the `PROTOCOLS` costs, where the truth is known."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats

from brainbook.chapters.pitfalls.protocols import (
    ALPHAS,
    N_VERTICES,
    PROTOCOLS,
    EncodingData,
    ProtocolResult,
    applicable,
    quiet,
    reference_protocol,
)
from brainbook.encoding import (
    CrossValidation,
    Permutations,
    PermutationScores,
    cross_validate,
    delay,
    permutation_scores,
)
from brainbook.encoding.splits import FEWEST, fold_weights, used_scans
from brainbook.stats import correlation, fdr, fisher_mean, mean_interval, run_interval

LEVEL = 0.05
_OF_TARGETS = ("responses", "unfiltered", "echoes", "raw_echoes")


def with_shifted_copies(data: EncodingData, copies: int, seed: int = 0, original: bool = True) -> EncodingData:
    """Add copies of all targets that are moved in a circle within each run, as further targets.

    Whatever a response followed, a shifted copy follows it no more: each copy is another recording with no effect in
    it, of the same noise. All readings of a scan move alike. Without the `original` this is the null that real
    recordings allow: their copies alone.
    """

    def add_copies(values: np.ndarray | None) -> Any:
        if values is None:
            return None
        if values.ndim == 3:
            return np.stack([add_copies(echo) for echo in values])
        shifted = _shifted(values, data.runs, copies, seed)
        return np.concatenate([*([values] if original else []), *shifted], axis=1)

    return replace(data, **{name: add_copies(getattr(data, name)) for name in _OF_TARGETS})


def select_targets(data: EncodingData, targets: slice | np.ndarray) -> EncodingData:
    """Return the data with some of its targets."""
    arrays = {name: getattr(data, name) for name in _OF_TARGETS}
    chosen: Any = {name: None if array is None else array[..., targets] for name, array in arrays.items()}
    return replace(data, **chosen)


def score_protocols(
    data: EncodingData,
    n_permutations: int = 100,
    seed: int = 0,
    n_refitted: int | None = None,
    protocols: Collection[str] = tuple(PROTOCOLS),
) -> pd.DataFrame:
    """Score every protocol that the data allows.

    Parameters
    ----------
    n_permutations : refits for `p_null`; 0 leaves it out.
    seed : of the permutations.
    n_refitted : how many of the first targets are refitted; None for all.
    protocols : names of some of the `PROTOCOLS`.

    Returns
    -------
    DataFrame with one row per protocol and target: choice (the protocol's name), target, r, p_scans (Pearson's
    one-sided p, taking the tested scans for independent; under all published choices with n = vertices), p_null (share
    of refits of the same pipeline on responses shifted within runs that do as well, pooled over targets; NaN where it
    cannot be refitted).
    """
    tables = []
    for name in applicable(data):
        if name not in protocols:
            continue
        result = PROTOCOLS[name].score(data)
        p_null = np.full(len(result.r), np.nan)
        if n_permutations and result.pipeline is not None:
            p_null[:n_refitted] = quiet(_refit, data, result, n_permutations, seed, n_refitted).p(pooled=True)
        table = {"choice": name, "target": np.arange(len(result.r)), "r": result.r}
        tables.append(pd.DataFrame({**table, "p_scans": pearson_p(result.r, result.n), "p_null": p_null}))
    return pd.concat(tables, ignore_index=True)


def null_inflation(table: pd.DataFrame, n_targets: int) -> pd.DataFrame:
    """Compute how far each protocol moves the mean r of null recordings away from that of the reference protocol.

    Parameters
    ----------
    table : from `score_protocols` of data `with_shifted_copies`.
    n_targets : targets of one copy.

    Returns
    -------
    DataFrame: choice, inflation (mean over copies of the difference of their mean r), lower, upper (95% t-interval over
    copies, paired; zero for the reference protocol itself).
    """
    means = table.groupby(["choice", table.target // n_targets], sort=False).r.mean().unstack()  # choices, copies
    interval = mean_interval((means - means.loc["reference"]).to_numpy().T)
    columns = {"inflation": interval.estimate, "lower": interval.lower, "upper": interval.upper}
    return pd.DataFrame({"choice": means.index, **{name: np.nan_to_num(values) for name, values in columns.items()}})


def classify_protocols(inflation: pd.DataFrame, driven_r: pd.Series, chance: float) -> pd.DataFrame:
    """Say which protocols do harm, which cost power and which do nothing.

    Parameters
    ----------
    inflation : from `null_inflation`.
    driven_r : mean r under each protocol where the responses do follow the features; a protocol that is missing loses
        nothing that is known.
    chance : how far chance moves such a mean.

    Returns
    -------
    DataFrame `inflation` with columns driven_r, loss (what the reference protocol has beyond it) and verdict: "harms"
    when it makes an effect of none (the whole interval above 0), "costs power" when more than chance is lost where
    there is an effect, "does nothing" otherwise: nothing that this study could see.
    """
    table = inflation.assign(driven_r=driven_r.reindex(inflation.choice).to_numpy())
    table["loss"] = driven_r["reference"] - table.driven_r
    table["verdict"] = np.where(table.loss > chance, "costs power", "does nothing")
    table.loc[table.lower > 0, "verdict"] = "harms"
    table.loc[table.choice == "reference", "verdict"] = "what the others are measured from"
    return table


def compare_tests(data: EncodingData, n_permutations: int = 100, seed: int = 0) -> pd.DataFrame:
    """Test the scores of the reference protocol in six ways.

    Returns
    -------
    DataFrame with one row per test and target: test, target, r, p (one-sided).
    """
    result = reference_protocol(data)
    x, responses, splits, delays = result.pipeline
    null = _refit(data, result, n_permutations, seed)
    fixed = cross_validate(x, responses, data.runs, delays, result.alpha, splits=splits, predictions=True)
    corrected, folds = run_interval(fixed.fold_scores), np.arctanh(fixed.fold_scores)
    halved = np.asarray(corrected.p) / 2
    p = {
        "refitted permutations": null.p(),
        "corrected t-test over runs": np.where(corrected.estimate > 0, halved, 1 - halved),
        "t-test over runs": stats.ttest_1samp(folds, 0, alternative="greater").pvalue,
        "permutations of fixed predictions": _fixed_p(fixed, responses, data.runs, n_permutations, seed),
        "Pearson's p, n = scans": pearson_p(null.score, result.n),
        "Pearson's p, n = vertices": pearson_p(null.score, N_VERTICES),
    }
    tables = [pd.DataFrame({"test": k, "target": np.arange(len(v)), "r": null.score, "p": v}) for k, v in p.items()]
    return pd.concat(tables, ignore_index=True)


def spread_of_mean(data: EncodingData, n_permutations: int = 100, seed: int = 0) -> float:
    """Compute how far chance alone moves the reference protocol's mean r over targets: a standard deviation.

    It is taken over refitted permutations: targets share the story and some noise, so their mean scatters far more than
    that of as many independent scores.
    """
    null = _refit(data, reference_protocol(data), n_permutations, seed).null
    return float(np.nanmean(null, axis=1).std(ddof=1))


def score_edges(
    features: Mapping[tuple[str, str], np.ndarray],
    data: EncodingData,
    masks: Mapping[str, np.ndarray],
    trims: Collection[int] = (0, 1, 2, 4, 8, 16),
) -> pd.DataFrame:
    """Score features, as published and as they should be, by how many scans are trimmed at the edges of each run.

    Parameters
    ----------
    features : (name, coding) -> array [scans, units]. Those of the coding "centred" are centred by the training runs
        before they are delayed, so that what lies before a run is their mean; others are delayed as they are, from
        zeros.
    data : responses, runs and delays.
    masks : name of a set of targets -> boolean array [targets].
    trims : scans at each edge that neither train nor test; those that leave too little of a run are left out.

    Returns
    -------
    DataFrame: features, coding, trim, group (of `masks`), r (mean over its targets; NaN where trimming leaves only
    features that never change, such as a bit for silence when no silent scan is left).
    """
    rows = []
    shortest = np.unique(data.runs, return_counts=True)[1].min()
    for trim in (trim for trim in trims if shortest - 2 * trim >= 2 * FEWEST):
        cut = replace(data, trim=trim)
        for (name, coding), x in features.items():
            published = delay(x, data.delays, data.runs)
            design, delays = (x, data.delays) if coding == "centred" else (published, None)
            r = quiet(cross_validate, design, data.responses, data.runs, delays, ALPHAS, splits=cut.folds).scores
            if not np.ptp(published[cut.inner], axis=0).any():
                r[:] = np.nan
            rows += [(name, coding, trim, group, quiet(np.nanmean, r[mask])) for group, mask in masks.items()]
    return pd.DataFrame(rows, columns=["features", "coding", "trim", "group", "r"])


def average_scores(r: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """Average the same scores in three ways: all, those that pass, and all with the others set to zero.

    Parameters
    ----------
    r, p : arrays [targets].

    Returns
    -------
    DataFrame: average, value, targets (how many count). What passes has q <= 0.05 (`fdr`) and r above 0.
    """
    passed = (fdr(p) <= LEVEL) & (r > 0)
    significant = float(r[passed].mean()) if passed.any() else np.nan
    rows = [
        ("of all", float(np.nanmean(r)), len(r)),
        ("of the significant only", significant, int(passed.sum())),
        ("of all, the others set to zero", float(np.where(passed, r, 0).mean()), len(r)),
    ]
    return pd.DataFrame(rows, columns=["average", "value", "targets"])


def pearson_p(r: np.ndarray, n: int) -> np.ndarray:
    """Compute the one-sided p of a correlation over n independent points, array [targets]."""
    r = np.clip(np.asarray(r, float), -0.999999, 0.999999)
    return stats.t.sf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2)


def summarise(table: pd.DataFrame, by: str = "choice") -> pd.DataFrame:
    """Return mean r, and the share of targets called significant at 0.05 by each p column, with and without FDR."""
    rows = []
    for name, part in table.groupby(by, sort=False):
        row = {by: name, "mean_r": part.r.mean()}
        for column in (column for column in table if column == "p" or column.startswith("p_")):
            known = part[column].dropna()
            row[f"share_{column}"] = (known <= LEVEL).mean() if len(known) else np.nan
            row[f"share_{column}_fdr"] = (fdr(known) <= LEVEL).mean() if len(known) else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def _shifted(values: np.ndarray, runs: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `values` [scans, targets] moved in a circle within each run by random times, `count` times."""
    for moved in Permutations(runs, "shift", count, seed).of(torch.as_tensor(np.ascontiguousarray(values))):
        yield moved[:, 0].numpy()


def _refit(
    data: EncodingData, result: ProtocolResult, n_permutations: int, seed: int, n_targets: int | None = None
) -> PermutationScores:
    x, responses, splits, delays = result.pipeline
    responses = responses[..., :n_targets]
    if responses.ndim == 3:
        return _refit_echoes(x, responses, data.runs, result.alpha, splits[0], n_permutations, seed)
    options = {"n_permutations": n_permutations, "seed": seed, "splits": splits, "delays": delays}
    return permutation_scores(x, responses, data.runs, result.alpha, **options)


def _refit_echoes(
    x: np.ndarray,
    echoes: np.ndarray,
    runs: np.ndarray,
    alpha: float,
    split: tuple[np.ndarray, list[np.ndarray]],
    n_permutations: int,
    seed: int,
) -> PermutationScores:
    """Score a pipeline on stacked echoes, and refit it on echoes that are shifted within runs, all three alike."""
    train, tests = split
    n, n_targets = len(x), echoes.shape[-1]
    used = np.unique(np.concatenate([train, *tests]) % n)
    z = x - x[train % n].mean(0)
    rows = z[train % n].astype(float)
    weights = np.linalg.solve(rows.T @ rows + alpha * np.eye(rows.shape[1]), rows.T).astype(np.float32)

    def score(side_by_side: np.ndarray) -> np.ndarray:  # [scans, 3 x targets]
        stacked = np.concatenate(np.split(side_by_side, [n_targets, 2 * n_targets], axis=1))
        fitted = weights @ stacked[train]
        return fisher_mean([correlation(z[test % n].astype(np.float32) @ fitted, stacked[test]) for test in tests])

    # Raw readings are thousands of units beside which their changes are small: centred for the sake of float32.
    together = np.concatenate([echo - echo.mean(0) for echo in echoes], axis=1).astype(np.float32)
    null = []
    for shifted in _shifted(together[used], runs[used], n_permutations, seed):
        moved = together.copy()
        moved[used] = shifted
        null.append(score(moved))
    return PermutationScores(score(together), np.stack(null))


def _fixed_p(
    fixed: CrossValidation, responses: np.ndarray, runs: np.ndarray, n_permutations: int, seed: int
) -> np.ndarray:
    """Compute p by permuting responses against predictions that stay as they were fitted: the careful reader's trap."""
    used, weights = used_scans(fixed.splits), fold_weights(fixed.splits)
    tests = [np.searchsorted(used, test) for _, test in fixed.splits]
    predicted = np.asarray(fixed.predictions)[used]
    reached: Any = sum(
        fisher_mean([correlation(predicted[test], moved[test]) for test in tests], weights=weights) >= fixed.scores
        for moved in _shifted(responses[used], runs[used], n_permutations, seed)
    )
    return (1 + reached) / (1 + n_permutations)
