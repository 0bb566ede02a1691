"""Helpers of the chapter `transfer`: sentence pairs, and how well models tell matches from mismatches."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters.published import transfer
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
from brainbook.language_models.sentence_matching.transfer import phantom_pairs, xnli_pairs
from brainbook.workflow import ArchivedTable, latest_table

MISMATCHES = ("random", "length")


def sentence_pairs(
    sentences: str, n: int, second: list[str], seed: int = 0, passage: int = 2
) -> dict[str, pd.DataFrame]:
    """Pairs with randomly drawn and with length-matched mismatches, `n` for each second language.

    Parameters
    ----------
    sentences : "phantom", "hub" (XNLI from the Hugging Face hub), or a folder of XNLI's tab-separated files.
    passage : how many of the phantom's sentences stand on each side of a pair.

    Returns
    -------
    {"random": pairs, "length": pairs}, as `phantom_pairs` returns them. Both have the same sentences in the same parts.
    """
    if sentences == "phantom":
        return {mismatch: phantom_pairs(n, second, passage, mismatch, seed) for mismatch in MISMATCHES}
    folder = None if sentences == "hub" else Path(sentences)
    return {mismatch: xnli_pairs(folder, n, second, mismatch, seed) for mismatch in MISMATCHES}


def reading_table(pairs: pd.DataFrame, tokenizer) -> pd.DataFrame:
    """What a tokenizer makes of each language's sentences.

    Returns
    -------
    Columns: language, sentences, tokens (mean number a sentence), unknown (share of the tokens that stand for text the
    tokenizer does not know).
    """
    texts = {"EN": pairs["first"].unique()}
    texts |= {language: rows.second.unique() for language, rows in pairs.groupby("language", sort=False)}
    rows = []
    for language, known in texts.items():
        ids = [np.array(one) for one in tokenizer(list(known), add_special_tokens=False, verbose=False)["input_ids"]]
        unknown = np.mean(np.concatenate(ids) == tokenizer.unk_token_id)
        rows.append({"language": language, "sentences": len(known), "tokens": np.mean([len(one) for one in ids]),
                     "unknown": unknown})  # fmt: skip
    return pd.DataFrame(rows)


@dataclass
class Matching:
    """How well one model tells matches from mismatches: scores of every pair but the training ones (NaN), by mismatch.

    Attributes
    ----------
    cosine : {mismatch: [pairs]}, cosine of the two sentences' vectors.
    probability : {mismatch: [pairs]} of a match by the head; None for a model without one.
    """

    cosine: dict[str, np.ndarray]
    probability: dict[str, np.ndarray] | None

    @classmethod
    def of(cls, model: LanguageModel | Matcher, tokenizer, pairs: Mapping[str, pd.DataFrame]) -> "Matching":
        """Read every sentence of the parts "validation" and "test" once; `pairs` as from `sentence_pairs`."""
        held_out = {mismatch: table[table.part != "train"] for mismatch, table in pairs.items()}
        texts = pd.unique(pd.concat([table[side] for table in held_out.values() for side in ("first", "second")]))
        vectors = sentence_vectors(model, tokenizer, texts)
        place = pd.Series(np.arange(len(texts)), index=texts)
        found, odds = {}, {}
        for mismatch, table in held_out.items():
            rows = (pairs[mismatch].part != "train").to_numpy()
            both = [vectors[place[table[side]].to_numpy()] for side in ("first", "second")]
            found[mismatch], odds[mismatch] = (np.full(len(rows), np.nan) for _ in range(2))
            found[mismatch][rows] = cosines(*both)
            if isinstance(model, Matcher):
                odds[mismatch][rows] = head_probability(model, *both)
        return cls(found, odds if isinstance(model, Matcher) else None)

    def answers(self, pairs: pd.DataFrame, mismatch: str, by_head: bool) -> np.ndarray:
        """1 where the model says "match": by its head, or by a cosine above the validation part's best threshold."""
        if by_head:
            return (self.probability[mismatch] > 0.5).astype(int)
        chosen = (pairs.part == "validation").to_numpy()
        score = self.cosine[mismatch]
        return (score > best_threshold(score[chosen], pairs.match[chosen])).astype(int)


def matching_table(pairs: Mapping[str, pd.DataFrame], models: Mapping[str, Matching]) -> pd.DataFrame:
    """Accuracy on the test part of each language, for random and for length-matched mismatches.

    Thresholds and the length-only classifier never see the part "test", but the same kind of mismatches; heads are as
    they were trained.

    Returns
    -------
    Columns: classifier, language, mismatch, and those of `accuracy`.
    """
    tables = []
    for mismatch, table in pairs.items():
        test = (table.part == "test").to_numpy()
        for language, rows in table.groupby("language", sort=False):
            here = (table.language == language).to_numpy()
            answers = {"length only": (length_only(rows) > 0.5)[test[here]]}
            for name, model in models.items():
                chosen = replace(model, cosine={mismatch: model.cosine[mismatch][here]})
                answers[f"{name}, cosine"] = chosen.answers(rows, mismatch, False)[test[here]]
                if model.probability is not None:
                    answers[f"{name}, head"] = model.answers(table, mismatch, True)[here & test]
            match = table.match[here & test]
            tables.append(accuracy_table(match, answers, language=language, mismatch=mismatch))
    return pd.concat(tables, ignore_index=True)


