"""XNLI: 10,000 sentences that say the same in 15 languages (Conneau et al. 2018, EMNLP; CC BY-NC 4.0)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.files import read_text
from brainbook.errors import ConfigurationError, DatasetError

XNLI_LANGUAGES = {"EN": "en", "FR": "fr", "CN": "zh"}  # this book's codes -> XNLI's
LABELS = ("entailment", "neutral", "contradiction")
# how labels are written elsewhere: MultiNLI's translations, numbers of the hub (-1: none), SNLI's "no agreement"
_OTHER_LABELS = {"contradictory": "contradiction", "-": "", "-1": "", **dict(zip("012", LABELS, strict=True))}
_COLUMNS_OF_DISTRIBUTION = ("language", "gold_label", "sentence1", "sentence2", "pairID")
_KNOWN_BAD = {"legal attach\ufffd's": "legal attaché's"}  # a premise of the English test part, as it is distributed
_MISALIGNED = 0.05  # a premise may be translated twice in two ways; files that are shifted differ in half of the rows


def read_xnli(
    folder: str | Path, languages: Sequence[str] = ("EN", "FR", "CN"), parts: Sequence[str] = ("dev", "test")
) -> pd.DataFrame:
    """Read the distinct sentences of XNLI from its `xnli.<part>.tsv`, or from row-aligned `<part>-<language>.tsv`.

    A row of the latter is a premise, a hypothesis and perhaps a label, separated by tabs; row i of each language is the
    translation of row i of the others. The former has 19 columns with a header, and all languages in one file.

    Parameters
    ----------
    folder : where xnli.dev.tsv and xnli.test.tsv, or dev-en.tsv, dev-fr.tsv, dev-zh.tsv, test-en.tsv, ... lie (UTF-8).
    languages : two or three of "EN", "FR", "CN".
    parts : names that the files begin with.

    Returns
    -------
    DataFrame, one row per distinct sentence: part, row (from 1, where it stands first), role ("premise", "hypothesis"),
    group (equal for a premise and its hypotheses), and one column of text for each language.

    Raises
    ------
    DatasetError : a file is missing, is not UTF-8, has lost letters, an empty row or field, or its rows are not those
        of the other languages. The message names file and row.

    Examples
    --------
    >>> for language, text in {"en": "She sleeps.\\tShe rests.\\n", "fr": "Elle dort.\\tElle se repose.\\n"}.items():
    ...     _ = Path(f"dev-{language}.tsv").write_text(text)
    >>> read_xnli(".", languages=("EN", "FR"), parts=("dev",))
      part  row        role  group           EN               FR
    0  dev    1     premise  dev-0  She sleeps.       Elle dort.
    1  dev    1  hypothesis  dev-0   She rests.  Elle se repose.
    """
    _check_languages(languages)
    folder, tables = Path(folder), []
    for part in parts:
        distribution = folder / f"xnli.{part}.tsv"
        if distribution.is_file():
            rows = _read_distribution(distribution, languages)
        else:
            paths = {language: folder / f"{part}-{XNLI_LANGUAGES[language]}.tsv" for language in languages}
            rows = {language: (str(path), _read_translation(path)) for language, path in paths.items()}
        tables.append(_distinct(part, rows))
    return pd.concat(tables).drop_duplicates(list(languages), ignore_index=True)


def xnli_from_hub(
    languages: Sequence[str] = ("EN", "FR", "CN"),
    parts: Sequence[str] = ("validation", "test"),
    name: str = "facebook/xnli",
) -> pd.DataFrame:
    """Read the same table from the Hugging Face hub, through the `datasets` library (`pip install 'brainbook[hub]'`).

    `languages` as in `read_xnli`; `name` is that of the data set there, `parts` are its splits ("train", of 392,702
    rows, is machine-translated). Raises DatasetError when the library or the hub cannot be had, with what to do.

    Examples
    --------
    >>> sentences = xnli_from_hub(("EN", "FR"), parts=("validation",))  # doctest: +SKIP
    """
    _check_languages(languages)
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DatasetError("the datasets library is not installed: pip install 'brainbook[hub]'") from error
    tables = []
    for part in parts:
        rows = {}
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
            rows[language] = source, [_check_fields(row, source, number) for number, row in enumerate(fields, 1)]
        tables.append(_distinct(part, rows))
    return pd.concat(tables).drop_duplicates(list(languages), ignore_index=True)


def _read_fields(path: Path) -> list[tuple[str, ...]]:
    """Return the fields of each line, stripped. Only newlines end a line: other separators may stand in a sentence."""
    text = read_text(path, repair=_KNOWN_BAD)
    if not text.strip():
        raise DatasetError(f"{path} holds no rows")
    return [tuple(field.strip() for field in line.split("\t")) for line in text.removesuffix("\n").split("\n")]


def _read_translation(path: Path) -> list[tuple[str, ...]]:
    rows = _read_fields(path)
    start = int(rows[0][0].casefold() == "premise" and len(rows) > 1)  # a header
    return [_check_fields(fields, path, number) for number, fields in enumerate(rows[start:], start + 1)]


def _read_distribution(path: Path, languages: Sequence[str]) -> dict[str, tuple[str, list]]:
    """Read XNLI's own file: a header, and the rows of all languages; translations of each other have one pairID."""
    header, *rows = _read_fields(path)
    if missing := [name for name in _COLUMNS_OF_DISTRIBUTION if name not in header]:
        raise DatasetError(f"{path}: its first row names no column {', '.join(missing)}: not XNLI as it is distributed")
    places = [header.index(name) for name in _COLUMNS_OF_DISTRIBUTION]
    pairs: dict[str, dict[str, tuple]] = {XNLI_LANGUAGES[language]: {} for language in languages}
    for number, fields in enumerate(rows, 2):
        if len(fields) != len(header):
            raise DatasetError(f"{path}, row {number} has {len(fields)} fields, its header {len(header)}")
        code, label, premise, hypothesis, pair = (fields[place] for place in places)
        if code not in pairs:
            continue
        if pair in pairs[code]:
            raise DatasetError(f"{path}, row {number}: pair {pair!r} stands there twice in {code}")
        pairs[code][pair] = _check_fields((premise, hypothesis, label), path, number)
    order = list(pairs[XNLI_LANGUAGES[languages[0]]])
    for code, of_language in pairs.items():
        if not of_language or set(of_language) != set(order):
            absent = len(set(order) - set(of_language))
            raise DatasetError(f"{path}: of {len(order)} pairs {absent} are not there in {code}, or it has others")
    codes = {language: XNLI_LANGUAGES[language] for language in languages}
    return {language: (f"{path} ({code})", [pairs[code][pair] for pair in order]) for language, code in codes.items()}


