"""Sentences that say the same in several languages, and pairs of them that match or do not.

XNLI (Conneau et al. 2018, EMNLP; CC BY-NC 4.0) gives 10,000 sentences in 15 languages. Pairs are made from any table of
translations: XNLI's, a phantom's, your own.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.stimuli.files import check_content

XNLI_LANGUAGES = {"EN": "en", "FR": "fr", "CN": "zh"}  # this book's codes -> XNLI's
LABELS = ("entailment", "neutral", "contradiction")
PARTS = {"train": 0.7, "validation": 0.1, "test": 0.2}  # an interval is as wide as the test part is small
MISMATCHES = ("random", "length")
_MISALIGNED = 0.05  # a premise may be translated twice in two ways; files that are shifted differ in half of the rows
_NEIGHBOURS = 8  # a length-matched mismatch comes from about this many sentences nearest in length


def read_xnli(
    folder: str | Path, languages: Sequence[str] = ("EN", "FR", "CN"), parts: Sequence[str] = ("dev", "test")
) -> pd.DataFrame:
    """The distinct sentences of XNLI from row-aligned files `<part>-<language>.tsv`.

    A row is a premise, a hypothesis and perhaps a label, separated by tabs, without a header; row i of each language is
    the translation of row i of the others.

    Parameters
    ----------
    folder : where dev-en.tsv, dev-fr.tsv, dev-zh.tsv, test-en.tsv, ... lie (UTF-8).
    languages : two or three of "EN", "FR", "CN".
    parts : names that the files begin with.

    Returns
    -------
    DataFrame, one row a distinct sentence: part, row (from 1, where it stands first), role ("premise", "hypothesis"),
    group (equal for a premise and its hypotheses), and one column of text for each language.

    Raises
    ------
    DatasetError : a file is missing, is not UTF-8, has an empty row or field, or its rows are not those of the other
        languages. The message names file and row.
    """
    _check_languages(languages)
    rows = []
    for part in parts:
        paths = {language: Path(folder) / f"{part}-{XNLI_LANGUAGES[language]}.tsv" for language in languages}
        rows += _distinct(part, {language: (str(path), _read_rows(path)) for language, path in paths.items()})
    return _table(rows, languages)


def xnli_from_hub(
    languages: Sequence[str] = ("EN", "FR", "CN"),
    parts: Sequence[str] = ("validation", "test"),
    name: str = "facebook/xnli",
) -> pd.DataFrame:
    """The same table from the Hugging Face hub, through the `datasets` library (`pip install 'brainbook[hub]'`).

    `parts` are splits of the data set there ("train", of 392,702 rows, is machine-translated). Raises DatasetError when
    the library or the hub cannot be had, with what to do.
    """
    _check_languages(languages)
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DatasetError("the datasets library is not installed: pip install 'brainbook[hub]'") from error
    rows = []
    for part in parts:
        tables = {}
        for language in languages:
            source = f"{name} ({XNLI_LANGUAGES[language]}, {part})"
            try:
                split = load_dataset(name, XNLI_LANGUAGES[language], split=part)
            except (OSError, ValueError) as error:  # what the library raises without a network, or for an unknown split
                raise DatasetError(
                    f"{source}: cannot be had from the hub: {error}. "
                    "Give read_xnli a folder of tab-separated files instead."
                ) from error
            fields = [
                (row["premise"].strip(), row["hypothesis"].strip(), LABELS[row["label"]] if row["label"] >= 0 else "")
                for row in split
            ]
            tables[language] = (source, [_check_fields(row, source, i) for i, row in enumerate(fields, 1)])
        rows += _distinct(part, tables)
    return _table(rows, languages)


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
    """Pairs of a `first` and a `second` sentence; some say the same, the others were exchanged among themselves.

    Every sentence is in one pair at most, in either language. Mismatched pairs swap their `first` sentences with one
    another, so no sentence by itself tells whether its pair matches. Parts share no sentence and no text that occurs
    twice; a sentence is never given one that equals its translation. With the same sentences, seed and n the parts are
    the same for every two languages and for either kind of mismatch.

    Parameters
    ----------
    sentences : DataFrame of translations, one column of text a language (`read_xnli`, `phantom.story.sentences`).
    first, second : columns.
    n : number of pairs; None makes one of every sentence.
    mismatched : share of the pairs that do not match, in every part.
    mismatch : "random", or "length": hard ones, whose `first` sentence was exchanged for one of as many words and about
        as many characters, so that lengths tell next to nothing.
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
    """Pairs to train a control on: nothing can be learned from them that holds in the test part, which stays as it is.

    Parameters
    ----------
    pairs : from `make_pairs`.
    what : "labels": which pairs are called a match is drawn anew in the parts other than "test". "sentences": their
        `second` sentences change places, so that no pair matches whatever its label says (the control for a loss that
        looks at the pairs that are called matches only, half of which are true when labels alone are shuffled).
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
            # labels: any order; sentences: a cycle, so that nobody keeps its place
            source = rng.permutation(rows) if what == "labels" else np.roll(order, 1)
            for column in columns:
                shuffled[column][order] = pairs[column].to_numpy()[source]
    return pairs.assign(**shuffled).astype(pairs.dtypes)


def _read_rows(path: Path) -> list[tuple[str, ...]]:
    check_content(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{path}, row {row}: byte {error.object[error.start]:#04x} is not UTF-8. Save the file as UTF-8."
        ) from error
    if not text.strip():
        raise DatasetError(f"{path} holds no rows")
    lines = text.split("\n")  # not splitlines: other separators of lines may stand inside a sentence
    if not lines[-1].strip():
        lines.pop()
    return [
        _check_fields(tuple(field.strip() for field in line.split("\t")), str(path), number)
        for number, line in enumerate(lines, 1)
    ]


def _check_fields(fields: tuple[str, ...], source: str, number: int) -> tuple[str, ...]:
    where = f"{source}, row {number}"
    if not any(fields):
        raise DatasetError(f"{where} is empty: remove it in every language, or the rows are no longer aligned")
    if len(fields) not in (2, 3):
        raise DatasetError(
            f"{where} has {len(fields)} fields; a premise, a hypothesis and perhaps a label are expected"
        )
    for name, field in zip(("premise", "hypothesis"), fields, strict=False):
        if not field:
            raise DatasetError(f"{where}: the {name} is empty")
    if len(fields) == 3 and fields[2] and fields[2] not in LABELS:
        raise DatasetError(f"{where}: label {fields[2]!r} is none of {', '.join(LABELS)}")
    return fields


def _distinct(part: str, tables: dict[str, tuple[str, list]]) -> list[dict]:
    """One entry for each distinct sentence of aligned rows, where it stands first."""
    (reference, (source, rows)), *others = tables.items()
    for other_source, other in (table for _, table in others):
        if len(other) != len(rows):
            raise DatasetError(
                f"{other_source} has {len(other)} rows and {source} has {len(rows)}: "
                "row i of each must be the translation of row i"
            )
        for number, (mine, theirs) in enumerate(zip(rows, other, strict=True), 1):
            if mine[2:] != theirs[2:]:
                raise DatasetError(
                    f"row {number} is {' '.join(mine[2:]) or 'without a label'} in {source} and "
                    f"{' '.join(theirs[2:]) or 'without a label'} in {other_source}: the files are not row-aligned"
                )
        differing = np.flatnonzero(_repeats(rows) != _repeats(other))
        if len(differing) > _MISALIGNED * len(rows):
            raise DatasetError(
                f"{other_source} repeats its premises in other rows than {source} (first in row {differing[0] + 1}): "
                "the files are not row-aligned"
            )
    found: dict[tuple, dict] = {}
    premises: dict[str, int] = {}
    for number, row in enumerate(rows):
        group = premises.setdefault(row[0], len(premises))
        for place, role in enumerate(("premise", "hypothesis")):
            texts = {language: table[number][place] for language, (_, table) in tables.items()}
            entry = {"part": part, "row": number + 1, "role": role, "group": f"{part}-{group}", **texts}
            found.setdefault(tuple(texts.values()), entry)
    return list(found.values())


def _repeats(rows: list[tuple[str, ...]]) -> np.ndarray:
    """Whether each row has the premise of the row above."""
    premises = [row[0] for row in rows]
    return np.array([False, *(a == b for a, b in zip(premises[1:], premises, strict=False))])


def _table(rows: list[dict], languages: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(rows).drop_duplicates(list(languages), ignore_index=True)


def _check_languages(languages: Sequence[str]) -> None:
    unknown = [language for language in languages if language not in XNLI_LANGUAGES]
    if unknown or len(set(languages)) != len(languages) or len(languages) < 2:
        raise ConfigurationError(f"languages are two or three of {', '.join(XNLI_LANGUAGES)}, not {tuple(languages)}")


def _check_pairs(sentences, first, second, mismatched, mismatch, parts, group) -> None:
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
    """Letters and digits only, lower case: two sentences that differ in nothing else are the same."""
    return "".join(character for character in text.casefold() if character.isalnum()) or text


def _linked(columns: Sequence[np.ndarray]) -> np.ndarray:
    """A number for each row; rows that are equal in any column, directly or through others, have the same."""
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
    """Rows of each part, none of which shares a number of `together` with another part."""
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


def _exchanged(rows: np.ndarray, same: np.ndarray, lengths: np.ndarray, mismatch: str, rng) -> np.ndarray:
    """`rows` in another order, in which none stands where itself or one that equals it stood."""
    n = len(rows)
    order = rng.permutation(n)  # neighbours in this order exchange places
    if mismatch == "length":
        words, characters = lengths[rows[order]].T
        order = order[np.lexsort((characters, words))]
    own = rows[order]
    drawn = own[np.argsort(np.arange(n) + rng.uniform(0, _NEIGHBOURS, n))]
    for i in np.flatnonzero(same[own] == same[drawn]):
        if same[own[i]] == same[drawn[i]]:  # not mended by an earlier exchange
            for j in _outwards(i, n):
                if same[own[i]] != same[drawn[j]] and same[own[j]] != same[drawn[i]]:
                    drawn[i], drawn[j] = drawn[j], drawn[i]
                    break
            else:
                raise DatasetError("too few distinct sentences in a part: none is left that would be a mismatch")
    result = np.empty_like(rows)
    result[order] = drawn
    return result


def _outwards(start: int, n: int) -> Iterator[int]:
    """start - 1, start + 1, start - 2, ... as far as they lie within 0 .. n - 1."""
    for step in range(1, n):
        yield from (j for j in (start - step, start + step) if 0 <= j < n)
