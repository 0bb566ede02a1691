"""What the chapter `alice` computes: one run heard by many, scored for their average and for each of them.

The edges of the one run, where speech begins and ends, neither train nor test (`TRIM` scans at either end). Between its
blocks the speech goes on, so nothing is trimmed there; gaps keep a test block's neighbours out of training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.shared import TRIM
from brainbook.datasets import Alice
from brainbook.datasets.alice import REGIONS
from brainbook.encoding import (
    blocks_with_gaps,
    cross_validate,
    delay,
    fixed_length,
    permutation_scores,
    variable_length,
)
from brainbook.encoding.splits import used_scans
from brainbook.stats import group_ceiling, largest_r, noise_ceiling, perfect_r

DELAYS = (1, 2, 3, 4)  # scans
CHANCE_ALPHA = 1e4  # of the order of what training scans choose for a model's features
GROUP = "average of all"
ALPHAS = np.logspace(0, 6, 13)


@dataclass(frozen=True)
class GroupScores:
    """Responses of everyone side by side with those of their average, and how scans are parted.

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


def gather(alice: Alice, n_blocks: int = 6, gap: int = 8, trim: int = TRIM) -> GroupScores:
    """Cleaned responses (motion taken out) of the participants and their average; see `blocks_with_gaps`.

    trim : scans at either end of the run that neither train nor test.
    """
    people = alice.responses_of_all()
    both = np.concatenate([people.mean(axis=0, keepdims=True), people])  # 1 + participants, scans, regions
    side_by_side = np.moveaxis(both, 0, 1).reshape(both.shape[1], -1)
    inner = blocks_with_gaps(alice.n_scans - 2 * trim, n_blocks, gap)
    splits = [(train + trim, test + trim) for train, test in inner]
    return GroupScores(side_by_side, [GROUP, *alice.participants()], splits)


def ceilings(listeners: GroupScores, seed: int = 0) -> pd.DataFrame:
    """How much listeners share, and what a perfect model of that would reach, by region, in the scans that are scored.

    Columns: region, intersubject (one listener with the mean of the others), listener (a perfect model's r with one
    listener, `perfect_r`), average (its r with the average of all, `largest_r` from the agreement of two halves).
    """
    people = listeners.responses[used_scans(listeners.splits), len(REGIONS) :]
    people = people.reshape(len(people), -1, len(REGIONS)).swapaxes(0, 1)  # participants, scans, regions
    shared = noise_ceiling(people)
    average = largest_r(group_ceiling(people, seed=seed), 2)
    table = {"region": list(REGIONS), "intersubject": shared, "listener": perfect_r(shared, len(people))}
    return pd.DataFrame({**table, "average": average})


def on_scans(alice: Alice, states: np.ndarray, alignment: str, words_per_scan: int = 5, aggregate="mean") -> np.ndarray:
    """States of words [..., words, units] on the clock of the scans: [..., scans, units]. `alignment`: VLA or FLA.

    A scan without words gets the mean of the others (of the "mean"), or zero (of the "sum").
    """
    how = {"aggregate": aggregate, "silence": "mean" if aggregate == "mean" else "zeros"}
    if alignment == "FLA":
        return fixed_length(states, alice.n_scans, words_per_scan, **how)
    return variable_length(states, alice.words().onset.to_numpy(), alice.n_scans, alice.tr, **how)


def count_words(alice: Alice) -> np.ndarray:
    """How many words begin in each scan, float32 array [scans, 1]."""
    return on_scans(alice, np.ones((len(alice.words()), 1), np.float32), "VLA", aggregate="sum")


def speech_or_silence(alice: Alice) -> np.ndarray:
    """Whether any word begins in a scan, float32 array [scans, 1]: the least that a model can know of speech."""
    return (count_words(alice) > 0).astype(np.float32)


def rate_and_sound(alice: Alice) -> np.ndarray:
    """Signals that a language model should be asked to beat, already delayed: array [scans, 5].

    The number of words in each of the four scans before, and the power of the sound (convolved by its authors).
    """
    return np.column_stack([delay(count_words(alice), DELAYS, np.zeros(alice.n_scans, int)), alice.sound_power])


