"""How an encoding score fools its makers: what each of the `choices` costs, where the truth is known."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from scipy import stats

from brainbook.chapters.pitfalls.protocols import ALPHAS, CHOICES, N_VERTICES, Recording, allowed, careful, quiet
from brainbook.encoding.cross_validation import cross_validate
from brainbook.encoding.delays import delay
from brainbook.encoding.nulls import Permutations, fold_correlations
from brainbook.encoding.permutation import PermutationScores, permutation_scores
from brainbook.encoding.splits import FEWEST, fold_weights, used_scans
from brainbook.stats import correlation, fdr, fisher_mean, mean_interval

_OF_TARGETS = ("responses", "unfiltered", "echoes", "raw_echoes")


def with_shifted_copies(data: Recording, copies: int, seed: int = 0, original: bool = True) -> Recording:
    """The recording and, beside it as further targets, copies of it moved in a circle within each run.

    Whatever a response followed, a shifted copy follows it no more: each copy is another recording with nothing in it,
    of the same noise. All readings of a scan move alike. Without the `original` this is the null that real recordings
    allow: their copies alone.
    """

    def beside(values):
        if values is None:
            return None
        if values.ndim == 3:
            return np.stack([beside(echo) for echo in values])
        moved = Permutations(data.runs, "shift", copies, seed).of(torch.as_tensor(values))
        return np.concatenate([*([values] if original else []), *(copy[:, 0].numpy() for copy in moved)], axis=1)

    return replace(data, **{name: beside(getattr(data, name)) for name in _OF_TARGETS})


def measure_choices(
    data: Recording,
    n_permutations: int = 100,
    seed: int = 0,
    refitted: int | None = None,
    choices: Collection[str] | None = None,
) -> pd.DataFrame:
    """Every choice that the recording allows, one at a time.

    Parameters
    ----------
    data : the recording.
    n_permutations : refits for `p_null`; 0 leaves it out.
    seed : of the permutations.
    refitted : how many of the first targets are refitted; None for all.
    choices : names of some of the `CHOICES`; None for all.

    Returns
    -------
    DataFrame with a row for each choice and target: choice, target, r, p_scans (Pearson's one-sided p, taking the
    tested scans for independent; under all published choices with n = vertices), p_null (share of refits of the same
    pipeline on responses shifted within runs that do as well, pooled over targets; NaN where it cannot be refitted).
    """
    tables = []
    for name in allowed(data):
        if choices is not None and name not in choices:
            continue
        found = CHOICES[name](data)
        p_null = np.full(len(found.r), np.nan)
        if n_permutations and found.pipeline is not None:
            x, responses, splits, delays = found.pipeline
            responses = responses[..., :refitted]
            options = {"n_permutations": n_permutations, "seed": seed, "splits": splits, "delays": delays}
            refit = _refit_echoes if responses.ndim == 3 else permutation_scores
            null = refit(x, responses, data.runs, found.alpha, **options)
            p_null[:refitted] = null.p(pooled=True)
        table = {"choice": name, "target": np.arange(len(found.r)), "r": found.r}
        tables.append(pd.DataFrame({**table, "p_scans": pearson_p(found.r, found.n), "p_null": p_null}))
    return pd.concat(tables, ignore_index=True)


def moves(table: pd.DataFrame, n_targets: int, level: float = 0.95) -> pd.DataFrame:
    """How far each choice moves the mean r of recordings with nothing in them, away from the careful protocol.

    Parameters
    ----------
    table : from `measure_choices` of a recording `with_shifted_copies`.
    n_targets : targets of one copy.

    Returns
    -------
    DataFrame: choice, moves (mean over copies of the difference of their mean r), lower, upper (t-interval over copies,
    paired; zero for the careful protocol itself).
    """
    copy = table.target // n_targets
    means = table.groupby(["choice", copy], sort=False).r.mean().unstack()  # choices, copies
    found = mean_interval((means - means.loc["careful"]).to_numpy().T, level)
    columns = {"moves": found.estimate, "lower": found.lower, "upper": found.upper}
    return pd.DataFrame({"choice": means.index, **{name: np.nan_to_num(value) for name, value in columns.items()}})


def judge(of_nothing: pd.DataFrame, of_something: pd.Series, chance: float) -> pd.DataFrame:
    """Which choices do harm, which cost power, which do nothing?

    Parameters
    ----------
    of_nothing : from `moves`.
    of_something : mean r under each choice where the responses do follow the features; a choice that is missing loses
        nothing that is known.
    chance : how far chance moves such a mean.

    Returns
    -------
    DataFrame `of_nothing` with columns something (mean r), loses (what the careful protocol has beyond it) and verdict:
    "harms" when nothing becomes something (the whole interval of `moves` above 0), "costs power" when more than chance
    is lost where something is, "does nothing" otherwise: nothing that this study could see.
    """
    table = of_nothing.copy()
    table["something"] = of_something.reindex(table.choice).to_numpy()
    table["loses"] = of_something["careful"] - table.something
    table["verdict"] = np.where(table.loses > chance, "costs power", "does nothing")
    table.loc[table.lower > 0, "verdict"] = "harms"
    table.loc[table.choice == "careful", "verdict"] = "what the others are measured from"
    return table


def measure_tests(data: Recording, n_permutations: int = 100, seed: int = 0) -> pd.DataFrame:
    """The careful scores, and five ways to call them significant.

    Returns
    -------
    DataFrame with a row for each test and target: test, target, r, p (one-sided).
    """
    found = careful(data)
    x, responses, splits, delays = found.pipeline
    options = {"n_permutations": n_permutations, "seed": seed, "splits": splits, "delays": delays}
    null = permutation_scores(x, responses, data.runs, found.alpha, **options)
    fixed = cross_validate(x, responses, data.runs, delays, found.alpha, splits=splits, predictions=True)
    folds = np.arctanh(fixed.fold_scores)
    n_folds, error = len(folds), folds.std(0, ddof=1)
    widened = error * np.sqrt(1 / n_folds + 1 / (n_folds - 1))
    p = {
        "refitted permutations": null.p(),
        "corrected t-test over runs": stats.t.sf(folds.mean(0) / widened, n_folds - 1),
        "t-test over runs": stats.t.sf(folds.mean(0) / error * np.sqrt(n_folds), n_folds - 1),
        "permutations of fixed predictions": _fixed_p(fixed, responses, data.runs, n_permutations, seed),
        "Pearson's p, n = scans": pearson_p(null.score, found.n),
        "Pearson's p, n = vertices": pearson_p(null.score, N_VERTICES),
    }
    return pd.concat(
        [pd.DataFrame({"test": k, "target": np.arange(len(v)), "r": null.score, "p": v}) for k, v in p.items()],
        ignore_index=True,
    )


def spread_of_mean(data: Recording, n_permutations: int = 100, seed: int = 0) -> float:
    """How far chance alone moves the careful mean r over targets: its standard deviation over refitted permutations.

    Targets share the story and some noise, so their mean scatters far more than that of as many independent scores.
    """
    found = careful(data)
    x, responses, splits, delays = found.pipeline
    options = {"n_permutations": n_permutations, "seed": seed, "splits": splits, "delays": delays}
    null = permutation_scores(x, responses, data.runs, found.alpha, **options).null
    return float(np.nanmean(null, axis=1).std(ddof=1))


def measure_edges(
    features: dict[tuple[str, str], np.ndarray],
    data: Recording,
    members: dict[str, np.ndarray],
    trims: Collection[int] = (0, 1, 2, 4, 8, 16),
) -> pd.DataFrame:
    """Scores by how many scans are trimmed at the edges of each run, of features as published and as they should be.

    Parameters
    ----------
    features : (name, coding) -> array [scans, units]. Those of the coding "centred" are centred by the training runs
        before they are delayed, so that what lies before a run is their mean; others are delayed as they are, from
        zeros.
    data : responses, runs and delays.
    members : name of a set of targets -> boolean array [targets].
    trims : scans at each edge that neither train nor test; those that leave too little of a run are left out.

    Returns
    -------
    DataFrame: features, coding, trim, group (of `members`), r (mean over its targets; NaN where trimming leaves only
    features that never change, such as a bit for silence when no silent scan is left).
    """
    rows = []
    shortest = np.unique(data.runs, return_counts=True)[1].min()
    for trim in (trim for trim in trims if shortest - 2 * trim >= 2 * FEWEST):
        cut = replace(data, trim=trim)
        for (name, coding), x in features.items():
            published = delay(x, data.delays, data.runs)
            design = (x, data.delays) if coding == "centred" else (published, None)
            r = quiet(cross_validate, design[0], data.responses, data.runs, design[1], ALPHAS, splits=cut.folds).scores
            if not np.ptp(published[cut.inner], axis=0).any():
                r[:] = np.nan
            rows += [(name, coding, trim, group, quiet(np.nanmean, r[chosen])) for group, chosen in members.items()]
    return pd.DataFrame(rows, columns=["features", "coding", "trim", "group", "r"])


def measure_averages(r: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """Three means over targets of the same scores: of all, of those that pass, and of all with the others set to zero.

    Parameters
    ----------
    r, p : arrays [targets].

    Returns
    -------
    DataFrame: average, value, targets (how many count). What passes has q <= 0.05 (`fdr`) and r above 0.
    """
    passed = (fdr(p) <= 0.05) & (r > 0)
    kept = float(r[passed].mean()) if passed.any() else np.nan
    rows = [("of all", float(np.nanmean(r)), len(r)), ("of the significant only", kept, int(passed.sum()))]
    rows.append(("of all, the others set to zero", float(np.where(passed, r, 0).mean()), len(r)))
    return pd.DataFrame(rows, columns=["average", "value", "targets"])


def pearson_p(r: np.ndarray, n: int) -> np.ndarray:
    """One-sided p of a correlation over n independent points, array [targets]."""
    r = np.clip(np.asarray(r, float), -0.999999, 0.999999)
    return stats.t.sf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2)


def summarise(table: pd.DataFrame, by: str = "choice") -> pd.DataFrame:
    """Mean r, and the share of targets called significant at 0.05 by each p column, with and without FDR."""
    columns = [name for name in table if name == "p" or name.startswith("p_")]
    rows = []
    for name, part in table.groupby(by, sort=False):
        row = {by: name, "mean_r": part.r.mean()}
        for column in columns:
            known = part[column].dropna()
            row[f"share_{column}"] = (known <= 0.05).mean() if len(known) else np.nan
            row[f"share_{column}_fdr"] = (fdr(known) <= 0.05).mean() if len(known) else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def only(data: Recording, targets: slice | np.ndarray) -> Recording:
    """The recording with some of its targets."""
    cut = {name: getattr(data, name) for name in _OF_TARGETS}
    return replace(data, **{name: None if array is None else array[..., targets] for name, array in cut.items()})


def _refit_echoes(x, echoes, runs, alpha, *, n_permutations, seed, splits, delays):
    """Scores of a pipeline on stacked echoes, and those of refits on echoes shifted within runs, all three alike."""
    ((train, tests),) = splits
    n, count = len(x), echoes.shape[-1]
    used = np.unique(np.concatenate([train, *tests]) % n)
    z = x - x[train % n].mean(0)
    rows = z[train % n].astype(float)
    weights = np.linalg.solve(rows.T @ rows + alpha * np.eye(rows.shape[1]), rows.T).astype(np.float32)

    def score(side_by_side):  # [scans, 3 x targets]
        stacked = np.concatenate(np.split(side_by_side, [count, 2 * count], axis=1))
        fitted = weights @ stacked[train]
        return fisher_mean([correlation(z[test % n].astype(np.float32) @ fitted, stacked[test]) for test in tests])

    # Raw readings are thousands of units beside which their changes are small: centred for the sake of float32.
    together = np.concatenate([echo - echo.mean(0) for echo in echoes], axis=1).astype(np.float32)
    null = []
    for permuted in Permutations(runs[used], "shift", n_permutations, seed).of(torch.as_tensor(together[used])):
        moved = together.copy()
        moved[used] = permuted[:, 0].numpy()
        null.append(score(moved))
    return PermutationScores(score(together), np.stack(null))


def _fixed_p(fixed, responses, runs, n_permutations, seed):
    used, weights = used_scans(fixed.splits), fold_weights(fixed.splits)
    tests = [torch.as_tensor(np.searchsorted(used, test)) for _, test in fixed.splits]
    predicted, observed = (torch.as_tensor(np.asarray(part)[used]).float() for part in (fixed.predictions, responses))
    null = [
        fisher_mean(fold_correlations(predicted, permuted[:, 0], tests).numpy(), weights=weights)
        for permuted in Permutations(runs[used], "shift", n_permutations, seed).of(observed)
    ]
    return (1 + (np.array(null) >= fixed.scores).sum(0)) / (1 + n_permutations)