def _check_fields(fields: tuple[str, ...], source: str | Path, number: int) -> tuple[str, str, str]:
    """Return premise, hypothesis and label ('' if there is none) of a row, the label as `LABELS` has it."""
    where = f"{source}, row {number}"
    if not any(fields):
        raise DatasetError(f"{where} is empty: remove it in every language, or the rows are no longer aligned")
    if len(fields) not in (2, 3):
        raise DatasetError(
            f"{where} has {len(fields)} fields; a premise, a hypothesis and perhaps a label are expected"
        )
    premise, hypothesis, label = (*fields, "")[:3]
    for name, text in (("premise", premise), ("hypothesis", hypothesis)):
        if not text:
            raise DatasetError(f"{where}: the {name} is empty")
    label = _OTHER_LABELS.get(label, label)
    if label and label not in LABELS:
        raise DatasetError(f"{where}: label {label!r} is none of {', '.join(LABELS)}")
    return premise, hypothesis, label


def _distinct(part: str, tables: dict[str, tuple[str, list]]) -> pd.DataFrame:
    """Return one row for each distinct sentence of aligned rows, where it stands first."""
    (source, rows), *others = tables.values()
    for other_source, other_rows in others:
        if len(other_rows) != len(rows):
            raise DatasetError(
                f"{other_source} has {len(other_rows)} rows and {source} has {len(rows)}: "
                "row i of each must be the translation of row i"
            )
        for number, ((*_, label), (*_, other_label)) in enumerate(zip(rows, other_rows, strict=True), 1):
            if label != other_label:
                raise DatasetError(
                    f"row {number} is {label or 'without a label'} in {source} and "
                    f"{other_label or 'without a label'} in {other_source}: the files are not row-aligned"
                )
        differing = np.flatnonzero(_repeats(rows) != _repeats(other_rows))
        if len(differing) > _MISALIGNED * len(rows):
            raise DatasetError(
                f"{other_source} repeats its premises in other rows than {source} (first in row {differing[0] + 1}): "
                "the files are not row-aligned"
            )
    numbers = np.arange(1, len(rows) + 1)
    groups = pd.factorize(pd.Series([premise for premise, *_ in rows], dtype=object))[0]
    columns = {"part": part, "row": numbers, "group": [f"{part}-{group}" for group in groups]}
    roles = [
        pd.DataFrame({**columns, **{name: [row[place] for row in table] for name, (_, table) in tables.items()}})
        for place in (0, 1)
    ]
    both = pd.concat(roles, keys=["premise", "hypothesis"], names=["role"]).reset_index("role")
    both = both.sort_values("row", kind="stable").drop_duplicates(list(tables))
    return both[["part", "row", "role", "group", *tables]]


def _repeats(rows: list[tuple[str, str, str]]) -> np.ndarray:
    """Return whether each row has the premise of the row above."""
    premises = np.array([premise for premise, *_ in rows], dtype=object)
    return np.append(False, premises[1:] == premises[:-1])


def _check_languages(languages: Sequence[str]) -> None:
    unknown = [language for language in languages if language not in XNLI_LANGUAGES]
    if unknown or len(set(languages)) != len(languages) or len(languages) < 2:
        raise ConfigurationError(f"languages are two or three of {', '.join(XNLI_LANGUAGES)}, not {tuple(languages)}")
