"""Helpers of the chapter `hemispheres_and_layers`: the best regions beside the published ones, and what r could be."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brainbook.chapters import published
from brainbook.chapters.hemispheres.group_scores import GroupScores
from brainbook.chapters.shared import ParticipantScores
from brainbook.stats import largest_r

# The single listeners of the published maps and bars. The paper names no English one, and its label sub-FR057 no
# participant of ds003643: its authors' public scripts read sub-FR025.
PUBLISHED_SINGLES = {"EN": "one English listener, not named", "FR": "sub-FR025 (printed sub-FR057)", "CN": "sub-CN003"}


def rank_regions(listeners: GroupScores, columns: pd.DataFrame) -> pd.DataFrame:
    """All regions of each language from the best to the worst.

    Columns: language, rank, region, hemisphere, pearson_r, and those of `possible_r`.
    """
    languages = list(dict.fromkeys(listeners.language))
    return _ranked({name: listeners.mean(name) for name in languages}, columns, languages)


def rank_regions_of(scores: Mapping[str, ParticipantScores], singles: Sequence[str]) -> pd.DataFrame:
    """The same for single participants, one of a language, as the paper prints them; those not scored are left out."""
    found = {
        language: part.fold_scores[part.participants.index(name)].mean(axis=0)
        for language, part in scores.items()
        for name in singles
        if name in part.participants
    }
    columns = next(iter(scores.values())).columns
    return _ranked(found, columns, list(found))


def _ranked(values: Mapping[str, np.ndarray], columns: pd.DataFrame, languages: list[str]) -> pd.DataFrame:
    rows = [columns[["region", "hemisphere"]].assign(language=name, pearson_r=r) for name, r in values.items()]
    names = ["language", "rank", "region", "hemisphere", "pearson_r", "reliability", "group", "participant"]
    if not rows:
        return pd.DataFrame(columns=names)
    table = pd.concat(rows).merge(possible_r(languages), how="left")
    table["rank"] = table.groupby("language").pearson_r.rank(ascending=False, method="first").astype(int)
    place = {name: order for order, name in enumerate(languages)}
    table = table.sort_values(["language", "rank"], key=lambda it: it.map(place) if it.name == "language" else it)
    return table[names].reset_index(drop=True)


def possible_r(languages: Sequence[str]) -> pd.DataFrame:
    """What a perfect model of the story could reach in the REAL recordings, one row a region and language.

    Columns: region, hemisphere, language, reliability (R, how well the averages of two halves of the real participants
    agree), group (sqrt(2R / (1 + R)): the largest r with the average of all), participant (the largest r with one
    participant that rests on what that person shares with the group).
    """
    table = published.reliability_by_region()
    known = [name for name in languages if name in published.PARTICIPANTS]
    table = table.melt(["region", "hemisphere"], known, "language", "reliability")
    halves = table.language.map(published.PARTICIPANTS) / 2
    return table.assign(
        group=largest_r(table.reliability, 2), participant=largest_r(table.reliability, 1 / halves.to_numpy(float))
    )


def compare_with_published(ranked: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """The `n` best regions of each language beside the paper's, indexed by language and rank.

    Columns: (ours | paper, region | side | r | reliability | group | participant).
    """
    theirs = published.top_regions()
    theirs = theirs.merge(possible_r(sorted(set(theirs.language))), how="left")
    both = []
    for table in (ranked[ranked["rank"] <= n], theirs[theirs["rank"] <= n]):
        named = table.rename(columns={"hemisphere": "side", "pearson_r": "r"}).set_index(["language", "rank"])
        both.append(named[["region", "side", "r", "reliability", "group", "participant"]])
    joined = pd.concat(both, axis=1, keys=["ours", "paper"])
    return joined.loc[both[0].index]


def read_published(paper: pd.DataFrame) -> str:
    """What the published best regions say beside what is possible, in words.

    `paper` : the part `paper` of `compare_with_published`: region, side, r, reliability, group, participant, by language.
    """
    beyond_group = paper[paper.r > paper.group]
    beyond_one = paper[paper.r > paper.participant]
    farthest = (paper.r / paper.participant).idxmax()
    row = paper.loc[farthest]
    group = (
        "None of them lies above what a perfect model of the story would reach with the *average of all* participants"
        if beyond_group.empty
        else f"{len(beyond_group)} of {len(paper)} lie above what a perfect model of the story would reach with the "
        "*average of all* participants, where nothing should"
    )
    text = (
        f"{group} (column *group*). But each is of *one* participant, and {len(beyond_one)} of {len(paper)} lie above "
        "what such a model would reach there by what that person shares with the others (column *participant*)"
    )
    if beyond_one.empty:
        return text + "."
    return (
        f"{text}; farthest {row.region} {row.side} in {farthest[0]}, r = {row.r:.4f} where {row.participant:.3f} is "
        f"shared, {row.r / row.participant:.1f} times as much."
    )
