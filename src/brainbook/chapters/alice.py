"""What the chapter `alice` computes: one run heard by many, scored for their average and for each of them.

The edges of the one run, where speech begins and ends, neither train nor test (`TRIM` scans at either end). Between its
blocks the speech goes on, so nothing is trimmed there; gaps keep a test block's neighbours out of training.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.chapters.shared import TRIM, align, word_count
from brainbook.datasets import Alice
from brainbook.datasets.alice import REGIONS
from brainbook.encoding import (
    BandedScores,
    BorderWarning,
    blocks_with_gaps,
    cross_validate,
    cross_validate_bands,
    delay,
    permutation_p,
    permutation_scores,
    response_shape,
)
from brainbook.encoding.splits import used_scans
from brainbook.stats import group_ceiling, largest_r, mean_interval, noise_ceiling, perfect_r

DELAYS = (1, 2, 3, 4)  # scans
CHANCE_ALPHA = 1e4  # of the order of what training scans choose for a model's features
ALPHAS = np.logspace(0, 6, 13)
AVERAGE = "average of all"
BANDED, PLAIN = "all, own penalties", "all, one penalty"


@dataclass(frozen=True)
class GroupResponses:
    """Responses of the participants' average and of each of them, side by side, and how scans are parted.

    Attributes
    ----------
    responses : float32 array [scans, (1 + participants) x 6 regions]; the first six columns are the average's.
    names : name of each set of six columns: the average, then the participants.
    splits : list of (training scans, test scans): blocks of the one run without its edges, with gaps beside the test
        block.
    """

    responses: np.ndarray
    names: list[str]
    splits: list

    @property
    def runs(self) -> np.ndarray:
        """The run of every scan, int array [scans]: there is only one."""
        return np.zeros(len(self.responses), int)


def gather_responses(alice: Alice, n_blocks: int = 6, gap: int = 8, trim: int = TRIM) -> GroupResponses:
    """Gather the cleaned responses (motion taken out) of the participants and their average; see `blocks_with_gaps`.

    trim : scans at either end of the run that neither train nor test.
    """
    single = alice.responses_of_all()
    all_of_them = np.concatenate([single.mean(axis=0, keepdims=True), single])  # 1 + participants, scans, regions
    side_by_side = np.moveaxis(all_of_them, 0, 1).reshape(alice.n_scans, -1)
    blocks = blocks_with_gaps(alice.n_scans - 2 * trim, n_blocks, gap)
    splits = [(train + trim, test + trim) for train, test in blocks]
    return GroupResponses(side_by_side, [AVERAGE, *alice.participants()], splits)


def describe_recordings(alice: Alice) -> pd.DataFrame:
    """Return one row: participants, left out, scans, seconds per scan, words, words per scan."""
    n_words, n_scans = len(alice.words()), alice.n_scans
    row = {"participants": len(alice.participants()), "left out": len(alice.left_out), "scans": n_scans}
    return pd.DataFrame([{**row, "seconds per scan": alice.tr, "words": n_words, "words per scan": n_words / n_scans}])


def speech_excerpt(alice: Alice, group: GroupResponses, region: str, scans: slice) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return some scans of one region, and the words that begin meanwhile.

    Returns
    -------
    signals : seconds, the average of all participants (doubled), the first participant, the published word rate.
    words : word, onset, offset, section.
    """
    column = list(REGIONS).index(region)
    rate = (alice.word_rate - alice.word_rate.mean()) / alice.word_rate.std()
    seconds = np.arange(alice.n_scans) * alice.tr
    signals = {
        "seconds": seconds,
        "average, doubled": 2 * group.responses[:, column],
        "one participant": group.responses[:, len(REGIONS) + column],
        "word rate": rate,
    }
    first, last = seconds[scans][[0, -1]]
    heard = alice.words().query("@first <= onset <= @last").reset_index(drop=True)
    return pd.DataFrame(signals)[scans].reset_index(drop=True), heard


