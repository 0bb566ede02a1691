"""The reference protocol of scoring an encoding model, and those that look as good and are not, one function each.

For the chapter `pitfalls`, which explains each; `brainbook.chapters.pitfalls.measures` measures what it costs. None of
these functions is for an analysis, but for `reference_protocol`.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.model_selection import KFold
from sklearn.preprocessing import minmax_scale

from brainbook.encoding import (
    CrossValidation,
    RidgeEncoder,
    cross_validate,
    delay,
    leave_one_run_out,
    published_split,
    run_slices,
)
from brainbook.encoding.inputs import Splits
from brainbook.stats import correlation, fisher_mean

N_VERTICES = 20_484
Returned = TypeVar("Returned")
ALPHAS = np.logspace(1, 5, 9)


@dataclass(frozen=True)
class EncodingData:
    """What the protocols are applied to.

    Attributes
    ----------
    layers : array [layers, scans, units], a language model's states on the clock of the scans, not centred.
    layer : the layer that is used where none is chosen.
    runs : array [scans].
    responses : array [scans, targets], cleaned within each run.
    single : array [scans, units] or None, states of words without their context.
    zeros : array [scans, units] or None, states of words without their context as published: the mean of a scan's
        words, zeros in silence.
    unfiltered : array [scans, targets] or None, responses z-scored within runs without a high-pass.
    echoes : array [3, scans, targets] or None, three readings of each scan, cleaned like the responses.
    raw_echoes : array [3, scans, targets] or None, the same as the scanner gave them.
    splits : list of (training scans, test scans) or None for leaving one run out.
    delays : shifts in scans.
    trim : scans at each edge of every run that neither train nor test.
    """

    layers: np.ndarray
    layer: int
    runs: np.ndarray
    responses: np.ndarray
    single: np.ndarray | Any = None
    zeros: np.ndarray | Any = None
    unfiltered: np.ndarray | Any = None
    echoes: np.ndarray | Any = None
    raw_echoes: np.ndarray | Any = None
    splits: list | None = None
    delays: tuple[int, ...] = (1, 2, 3, 4)
    trim: int = 0

    @property
    def features(self) -> np.ndarray:
        """The layer's states [scans, units]."""
        return self.layers[self.layer]

    @property
    def inner(self) -> np.ndarray:
        """The scans that are `trim` or more scans away from the edges of their run, int array."""
        return np.concatenate([np.arange(p.start + self.trim, p.stop - self.trim) for p in run_slices(self.runs)])

    @property
    def untrimmed(self) -> list:
        """The reference protocol's splits without trimming."""
        return leave_one_run_out(self.runs) if self.splits is None else self.splits

    @property
    def folds(self) -> list:
        """The reference protocol's splits: inner scans only."""
        if self.splits is None:
            return leave_one_run_out(self.runs, self.trim)
        return [tuple(np.intersect1d(scans, self.inner) for scans in split) for split in self.splits]

    def delayed(self, x: np.ndarray) -> np.ndarray:
        """Return features [scans, units] centred over the inner scans, then delayed within runs.

        `cross_validate` centres by the training runs; the two differ in scans that are less than a delay from the start
        of their run, which a `trim` of the longest delay or more leaves out.
        """
        return delay(x - x[self.inner].mean(0), self.delays, self.runs)

    @cached_property
    def every_layer(self) -> CrossValidation:
        """Scores of every layer under the reference protocol: for two protocols, computed once."""
        return quiet(cross_validate, self.layers, self.responses, self.runs, self.delays, ALPHAS, splits=self.folds)


@dataclass(frozen=True)
class ProtocolResult:
    """Scores under a protocol.

    Attributes
    ----------
    r : array [targets].
    n : what is taken for the number of independent points in Pearson's p.
    alpha : one alpha that suits most targets.
    pipeline : (features, responses, splits, delays or None if they are applied), for refitting on permuted responses;
        None where that cannot be. With echoes the responses are [3, scans, targets], and the only split (training rows,
        list of test rows) names rows of the three echoes stacked below one another.
    """

    r: np.ndarray
    n: int
    alpha: float = np.nan
    pipeline: tuple | Any = None


def reference_protocol(data: EncodingData) -> ProtocolResult:
    """Leave one run out (or blocks with gaps), trim edges, centre features, then delay them within runs.

    Scaling and alphas come from training scans.
    """
    return _score(data, data.features, data.responses, data.folds, data.delays)


def untrimmed_edges(data: EncodingData, over_borders: bool = False) -> ProtocolResult:
    """Trim and centre nothing: zeros stand for silence and before a run's first scan (or the run before does)."""
    x = delay(data.features, data.delays, None if over_borders else data.runs)
    return _score(data, x, data.responses, data.untrimmed)


