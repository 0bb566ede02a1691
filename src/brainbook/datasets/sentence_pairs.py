"""Pairs of sentences that say the same in two languages or do not, from any table of translations.

XNLI's (`brainbook.datasets.xnli`), a phantom's, your own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from brainbook.datasets.xnli import XNLI_LANGUAGES
from brainbook.errors import ConfigurationError, DatasetError

PARTS = {"train": 0.7, "validation": 0.1, "test": 0.2}  # an interval is as wide as the test part is small
MISMATCHES = ("random", "length")
_NEIGHBOURS = 8  # a length-matched mismatch comes from about this many sentences nearest in length


def make_pairs(
    sentences: pd.DataFrame,
    first: str = "EN",
    second: str = "FR",
    n: int | None = 10_000,
    mismatched: float = 0.5,
    mismatch: str = "random",
    parts: Mapping[str, float] = PARTS,
    group: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Make pairs of a `first` and a `second` sentence; some say the same, the others were exchanged among themselves.

    Every sentence is in one pair at most, in either language. Mismatched pairs swap their `first` sentences with one
    another, so no sentence by itself tells whether its pair matches. Parts share no sentence and no text that occurs
    twice; a sentence is never given one that equals its translation. With the same sentences, seed and n the parts are
    the same for every two languages and for either kind of mismatch.

    Parameters
    ----------
    sentences : DataFrame of translations, one column of text per language (`read_xnli`, `phantom.story.sentences`).
    first, second : columns.
    n : number of pairs; None makes one of every sentence.
    mismatched : share of the pairs that do not match, in every part.
    mismatch : "random", or "length": hard ones, whose `first` sentence was exchanged for one of as many words and about
        as many characters, so that lengths carry next to no information.
    parts : name -> share of the pairs. The first part takes what rounding leaves.
    group : column whose equal values stay in one part (XNLI's "group": a premise and its hypotheses).
    seed : decides everything that is drawn.

    Returns
    -------
    DataFrame with `n` rows: part, match (1 or 0), first, second (texts), first_row, second_row (places in `sentences`).

    Raises
    ------
    DatasetError : columns or sentences are missing; or too many sentences hang together to be split.
    ConfigurationError : shares or names that cannot be.

    Examples
    --------
    >>> from brainbook.phantom import sentences
    >>> pairs = make_pairs(sentences(200, seed=0), "EN", "FR", n=100)
    >>> pairs.groupby("part")["match"].mean().to_dict()
    {'test': 0.5, 'train': 0.5, 'validation': 0.5}
    """
    _check_pairs(sentences, first, second, mismatched, mismatch, parts, group)
    n = len(sentences) if n is None else n
    if not 1 <= n <= len(sentences):
        raise DatasetError(f"{n} pairs asked for; there are {len(sentences)} sentences, and each is used once")
    rng = np.random.default_rng(seed)
    columns = [column for column in sentences if column in {first, second, *XNLI_LANGUAGES}]
    texts = [sentences[column].map(_plain).to_numpy() for column in columns]
    same = _linked(texts)  # rows with the same number share a text in one of the languages
    together = same if group is None else _linked([same, sentences[group].to_numpy()])
    lengths = np.stack([sentences[first].str.split().str.len(), sentences[first].str.len()], axis=1)
    tables = []
    for part, rows in _split(together, n, parts, rng).items():
        wrong = rng.permutation(len(rows)) < round(mismatched * len(rows))
        drawn = rows.copy()
        drawn[wrong] = _exchanged(rows[wrong], same, lengths, mismatch, rng)
        table = {"part": part, "match": (~wrong).astype(int), "first_row": drawn, "second_row": rows}
        tables.append(pd.DataFrame(table))
    pairs = pd.concat(tables, ignore_index=True)
    pairs.insert(2, "first", sentences[first].to_numpy()[pairs.first_row])
    pairs.insert(3, "second", sentences[second].to_numpy()[pairs.second_row])
    return pairs


def shuffle_pairs(pairs: pd.DataFrame, what: str = "labels", seed: int = 0) -> pd.DataFrame:
    """Make pairs to train a control on: nothing can be learned from them that helps in the test part, which stays.

    Parameters
    ----------
    pairs : from `make_pairs`.
    what : "labels": which pairs are called a match is drawn anew in the parts other than "test". "sentences": their
        `second` sentences change places, so that no pair matches whatever its label says (the control for a loss that
        looks at the pairs that are called matches only, half of which are true when labels alone are shuffled).

    Examples
    --------
    >>> from brainbook.phantom import sentences
    >>> pairs = make_pairs(sentences(200, seed=0), "EN", "FR", n=100)
    >>> control = shuffle_pairs(pairs)
    >>> test = pairs["part"] == "test"
    >>> control[test].equals(pairs[test]), control[~test].equals(pairs[~test])
    (True, False)
    """
    if what not in ("labels", "sentences"):
        raise ConfigurationError(f"what is 'labels' or 'sentences', not {what!r}")
    columns = ["match"] if what == "labels" else ["second", "second_row"]
    shuffled = {column: pairs[column].to_numpy().copy() for column in columns}
    rng = np.random.default_rng(seed)
    language = pairs["language"] if "language" in pairs else pd.Series("", index=pairs.index)
    for (part, _), rows in pairs.groupby([pairs["part"].to_numpy(), language.to_numpy()], sort=False).indices.items():
        if part != "test":
            order = rng.permutation(rows)
            # labels: any order; sentences: a cycle, so that none stays in its place
            source = rng.permutation(rows) if what == "labels" else np.roll(order, 1)
            for column in columns:
                shuffled[column][order] = pairs[column].to_numpy()[source]
    return pairs.assign(**shuffled).astype(pairs.dtypes)


