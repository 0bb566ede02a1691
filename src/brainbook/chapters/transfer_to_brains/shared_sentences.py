"""Sentences that several languages tell: what they share, placed on one language's words, and what is left over."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import RidgeCV


def sentence_means(states: np.ndarray, sentence: np.ndarray, n_sentences: int | None = None) -> np.ndarray:
    """Compute the mean state of each sentence's words.

    Parameters
    ----------
    states : array [layers, words, units].
    sentence : int array [words], which sentence each word belongs to, from 0.
    n_sentences : how many there are; None takes the highest number.

    Returns
    -------
    array [layers, sentences, units]; zeros for a sentence without words.
    """
    sentence = np.asarray(sentence)
    n = int(sentence.max()) + 1 if n_sentences is None else n_sentences
    total = np.zeros((n, states.shape[0], states.shape[2]), np.float32)
    np.add.at(total, sentence, np.moveaxis(states, 1, 0))
    count = np.bincount(sentence, minlength=n)[:, None, None]
    return np.moveaxis(total / np.maximum(count, 1), 0, 1)


def shared_states(others: list[tuple[np.ndarray, np.ndarray]], sentence: np.ndarray) -> np.ndarray:
    """Place what other languages' tellings of the same sentences hold on this language's words.

    Parameters
    ----------
    others : for each other language its states [layers, words, units] and its words' sentences [words].
    sentence : int array [words], the sentences of this language's words.

    Returns
    -------
    array [layers, words, units of all others]: every word carries its sentence's mean states in the other languages.
    """
    n = int(max(np.max(sentence), *(np.max(numbers) for _, numbers in others))) + 1
    means = [sentence_means(states, numbers, n) for states, numbers in others]
    return np.concatenate(means, axis=2)[:, np.asarray(sentence)]


def other_sentences(sentence: np.ndarray, sections: np.ndarray) -> np.ndarray:
    """Return a wrong sentence for every word: the sentences of each section move on by half of the section.

    Neighbouring sentences stay neighbours, so the wrong features change as slowly as the right ones.

    Parameters
    ----------
    sentence, sections : int arrays [words]. A sentence lies within one section.
    """
    sentence = np.asarray(sentence)
    moved = np.empty_like(sentence)
    for section in np.unique(sections):
        here = np.asarray(sections) == section
        numbers, place = np.unique(sentence[here], return_inverse=True)
        moved[here] = np.roll(numbers, len(numbers) // 2)[place]
    return moved


def equal_shares(sections: np.ndarray, words_per_share: float, n_words: dict[int, int]) -> np.ndarray:
    """Cut each section into equal shares of its words, where no table says which sentences are translations.

    Parameters
    ----------
    sections : int array [words].
    words_per_share : how long a passage is in the reference language.
    n_words : section -> number of words of the reference language, which decides how many passages a section has.

    Returns
    -------
    int array [words], the passage of each word, counted through the story. The k-th passage of a section in a language
    is only about the k-th in another: good enough for what changes slowly, not for single sentences.
    """
    sections = np.asarray(sections)
    passage = np.empty(len(sections), int)
    begun = 0
    for section in sorted(n_words):
        here = np.flatnonzero(sections == section)
        n = max(1, round(n_words[section] / words_per_share))
        passage[here] = begun + np.arange(len(here)) * n // max(1, len(here))
        begun += n
    return passage


def residual_states(
    states: np.ndarray, shared: np.ndarray, sections: np.ndarray, alphas: Sequence[float] = (1e1, 1e2, 1e3, 1e4)
) -> np.ndarray:
    """Compute what of the states the shared states do not predict.

    Parameters
    ----------
    states : array [layers, words, units]. shared : array [layers, words, other units].
    sections : int array [words]. The regression that predicts a section is fitted on the other sections.

    Returns
    -------
    array [layers, words, units], states minus their prediction.
    """
    rest = np.empty_like(states)
    for layer, (own, other) in enumerate(zip(states, shared, strict=True)):
        for section in np.unique(sections):
            test = np.asarray(sections) == section
            mean, spread = other[~test].mean(0), other[~test].std(0) + 1e-6
            model = RidgeCV(alphas).fit((other[~test] - mean) / spread, own[~test])
            rest[layer, test] = own[test] - model.predict((other[test] - mean) / spread)
    return rest