def score(listeners: GroupScores, features: np.ndarray, device: str = "auto", **options) -> pd.DataFrame:
    """Predict each block from the others; penalties and layers are chosen in the training scans.

    Twelve minutes are too few to choose a penalty for every region of every listener: one is chosen for the average's
    six regions, and one for all regions of all participants. The layer is chosen for every target.

    Parameters
    ----------
    features : array [scans, units] or [layers, scans, units], not delayed.
    options : for `cross_validate`, for example nuisance=array [scans, signals].

    Returns
    -------
    DataFrame with one row a listener, region and layer: listener, region, layer (-1: the layer that the training scans
    choose, in each fold and for each target), value (Pearson r, mean over blocks by Fisher's z).
    """
    features = features[None] if features.ndim == 2 else features
    options = {"delays": DELAYS, "alphas": ALPHAS, "splits": listeners.splits, "per_target": False, **options}
    rows: dict[int, list[np.ndarray]] = {layer: [] for layer in range(-1, len(features))}
    for part in (slice(None, len(REGIONS)), slice(len(REGIONS), None)):  # the average, then the participants
        own = listeners.responses[:, part]
        found = cross_validate(features, own, listeners.runs, device=device, **options)
        for layer, values in enumerate([found.scores_of_chosen_layer(), *found.scores], start=-1):
            rows[layer].append(values)
    tables = [_tidy(listeners, np.concatenate(values)).assign(layer=layer) for layer, values in rows.items()]
    return pd.concat(tables, ignore_index=True)


