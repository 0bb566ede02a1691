"""The same events in three languages: as parallel sentences to train on, and as a story with word times.

Stories that are heard in the scanner and sentences that models train on are drawn from separate random streams: the
same seed never gives the same text to both.
"""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets.little_prince_runs import LANGUAGES, N_SECTIONS
from brainbook.errors import ConfigurationError
from brainbook.phantom.grammar import Token, tell
from brainbook.phantom.world import Event, World, make_world

SENTENCES_A_STORY = 40  # of the training corpus; then another story begins
_CORPUS, _STORY = 1, 2  # random streams

# The sections of the recorded English audiobook relative to their mean (little_prince_scans.csv), so lengths differ.
_SECTION_LENGTH = np.array([554.7, 587.8, 671.4, 598.2, 522.2, 678.1, 642.0, 575.8, 727.1]) / 617.5
_SECONDS_A_LETTER = {"EN": 0.045, "FR": 0.045, "CN": 0.13}
_SECONDS_A_WORD = {"EN": 0.11, "FR": 0.11, "CN": 0.12}
_VERBOSE = 0.385  # seconds that an English word takes with its share of the pauses: how long a section will become


def _story_sentences(rng: np.random.Generator, world: World) -> Iterator[list[Event]]:
    """Yield the sentences of an endless story: lists of one or two events."""
    sentence: list[Event] = []
    for event in world.events(rng):
        if sentence and event.join != "and":
            yield sentence
            sentence = []
        sentence.append(event)