def single_words(data: EncodingData) -> ProtocolResult:
    """Embed words one at a time, without their context."""
    return _score(data, data.single, data.responses, data.folds, data.delays)


def circular_delays(data: EncodingData) -> ProtocolResult:
    """Delay by 3 to 22 scans in a circle: the end predicts the beginning, and runs flow into each other."""
    return _score(data, delay(data.features, range(3, 23), data.runs, circular=True), data.responses, data.folds)


def shuffled_folds(data: EncodingData, unfiltered: bool = False) -> ProtocolResult:
    """Draw the scans of five folds at random, so that a test scan's neighbours train."""
    inner = data.inner
    splits = [(inner[a], inner[b]) for a, b in KFold(5, shuffle=True, random_state=0).split(inner)]
    responses = data.unfiltered if unfiltered else data.responses
    return _score(data, data.features, responses, splits, data.delays)


def layer_inside(data: EncodingData) -> ProtocolResult:
    """Choose the best layer for each target inside the training runs."""
    return ProtocolResult(data.every_layer.scores_of_chosen_layer(), _n_tested(data.folds))


def layer_on_test(data: EncodingData) -> ProtocolResult:
    """Choose the best layer for each target by the scores that are then reported."""
    return ProtocolResult(data.every_layer.scores.max(0), _n_tested(data.folds))


def alpha_on_test(data: EncodingData) -> ProtocolResult:
    """Choose the best alpha for each target by the scores that are then reported."""
    tried = [
        quiet(cross_validate, data.features, data.responses, data.runs, data.delays, alpha, splits=data.folds).scores
        for alpha in ALPHAS
    ]
    return ProtocolResult(np.max(tried, axis=0), _n_tested(data.folds))


def scaled_apart(data: EncodingData) -> ProtocolResult:
    """Scale features to 0..1 over whole arrays, the test scans by their own smallest and largest values."""
    x, scores = data.delayed(data.features), []
    for train, test in data.folds:
        inner = [(np.flatnonzero(np.isin(train, a)), np.flatnonzero(np.isin(train, b))) for a, b in data.folds]
        inner = [(a, b) for a, b in inner if len(b) and len(a) < len(train)]
        encoder = RidgeEncoder(alphas=ALPHAS / 30, cv=inner, scale=False)  # a variance of some 1/30 in place of 1
        quiet(encoder.fit, minmax_scale(x[train]), data.responses[train])
        scores.append(correlation(encoder.predict(minmax_scale(x[test])), data.responses[test]))
    return ProtocolResult(fisher_mean(scores), _n_tested(data.folds))


def echo_split(data: EncodingData) -> ProtocolResult:
    """Train on echoes 1 and 2, test on echo 3: readings of the same scans, and so of the same noise."""
    n, inner = len(data.runs), data.inner
    train = np.concatenate([inner, inner + n])
    runs = data.runs[train % n]
    cv = [(np.flatnonzero(runs != run), np.flatnonzero(runs == run)) for run in np.unique(runs)]
    tests = [2 * n + inner[data.runs[inner] == run] for run in np.unique(runs)]
    return _score_echoes(data.delayed(data.features), data.echoes, train, tests, cv, len(inner))


def published_protocol(data: EncodingData, five_folds: bool = False, seed: int = 0) -> ProtocolResult:
    """Train and validate on echoes 1 and 2, test on a random tenth of echo 3; all else as in the reference protocol.

    Their scans are divided 4 to 1 at random, once; or (`five_folds`) five times, so that each fifth validates in turn:
    a five-fold cross-validated ridge. The best alpha is then fitted to all of them.
    """
    return _published(data, data.delayed(data.features), data.echoes, data.inner, five_folds, seed)


def all_together(data: EncodingData, seed: int = 0) -> ProtocolResult:
    """Make all published choices at once, on the readings as the scanner gave them.

    Single words, zeros in silence; delays of 3 to 22 scans in a circle; nothing trimmed; whole arrays scaled to 0..1;
    echoes 1 and 2 train and validate by a five-fold cross-validated ridge, a random tenth of echo 3 tests; p with n =
    vertices.
    """
    x = minmax_scale(delay(data.zeros, range(3, 23), data.runs, circular=True))
    echoes = minmax_scale(np.concatenate(list(data.raw_echoes))).reshape(data.raw_echoes.shape)
    everything = np.arange(len(data.runs))
    return _published(data, x, echoes, everything, True, seed, n=N_VERTICES, alphas=ALPHAS / 30, scale=False)