def chance(
    listeners: GroupScores, features: np.ndarray, n_permutations: int = 300, seed: int = 0, device: str = "auto"
) -> pd.DataFrame:
    """What the average's scores would be if the recordings had been made at another time of the story.

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
    own = listeners.responses[:, : len(REGIONS)]
    found = permutation_scores(
        features,
        own,
        listeners.runs,
        CHANCE_ALPHA,
        n_permutations=n_permutations,
        seed=seed,
        delays=DELAYS,
        splits=listeners.splits,
        device=device,
    )
    score = np.append(found.score, found.score.mean())
    null = np.column_stack([found.null, found.null.mean(axis=1)])
    low, high = np.percentile(null, [2.5, 97.5], axis=0)
    p = (1 + (null >= score).sum(axis=0)) / (1 + len(null))
    return pd.DataFrame({"region": [*REGIONS, "mean"], "value": score, "p": p, "lower": low, "upper": high})


def over_people(table: pd.DataFrame, by: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """Mean over participants of `value` with its t-interval: columns `by`, value, lower, upper, n.

    The people are the sample here and the story is not: the interval says how the mean would move with other listeners
    to these twelve minutes, nothing of other stories.
    """
    people = table[table.listener != GROUP]
    rows = []
    for key, part in people.groupby(list(by), sort=False):
        each = part.groupby("listener").value.mean()
        half = stats.t.ppf((1 + level) / 2, len(each) - 1) * each.sem()
        mean = each.mean()
        rows.append([*key, mean, mean - half, mean + half, len(each)])
    return pd.DataFrame(rows, columns=[*by, "value", "lower", "upper", "n"])


def paired(table: pd.DataFrame, condition: str, one: str, other: str) -> pd.DataFrame:
    """Difference `one` - `other` of two conditions for every listener and region: listener, region, value."""
    wide = table.pivot_table(index=["listener", "region"], columns=condition, values="value", sort=False)
    return (wide[one] - wide[other]).rename("value").reset_index()


def _tidy(listeners: GroupScores, values: np.ndarray) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([listeners.names, list(REGIONS)], names=["listener", "region"])
    return pd.DataFrame({"value": values}, index=index).reset_index()


def read_controls(means: pd.Series, p: pd.Series, model: str, aligned: str, count: str, level: float = 0.05) -> str:
    """What stands out in the scores of the average listener, in words that follow the numbers.

    Parameters
    ----------
    means : mean r over regions by condition. p : of the test against chance, by condition.
    model, aligned, count : the conditions: the model, the same model aligned otherwise, the word count.
    """
    if p[model] > level:
        return f"*{model}* is not told from chance here, so nothing can be said of its alignment."
    alignment = (
        f"*Alignment matters*: *{aligned}* predicts nothing that chance would not, while *{model}* does."
        if p[aligned] > level
        else f"*Both alignments predict*: *{model}* with r = {means[model]:.2f}, *{aligned}* with {means[aligned]:.2f}."
    )
    gain = means[model] - means[count]
    numbers = f"the number of words reaches {means[count]:.2f}, the model with all its units {means[model]:.2f}"
    counting = (
        f"*The model does not beat counting*: {numbers}. Looking at the model alone, one would have written that a "
        "language model predicts the brain."
        if gain <= 0
        else f"*The model scores {gain:.2f} more than counting*: {numbers}. Single listeners say whether that is sure."
    )
    return f"{alignment} {counting}"


def read_layers(profile: pd.DataFrame, model: str) -> str:
    """Where a model predicts best, in words. `profile` : condition, layer, value; the embedding is layer 0."""
    rows = profile[profile.condition == model].set_index("layer").value
    best, last = int(rows.idxmax()), int(rows.index.max())
    where = "embedding" if best == 0 else "last" if best == last else "middle" if abs(best / last - 0.5) <= 0.2 else ""
    place = {
        "embedding": "It is the embedding, which knows no context: the layers above add nothing here",
        "last": "It is the last layer",
        "middle": "It lies in the middle of the model, where many studies find the best layer",
        "": f"It lies {'below' if best / last < 0.5 else 'above'} the middle of the model",
    }[where]
    above = [str(layer) for layer in rows.index[1:] if rows[layer] < rows[0]]
    weaker = f"; the embedding does better than layers {', '.join(above)}" if above else ""
    return f"The model predicts best at layer {best} of {last} (r = {rows[best]:.2f}). {place}{weaker}."


def read_untrained(left: pd.DataFrame, condition: str) -> str:
    """What an untrained network keeps beyond word rate and sound, in words: listener, region, condition, value."""
    rows = left[left.condition == condition]
    by_region = rows[rows.listener == GROUP].groupby("region").value.mean().sort_values()
    people = over_people(rows, ["condition"]).iloc[0]
    keeps = "keeps something" if people.lower > 0 else "keeps nothing that is sure"
    return (
        f"With word rate and sound taken out the untrained twin {keeps}: over single listeners {people.value:+.3f} "
        f"({people.lower:+.3f} to {people.upper:+.3f}); of their average, from {by_region.iloc[0]:.2f} in "
        f"{by_region.index[0]} to {by_region.iloc[-1]:.2f} in {by_region.index[-1]}."
    )


def read_ceilings(ceiling: pd.DataFrame, n: int) -> str:
    """What a perfect model would reach, in words. `ceiling` : from `ceilings`; n : participants."""
    one, group = ceiling.listener, ceiling.average
    return (
        f"A model that knew everything the listeners share would reach a correlation of {one.min():.2f} to "
        f"{one.max():.2f} with one of them, and of {group.min():.2f} to {group.max():.2f} with the average of all {n}, "
        "which washes out what is each person's own."
    )


def conclude(controls: str, gain, remainder) -> str:
    """The page's conclusions, a line each.

    controls : from `read_controls`. gain, remainder : value, lower and upper over single listeners, of the model less
    the word count, and of the model beyond word rate and sound.
    """
    sure = "something" if remainder.lower > 0 else "nothing that is sure"
    better = "better than" if gain.lower > 0 else "worse than" if gain.upper < 0 else "not surely better than"
    return (
        f"- **Words and the clock.** {controls}\n"
        f"- **Count first.** In single listeners the model is {better} the number of words: {gain.value:+.3f} "
        f"({gain.lower:+.3f} to {gain.upper:+.3f}). Beyond the number of words and the power of the sound it keeps "
        f"{sure}: {remainder.value:.3f} ({remainder.lower:+.3f} to {remainder.upper:+.3f}). Only what is left after "
        "the simplest signals can be said of language."
    )
