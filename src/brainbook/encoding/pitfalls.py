"""How an encoding score fools its makers: the same data scored carefully, and with one choice changed at a time.

For the chapter `pitfalls`, which explains each choice, and shows what it costs. None of these functions is for an
analysis, but for `careful`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.model_selection import KFold

from brainbook.encoding.cross_validation import cross_validate
from brainbook.encoding.delays import delay, run_slices
from brainbook.encoding.hemispheres import over_participants
from brainbook.encoding.nulls import Permutations, fold_correlations
from brainbook.encoding.ridge import RidgeEncoder
from brainbook.encoding.scores import correlation, fisher_mean
from brainbook.encoding.significance import fdr, permutation_scores
from brainbook.encoding.splits import leave_one_run_out, published_split

N_VERTICES = 20_484
_OF_TARGETS = ("responses", "unfiltered", "echoes", "raw_echoes")
ALPHAS = np.logspace(1, 5, 9)


@dataclass(frozen=True)
class Recording:
    """What the choices are made about.

    Attributes
    ----------
    layers : array [layers, scans, units], a language model's states on the clock of the scans.
    layer : the layer that is used where none is chosen.
    runs : array [scans].
    responses : array [scans, targets], cleaned within each run.
    single : array [scans, units] or None, states of words without their context.
    unfiltered : array [scans, targets] or None, responses z-scored within runs without a high-pass.
    echoes : array [3, scans, targets] or None, three readings of each scan, cleaned like the responses.
    raw_echoes : array [3, scans, targets] or None, the same as the scanner gave them.
    splits : list of (training scans, test scans) or None for leaving one run out.
    delays : shifts in scans.
    """

    layers: np.ndarray
    layer: int
    runs: np.ndarray
    responses: np.ndarray
    single: np.ndarray | None = None
    unfiltered: np.ndarray | None = None
    echoes: np.ndarray | None = None
    raw_echoes: np.ndarray | None = None
    splits: list | None = None
    delays: tuple[int, ...] = (1, 2, 3, 4)

    @property
    def features(self) -> np.ndarray:
        """The layer's states [scans, units]."""
        return self.layers[self.layer]

    @property
    def folds(self) -> list:
        """The careful splits."""
        return leave_one_run_out(self.runs) if self.splits is None else self.splits


@dataclass(frozen=True)
class Outcome:
    """Scores under a choice.

    Attributes
    ----------
    r : array [targets].
    n : what is taken for the number of independent points in Pearson's p.
    alpha : one alpha that suits most targets.
    pipeline : (delayed features, responses, splits), for refitting on permuted responses; None where that cannot be.
    """

    r: np.ndarray
    n: int
    alpha: float = np.nan
    pipeline: tuple | None = None


def careful(data: Recording) -> Outcome:
    """Leave one run out (or blocks with gaps), delays within runs, scaling and alphas from training scans."""
    return _score(data, delay(data.features, data.delays, data.runs), data.responses, data.folds)


def single_words(data: Recording) -> Outcome:
    """Words are embedded one at a time, without their context."""
    return _score(data, delay(data.single, data.delays, data.runs), data.responses, data.folds)


def circular_delays(data: Recording) -> Outcome:
    """Delays of 3 to 22 scans that move in a circle: the end predicts the beginning, and runs flow into each other."""
    return _score(data, delay(data.features, range(3, 23), data.runs, circular=True), data.responses, data.folds)


def delays_over_borders(data: Recording) -> Outcome:
    """The careful delays, but over all runs as if they were one."""
    return _score(data, delay(data.features, data.delays), data.responses, data.folds)


def shuffled_folds(data: Recording, unfiltered: bool = False) -> Outcome:
    """Five folds of scans drawn at random, so that a test scan's neighbours train."""
    splits = list(KFold(5, shuffle=True, random_state=0).split(data.features))
    responses = data.unfiltered if unfiltered else data.responses
    return _score(data, delay(data.features, data.delays, data.runs), responses, splits)


def layer_inside(data: Recording) -> Outcome:
    """The best layer for each target, chosen inside the training runs."""
    found = _quiet(cross_validate, data.layers, data.responses, data.runs, data.delays, ALPHAS, splits=data.folds)
    return Outcome(found.scores_of_chosen_layer(), len(data.runs))


