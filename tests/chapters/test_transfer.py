"""Pairs, and how models tell matches from mismatches, on sentences whose matches are known."""

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import transfer
from brainbook.chapters.transfer import (
    add_scores,
    fine_tuned,
    held_out_pairs,
    matching_table,
    reading_table,
    real_tables,
    retrieval_table,
    roc_tables,
)
from brainbook.errors import ConfigurationError
from brainbook.workflow import archive_table


@pytest.fixture(scope="module")
def pairs_of_passages():
    from brainbook.language_models.sentence_matching.transfer import phantom_pairs

    return {kind: phantom_pairs(300, ("FR", "CN"), mismatch=kind) for kind in ("random", "length")}


def test_matching_tables_look_at_the_test_part_alone(pairs_of_passages):
    pairs = held_out_pairs(pairs_of_passages)
    right = np.where(pairs.match == 1, 0.8, 0.1)
    in_test = np.where(pairs.part == "test", right, 0.5)  # what it says of other parts does not count
    pairs["knows, cosine"], pairs["knows, head"], pairs["tests, head"] = right, right, in_test
    table = matching_table(pairs).set_index(["classifier", "language", "mismatch"])
    assert set(table.n) == {60} and len(table) == 4 * 2 * 2
    for name in ("knows, cosine", "knows, head", "tests, head"):
        assert (table.accuracy.xs(name) == 1).all()
    assert table.accuracy["length only", "FR", "random"] > table.accuracy["length only", "FR", "length"]
    curves, areas = roc_tables(pairs[pairs.mismatch == "random"], ["length only", "knows, head"])
    assert (areas.set_index("classifier").auc["knows"] == 1).all() and set(curves.language) == {"FR", "CN"}


def test_a_cosine_is_cut_where_the_validation_part_says():
    """Matches of the validation part lie above 3, those of the test part as well, and nothing lies below 1."""
    score = np.array([2.0, 2.1, 3.1, 3.2])
    parts = {"part": np.repeat(["validation", "test"], 4), "mismatch": "random", "language": "FR", "length only": 0.0}
    table = matching_table(pd.DataFrame({**parts, "match": [0, 0, 1, 1] * 2, "x, cosine": [*score, *(score - 0.2)]}))
    assert table.set_index("classifier").accuracy["x, cosine"] == 1


def test_a_model_reads_every_sentence_once(monkeypatch):
    pairs = pd.DataFrame({"first": ["a", "b", "a"], "second": ["x", "y", "y"]})
    read = []
    vectors = {"a": [1, 0], "b": [0, 1], "x": [1, 0], "y": [0, 2]}

    def sentence_vectors(model, tokenizer, texts):
        read.extend(texts)
        return np.array([vectors[text] for text in texts], float)

    monkeypatch.setattr(transfer, "sentence_vectors", sentence_vectors)
    assert add_scores(pairs, "model", None, None)["model, cosine"].tolist() == [1, 1, 0] and len(read) == 4


def test_retrieval_asks_every_two_languages(pairs_of_passages, monkeypatch):
    table = pairs_of_passages["random"]
    rows = pd.concat([
        table.set_index("second").second_row, table.set_index("first").first_row
    ])  # fmt: skip
    row_of = rows[~rows.index.duplicated()]
    vectors = np.random.default_rng(0).standard_normal((int(row_of.max()) + 1, 8))
    monkeypatch.setattr(transfer, "sentence_vectors", lambda model, tokenizer, texts: vectors[row_of[texts]])
    found = retrieval_table(table, {"oracle": (None, None)}, n=40)
    assert set(zip(found.asked, found.searched, strict=True)) == {
        ("EN", "FR"), ("FR", "EN"), ("EN", "CN"), ("CN", "EN"), ("FR", "CN"), ("CN", "FR"),
    }  # fmt: skip
    assert (found.accuracy == 1).all() and (found.n == 40).all() and (found.chance == 1 / 40).all()


def test_what_a_tokenizer_makes_of_sentences():
    class Tokenizer:
        unk_token_id = 1

        def __call__(self, texts, add_special_tokens, verbose):
            assert not add_special_tokens and not verbose
            return {"input_ids": [[ord(c) if c.isascii() else 1 for c in text] for text in texts]}

    pairs = pd.DataFrame(
        {"first": ["ab", "ab", "abcd"], "second": ["aé", "bééé", "我"], "language": ["FR", "FR", "CN"]}
    )
    table = reading_table(pairs, Tokenizer()).set_index("language")
    assert table.index.tolist() == ["EN", "FR", "CN"] and table.sentences.tolist() == [2, 2, 1]
    assert table.tokens.tolist() == [3, 3, 1]
    assert table.unknown.tolist() == [0, 4 / 6, 1]


def test_real_tables_say_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = ("reading", "accuracy", "auc", "retrieval", "learning")
    for name in names[:-1]:
        archive_table("xnli", name, pd.DataFrame({"accuracy": [0.5]}), "make book STUDY=xnli")
    with pytest.raises(ConfigurationError, match="no table learning: run `make book STUDY=xnli`"):
        real_tables("xnli")
    archive_table("xnli", names[-1], pd.DataFrame({"step": [1]}), "make book STUDY=xnli")
    assert list(real_tables("xnli")) == list(names) and not real_tables("xnli")["accuracy"].here


def test_a_transfer_refuses_what_it_does_not_know():
    with pytest.raises(ConfigurationError, match="give pairs and second"):
        fine_tuned("tiny-causal", {"pairs": 10, "second": ["FR"], "steps": 3})