def accuracy_told(table: pd.DataFrame) -> str:
    """`matching_table` in words (Markdown): transfer, the model before it and lengths alone, language by language."""
    lines = []
    for language, rows in table.groupby("language", sort=False):
        kinds = {kind: part.set_index("classifier") for kind, part in rows.groupby("mismatch")}
        easy, hard = (kinds[kind].loc["transfer, head"] for kind in MISMATCHES)
        lengths, before = (
            " and ".join(f"{100 * kinds[kind].accuracy[name]:.1f}%" for kind in MISMATCHES)
            for name in ("length only", "no fine-tuning, cosine")
        )
        lines.append(
            f"- **English and {language}**: transfer {_percent(easy)} with random mismatches, {_percent(hard)} with "
            f"length-matched ones ({_p_told(hard.p)} against chance, {hard.n:,} pairs). In that order, a classifier "
            f"that sees only how long the sentences are: {lengths}; the cosine before fine-tuning: {before}."
        )
    best = float(transfer().set_index("quantity").value["english_french_pair_accuracy_best"])
    lengths = table[(table.classifier == "length only") & (table.mismatch == "random")].set_index("language").accuracy
    if beaten := lengths.index[100 * lengths > best].tolist():
        lines.append(
            f"\nWith random mismatches ({' and '.join(beaten)}) a classifier that reads no word beats the published "
            f"{best}%. An accuracy on such pairs is not yet evidence of meaning: read the length-matched one."
        )
    return "\n".join(lines)


def _p_told(p: float) -> str:
    return f"p = {p:.1g}" if p >= 1e-4 else "p < .0001"


def _percent(row: pd.Series) -> str:
    return f"{100 * row.accuracy:.1f}% ({100 * row.lower:.1f} to {100 * row.upper:.1f})"


def roc_tables(
    pairs: pd.DataFrame, models: Mapping[str, Matching], mismatch: str = "random", seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ROC curves and areas on the test part, by language: models with a head by its probability, others by cosine.

    Returns
    -------
    curves : classifier, language, false_positive_rate, true_positive_rate.
    areas : classifier, language, auc, lower, upper.
    """
    curves, areas = [], []
    for language in pairs.language.unique():
        rows = ((pairs.language == language) & (pairs.part == "test")).to_numpy()
        scores = {"length only": length_only(pairs[pairs.language == language])}
        scores["length only"] = scores["length only"][(pairs.part[pairs.language == language] == "test").to_numpy()]
        for name, model in models.items():
            scores[name] = (model.cosine if model.probability is None else model.probability)[mismatch][rows]
        for name, score in scores.items():
            curve, area = roc(pairs.match[rows], score, seed)
            curves.append(curve.assign(classifier=name, language=language))
            areas.append({"classifier": name, "language": language, **area})
    return pd.concat(curves, ignore_index=True), pd.DataFrame(areas)


def areas_told(areas: pd.DataFrame) -> str:
    """Areas under the curves in words (Markdown): does transfer know more than lengths do, and than the model before?

    areas : of `roc_tables`, with the classifiers "length only", "no fine-tuning" and "transfer".
    """
    lines = []
    for language, rows in areas.groupby("language", sort=False):
        rows = rows.set_index("classifier")
        each = "; ".join(f"{name} {it.auc:.3f} ({it.lower:.3f} to {it.upper:.3f})" for name, it in rows.iterrows())
        known = [name for name in ("length only", "no fine-tuning") if rows.lower["transfer"] > rows.upper[name]]
        more = " and ".join({"length only": "lengths", "no fine-tuning": "the model before"}[name] for name in known)
        lines.append(f"{language}: {each}; so transfer knows {'more than ' + more if known else 'no more than either'}")
    return f"Area under the curve, with length-matched mismatches (.5 is chance; intervals). {'. '.join(lines)}."


def learning_told(learning: pd.DataFrame) -> str:
    """The best validation accuracy of each training in words (Markdown), and how much it read.

    learning : columns series, pairs, validation_accuracy.
    """
    looked = learning.dropna(subset="validation_accuracy").groupby("series", sort=False)
    ends = looked.agg(best=("validation_accuracy", "max"), pairs=("pairs", "max"), looks=("pairs", "size"))
    parts = [
        f"{name} {100 * it.best:.1f}% ({it.pairs:,.0f} pairs, {it.looks:.0f} look{'' if it.looks == 1 else 's'})"
        for name, it in ends.iterrows()
    ]
    return f"Best accuracy on the validation part: {'; '.join(parts)}."


def retrieval_table(pairs: pd.DataFrame, models: Mapping[str, tuple], n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Which sentence is the translation? `n` sentences of the test part, every two languages, both ways.

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
    known = texts.join(english.rename("EN"), how="inner").dropna()
    known = known.sample(min(n, len(known)), random_state=seed)
    languages = ["EN", *(language for language in pairs.language.unique())]
    tables = []
    for name, (model, tokenizer) in models.items():
        vectors = {language: sentence_vectors(model, tokenizer, known[language].tolist()) for language in languages}
        for i, one in enumerate(languages):
            for other in languages[i + 1 :]:
                tables.append(retrieval(vectors[one], vectors[other], (one, other)).assign(model=name))
    return pd.concat(tables, ignore_index=True)


def real_tables(study: str) -> dict[str, ArchivedTable]:
    """The matching tables of a study of real sentences: reading, accuracy, auc, retrieval, learning.

    They are of the results made here or, where it did not run, those kept in the repository. Raises ConfigurationError
    when there are none.
    """
    found = {name: latest_table(study, name) for name in ("reading", "accuracy", "auc", "retrieval", "learning")}
    if missing := [name for name, table in found.items() if table is None]:
        raise ConfigurationError(f"study {study!r} has no table {', '.join(missing)}: run `make book STUDY={study}`")
    return found
