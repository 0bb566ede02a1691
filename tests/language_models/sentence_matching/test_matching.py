"""Losses whose gradients point where they should, and the matching head over any model."""

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import GraniteConfig, GraniteForCausalLM

from brainbook.errors import ModelError
from brainbook.language_models.masking import language_labels
from brainbook.language_models.sentence_matching.matcher import (
    Matcher,
    MatchingHead,
    _head_is_plain,
    contrast_loss,
    cosine_loss,
    load_matcher,
    printed_cosine_loss,
    save_matcher,
    sentence_vectors,
)

ROWS = torch.arange(6)


@pytest.fixture
def vectors():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 6, 8, generator=generator, dtype=torch.float64)
    return first, second + 0.5 * first  # cosines between 0 and 1


def change_of_cosine(loss, first, second) -> torch.Tensor:
    """How each pair's cosine changes when one small step is taken down the loss."""
    first = first.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(first), first)
    stepped = first.detach() - 1e-3 * slope
    return functional.cosine_similarity(stepped, second) - functional.cosine_similarity(first.detach(), second)


def test_the_standard_cosine_loss_pulls_matches_together_and_mismatches_apart(vectors):
    first, second = vectors
    second[3] = first[3] + 0.1 * second[3]  # a mismatch that is close
    match = torch.tensor([1, 1, 1, 0, 0, 0])
    change = change_of_cosine(lambda x: cosine_loss(x, second, match), first, second)
    assert (change[:3] > 0).all() and change[3] < 0
    far = functional.cosine_similarity(first, second) < 0.9
    change = change_of_cosine(lambda x: cosine_loss(x, second, match, margin=0.9), first, second)
    assert (change[3:][far[3:]] == 0).all() and change[3] < 0  # below the margin a mismatch costs nothing
    cos = functional.cosine_similarity(first, second)
    expected = torch.cat([1 - cos[:3], cos[3:].clamp(min=0)]).mean()
    torch.testing.assert_close(cosine_loss(first, second, match), expected)


def test_the_printed_cosine_loss_pushes_matches_apart_and_leaves_mismatches(vectors):
    first, second = vectors
    match = torch.tensor([1, 1, 1, 0, 0, 0])
    change = change_of_cosine(lambda x: printed_cosine_loss(x, second, match), first, second)
    assert (change[:3] < 0).all() and (change[3:] == 0).all()
    opposite = printed_cosine_loss(first, -first, torch.ones(6))
    assert opposite == pytest.approx(-1) and opposite < printed_cosine_loss(first, first, torch.ones(6))


def test_the_contrast_pulls_a_match_from_the_other_sentences(vectors):
    first, second = vectors
    match = torch.tensor([1, 0, 0, 0, 0, 0])
    other = torch.tensor([0, 11, 12, 13, 14, 15])  # the other pairs do not match
    loss = lambda x: contrast_loss(x, second, match, ROWS, other)  # noqa: E731
    assert change_of_cosine(loss, first, second)[0] > 0
    x = first.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x), x)
    with torch.no_grad():
        before, after = (functional.cosine_similarity(y[:1], second[1:]) for y in (x, x - 1e-4 * slope))
        weights = torch.softmax(before / 0.07, 0)
    assert ((after - before) * weights).sum() < 0  # away from the wrong answers, those that are near most of all


def test_the_contrast_is_cross_entropy_over_the_batch(vectors):
    first, second = vectors
    cosines = functional.cosine_similarity(first[:, None], second[None], dim=2) / 0.1
    expected = -(torch.log_softmax(cosines, 1).diag() + torch.log_softmax(cosines, 0).diag()).mean() / 2
    torch.testing.assert_close(contrast_loss(first, second, torch.ones(6), ROWS, ROWS, 0.1), expected)
    assert contrast_loss(first, second, torch.zeros(6), ROWS, ROWS + 9) == 0
    # a copy of the right answer in another pair is no wrong answer
    twice = torch.cat([first, first[:1]]), torch.cat([second, second[:1]])
    rows = torch.tensor([*range(6), 0])
    match = torch.tensor([1, 0, 0, 0, 0, 0, 0])
    once = contrast_loss(first, second, match[:6], ROWS, ROWS, 0.1)
    torch.testing.assert_close(contrast_loss(*twice, match, rows, rows, 0.1), once)


