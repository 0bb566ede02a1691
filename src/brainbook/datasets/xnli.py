"""XNLI: 10,000 sentences that say the same in 15 languages (Conneau et al. 2018, EMNLP; CC BY-NC 4.0)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.files import check_content
from brainbook.errors import ConfigurationError, DatasetError

XNLI_LANGUAGES = {"EN": "en", "FR": "fr", "CN": "zh"}  # this book's codes -> XNLI's
LABELS = ("entailment", "neutral", "contradiction")
# how labels are written elsewhere: MultiNLI's translations, numbers of the hub (-1: none), SNLI's "no agreement"
_OTHER_LABELS = {
    "contradictory": "contradiction",
    "-": "",
    "-1": "",
    **{str(i): label for i, label in enumerate(LABELS)},
}
_OF_DISTRIBUTION = ("language", "gold_label", "sentence1", "sentence2", "pairID")
_KNOWN_BAD = {"legal attach\ufffd's": "legal attaché's"}  # a premise of the English test part, as it is distributed
_MISALIGNED = 0.05  # a premise may be translated twice in two ways; files that are shifted differ in half of the rows


def read_xnli(
    folder: str | Path, languages: Sequence[str] = ("EN", "FR", "CN"), parts: Sequence[str] = ("dev", "test")
) -> pd.DataFrame:
    """The distinct sentences of XNLI from its own `xnli.<part>.tsv`, or from row-aligned files `<part>-<language>.tsv`.

    A row of the latter is a premise, a hypothesis and perhaps a label, separated by tabs; row i of each language is the
    translation of row i of the others. The former has 19 columns with a header, and all languages in one file.

    Parameters
    ----------
    folder : where xnli.dev.tsv and xnli.test.tsv, or dev-en.tsv, dev-fr.tsv, dev-zh.tsv, test-en.tsv, ... lie (UTF-8).
    languages : two or three of "EN", "FR", "CN".
    parts : names that the files begin with.

    Returns
    -------
    DataFrame, one row a distinct sentence: part, row (from 1, where it stands first), role ("premise", "hypothesis"),
    group (equal for a premise and its hypotheses), and one column of text for each language.

    Raises
    ------
    DatasetError : a file is missing, is not UTF-8, has lost letters, an empty row or field, or its rows are not those
        of the other languages. The message names file and row.
    """
    _check_languages(languages)
    rows = []
    for part in parts:
        whole = Path(folder) / f"xnli.{part}.tsv"
        if whole.is_file():
            rows += _distinct(part, _read_distribution(whole, languages))
            continue
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
            except Exception as error:  # the library's, pyarrow's, the network's: each raises its own kinds
                raise DatasetError(
                    f"{source}: cannot be had from the hub: {error}. "
                    "Give read_xnli a folder of tab-separated files instead."
                ) from error
            try:
                fields = [(row["premise"].strip(), row["hypothesis"].strip(), str(row["label"])) for row in split]
            except (KeyError, AttributeError) as error:
                raise DatasetError(f"{source}: rows have no text premise, hypothesis and label ({error!r})") from error
            tables[language] = (source, [_check_fields(row, source, i) for i, row in enumerate(fields, 1)])
        rows += _distinct(part, tables)
    return _table(rows, languages)


def _read_lines(path: Path) -> list[tuple[str, ...]]:
    """The fields of each line, stripped."""
    check_content(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{path}, row {row}: byte {error.object[error.start]:#04x} is not UTF-8. Save the file as UTF-8."
        ) from error
    for was, word in _KNOWN_BAD.items():
        text = text.replace(was, word)
    for mark, name in (("\0", "a zero byte"), ("\ufffd", "a replacement character, so letters were lost")):
        if mark in text:
            row = text.count("\n", 0, text.index(mark)) + 1
            raise DatasetError(f"{path}, row {row}: holds {name}. Get the file again, in UTF-8.")
    if not text.strip():
        raise DatasetError(f"{path} holds no rows")
    lines = text.split("\n")  # not splitlines: other separators of lines may stand inside a sentence
    if not lines[-1].strip():
        lines.pop()
    return [tuple(field.strip() for field in line.split("\t")) for line in lines]


def _read_rows(path: Path) -> list[tuple[str, ...]]:
    rows = _read_lines(path)
    begin = int(rows[0][0].casefold() == "premise" and len(rows) > 1)  # a header
    return [_check_fields(fields, str(path), number) for number, fields in enumerate(rows[begin:], begin + 1)]


def _read_distribution(path: Path, languages: Sequence[str]) -> dict[str, tuple[str, list]]:
    """XNLI's own file: a header, and the rows of all languages; translations of each other have one pairID."""
    header, *rows = _read_lines(path)
    missing = [name for name in _OF_DISTRIBUTION if name not in header]
    if missing:
        raise DatasetError(f"{path}: its first row names no column {', '.join(missing)}: not XNLI as it is distributed")
    places = [header.index(name) for name in _OF_DISTRIBUTION]
    found: dict[str, dict[str, tuple]] = {XNLI_LANGUAGES[language]: {} for language in languages}
    for number, fields in enumerate(rows, 2):
        if len(fields) != len(header):
            raise DatasetError(f"{path}, row {number} has {len(fields)} fields, its header {len(header)}")
        spoken, label, premise, hypothesis, pair = (fields[place] for place in places)
        if spoken in found:
            if pair in found[spoken]:
                raise DatasetError(f"{path}, row {number}: pair {pair!r} stands there twice in {spoken}")
            found[spoken][pair] = _check_fields((premise, hypothesis, label), str(path), number)
    order = list(found[XNLI_LANGUAGES[languages[0]]])
    for spoken, pairs in found.items():
        if not pairs or set(pairs) != set(order):
            lacking = len(set(order) - set(pairs))
            raise DatasetError(f"{path}: of {len(order)} pairs {lacking} are not there in {spoken}, or it has others")
    return {
        language: (f"{path} ({XNLI_LANGUAGES[language]})", [found[XNLI_LANGUAGES[language]][pair] for pair in order])
        for language in languages
    }


def _check_fields(fields: tuple[str, ...], source: str, number: int) -> tuple[str, ...]:
    """The fields of a row, its label as `LABELS` has it."""
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
    if len(fields) == 2:
        return fields
    label = _OTHER_LABELS.get(fields[2], fields[2])
    if label and label not in LABELS:
        raise DatasetError(f"{where}: label {fields[2]!r} is none of {', '.join(LABELS)}")
    return (*fields[:2], label)


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