def _check_pairs(
    sentences: Any, first: Any, second: Any, mismatched: Any, mismatch: str, parts: Any, group: Any
) -> None:
    wanted = [first, second] + ([group] if group else [])
    missing = [column for column in wanted if column not in sentences]
    if missing:
        raise DatasetError(f"sentences have no column {', '.join(missing)}; they have {', '.join(sentences.columns)}")
    for column in {first, second, *XNLI_LANGUAGES} & set(sentences):
        bad = np.flatnonzero([not isinstance(text, str) or not text.strip() for text in sentences[column]])
        if len(bad):
            raise DatasetError(f"sentence {bad[0]} has no text in {column}")
    if mismatch not in MISMATCHES:
        raise ConfigurationError(f"mismatch is one of {', '.join(MISMATCHES)}, not {mismatch!r}")
    if not 0 <= mismatched <= 1:
        raise ConfigurationError(f"mismatched is a share between 0 and 1, not {mismatched}")
    if not parts or min(parts.values()) <= 0 or abs(sum(parts.values()) - 1) > 1e-9:
        raise ConfigurationError(f"parts are positive shares that add up to 1, not {dict(parts)}")


def _plain(text: str) -> str:
    """Return letters and digits only, lower case: two sentences that differ in nothing else are the same."""
    return re.sub(r"[\W_]+", "", text.casefold()) or text


def _linked(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return a number for each row; rows that are equal in any column, directly or through others, have the same."""
    n = len(columns[0])
    offset, left, right = n, [], []
    for column in columns:
        codes, distinct = pd.factorize(column)
        left.append(np.arange(n))
        right.append(codes + offset)
        offset += len(distinct)
    rows, nodes = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, nodes)), shape=(offset, offset))
    return connected_components(graph, directed=False)[1][:n]


def _split(together: np.ndarray, n: int, parts: Mapping[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the rows of each part, none of which shares a number of `together` with another part."""
    (main, _), *others = parts.items()
    wanted = {name: round(share * n) for name, share in others}
    wanted[main] = n - sum(wanted.values())
    if min(wanted.values()) < 1:
        raise DatasetError(f"{n} pairs are too few for parts of {', '.join(f'{s:.0%}' for s in parts.values())}")
    order = np.argsort(together, kind="stable")
    clusters = np.split(order, np.flatnonzero(np.diff(together[order])) + 1)
    waiting = [clusters[i] for i in rng.permutation(len(clusters))]
    chosen = {}
    for name, _ in others:
        taken, left, room = [], [], wanted[name]
        for cluster in waiting:
            if len(cluster) <= room:
                taken.append(cluster)
                room -= len(cluster)
            else:
                left.append(cluster)
        if room:
            raise DatasetError(
                f"part {name!r} lacks {room} of {wanted[name]} pairs: sentences hang together in groups that are too "
                "large (equal texts, or equal values of the group column). Drop duplicates, or choose another group."
            )
        chosen[name], waiting = np.concatenate(taken), left
    rest = np.concatenate([*waiting, np.zeros(0, int)])
    if len(rest) < wanted[main]:
        raise DatasetError(f"part {main!r} has {len(rest)} sentences left for {wanted[main]} pairs")
    chosen[main] = rest[: wanted[main]]
    return {name: rng.permutation(chosen[name]) for name in parts}


def _exchanged(
    rows: np.ndarray, same: np.ndarray, lengths: np.ndarray, mismatch: str, rng: np.random.Generator
) -> np.ndarray:
    """Return `rows` in another order, in which none stands where itself or one that equals it stood."""
    n = len(rows)
    order = rng.permutation(n)  # neighbours in this order exchange places
    if mismatch == "length":
        words, characters = lengths[rows[order]].T
        order = order[np.lexsort((characters, words))]
    own = rows[order]
    drawn = own[np.argsort(np.arange(n) + rng.uniform(0, _NEIGHBOURS, n))]
    for i in np.flatnonzero(same[own] == same[drawn]):
        if same[own[i]] == same[drawn[i]]:  # not mended by an earlier exchange
            for j in _outwards(int(i), n):
                if same[own[i]] != same[drawn[j]] and same[own[j]] != same[drawn[i]]:
                    drawn[i], drawn[j] = drawn[j], drawn[i]
                    break
            else:
                raise DatasetError("too few distinct sentences in a part: none is left that would be a mismatch")
    result = np.empty_like(rows)
    result[order] = drawn
    return result


def _outwards(start: int, n: int) -> Iterator[int]:
    """Yield start - 1, start + 1, start - 2, ... as far as they lie within 0 .. n - 1."""
    for step in range(1, n):
        yield from (j for j in (start - step, start + step) if 0 <= j < n)
