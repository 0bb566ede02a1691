"""What drives a phantom that hears the real story: sound, words and a language model's states, on the scans' clock.

- sound: how many words, and the amplitude of the sound;
- word: log frequency and surprisal of the word;
- meaning: a language model's state of the word in its context, over and above the mean of all its occurrences;
- topic: the states of the last half minute or so, averaged. It goes on in silences.

What the annotation of a language lacks is left out: `RealStory.made_of` says what each driver is made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets import StoryAnnotation
from brainbook.errors import ConfigurationError
from brainbook.phantom.drivers import CELLS, TR, leaky_sum, on_clock

N_MEANING, N_TOPIC = 16, 8  # principal components of the states
TOPIC_LEAK = 0.97  # share that is left one word later: some 33 words, or 12 seconds of speech
Sections = dict[int, dict[str, np.ndarray]]


@dataclass(frozen=True)
class RealStory:
    """A story that was read aloud, and what of it drives a brain.

    Returned by `real_story`.

    Attributes
    ----------
    words : {language: table with the columns of `Truth.words`; concept, meant and scene are unknown (-1, -1, 0)}.
    audio : {language: {section: seconds}}. n_scans : {language: {section: scans}}.
    drivers : {language: {section: {driver: array [scans * CELLS, dimensions]}}}.
    made_of : {language: {driver: names of its parts}}.
    """

    words: dict[str, pd.DataFrame]
    audio: dict[str, dict[int, float]]
    n_scans: dict[str, dict[int, int]]
    drivers: dict[str, Sections]
    made_of: dict[str, dict[str, list[str]]]


def real_story(annotation: StoryAnnotation, states: Mapping[str, np.ndarray], model: str = "states") -> RealStory:
    """Make what drives a phantom from the annotation of a real story and a model's states of its words.

    Parameters
    ----------
    states : {language: array [words, units]}, one layer, words in the order of `annotation.words(language)`.
    model : what the states are called in `made_of`.

    Examples
    --------
    >>> from brainbook.datasets import StoryAnnotation
    >>> annotation = StoryAnnotation("data/little_prince")
    >>> states = np.random.default_rng(0).standard_normal((len(annotation.words("EN")), 16))
    >>> story = real_story(annotation, {"EN": states})
    >>> sorted(story.drivers["EN"][1])
    ['meaning', 'sound', 'topic', 'word']
    """
    words: dict[str, pd.DataFrame] = {}
    drivers: dict[str, Any] = {}
    made_of: dict[str, Any] = {}
    for language, values in states.items():
        table = annotation.words(language)
        if values.shape[0] != len(table):
            raise ConfigurationError(f"{language} has {len(table)} words, the states have {values.shape[0]}")
        if values.shape[1] < N_MEANING:
            raise ConfigurationError(f"states of {values.shape[1]} units: at least {N_MEANING} are needed")
        amplitude = annotation.amplitude(language)
        contributions, parts = _contributions(table, annotation.word_values(language), values)
        made_of[language] = {
            "sound": ["word rate", *["amplitude"] * bool(amplitude)],
            "word": parts,
            "meaning": [f"{model} in context"],
            "topic": [f"{model}, slow"],
        }
        drivers[language] = {}
        for section, n_scans in annotation.scans(language).items():
            rows = (table["section"] == section).to_numpy()
            clock = on_clock(table[rows], {name: of[rows] for name, of in contributions.items()}, n_scans, CELLS)
            if amplitude:
                clock["sound"] = np.column_stack([clock["sound"], _on_cells(amplitude[section], n_scans * CELLS)])
            drivers[language][section] = clock
        words[language] = _with_unknown_truth(table, amplitude)
    audio = {language: annotation.audio_seconds(language) for language in states}
    return RealStory(words, audio, {language: annotation.scans(language) for language in states}, drivers, made_of)


def scan_drivers(sections: Sections) -> dict[str, np.ndarray]:
    """Average drivers over the steps of each scan: {driver: float32 array [scans of all sections, dimensions]}."""
    drivers = {}
    for name in next(iter(sections.values())):
        fine = np.concatenate([each[name] for each in sections.values()])
        values = fine.reshape(len(fine) // CELLS, CELLS, -1).mean(axis=1)
        drivers[name] = (values / np.maximum(values.std(axis=0), 1e-12)).astype(np.float32)
    return drivers


def _contributions(
    words: pd.DataFrame, known: pd.DataFrame, states: np.ndarray
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return what each word contributes to each driver [words, dimensions], and what `word` is made of."""
    spelled = words["word"].str.lower()
    if "frequency" not in known:
        counted = np.log(spelled.map(spelled.value_counts()).to_numpy(float))
        known = known.assign(**{"frequency in the story": counted})
    columns = known.to_numpy(float)
    lexical = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    states = np.asarray(states, float) - states.mean(axis=0)
    in_context = states - pd.DataFrame(states).groupby(spelled.to_numpy()).transform("mean").to_numpy()
    topic = leaky_sum(_components(states, N_TOPIC), np.ones(len(words), bool), words["section"].to_numpy(), TOPIC_LEAK)
    contributions = {
        "sound": np.ones((len(words), 1)),
        "word": lexical,
        "meaning": _components(in_context, N_MEANING),
        "topic": topic / np.maximum(topic.std(axis=0), 1e-12),
    }
    return contributions, list(known)


def _components(values: np.ndarray, n: int) -> np.ndarray:
    """Return the first principal components of [words, units], each of unit variance: [words, n]."""
    covariance = values.T @ values
    _, directions = np.linalg.eigh(covariance)  # in ascending order
    directions = directions[:, : -n - 1 : -1]
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(n)])  # the sign is a convention
    projected = values @ directions
    spread = projected.std(axis=0)
    return np.where(spread > 1e-9 * (1 + np.abs(values).max()), projected / np.maximum(spread, 1e-12), 0.0)


def _on_cells(sound: pd.DataFrame, n_steps: int) -> np.ndarray:
    """Average the amplitude over each of `n_steps` steps; zero after the sound has ended."""
    step = (sound["onset"] / (TR / CELLS)).astype(int)
    return sound["amplitude"].groupby(step).mean().reindex(range(n_steps), fill_value=0.0).to_numpy()


def _with_unknown_truth(words: pd.DataFrame, amplitude: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Add the columns of a made-up story: what nobody knows of a real one, and how loud each word is."""
    loudness = np.ones(len(words))
    for section, sound in amplitude.items():
        rows = np.flatnonzero(words["section"] == section)
        total = np.append(0.0, np.cumsum(sound["amplitude"]))
        begin, end = (np.searchsorted(sound["onset"], words[name].to_numpy()[rows]) for name in ("onset", "offset"))
        loudness[rows] = (total[end] - total[begin]) / np.maximum(end - begin, 1)
    unknown = {"pos": "X", "sentence": 0, "event": 0, "concept": -1, "meant": -1, "scene": 0}
    return words.assign(lemma=words["word"], loudness=np.maximum(loudness / loudness.mean(), 0.01), **unknown)