def layer_on_test(data: Recording) -> Outcome:
    """The best layer for each target, chosen by the scores that are then reported."""
    found = _quiet(cross_validate, data.layers, data.responses, data.runs, data.delays, ALPHAS, splits=data.folds)
    return Outcome(found.scores.max(0), len(data.runs))


def alpha_on_test(data: Recording) -> Outcome:
    """The best alpha for each target, chosen by the scores that are then reported."""
    tried = [
        _quiet(cross_validate, data.features, data.responses, data.runs, data.delays, alpha, splits=data.folds).scores
        for alpha in ALPHAS
    ]
    return Outcome(np.max(tried, axis=0), len(data.runs))


def scaled_apart(data: Recording) -> Outcome:
    """Features scaled to 0..1 over whole arrays, the test scans by their own smallest and largest values."""
    x, scores = delay(data.features, data.delays, data.runs), []
    for train, test in data.folds:
        inner = [(np.flatnonzero(np.isin(train, a)), np.flatnonzero(np.isin(train, b))) for a, b in data.folds]
        inner = [(a, b) for a, b in inner if len(b) and len(a) < len(train)]
        encoder = RidgeEncoder(alphas=ALPHAS / 30, cv=inner, scale=False)  # a variance of some 1/30 in place of 1
        _quiet(encoder.fit, _stretch(x[train]), data.responses[train])
        scores.append(correlation(encoder.predict(_stretch(x[test])), data.responses[test]))
    return Outcome(fisher_mean(scores), len(data.runs))


def echo_split(data: Recording) -> Outcome:
    """Echoes 1 and 2 train, echo 3 tests: readings of the same scans, and so of the same noise."""
    x = delay(data.features, data.delays, data.runs)
    n, runs = len(x), np.tile(data.runs, 2)
    inner = [(np.flatnonzero(runs != run), np.flatnonzero(runs == run)) for run in np.unique(runs)]
    encoder = RidgeEncoder(alphas=ALPHAS, cv=inner)
    _quiet(encoder.fit, np.tile(x, (2, 1)), np.concatenate(list(data.echoes[:2])))
    predicted = encoder.predict(x)
    return Outcome(
        fisher_mean([correlation(predicted[part], data.echoes[2][part]) for part in run_slices(data.runs)]), n
    )


def all_together(data: Recording, seed: int = 0) -> Outcome:
    """The published choices at once, on the readings as the scanner gave them.

    Single words; delays of 3 to 22 scans in a circle; whole arrays scaled to 0..1; echoes 1 and 2 train and validate
    (four to one), a random tenth of echo 3 tests; p with n = vertices.
    """
    x = _stretch(delay(data.single, range(3, 23), data.runs, circular=True))
    split = published_split(len(x), seed=seed)
    stacked = _stretch(np.concatenate(list(data.raw_echoes)))
    everything = np.concatenate([split.train, split.validation])
    places = np.arange(len(everything))
    encoder = RidgeEncoder(
        alphas=ALPHAS / 30, cv=[(places[: len(split.train)], places[len(split.train) :])], scale=False
    )
    _quiet(encoder.fit, x[everything % len(x)], stacked[everything])
    return Outcome(correlation(encoder.predict(x[split.test % len(x)]), stacked[split.test]), N_VERTICES)


CHOICES: dict[str, Callable[[Recording], Outcome]] = {
    "careful": careful,
    "single words, no context": single_words,
    "circular delays, 3 to 22 scans": circular_delays,
    "delays over run borders": delays_over_borders,
    "min-max scaling, test by itself": scaled_apart,
    "layer chosen inside training": layer_inside,
    "layer chosen on test scores": layer_on_test,
    "alpha chosen on test scores": alpha_on_test,
    "shuffled folds": shuffled_folds,
    "shuffled folds, no high-pass": lambda data: shuffled_folds(data, unfiltered=True),
    "echoes 1 and 2 train, 3 tests": echo_split,
    "all published choices": all_together,
}
_NEEDS = {
    "single words, no context": ("single",),
    "shuffled folds, no high-pass": ("unfiltered",),
    "echoes 1 and 2 train, 3 tests": ("echoes",),
    "all published choices": ("single", "raw_echoes"),
    "delays over run borders": ("borders",),
}