def fla_drift(alice: Alice, words_per_scan: Sequence[int], every: int = 5) -> pd.DataFrame:
    """Return how far fixed-length alignment places words from their onsets, for some numbers of words per scan.

    Returns a DataFrame with a row for every fifth word and the last: onset (s), and in a column '5 words per scan' ...
    the middle of the word's scan minus its onset (s).
    """
    onsets = alice.words()["onset"].to_numpy()
    order = np.arange(len(onsets))
    errors = {f"{n} words per scan": (order // n + 0.5) * alice.tr - onsets for n in words_per_scan}
    rows = sorted({*order[::every], len(order) - 1})
    return pd.DataFrame({"onset": onsets, **errors}).iloc[rows].reset_index(drop=True)


def ceilings(group: GroupResponses, seed: int = 0) -> pd.DataFrame:
    """Compute what participants share and what a perfect model of that would reach, in the scans that are scored.

    Returns
    -------
    DataFrame: region, intersubject (a participant with the mean of the others), participant (a perfect model's r with
    a single one, `perfect_r`), average (its r with the average of all, `largest_r` from the agreement of two halves).
    """
    single = group.responses[used_scans(group.splits), len(REGIONS) :]
    single = single.reshape(len(single), -1, len(REGIONS)).swapaxes(0, 1)  # participants, scans, regions
    shared = noise_ceiling(single)
    average = largest_r(group_ceiling(single, seed=seed), 2)
    columns = {"region": list(REGIONS), "intersubject": shared, "participant": perfect_r(shared, len(single))}
    return pd.DataFrame({**columns, "average": average})


def rate_and_sound(alice: Alice) -> np.ndarray:
    """Return signals that a language model should be asked to beat, already delayed: array [scans, 5].

    The number of words in each of the four scans before, and the power of the sound (convolved by its authors).
    """
    count = word_count(alice, "EN")
    return np.column_stack([delay(count.values[0], DELAYS, count.run_of_scan), alice.sound_power])


def score(group: GroupResponses, features: np.ndarray, device: str = "auto", **options: Any) -> pd.DataFrame:
    """Predict each block from the others; penalties and layers are chosen in the training scans.

    Twelve minutes are too few to choose a penalty for every region of every participant: one is chosen for the
    average's six regions, and one for all regions of all participants. Where nothing can be predicted it may lie at the
    end of the grid; nothing warns of that. The layer is chosen for every target.

    Parameters
    ----------
    features : array [layers, scans, units], not delayed.
    options : for `cross_validate`, for example nuisance=array [scans, signals].

    Returns
    -------
    DataFrame with one row per participant, region and layer: participant, region, layer (-1: the layer that the
    training scans choose, in each fold and for each target), value (Pearson r, mean over blocks by Fisher's z).
    """
    options = {"delays": DELAYS, "alphas": ALPHAS, "splits": group.splits, "per_target": False, **options}
    average, single = group.responses[:, : len(REGIONS)], group.responses[:, len(REGIONS) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BorderWarning)
        parts = [cross_validate(features, part, group.runs, device=device, **options) for part in (average, single)]
    scores = np.hstack([[part.scores_of_chosen_layer(), *part.scores] for part in parts])  # 1 + layers, targets
    targets = pd.MultiIndex.from_product([group.names, list(REGIONS)], names=["participant", "region"])
    table = pd.DataFrame(scores.T, targets, pd.RangeIndex(-1, len(features), name="layer"))
    return table.melt(ignore_index=False).reset_index()


def band_spaces(alice: Alice, states: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, tuple | None]]:
    """Return feature spaces for banded ridge, {name: array [scans, units]}, and the delays of each.

    The published predictors (without the word rate, which is a space of its own) and the power of the sound are
    convolved by their authors and not delayed.

    Parameters
    ----------
    states : array [words, units], one layer of a model.
    """
    spaces = {
        "word count": word_count(alice, "EN").values[0],
        "sound power": alice.sound_power[:, None],
        "published predictors": alice.predictors.drop(columns="rate").to_numpy(),
        "model": align(alice, "EN", states[None]).values[0],
    }
    return spaces, {name: DELAYS if name in ("word count", "model") else None for name in spaces}


def score_bands(
    group: GroupResponses, spaces: dict, delays: dict, n_candidates: int = 30, seed: int = 0, device: str = "auto"
) -> pd.DataFrame:
    """Compute how much of each response the feature spaces explain together, each with a penalty of its own.

    As in `score`, penalties are chosen for the average's six regions together, and for all single participants.

    Returns
    -------
    DataFrame with one row per participant, region and space: participant, region, space, value (share of R2; the
    spaces add up to BANDED, the R2 of all of them; PLAIN is that with one penalty for all spaces).
    """
    options: dict[str, Any] = {
        "alphas": ALPHAS,
        "splits": group.splits,
        "per_target": False,
        "inner_folds": None,
        "device": device,
    }
    tables = []
    for names, columns in ((group.names[:1], slice(len(REGIONS))), (group.names[1:], slice(len(REGIONS), None))):
        arguments = spaces, group.responses[:, columns], group.runs, delays
        banded = cross_validate_bands(*arguments, n_candidates=n_candidates, seed=seed, **options)
        plain = cross_validate_bands(*arguments, n_candidates=1, **options)
        targets = pd.MultiIndex.from_product([names, list(REGIONS)], names=["participant", "region"])
        table = pd.DataFrame(parts_and_totals(banded, plain), targets).rename_axis(columns="space")
        tables.append(table.melt(ignore_index=False).reset_index())
    return pd.concat(tables, ignore_index=True)


def parts_and_totals(banded: BandedScores, plain: BandedScores) -> dict[str, np.ndarray]:
    """Return {space: its share of the score, BANDED: the whole score, PLAIN: that with one penalty}, [targets] each."""
    parts = dict(zip(banded.names, banded.space_scores, strict=True))
    return parts | {BANDED: banded.scores, PLAIN: plain.scores}


def response_to_words(alice: Alice, group: GroupResponses, delays: Sequence[int] = range(-1, 8)) -> pd.DataFrame:
    """Estimate what one more word in a scan does to the average of all, by region and seconds after it.

    Each block of the run is fitted by itself (`response_shape`); the interval is over the blocks.

    Returns
    -------
    DataFrame: region, series (AVERAGE), seconds, value, lower, upper.
    """
    count = np.asarray(word_count(alice, "EN").values)[0, :, 0]
    scans = np.concatenate([test for _, test in group.splits])
    blocks = np.repeat(np.arange(len(group.splits)), [len(test) for _, test in group.splits])
    shape = response_shape(count[scans], group.responses[scans, : len(REGIONS)], blocks, delays, alice.tr)
    return shape.to_frame({"region": list(REGIONS)}).assign(series=AVERAGE)


def chance(
    group: GroupResponses, features: np.ndarray, n_permutations: int = 300, seed: int = 0, device: str = "auto"
) -> pd.DataFrame:
    """Compute the average's scores if the recordings had been made at another time of the story.

    Responses are shifted in a circle by a random time and everything is fitted anew, with one fixed penalty, so that
    nothing is chosen on what is tested.

    Parameters
    ----------
    features : array [scans, units].

    Returns
    -------
    DataFrame: region, value, p (one-sided), lower and upper (the 2.5 and 97.5 per cent points of the null); and a row
    'mean' for the mean over the six regions.
    """
    average = group.responses[:, : len(REGIONS)]
    options = {"delays": DELAYS, "splits": group.splits, "device": device}
    permutations = permutation_scores(
        features, average, group.runs, CHANCE_ALPHA, n_permutations=n_permutations, seed=seed, **options
    )
    score = np.append(permutations.score, permutations.score.mean())
    null = np.column_stack([permutations.null, permutations.null.mean(axis=1)])
    low, high = np.percentile(null, [2.5, 97.5], axis=0)
    return pd.DataFrame(
        {"region": [*REGIONS, "mean"], "value": score, "p": permutation_p(score, null), "lower": low, "upper": high}
    )


def mean_over_participants(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Average `value` over single participants, with Student's interval: columns `by`, value, lower, upper, p.

    The participants are the sample here and the story is not: the interval says how the mean would move with others who
    hear these twelve minutes, nothing of other stories.
    """
    wide = _by_participant(table, list(by))
    return mean_interval(wide.to_numpy()).to_frame(**wide.columns.to_frame(index=False))


def compare_conditions(table: pd.DataFrame, first: str) -> pd.DataFrame:
    """Compare a condition with each other one, paired by participant: other, value (first - other), lower, upper, p.

    `table` : participant, condition, value, and regions or the like, over which values are averaged.
    """
    wide = _by_participant(table, ["condition"])
    others = wide.drop(columns=first)
    return mean_interval(wide[[first]].to_numpy() - others.to_numpy()).to_frame(other=list(others.columns))


def _by_participant(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    single = table[table.participant != AVERAGE]
    return single.pivot_table(index="participant", columns=columns, values="value", sort=False)