def _published(
    data: EncodingData,
    x: np.ndarray,
    echoes: np.ndarray,
    scans: np.ndarray,
    five_folds: bool,
    seed: int,
    n: int | None = None,
    **options: Any,
) -> ProtocolResult:
    split = published_split(len(scans), seed=seed)
    rows = np.concatenate([split.train, split.validation])
    stacked = np.concatenate([scans, scans + len(data.runs), scans + 2 * len(data.runs)])
    if five_folds:
        cv = list(KFold(5, shuffle=True, random_state=seed).split(rows))
    else:
        cv = [(np.arange(len(split.train)), np.arange(len(split.train), len(rows)))]
    return _score_echoes(x, echoes, stacked[rows], [stacked[split.test]], cv, n or len(split.test), **options)


def _score_echoes(
    x: np.ndarray,
    echoes: np.ndarray,
    train: np.ndarray,
    tests: list[np.ndarray],
    cv: Splits,
    n: int,
    alphas: np.ndarray = ALPHAS,
    scale: bool = True,
) -> ProtocolResult:
    """Fit to rows of the stacked echoes and score on others; `tests` are scored apart, by Fisher's z."""
    stacked = np.concatenate(list(echoes))
    scans = train % len(x)
    encoder = RidgeEncoder(alphas=alphas, cv=cv, scale=scale)
    quiet(encoder.fit, x[scans], stacked[train])
    r = fisher_mean([correlation(encoder.predict(x[test % len(x)]), stacked[test]) for test in tests])
    if scale:
        size = x[scans].std(0)
        x = x / np.where(size > 0, size, 1)
    return ProtocolResult(r, n, float(np.nanmedian(encoder.best_alphas_)), (x, echoes, [(train, tests)], None))


class Protocol(NamedTuple):
    """How to score, what data that needs beyond the layers, and whether test scans take part in what is fitted."""

    score: Callable[[EncodingData], ProtocolResult]
    needs: tuple[str, ...] = ()
    leaks: bool = True


PROTOCOLS = {
    "reference": Protocol(reference_protocol, leaks=False),
    "untrimmed edges": Protocol(untrimmed_edges, leaks=False),
    "untrimmed edges, delays over borders": Protocol(
        partial(untrimmed_edges, over_borders=True), ("several runs",), leaks=False
    ),
    "single words, no context": Protocol(single_words, ("single",), leaks=False),
    "circular delays, 3 to 22 scans": Protocol(circular_delays, leaks=False),
    "min-max scaling, test by itself": Protocol(scaled_apart, leaks=False),
    "layer chosen inside training": Protocol(layer_inside, leaks=False),
    "layer chosen on test scores": Protocol(layer_on_test),
    "alpha chosen on test scores": Protocol(alpha_on_test),
    "shuffled folds": Protocol(shuffled_folds),
    "shuffled folds, no high-pass": Protocol(partial(shuffled_folds, unfiltered=True), ("unfiltered",)),
    "echoes 1 and 2 train, 3 tests": Protocol(echo_split, ("echoes",)),
    "published split, 4 to 1": Protocol(published_protocol, ("echoes",)),
    "published split, five folds": Protocol(partial(published_protocol, five_folds=True), ("echoes",)),
    "all published choices": Protocol(all_together, ("zeros", "raw_echoes")),
}
# Test scans take no part in their scores: what these lose is lost.
NO_LEAK = tuple(name for name, protocol in PROTOCOLS.items() if not protocol.leaks)


def applicable(data: EncodingData) -> list[str]:
    """Return the protocols that this data allows: some need echoes, single words or several runs."""
    absent = {name for name in ("single", "unfiltered", "zeros", "echoes", "raw_echoes") if getattr(data, name) is None}
    absent |= {"several runs"} if len(np.unique(data.runs)) < 2 else set()
    return [name for name, protocol in PROTOCOLS.items() if not absent & set(protocol.needs)]


def quiet(function: Callable[..., Returned], *arguments: Any, **options: Any) -> Returned:
    """Call without the warnings that these protocols rightly cause."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def _score(
    data: EncodingData, x: np.ndarray, responses: np.ndarray, splits: Splits, delays: Sequence[int] | None = None
) -> ProtocolResult:
    result = quiet(cross_validate, x, responses, data.runs, delays, ALPHAS, splits=splits)
    alpha = float(np.nanmedian(result.best_alphas))
    return ProtocolResult(result.scores, _n_tested(splits), alpha, (x, responses, splits, delays))


def _n_tested(splits: Splits) -> int:
    return sum(len(test) for _, test in splits)