def test_the_head_finds_matches_that_differ_in_all_but_direction():
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(400, 16, generator=generator)
    match = torch.rand(400, generator=generator) < 0.5
    noise = 0.3 * torch.randn(400, 16, generator=generator)
    second = torch.where(match[:, None], 7 * (first + noise), torch.randn(400, 16, generator=generator))
    head = MatchingHead(16)
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(60):
        loss = functional.binary_cross_entropy_with_logits(head(first[:300], second[:300]), match[:300].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (head(first[300:], second[300:]) > 0) == match[300:]
    assert right.float().mean() > 0.9
    torch.testing.assert_close(head(first, second), head(3 * first, second / 2), atol=1e-4, rtol=1e-4)


def test_sentence_vectors_do_not_depend_on_the_batch(tiny_bert, tiny_causal):
    for model in (tiny_bert, tiny_causal):
        texts = ["the fox saw a bird", "a bird", "the the the bird fox fox saw", "saw"]
        together = sentence_vectors(model, model.tokenizer, texts)
        alone = np.concatenate([sentence_vectors(model, model.tokenizer, [text]) for text in texts])
        np.testing.assert_allclose(together, alone, atol=1e-5)
        matcher = Matcher(model, with_language_head=False)
        np.testing.assert_allclose(sentence_vectors(matcher, model.tokenizer, texts), together, atol=1e-6)
        ids = torch.tensor([model.tokenizer(texts[0])["input_ids"]])
        expected = model.model(input_ids=ids).last_hidden_state[0].mean(0).detach()
        np.testing.assert_allclose(together[0], expected, atol=1e-5)


def test_the_language_head_is_the_models_own(tiny_bert, tiny_causal, tiny_folder):
    for model in (tiny_bert, tiny_causal):
        matcher = Matcher(model, with_language_head=True)
        ids = torch.tensor([model.tokenizer("the fox saw a bird")["input_ids"]])
        mask = torch.ones_like(ids)
        vectors, loss = matcher.embed(ids, mask, ids)
        np.testing.assert_allclose(
            vectors.detach().numpy(), sentence_vectors(model, model.tokenizer, ["the fox saw a bird"]), atol=1e-5
        )
        original = type(matcher.body).from_pretrained(model.name)
        assert loss.item() == pytest.approx(original(input_ids=ids, labels=ids).loss.item(), rel=1e-5)
    headless = tiny_folder("bert", head=False)
    with pytest.raises(ModelError, match="without its language-modelling head.*weight 0"):
        Matcher(headless, with_language_head=True)


def test_the_loss_over_words_alone_is_the_one_over_padded_sentences(tiny_causal):
    tokenizer = tiny_causal.tokenizer
    batch = tokenizer(
        ["the fox saw a bird", "a bird sings", "the"], padding=True, padding_side="right", return_tensors="pt"
    )
    ids, mask = batch["input_ids"], batch["attention_mask"]
    labels = ids.masked_fill(mask == 0, -100)
    found = []
    for plain in (True, False):  # the head asked for words only; transformers' own loss
        matcher = Matcher(tiny_causal, with_language_head=True)
        assert matcher.plain_head
        matcher.plain_head = plain
        vectors, loss = matcher.embed(ids, mask, labels)
        (loss + vectors.square().sum()).backward()
        found.append([loss, vectors, *(weights.grad for weights in matcher.body.parameters())])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-5)


def test_scores_that_are_scaled_after_the_head_are_noticed():
    sizes = {"vocab_size": 20, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    for scaling, plain in ((1.0, True), (8.0, False)):
        model = GraniteForCausalLM(
            GraniteConfig(logits_scaling=scaling, initializer_range=0.2, **sizes, **heads)
        ).eval()
        assert _head_is_plain(model) == plain


@pytest.mark.parametrize("causal", [True, False])
def test_language_labels_ask_only_for_words(causal, tiny_bert):
    tokenizer = tiny_bert.tokenizer
    encoded = tokenizer(["the fox saw a bird", "a bird"] * 50, padding=True, return_tensors="pt")
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    given, labels = language_labels(ids, mask, causal, tokenizer, torch.Generator().manual_seed(0))
    asked = labels != -100
    assert (labels[asked] == ids[asked]).all() and (mask[asked] == 1).all()
    if causal:
        assert (given == ids).all() and (asked == (mask == 1)).all()
    else:
        assert (given[~asked] == ids[~asked]).all()
        assert not torch.isin(ids[asked], torch.tensor(tokenizer.all_special_ids)).any()
        assert 0.7 < (given[asked] == tokenizer.mask_token_id).float().mean() < 1
        assert 0.08 < asked.sum() / (mask == 1).sum() < 0.2
        one = tokenizer(["fox"], return_tensors="pt")["input_ids"]
        assert (language_labels(one, one * 0 + 1, False, tokenizer, torch.Generator())[1] != -100).any()


def test_freezing_leaves_what_it_names(tiny_bert, tiny_causal, tiny_folder):
    for model in (tiny_bert, tiny_causal):
        for n, expected in [(0, {"embedding", "0", "1"}), (1, {"1"}), (2, set())]:
            matcher = Matcher(model)
            matcher.freeze(n)
            trained = {name for name, p in matcher.language_model.named_parameters() if p.requires_grad}
            layers = {part for name in trained for part in name.split(".") if part.isdigit()}
            if any("embed" in name or "wte" in name for name in trained):
                layers.add("embedding")
            assert layers == expected
            assert all(p.requires_grad for p in matcher.head.parameters())
    with pytest.raises(ModelError, match="3 layers cannot be frozen: the model has 2"):
        Matcher(tiny_bert).freeze(3)
    albert = Matcher(tiny_folder("albert"))
    with pytest.raises(ModelError, match="share their weights"):
        albert.freeze(1)
    albert.freeze(2)
    assert not any(p.requires_grad for p in albert.language_model.parameters())


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_saved_matcher_gives_the_same_probabilities(tiny_causal, tmp_path, tiny_pairs, match_probability, hidden):
    from brainbook.language_models import load_language_model

    matcher = Matcher(tiny_causal, with_language_head=True, n_hidden=hidden, seed=3)
    for weights in matcher.head.parameters():
        torch.nn.init.normal_(weights)
    expected = match_probability(matcher, tiny_causal.tokenizer, tiny_pairs)
    assert expected.std() > 0
    save_matcher(matcher, tiny_causal.tokenizer, tmp_path / "kept")
    loaded = load_language_model(str(tmp_path / "kept"), device="cpu")
    again = load_matcher(loaded, tmp_path / "kept")
    np.testing.assert_allclose(match_probability(again, loaded.tokenizer, tiny_pairs), expected, atol=1e-6)
    with pytest.raises(ModelError, match="no matching head"):
        load_matcher(loaded, tmp_path)
