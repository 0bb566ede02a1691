"""Words that a model has never read: their vectors are those of the words that they translate."""

import numpy as np
import pytest
import torch

from brainbook.errors import ModelError
from brainbook.language_models import load_language_model, phantom_targets, read_out, word_states
from brainbook.language_models.sentence_matching.new_words import init_new_embeddings, solve_vectors, token_shares
from brainbook.language_models.sentence_matching.settings import TransferSettings
from brainbook.language_models.sentence_matching.transfer import fine_tune, phantom_pairs
from brainbook.phantom.story import words_with_truth


def test_shares_of_tokens_add_up_to_one(bert):
    texts = ["the fox met the king", "the fox"]
    shares = token_shares(texts, bert.tokenizer, 64, len(bert.tokenizer))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    ids = bert.tokenizer(texts[0])["input_ids"]
    the = bert.tokenizer.convert_tokens_to_ids("the")
    assert shares[0, the] == pytest.approx(2 / len(ids))


def test_a_dictionary_is_found_exactly_when_translations_are_word_by_word(rng):
    n_words, n_units = 30, 8
    vectors = rng.normal(size=(2 * n_words, n_units))  # tokens 30.. are the translations of 0..29
    counts = rng.poisson(0.3, (400, n_words)) + (np.arange(n_words) == rng.integers(n_words, size=(400, 1)))
    shares = counts / counts.sum(1, keepdims=True)
    nothing = np.zeros_like(shares)
    from scipy.sparse import csr_array

    first, second = csr_array(np.hstack([shares, nothing])), csr_array(np.hstack([nothing, shares]))
    new, found = solve_vectors(first, second, vectors, ridge=1e-12)
    assert new.tolist() == list(range(n_words, 2 * n_words))
    np.testing.assert_allclose(found, vectors[:n_words], atol=1e-6)
    design, wanted = shares, shares @ vectors[:n_words]
    ridge = 0.1
    _, shrunk = solve_vectors(first, second, vectors, ridge)
    penalty = ridge * np.trace(design.T @ design) / n_words
    stacked = np.vstack([design, np.sqrt(penalty) * np.eye(n_words)])
    reference = np.linalg.lstsq(stacked, np.vstack([wanted, np.zeros((n_words, n_units))]), rcond=None)[0]
    np.testing.assert_allclose(shrunk, reference, atol=1e-8)


def test_words_that_both_have_stay_and_their_part_is_taken_out(rng):
    from scipy.sparse import csr_array

    vectors = rng.normal(size=(3, 4))
    first = csr_array(np.array([[0.5, 0.5, 0], [1.0, 0, 0]]))
    second = csr_array(np.array([[0.5, 0, 0.5], [1.0, 0, 0]]))  # token 2 translates 1; token 0 is the same in both
    new, found = solve_vectors(first, second, vectors, ridge=1e-12)
    assert new.tolist() == [2]
    np.testing.assert_allclose(found[0], vectors[1], atol=1e-9)
    new, found = solve_vectors(first, first, vectors)
    assert not len(new) and found.shape == (0, 4)


def test_only_new_tokens_are_written(bert):
    import copy

    model = copy.deepcopy(bert.model)
    pairs = phantom_pairs(300, ("FR",))
    matches = pairs[pairs.match == 1]
    n = init_new_embeddings(model, bert.tokenizer, matches["first"].tolist(), matches["second"].tolist(), 64)
    changed = (model.get_input_embeddings().weight != bert.model.get_input_embeddings().weight).any(1)
    read = {token for text in matches["first"] for token in bert.tokenizer(text, truncation=True)["input_ids"]}
    assert int(changed.sum()) == n > 100 and not changed[torch.tensor(sorted(read))].any()
    with pytest.raises(ModelError, match="not 2 first and 1 second"):
        init_new_embeddings(model, bert.tokenizer, ["a", "b"], ["c"], 64)


@pytest.mark.integration
def test_with_new_words_the_scene_is_found_in_french_as_well():
    model = load_language_model("tiny-causal-joint", device="cpu", train=False)
    pairs = phantom_pairs(1500, ("FR",), 5)
    settings = TransferSettings(new_words=True, steps=1, learning_rate=1e-9, validate_every=1, validation_pairs=20)
    matcher, _ = fine_tune(model, pairs, settings, "cpu")
    words = words_with_truth(400, 7, "FR")
    rows, targets = phantom_targets(words)
    r2 = {}
    for name, read in (("before", model.model), ("after", matcher.language_model)):
        states = word_states(
            type(model)(name, read, model.tokenizer), words["word"].tolist(), context=32, stride=32, language="FR"
        )
        found = read_out(states[4:6, rows], {"scene": targets["scene"]}, words["story"].to_numpy()[rows])
        r2[name] = found.groupby("layer").r2.mean().max()
    assert r2["before"] < 0.02 and r2["after"] > 0.08
