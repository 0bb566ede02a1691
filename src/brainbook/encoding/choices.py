"""The careful way to score an encoding model, and the choices that fool their makers, one function each.

For the chapter `pitfalls`, which explains each choice; `brainbook.encoding.pitfalls` measures what it costs. None of
these functions is for an analysis, but for `careful`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold

from brainbook.encoding.cross_validation import cross_validate
from brainbook.encoding.delays import delay, run_slices
from brainbook.encoding.ridge import RidgeEncoder
from brainbook.encoding.scores import correlation, fisher_mean
from brainbook.encoding.splits import leave_one_run_out, published_split

N_VERTICES = 20_484
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
    found = quiet(cross_validate, data.layers, data.responses, data.runs, data.delays, ALPHAS, splits=data.folds)
    return Outcome(found.scores_of_chosen_layer(), len(data.runs))


def layer_on_test(data: Recording) -> Outcome:
    """The best layer for each target, chosen by the scores that are then reported."""
    found = quiet(cross_validate, data.layers, data.responses, data.runs, data.delays, ALPHAS, splits=data.folds)
    return Outcome(found.scores.max(0), len(data.runs))


def alpha_on_test(data: Recording) -> Outcome:
    """The best alpha for each target, chosen by the scores that are then reported."""
    tried = [
        quiet(cross_validate, data.features, data.responses, data.runs, data.delays, alpha, splits=data.folds).scores
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
        quiet(encoder.fit, _stretch(x[train]), data.responses[train])
        scores.append(correlation(encoder.predict(_stretch(x[test])), data.responses[test]))
    return Outcome(fisher_mean(scores), len(data.runs))


def echo_split(data: Recording) -> Outcome:
    """Echoes 1 and 2 train, echo 3 tests: readings of the same scans, and so of the same noise."""
    x = delay(data.features, data.delays, data.runs)
    n, runs = len(x), np.tile(data.runs, 2)
    inner = [(np.flatnonzero(runs != run), np.flatnonzero(runs == run)) for run in np.unique(runs)]
    encoder = RidgeEncoder(alphas=ALPHAS, cv=inner)
    quiet(encoder.fit, np.tile(x, (2, 1)), np.concatenate(list(data.echoes[:2])))
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
    quiet(encoder.fit, x[everything % len(x)], stacked[everything])
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
NO_LEAK = (  # whose scores no test scan took part in: what these lose is lost
    "careful",
    "single words, no context",
    "circular delays, 3 to 22 scans",
    "delays over run borders",
    "min-max scaling, test by itself",
    "layer chosen inside training",
)
NEEDS = {
    "single words, no context": ("single",),
    "shuffled folds, no high-pass": ("unfiltered",),
    "echoes 1 and 2 train, 3 tests": ("echoes",),
    "all published choices": ("single", "raw_echoes"),
    "delays over run borders": ("borders",),
}


def allowed(data: Recording) -> list[str]:
    """The choices that this recording allows: some ask for echoes, single words or several runs."""
    return [name for name in CHOICES if not any(_lacks(data, need) for need in NEEDS.get(name, ()))]


def _score(data, x, responses, splits):
    found = quiet(cross_validate, x, responses, data.runs, None, ALPHAS, splits=splits)
    alpha = float(np.nanmedian(found.best_alphas))
    return Outcome(found.scores, len(data.runs), alpha, (x, responses, splits))


def _lacks(data, need):
    return len(np.unique(data.runs)) < 2 if need == "borders" else getattr(data, need) is None


def _stretch(x):
    low, high = x.min(0), x.max(0)
    return (x - low) / np.where(high > low, high - low, 1)


def quiet(function, *arguments, **options):
    """Call without the warnings that these choices rightly cause."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)
