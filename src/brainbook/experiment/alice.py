"""What the chapter `alice` computes: one run heard by many, scored for their average and for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.encoding import (
    blocks_with_gaps,
    cross_validate,
    delay,
    fixed_length,
    permutation_scores,
    variable_length,
)
from brainbook.recordings import Alice
from brainbook.recordings.alice import REGIONS

DELAYS = (1, 2, 3, 4)  # scans
CHANCE_ALPHA = 1e4  # of the order of what training scans choose for a model's features
GROUP = "average of all"
ALPHAS = np.logspace(0, 6, 13)


@dataclass(frozen=True)
class Listeners:
    """Responses of everyone side by side with those of their average, and how scans are parted.

    Attributes
    ----------
    responses : float32 array [scans, (1 + participants) x 6 regions]; the first six columns are the average's.
    names : name of each set of six columns: the average, then the participants.
    splits : list of (training scans, test scans): blocks of the one run, with gaps beside the test block.
    """

    responses: np.ndarray
    names: list[str]
    splits: list

    @property
    def runs(self) -> np.ndarray:
        """The run of every scan, int array [scans]: there is only one."""
        return np.zeros(len(self.responses), int)


def gather(alice: Alice, n_blocks: int = 6, gap: int = 8) -> Listeners:
    """Cleaned responses (motion taken out) of the participants and their average; see `blocks_with_gaps`."""
    people = alice.responses()
    both = np.concatenate([people.mean(axis=0, keepdims=True), people])  # 1 + participants, scans, regions
    side_by_side = np.moveaxis(both, 0, 1).reshape(both.shape[1], -1)
    return Listeners(side_by_side, [GROUP, *alice.participants], blocks_with_gaps(alice.n_scans, n_blocks, gap))


def on_scans(alice: Alice, states: np.ndarray, alignment: str, words_per_scan: int = 5, aggregate="mean") -> np.ndarray:
    """States of words [..., words, units] on the clock of the scans: [..., scans, units]. `alignment`: VLA or FLA."""
    if alignment == "FLA":
        return fixed_length(states, alice.n_scans, words_per_scan, aggregate=aggregate)
    return variable_length(states, alice.words.onset.to_numpy(), alice.n_scans, alice.tr, aggregate=aggregate)


def count_words(alice: Alice) -> np.ndarray:
    """How many words begin in each scan, float32 array [scans, 1]."""
    return on_scans(alice, np.ones((len(alice.words), 1), np.float32), "VLA", aggregate="sum")


def rate_and_sound(alice: Alice) -> np.ndarray:
    """Signals that a language model should be asked to beat, already delayed: array [scans, 5].

    The number of words in each of the four scans before, and the power of the sound (convolved by its authors).
    """
    return np.column_stack([delay(count_words(alice), DELAYS, np.zeros(alice.n_scans, int)), alice.sound_power])


def score(listeners: Listeners, features: np.ndarray, device: str = "auto", **options) -> pd.DataFrame:
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
    listeners: Listeners, features: np.ndarray, n_permutations: int = 300, seed: int = 0, device: str = "auto"
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


def _tidy(listeners: Listeners, values: np.ndarray) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([listeners.names, list(REGIONS)], names=["listener", "region"])
    return pd.DataFrame({"value": values}, index=index).reset_index()
