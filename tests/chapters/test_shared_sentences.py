"""Shared and left-over states against what was put into them."""

import numpy as np

from brainbook.chapters.transfer_to_brains.shared_sentences import (
    equal_shares,
    other_sentences,
    residual_states,
    sentence_means,
    shared_states,
)

SECTIONS = np.repeat([1, 2, 3], 200)
SENTENCE = np.arange(600) // 8  # sentences of 8 words


def test_sentence_means_are_means(rng):
    states = rng.standard_normal((2, 600, 3))
    means = sentence_means(states, SENTENCE, 80)
    assert means.shape == (2, 80, 3) and not means[:, 75:].any()
    np.testing.assert_allclose(means[1, 4], states[1, SENTENCE == 4].mean(0), atol=1e-6)


def test_shared_states_carry_the_translations(rng):
    meaning = rng.standard_normal((75, 4))
    english = np.repeat(meaning, 5, axis=0)[None]
    chinese = np.repeat(-meaning, 3, axis=0)[None]
    numbers = [np.repeat(np.arange(75), k) for k in (5, 3)]
    shared = shared_states([(english, numbers[0]), (chinese, numbers[1])], SENTENCE)
    np.testing.assert_allclose(shared[0], np.hstack([meaning, -meaning])[SENTENCE], atol=1e-6)


def test_wrong_sentences_are_of_the_same_section_and_far():
    wrong = other_sentences(SENTENCE, SECTIONS)
    assert (wrong != SENTENCE).all()
    assert (SECTIONS[np.searchsorted(SENTENCE, wrong)] == SECTIONS).all()
    assert np.abs(wrong - SENTENCE).min() >= 12
    assert sorted(np.unique(wrong)) == sorted(np.unique(SENTENCE))


def test_equal_shares_number_the_same_passages_in_every_language():
    n_words = {1: 200, 2: 400}
    english = equal_shares(np.repeat([1, 2], [200, 400]), 20, n_words)
    french = equal_shares(np.repeat([1, 2], [260, 380]), 20, n_words)
    assert np.unique(english).tolist() == np.unique(french).tolist() == list(range(30))
    assert (np.bincount(english) == 20).all() and set(np.bincount(french)) == {19, 26}


def test_what_is_left_over_cannot_be_predicted(rng):
    other = rng.standard_normal((1, 600, 4)).astype(np.float32)
    own = rng.standard_normal((1, 600, 3)).astype(np.float32)
    states = np.concatenate([other @ rng.standard_normal((4, 5)).astype(np.float32), own], axis=2)
    rest = residual_states(states, other, SECTIONS)
    assert rest[0, :, :5].std() < 0.05 * states[0, :, :5].std()
    np.testing.assert_allclose(rest[0, :, 5:], own[0], atol=0.4)
    # the section itself has no say in its own regression
    changed = states.copy()
    changed[:, SECTIONS == 2] += rng.standard_normal(changed[:, SECTIONS == 2].shape)
    again = residual_states(changed, other, SECTIONS)
    same = SECTIONS == 2
    np.testing.assert_allclose((again - changed)[:, same], (rest - states)[:, same], atol=1e-5)
