"""The seed paper's sentences about regions, languages and layers, each as a number with an interval over participants.

The paper reads them off one participant a language. Here each is one difference that is positive where the sentence is
right, and `verdict` says whether its interval is. What the tables cannot say is not here (that Chinese is written with
characters, say: the participants heard the story, none of them read it).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.hemispheres.group_scores import GroupScores, told, verdict
from brainbook.stats import Interval, mean_interval

OCCIPITAL = "occipital|cuneus|calcarine|Lingual|S_oc_"


def is_occipital(columns: pd.DataFrame) -> np.ndarray:
    """Bool array [regions]: those of Destrieux's occipital lobe (precuneus, of the parietal one, is not)."""
    names = columns.region
    return (names.str.contains(OCCIPITAL) & ~names.str.contains("precuneus|parieto_occipital")).to_numpy()


def occipital_first(listeners: GroupScores, columns: pd.DataFrame) -> pd.DataFrame:
    """'Occipital regions are the strongest in all three languages': their mean r less that of all other regions.

    Columns: sentence, who (language), value, lower, upper, p: over the participants of each language.
    """
    chosen = is_occipital(columns)
    difference = listeners.scores[:, chosen].mean(axis=1) - listeners.scores[:, ~chosen].mean(axis=1)
    return _by_language(listeners, difference, "occipital regions are the strongest")


def chinese_higher(listeners: GroupScores) -> pd.DataFrame:
    """'Chinese is significantly higher': mean r over the cortex of CN less that of each other language.

    Other people heard another story, so the two means are independent: Welch's interval. Columns as above; who says
    less whom.
    """
    means = {name: listeners.scores[listeners.language == name].mean(axis=1) for name in _names(listeners)}
    rows = [
        _welch(means["CN"], values).table(sentence="Chinese is significantly higher", who=[f"CN less {name}"])
        for name, values in means.items()
        if name != "CN" and "CN" in means
    ]
    return _put_together(rows)


def last_layer(listeners: GroupScores, members: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """'Visual regions are tied to the last layer': r of the last layer less the mean of the others, by group.

    And the same in the visual group less all other regions, for a last layer that is good everywhere ties nobody.
    """
    profiles = listeners.profiles
    advantage = profiles[:, -1] - profiles[:, :-1].mean(axis=1)  # participants, regions
    visual = members["visual"]
    each = {
        "visual group": advantage[:, visual].mean(axis=1),
        "visual less other regions": advantage[:, visual].mean(axis=1) - advantage[:, ~visual].mean(axis=1),
    }
    sentence = "visual regions are tied to the last layer"
    return _put_together([mean_interval(values).table(sentence=sentence, who=[who]) for who, values in each.items()])


def diversity_concentrates(before: GroupScores, after: GroupScores, regions: np.ndarray) -> pd.DataFrame:
    """'The diversity of layers becomes concentrated': how many layers' worth of choices there are, before less after.

    The number is exp(entropy) of each participant's shares of choices, 1 where all fall on one layer and the number of
    layers where all are chosen alike.
    """
    fewer = effective_layers(before, regions) - effective_layers(after, regions)
    return mean_interval(fewer).table(sentence="the diversity of layers becomes concentrated", who=["all"])


def effective_layers(listeners: GroupScores, regions: np.ndarray) -> np.ndarray:
    """exp(entropy) of each participant's choices over layers, array [participants]."""
    chosen = listeners.chosen[..., regions]
    shares = np.stack([(chosen == place).mean(axis=(1, 2)) for place in range(listeners.n_layers)])
    return np.exp(stats.entropy(shares, axis=0))


def read_statements(table: pd.DataFrame) -> str:
    """A line a sentence: what our numbers say of it. `table` : rows of the functions above, one below the other."""
    lines = []
    for sentence, rows in table.groupby("sentence", sort=False):
        seen = "; ".join(f"{row.who} {told(row)}" for row in rows.itertuples())
        lines.append(f'- *"{sentence}"*: {seen}. {_conclusion([verdict(row) for row in rows.itertuples()])}')
    return "\n".join(lines)


def _conclusion(verdicts: list[str]) -> str:
    if all(word == "agrees with" for word in verdicts):
        return "This agrees with it."
    if "contradicts" in verdicts:
        return "This contradicts it."
    if "agrees with" in verdicts:
        return "This agrees with it in part only."
    return "This neither supports nor contradicts it."


def _names(listeners: GroupScores) -> list[str]:
    return list(dict.fromkeys(listeners.language))


def _by_language(listeners: GroupScores, values: np.ndarray, sentence: str) -> pd.DataFrame:
    rows = [
        mean_interval(values[listeners.language == name]).table(sentence=sentence, who=[name])
        for name in _names(listeners)
    ]
    return _put_together(rows)


def _welch(one: np.ndarray, other: np.ndarray) -> Interval:
    found = stats.ttest_ind(one, other, equal_var=False)
    ends = found.confidence_interval()
    return Interval(one.mean() - other.mean(), ends.low, ends.high, found.pvalue)


def _put_together(rows: list[pd.DataFrame]) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["sentence", "who", "value", "lower", "upper", "p"])
    return pd.concat(rows, ignore_index=True) if rows else empty
