"""States of words: compared with one plain reading of transformers a word."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

from brainbook.errors import ModelError
from brainbook.language_models import LanguageModel, word_pieces, word_states
from brainbook.language_models.hidden_states import written_without_spaces

TEXT = "the old king greeted a small fox and the unbelievable fox found seven pears under the bridge"
WORDS = TEXT.split()


def plain(model: LanguageModel, words: list[str]) -> np.ndarray:
    """State of the last of `words`, read in one go: [layers + 1, units]."""
    encoded = model.tokenizer(" ".join(words), return_tensors="pt")
    with torch.no_grad():
        inputs = {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
        hidden = model.model(**inputs, output_hidden_states=True).hidden_states
    owner = np.array([-1 if word is None else word for word in encoded.word_ids()])
    mine = owner == owner.max()
    return np.stack([layer[0, mine].mean(0).numpy() for layer in hidden])


def sizes_of(model: LanguageModel, words: list[str]) -> np.ndarray:
    """Number of sub-words of each word."""
    return np.array([len(pieces) for pieces in word_pieces(model, words)])


def unknown_of(model: LanguageModel, words: list[str]) -> np.ndarray:
    """Number of unknown sub-words of each word."""
    return np.array([pieces.count(model.tokenizer.unk_token_id) for pieces in word_pieces(model, words)])


@pytest.mark.parametrize("context", [0, 1, 5, 100])
def test_exact_contexts_equal_one_reading_a_word(either, context):
    states = word_states(either, WORDS, context)
    assert states.shape == (3, len(WORDS), 16) and states.dtype == np.float32
    for i in range(len(WORDS)):
        np.testing.assert_allclose(states[:, i], plain(either, WORDS[max(0, i - context) : i + 1]), atol=2e-5)


def test_some_word_here_has_several_pieces(bert):
    assert sizes_of(bert, WORDS)[WORDS.index("unbelievable")] > 2


def test_nothing_said_later_changes_an_exact_state(either):
    other = [*WORDS[:9], "pears", *WORDS[10:]]
    a, b = word_states(either, WORDS, 6), word_states(either, other, 6)
    np.testing.assert_allclose(a[:, :9], b[:, :9], atol=1e-6)
    assert np.abs(a[1:, 9:14] - b[1:, 9:14]).max(axis=(0, 2)).min() > 1e-3
    np.testing.assert_allclose(a[:, 16:], b[:, 16:], atol=1e-6)  # nor one said longer ago than the context


def test_windows_show_the_future_to_bert_but_not_to_a_causal_model(bert, gpt):
    other = [*WORDS[:-1], "snow"]
    for model, leaks in ((bert, True), (gpt, False)):
        a, b = (word_states(model, w, 4, stride=len(WORDS))[:, :-1] for w in (WORDS, other))
        assert (np.abs(a - b).max() > 1e-3) == leaks


@pytest.mark.parametrize("stride", [1, 3, 7])
def test_a_window_gives_a_causal_model_at_least_its_context(gpt, stride):
    states = word_states(gpt, WORDS, 5, stride=stride)
    for i in range(len(WORDS)):
        begin = max(0, i // stride * stride - 5)
        np.testing.assert_allclose(states[:, i], plain(gpt, WORDS[begin : i + 1]), atol=2e-5)


def test_stride_one_is_exact(either):
    np.testing.assert_allclose(word_states(either, WORDS, 5, stride=1), word_states(either, WORDS, 5), atol=1e-5)


def test_contexts_begin_anew_with_each_section(either):
    table = pd.DataFrame({"word": WORDS * 2, "section": [1] * len(WORDS) + [2] * len(WORDS)})
    states = word_states(either, table, 8)
    np.testing.assert_allclose(states[:, : len(WORDS)], states[:, len(WORDS) :], atol=1e-5)
    together = word_states(either, table[["word"]], 8)
    assert np.abs(together[:, len(WORDS)] - states[:, len(WORDS)]).max() > 1e-3


@pytest.mark.parametrize("stride", [None, 9])
def test_contexts_longer_than_the_model_takes_lose_their_oldest_words(either, stride):
    words = WORDS * 5
    states = word_states(either, words, None, stride=stride)
    assert np.isfinite(states).all() and (np.abs(states).sum((0, 2)) > 0).all()
    if stride is None:
        room = either.max_tokens - (1 if either.causal else 2)
        sizes = sizes_of(either, words)
        begin = next(b for b in range(len(words)) if sizes[b:].sum() <= room)
        np.testing.assert_allclose(states[:, -1], plain(either, words[begin:]), atol=2e-5)


def test_where_a_window_is_too_long_every_word_keeps_some_context(gpt):
    words = WORDS * 5
    sizes = sizes_of(gpt, words)
    states = word_states(gpt, words, 40, stride=40)
    room = gpt.max_tokens - 1
    assert sizes[:80].sum() > room  # so 40 words and their contexts do not fit
    for i in range(40, len(words), 4):
        fitting = [b for b in range(i) if sizes[b : i + 1].sum() <= room]
        begins = [b for b in fitting if np.allclose(states[:, i], plain(gpt, words[b : i + 1]), atol=2e-5)]
        assert begins and sizes[begins[0] : i].sum() >= room // 2 - sizes.max()


def test_a_word_longer_than_the_model_takes_is_refused(bert):
    with pytest.raises(ModelError, match="word 2 has .* sub-words; the model takes 62"):
        word_states(bert, ["the", "zq" * 49], 3)


def test_unknown_empty_and_missing_words(bert):
    words = ["the", "", "fox", "☃", float("nan"), None, " ", "king", "\u200b"]
    states = word_states(bert, words, 9)
    silent = [1, 4, 5, 6, 8]
    assert (states[:, silent] == 0).all()
    assert (np.abs(states[:, [0, 2, 3, 7]]).max((0, 2)) > 0.1).all()
    np.testing.assert_allclose(states[:, 7], word_states(bert, ["the", "fox", "☃", "king"], 9)[:, 3], atol=1e-5)


def test_empty_words_count_as_words_of_the_context(bert):
    a = word_states(bert, ["fox", "", "", "king"], 2)
    np.testing.assert_allclose(a[:, 3], word_states(bert, ["king"], 2)[:, 0], atol=1e-5)


def test_chinese_words_of_several_characters(bert):
    words = ["商人", "遇见", "了", "园丁"]
    assert word_pieces(bert, words) == [bert.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    assert sizes_of(bert, words).tolist() == [2, 2, 1, 2]
    assert word_states(bert, words, 3).shape == (3, 4, 16)


def test_an_english_tokenizer_knows_part_of_the_chinese(bert, english_bert):
    from brainbook.phantom.story import words_with_truth

    words = words_with_truth(60, 1, "CN")["word"].tolist()
    unknown = (unknown_of(english_bert, words) > 0).mean()
    assert 0.3 < unknown < 0.95
    assert unknown_of(bert, words).sum() == 0


def byte_level_gpt() -> LanguageModel:
    """A GPT-2 tokenizer in all but size: of bytes, spaces belong to the word after them, pieces join characters."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    trainer.show_progress = False
    tokenizer.train_from_iterator([" ".join(WORDS), "商人遇见了园丁" * 3], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>")
    config = GPT2Config(vocab_size=len(fast), n_positions=64, n_embd=16, n_layer=2, n_head=2)
    return LanguageModel("bytes", GPT2Model(config).eval(), fast)


def test_byte_level_pieces_are_those_of_the_text():
    model = byte_level_gpt()
    pieces = word_pieces(model, WORDS)
    assert all(pieces)
    assert [p for word in pieces for p in word] == model.tokenizer(" ".join(WORDS))["input_ids"]
    assert model.tokenizer.decode(pieces[2]).strip() == "king"


def test_a_piece_that_would_span_two_words_is_not_used():
    model = byte_level_gpt()
    words = ["商", "人遇", "见了园", "丁"]  # in the text, "商人..." is one piece
    assert len(model.tokenizer("".join(words))["input_ids"]) < 4
    assert [model.tokenizer.decode(p) for p in word_pieces(model, words)] == words
    assert word_states(model, words, 2).shape == (3, 4, 16)


@given(st.lists(st.text(alphabet="abé 商人☃\u0301'-", max_size=6), min_size=1, max_size=12))
@settings(deadline=None)
def test_pieces_lose_nothing_whatever_the_words(english_bert, words):
    texts = [word.strip() for word in words]
    pieces = word_pieces(english_bert, texts, "EN")
    joined = english_bert.encoder.encode(" ".join(t for t in texts if t), add_special_tokens=False).ids
    assert [p for word in pieces for p in word] == joined
    assert len(pieces) == len(words) and all(not p for p, t in zip(pieces, texts, strict=True) if not t)


def test_script_decides_about_spaces():
    assert written_without_spaces(["商人", "遇见", "7"]) and not written_without_spaces(["le", "renard", "人"])
    assert written_without_spaces([], "CN") and not written_without_spaces(["商人"], "EN")


def test_bf16_is_close(bert):
    a, b = word_states(bert, WORDS, 5), word_states(bert, WORDS, 5, precision="bf16")
    assert 0 < np.abs(a - b).max() < 0.1 * np.abs(a).max()


def test_cached_states_are_read_again(bert, tmp_path, monkeypatch):
    first = word_states(bert, WORDS, 5, cache=tmp_path)
    monkeypatch.setattr("brainbook.language_models.hidden_states._windows", None)  # called by every reading
    np.testing.assert_array_equal(word_states(bert, WORDS, 5, cache=tmp_path), first)
    with pytest.raises(TypeError):  # another context is another result
        word_states(bert, WORDS, 6, cache=tmp_path)


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([], {}, "no words"),
        (["a"], {"context": -1}, "context is -1"),
        (["a"], {"stride": 0}, "stride is 0"),
        (["a"], {"precision": "int4"}, "precision 'int4'"),
        (pd.DataFrame({"token": ["a"]}), {}, "column 'word'; it has token"),
    ],
)
def test_bad_input_is_refused(bert, words, options, message):
    with pytest.raises(ModelError, match=message):
        word_states(bert, words, **options)