def with_shifted_copies(data: Recording, copies: int, seed: int = 0) -> Recording:
    """The recording and, beside it as further targets, copies of it moved in a circle within each run.

    Whatever a response followed, a shifted copy follows it no more: each copy is another recording with nothing in it,
    of the same noise. All readings of a scan move alike.
    """

    def beside(values):
        if values is None:
            return None
        if values.ndim == 3:
            return np.stack([beside(echo) for echo in values])
        moved = Permutations(data.runs, "shift", copies, seed).of(torch.as_tensor(values))
        return np.concatenate([values, *(copy[:, 0].numpy() for copy in moved)], axis=1)

    return replace(data, **{name: beside(getattr(data, name)) for name in _OF_TARGETS})


def measure_choices(
    data: Recording, n_permutations: int = 100, seed: int = 0, refitted: int | None = None
) -> pd.DataFrame:
    """Every choice that the recording allows, one at a time.

    Parameters
    ----------
    data : the recording.
    n_permutations : refits for `p_null`; 0 leaves it out.
    seed : of the permutations.
    refitted : how many of the first targets are refitted; None for all.

    Returns
    -------
    DataFrame with a row for each choice and target: choice, target, r, p_scans (Pearson's one-sided p, taking the
    tested scans for independent; under all published choices with n = vertices), p_null (share of refits of the same
    pipeline on responses shifted within runs that do as well, pooled over targets; NaN where it cannot be refitted).
    """
    tables = []
    for name, choice in CHOICES.items():
        if any(_lacks(data, need) for need in _NEEDS.get(name, ())):
            continue
        found = choice(data)
        p_null = np.full(len(found.r), np.nan)
        if n_permutations and found.pipeline is not None:
            x, responses, splits = found.pipeline
            options = {"n_permutations": n_permutations, "seed": seed, "splits": splits}
            null = permutation_scores(x, responses[:, :refitted], data.runs, found.alpha, **options)
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
    found = over_participants((means - means.loc["careful"]).to_numpy().T, level)
    columns = {"moves": found.estimate, "lower": found.lower, "upper": found.upper}
    return pd.DataFrame({"choice": means.index, **{name: np.nan_to_num(value) for name, value in columns.items()}})


def judge(of_nothing: pd.DataFrame, of_something: pd.Series, chance: float) -> pd.DataFrame:
    """Which choices do harm, which cost power, which do nothing?

    Parameters
    ----------
    of_nothing : from `moves`.
    of_something : mean r under each choice where the responses do follow the features.
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
    x, responses, splits = found.pipeline
    options = {"n_permutations": n_permutations, "seed": seed, "splits": splits}
    null = permutation_scores(x, responses, data.runs, found.alpha, **options)
    fixed = cross_validate(x, responses, data.runs, None, found.alpha, splits=splits, predictions=True)
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
    x, responses, splits = found.pipeline
    options = {"n_permutations": n_permutations, "seed": seed, "splits": splits}
    null = permutation_scores(x, responses, data.runs, found.alpha, **options).null
    return float(np.nanmean(null, axis=1).std(ddof=1))


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


def _score(data, x, responses, splits):
    found = _quiet(cross_validate, x, responses, data.runs, None, ALPHAS, splits=splits)
    alpha = float(np.nanmedian(found.best_alphas))
    return Outcome(found.scores, len(data.runs), alpha, (x, responses, splits))


def _lacks(data, need):
    return len(np.unique(data.runs)) < 2 if need == "borders" else getattr(data, need) is None


def _stretch(x):
    low, high = x.min(0), x.max(0)
    return (x - low) / np.where(high > low, high - low, 1)


def _fixed_p(fixed, responses, runs, n_permutations, seed):
    tests = [torch.as_tensor(test) for _, test in fixed.splits]
    predicted = torch.as_tensor(fixed.predictions).float()
    null = [
        fisher_mean(fold_correlations(predicted, permuted[:, 0].float(), tests).numpy())
        for permuted in Permutations(runs, "shift", n_permutations, seed).of(torch.as_tensor(np.asarray(responses)))
    ]
    return (1 + (np.array(null) >= fixed.scores).sum(0)) / (1 + n_permutations)


def _quiet(function, *arguments, **options):
    """Call without the warnings that these choices rightly cause."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)