def _corpus(seed: int, world: World, per_passage: int = 1) -> Iterator[tuple[int, list[list[Event]]]]:
    """Yield the training corpus: (story, passage of some consecutive sentences)."""
    rng = np.random.default_rng([seed, _CORPUS])
    for story in count():
        story_sentences = _story_sentences(np.random.default_rng(rng.integers(2**63)), world)
        for _ in range(max(SENTENCES_A_STORY // per_passage, 1)):
            yield story, list(islice(story_sentences, per_passage))


def prose(tokens: list[Token], language: str) -> str:
    """Return words as they would be printed: capitals, punctuation, elision; no spaces in Chinese."""
    if language == "CN":
        marks = {",": "，", ":": "：", ".": "。", "": ""}
        return "".join(token.word + marks[token.after] for token in tokens)
    text = " ".join(token.word + token.after for token in tokens).replace("' ", "'").replace(":", " :")
    text = text if language == "FR" else text.replace(" :", ":")
    return text[0].upper() + text[1:]


def _spoken(token: Token) -> str:
    """Return the word as the annotation writes it: an elided article is l, without its apostrophe."""
    return token.word.rstrip("'")


def sentences(
    n: int,
    seed: int,
    languages: tuple[str, ...] = LANGUAGES,
    per_row: int = 1,
    world: World | None = None,
) -> pd.DataFrame:
    """Return parallel sentences: row i says the same in every language. Rows of a story follow one another.

    Parameters
    ----------
    n : rows.
    seed : of the corpus; it shares no stream with any story that a phantom's participants hear.
    languages : the columns of text; what is said does not depend on them.
    per_row : consecutive sentences in a row (2 gives passages in which the scene can be guessed).
    world : that they are about; by default the one of every study (see `make_world`).

    Words are written as the annotation has them, separated by spaces (in Chinese too): `text.split()` gives them back.

    Returns
    -------
    DataFrame: story, scene (of the row's first event, 0..3), concepts (list of indices in the order of the events),
    and one column of text per language.

    Examples
    --------
    >>> for row in sentences(2, seed=0).itertuples():
    ...     print(row.EN)
    the merchant met the gardener and helped the seven horses in the garden
    the child counted a cup on the road
    """
    _check(languages)
    world = world or make_world()
    rows = []
    for story, passage in islice(_corpus(seed, world, per_row), n):
        row: dict[str, Any] = {"story": story, "scene": passage[0][0].scene}
        row["concepts"] = [concept for events in passage for event in events for concept in event.concepts]
        for language in languages:
            row[language] = " ".join(_spoken(token) for events in passage for token in tell(world, events, language))
        rows.append(row)
    return pd.DataFrame(rows, columns=["story", "scene", "concepts", *languages])


def words_with_truth(n: int, seed: int, language: str = "EN") -> pd.DataFrame:
    """Return the words of `sentences(n, seed)` in a language with what is true of them, for reading states out.

    Columns: word, story, sentence (row of `sentences`), concept (-1: function word), meant (a pronoun's referent,
    otherwise the concept), scene.

    Examples
    --------
    >>> words_with_truth(1, seed=0)[["word", "concept", "scene"]].head(3)
           word  concept  scene
    0       the       -1      0
    1  merchant       12      0
    2       met       98      0
    """
    _check((language,))
    world = make_world()
    rows = []
    for sentence, (story, (events,)) in enumerate(islice(_corpus(seed, world), n)):
        for token, event in _tokens_with_events(world, events, language):
            rows.append((_spoken(token), story, sentence, token.concept, token.meant, events[event].scene))
    return pd.DataFrame(rows, columns=["word", "story", "sentence", "concept", "meant", "scene"])


def _tokens_with_events(world: World, events: list[Event], language: str) -> list[tuple[Token, int]]:
    """Return each token of a sentence with the place of its event: scenes may change between two events."""
    starts = [len(tell(world, events[:place], language)) for place in range(1, len(events))]
    tokens = tell(world, events, language)
    return [(token, sum(number >= start for start in starts)) for number, token in enumerate(tokens)]


def tell_story(
    seconds: float, seed: int, languages: tuple[str, ...] = LANGUAGES
) -> tuple[dict[str, pd.DataFrame], dict[str, list[str]]]:
    """Return a story of nine sections, timed in every language.

    Parameters
    ----------
    seconds : mean length of a section in English; sections differ as those of the audiobook do, and so do languages.
    seed : of the story and its reader.

    Returns
    -------
    words : by language a DataFrame, one row per word: word, lemma, pos, onset, offset (seconds within the section),
        section (1..9), sentence (counted through the story; equal numbers are translations), event, concept, meant,
        scene, loudness (arbitrary units, mean about 1).
    texts : by language the prose of each section.

    Examples
    --------
    >>> words, texts = tell_story(seconds=20, seed=0, languages=("EN",))
    >>> words["EN"][["word", "onset", "offset"]].head(3)
          word  onset  offset
    0       in  0.300   0.480
    1      the  0.480   0.697
    2  morning  0.697   1.059
    """
    _check(languages)
    world = make_world()
    story_sentences = _story_sentences(np.random.default_rng([seed, _STORY]), world)
    outline: list[tuple[int, list[Event]]] = []
    for section in range(1, N_SECTIONS + 1):
        left = seconds * _SECTION_LENGTH[section - 1]
        while left > 0:
            events = next(story_sentences)
            left -= _VERBOSE * len(tell(world, events, "EN"))
            if not outline or outline[-1][0] != section:  # nobody has been named yet in this section
                events[0].join = "new"
            outline.append((section, events))
    words, texts = {}, {}
    for language in languages:
        rng = np.random.default_rng([seed, _STORY, LANGUAGES.index(language)])
        words[language] = _timed(_word_rows(world, outline, language), language, rng)
        printed: dict[int, list[str]] = {}
        for section, events in outline:
            printed.setdefault(section, []).append(prose(tell(world, events, language), language))
        texts[language] = [("" if language == "CN" else " ").join(parts) for parts in printed.values()]
    return words, texts


def _word_rows(world: World, outline: list[tuple[int, list[Event]]], language: str) -> pd.DataFrame:
    rows = []
    n_events = 0
    for sentence, (section, events) in enumerate(outline):
        for token, event in _tokens_with_events(world, events, language):
            about = (token.concept, token.meant, events[event].scene)
            place = (section, sentence, n_events + event)
            rows.append((_spoken(token), token.lemma, token.pos, token.after, *place, *about))
        n_events += len(events)
    names = ["word", "lemma", "pos", "after", "section", "sentence", "event", "concept", "meant", "scene"]
    return pd.DataFrame(rows, columns=names)


def _timed(words: pd.DataFrame, language: str, rng: np.random.Generator) -> pd.DataFrame:
    """Add onset, offset and loudness: longer words last longer, the reader speeds up, slows down and pauses."""
    n = len(words)
    pace = np.exp(0.18 * _slow(n, 0.97, rng))
    letters = words["word"].str.len().to_numpy()
    lasts = (_SECONDS_A_WORD[language] + _SECONDS_A_LETTER[language] * letters) * pace
    after = words["after"].to_numpy()
    pause = np.where(np.isin(after, [",", ":"]), rng.uniform(0.10, 0.30, n), 0.0)
    pause = np.where(after == ".", rng.uniform(0.25, 0.75, n), pause)
    pause = np.where((after == ".") & (rng.random(n) < 0.10), rng.uniform(1.0, 2.0, n), pause)
    stressed = np.where(words["concept"] >= 0, 1.15, 0.75)
    loudness = stressed * np.exp(0.25 * _slow(n, 0.95, rng) + 0.20 * rng.standard_normal(n))
    onset = np.zeros(n)
    for section in np.unique(words["section"]):
        inside = np.flatnonzero(words["section"] == section)
        ends = 0.3 + np.cumsum(lasts[inside] + pause[inside])
        onset[inside] = ends - lasts[inside] - pause[inside]
    timed = words.drop(columns="after")
    timed.insert(1, "onset", np.round(onset, 3))
    timed.insert(2, "offset", np.round(onset + lasts, 3))
    timed["loudness"] = np.round(loudness, 4)
    return timed


def _slow(n: int, persistence: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a first-order autoregressive series of unit variance: array [n]."""
    from scipy.signal import lfilter  # a second to import, and who asks for a tiny model's settings imports this file

    shocks = rng.standard_normal(n) * np.sqrt(1 - persistence**2)
    shocks[0] /= np.sqrt(1 - persistence**2)
    return lfilter([1.0], [1.0, -persistence], shocks)


def _check(languages: tuple[str, ...]) -> None:
    unknown = sorted(set(languages) - set(LANGUAGES))
    if unknown or not languages:
        raise ConfigurationError(f"languages={languages!r}: choose some of {LANGUAGES} (unknown: {unknown}).")
