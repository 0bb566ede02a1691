"""What the chapter `transfer` needs beyond the library: sentence pairs, and how well models find the matches."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedTokenizerBase

from brainbook.errors import ConfigurationError
from brainbook.language_models import LanguageModel
from brainbook.language_models.sentence_matching.evaluation import (
    accuracy_table,
    best_threshold,
    cosines,
    length_only,
    retrieval,
    roc,
)
from brainbook.language_models.sentence_matching.matcher import Matcher, head_probability, sentence_vectors
from brainbook.language_models.sentence_matching.transfer import (
    TransferSettings,
    phantom_pairs,
    transferred,
    xnli_pairs,
)
from brainbook.workflow import ArchivedTable, latest_table

MISMATCHES = ("random", "length")


def sentence_pairs(
    sentences: str,
    n: int,
    second: list[str],
    seed: int = 0,
    passage: int = 2,
    mismatches: Sequence[str] = MISMATCHES,
) -> dict[str, pd.DataFrame]:
    """Make pairs with randomly drawn and with length-matched mismatches, `n` for each second language.

    Parameters
    ----------
    sentences : "phantom", "hub" (XNLI from the Hugging Face hub), or a folder of XNLI's tab-separated files.
    passage : how many of the phantom's sentences stand on each side of a pair.
    mismatches : kinds of mismatch, "random" or "length".

    Returns
    -------
    mismatch -> pairs, as `phantom_pairs` returns them. All have the same sentences in the same parts.
    """
    if sentences == "phantom":
        return {mismatch: phantom_pairs(n, second, passage, mismatch, seed) for mismatch in mismatches}
    folder = None if sentences == "hub" else Path(sentences)
    return {mismatch: xnli_pairs(folder, n, second, mismatch, seed) for mismatch in mismatches}


def fine_tuned(model: str, transfer: Mapping, seed: int = 0, cache: str = "cache", device: str = "auto") -> str:
    """Return the folder of `model` after pair matching: the one of the chapter `transfer` under the same settings.

    `transfer` : {"pairs": number per language, "second": languages, "settings": of TransferSettings}, and "sentences"
    and "passage" as in `sentence_pairs` (the phantom's when they are not there).
    """
    unknown = set(transfer) - {"pairs", "second", "settings", "sentences", "passage"}
    if unknown or not {"pairs", "second"} <= set(transfer):
        raise ConfigurationError(
            f"transfer={dict(transfer)!r}: give pairs and second, perhaps settings, sentences, passage, nothing else"
        )
    sentences, passage = transfer.get("sentences", "phantom"), transfer.get("passage", 2)
    pairs = sentence_pairs(sentences, transfer["pairs"], list(transfer["second"]), seed, passage, ["random"])
    settings = TransferSettings(**{**transfer.get("settings", {}), "seed": seed})
    return str(transferred(model, pairs["random"], settings, cache, device))


def reading_table(pairs: pd.DataFrame, tokenizer: PreTrainedTokenizerBase) -> pd.DataFrame:
    """Describe what a tokenizer makes of each language's sentences.

    Returns
    -------
    Columns: language, sentences, tokens (mean number per sentence), unknown (share of the tokens that stand for text
    the tokenizer does not know).
    """
    texts = {"EN": pairs["first"].unique()}
    texts |= {language: rows.second.unique() for language, rows in pairs.groupby("language", sort=False)}
    rows = []
    for language, sentences in texts.items():
        ids = tokenizer(list(sentences), add_special_tokens=False, verbose=False)["input_ids"]
        unknown = np.mean(np.concatenate(ids) == tokenizer.unk_token_id)
        tokens = np.mean([len(sentence) for sentence in ids])
        rows.append({"language": language, "sentences": len(sentences), "tokens": tokens, "unknown": unknown})
    return pd.DataFrame(rows)


def held_out_pairs(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the pairs of the parts "validation" and "test", all kinds of mismatch one below the other.

    `tables` : from `sentence_pairs`. New columns: mismatch, and "length only", how likely a pair is a match by the
    lengths of its sentences (of each language and kind of mismatch, fitted on the part "train").
    """
    parts = []
    for mismatch, table in tables.items():
        for _, rows in table.groupby("language", sort=False):
            scored = rows.assign(mismatch=mismatch, **{"length only": length_only(rows)})
            parts.append(scored[scored.part != "train"])
    return pd.concat(parts, ignore_index=True)


def add_scores(
    pairs: pd.DataFrame, name: str, model: LanguageModel | Matcher, tokenizer: PreTrainedTokenizerBase
) -> pd.DataFrame:
    """Add what a model says of each pair: columns "<name>, cosine" and, of a `Matcher`, "<name>, head".

    The cosine is of the two sentences' vectors, the head gives the probability of a match. A sentence is read once.
    """
    texts = pd.unique(pd.concat([pairs["first"], pairs["second"]]))
    vectors = sentence_vectors(model, tokenizer, texts)
    row = pd.Series(np.arange(len(texts)), index=texts)
    sides = [vectors[row[pairs[side]].to_numpy()] for side in ("first", "second")]
    scores = {f"{name}, cosine": cosines(*sides)}
    if isinstance(model, Matcher):
        scores[f"{name}, head"] = head_probability(model, *sides)
    return pairs.assign(**scores)


def matching_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Compute the accuracy on the test part of each language, for random and for length-matched mismatches.

    A probability above .5 is a match; a cosine, one above the best threshold on the part "validation" of the same
    language and kind of mismatch. Nothing sees the part "test".

    Parameters
    ----------
    pairs : from `held_out_pairs` and `add_scores`.

    Returns
    -------
    Columns: classifier, language, mismatch, and those of `accuracy`.
    """
    classifiers = [name for name in pairs if name.endswith((", cosine", ", head", "length only"))]
    tables = []
    for (mismatch, language), rows in pairs.groupby(["mismatch", "language"], sort=False):
        test, validation = rows[rows.part == "test"], rows[rows.part == "validation"]
        thresholds = {
            name: best_threshold(validation[name], validation.match) if name.endswith("cosine") else 0.5
            for name in classifiers
        }
        answers = {name: test[name] > threshold for name, threshold in thresholds.items()}
        tables.append(accuracy_table(test.match, answers, language=language, mismatch=mismatch))
    return pd.concat(tables, ignore_index=True)


def roc_tables(pairs: pd.DataFrame, classifiers: list[str], seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute ROC curves and areas on the test part, by language.

    Parameters
    ----------
    pairs : from `held_out_pairs` and `add_scores`, of one kind of mismatch.
    classifiers : columns of it.

    Returns
    -------
    curves : classifier, language, false_positive_rate, true_positive_rate.
    areas : classifier, language, auc, lower, upper.
    """
    curves, areas = [], []
    for language, rows in pairs[pairs.part == "test"].groupby("language", sort=False):
        for name in classifiers:
            curve, area = roc(rows.match.to_numpy(), rows[name].to_numpy(), seed)
            label = {"classifier": name.split(",")[0], "language": language}
            curves.append(curve.assign(**label))
            areas.append(label | area)
    return pd.concat(curves, ignore_index=True), pd.DataFrame(areas)


def retrieval_table(pairs: pd.DataFrame, models: Mapping[str, tuple], n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Ask which sentence is the translation: `n` sentences of the test part, every two languages, both ways.

    Parameters
    ----------
    models : name -> (model, tokenizer), as `sentence_vectors` takes them.

    Returns
    -------
    Columns: model, and those of `retrieval`. Two second languages are asked of each other as well, of which no pair was
    ever trained.
    """
    test = pairs[pairs.part == "test"]
    texts = pd.DataFrame({language: rows.set_index("second_row").second for language, rows in test.groupby("language")})
    english = test.drop_duplicates("first_row").set_index("first_row")["first"]
    texts = texts.join(english.rename("EN"), how="inner").dropna()
    texts = texts.sample(min(n, len(texts)), random_state=seed)
    languages = ["EN", *pairs.language.unique()]
    tables = []
    for name, (model, tokenizer) in models.items():
        vectors = {language: sentence_vectors(model, tokenizer, texts[language].tolist()) for language in languages}
        for two in itertools.combinations(languages, 2):
            tables.append(retrieval(vectors[two[0]], vectors[two[1]], two).assign(model=name))
    return pd.concat(tables, ignore_index=True)


def real_tables(study: str) -> dict[str, ArchivedTable]:
    """Return the matching tables of a study of real sentences: reading, accuracy, auc, retrieval, learning.

    They are of the results made here or, where it did not run, those archived in the repository. Raises
    ConfigurationError when there are none.
    """
    tables: dict[str, Any] = {
        name: latest_table(study, name) for name in ("reading", "accuracy", "auc", "retrieval", "learning")
    }
    if missing := [name for name, table in tables.items() if table is None]:
        raise ConfigurationError(f"study {study!r} has no table {', '.join(missing)}: run `make book STUDY={study}`")
    return tables
