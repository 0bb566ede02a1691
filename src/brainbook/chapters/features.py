"""From a model's name to features on the clock of the scans, and the features that every model is compared with."""

from dataclasses import dataclass

import numpy as np

from brainbook.datasets import LittlePrince
from brainbook.encoding import fixed_length, variable_length
from brainbook.errors import ConfigurationError
from brainbook.language_models import load_language_model, word_states
from brainbook.phantom import Truth
from brainbook.store import cached_array, fingerprint

ALIGNMENTS = ("FLA", "VLA")
TR = 2.0  # seconds
TRIM = 8  # scans at each edge of a run that neither train nor test: speech begins and ends there (chapter `alignment`)


@dataclass(frozen=True)
class Features:
    """Features on the clock of the scans.

    Attributes
    ----------
    values : float32 array [layers, scans, units], all sections one after the other; a list of [scans, units] when
        the layers differ in width.
    run_of_scan : int array [scans], the section of every scan.
    """

    values: np.ndarray | list[np.ndarray]
    run_of_scan: np.ndarray


def story_states(
    prince: LittlePrince,
    language: str,
    model: str,
    context: int = 64,
    cache: str | None = "cache",
    device: str = "auto",
    stride: int | None = None,
) -> np.ndarray:
    """Every layer's state of every word of a language's story, each section by itself.

    Parameters
    ----------
    prince : the recordings, whose annotation holds the words.
    language : "EN", "FR" or "CN".
    model : a name that `load_language_model` knows.
    context : how many words before a word the model sees (none from another section).
    cache : folder where states, and tiny models, are kept; None computes the states again (a tiny model is then looked for,
        and kept, in "cache").
    stride : read a causal model in windows of so many words, so that each word has between `context` and
        `context + stride - 1` words before it. A model that reads both ways would see words that come later, and is
        read word by word whatever this says.

    Returns
    -------
    float32 array [layers + 1, words, units], words in the order of `prince.words(language)`.
    """
    words = prince.words(language)
    loaded = load_language_model(model, cache=cache or "cache", device=device)
    stride = stride if loaded.causal else None

    def compute() -> np.ndarray:
        parts = [
            word_states(loaded, words.word[words.section == section].tolist(), context=context, stride=stride)
            for section in sorted(words.section.unique())
        ]
        return np.concatenate(parts, axis=1)

    inputs = {
        "words": fingerprint(words[["word", "section"]]),
        "model": loaded.fingerprint,
        "context": context,
        "stride": stride,
    }
    return cached_array(f"{cache}/states" if cache else None, f"{model.replace('/', '-')}-{language}", inputs, compute)


def align(
    prince: LittlePrince,
    language: str,
    states: np.ndarray,
    alignment: str = "VLA",
    aggregate: str = "mean",
    words_per_scan: int = 5,
    silence: str = "mean",
) -> Features:
    """Put states of words on the clock of the scans, section by section.

    Parameters
    ----------
    states : array [layers, words, units], words in the order of `prince.words(language)`.
    alignment : "VLA" (words by their onsets) or "FLA" (`words_per_scan` words a scan, whatever the clock says).
    aggregate : "mean" of a scan's words or their "sum", which keeps the word rate.
    silence : with the "mean" of words, what scans without words get: the "mean" of the same section's scans with words,
        so that silence is nothing out of the ordinary, or "zeros" as published. A sum over no words is zero.
    """
    silence = silence if aggregate == "mean" else "zeros"
    if alignment not in ALIGNMENTS:
        raise ConfigurationError(f"alignment is one of {', '.join(ALIGNMENTS)}, not {alignment!r}")
    words = prince.words(language)
    if states.shape[-2] != len(words):
        raise ConfigurationError(f"{language} has {len(words)} words, the states have {states.shape[-2]}")
    parts, runs = [], []
    for section, n_scans in prince.scans(language).items():
        chosen = np.flatnonzero(words.section == section)
        heard = states[:, chosen]
        if alignment == "VLA":
            onsets = words.onset.to_numpy()[chosen]
            parts.append(variable_length(heard, onsets, n_scans, tr=TR, aggregate=aggregate, silence=silence))
        else:
            parts.append(fixed_length(heard, n_scans, words_per_scan, aggregate=aggregate, silence=silence))
        runs.append(np.full(n_scans, section))
    return Features(np.concatenate(parts, axis=-2).astype(np.float32), np.concatenate(runs))


def oracle(truth: Truth, language: str) -> Features:
    """The true drivers of a phantom, each as a layer of its own: a region takes the one that its training runs choose.

    No model can beat it by more than luck.
    """
    drivers = truth.drivers(language)
    return Features([values.astype(np.float32) for values, _ in drivers.values()], next(iter(drivers.values()))[1])


def word_count(prince: LittlePrince, language: str, alignment: str = "VLA") -> Features:
    """How many words each scan holds: features [1, scans, 1]. The baseline that any model must beat.

    Under FLA every scan holds the same number of words until they run out, so this says almost nothing there.
    """
    ones = np.ones((1, len(prince.words(language)), 1), np.float32)
    return align(prince, language, ones, alignment, aggregate="sum")


def speech_or_silence(prince: LittlePrince, language: str, alignment: str = "VLA") -> Features:
    """Whether any word falls in a scan: features [1, scans, 1] of 0 and 1, the least that a model can know of speech.

    What a model scores beyond this one bit, it scores by what is said.
    """
    counted = word_count(prince, language, alignment)
    return Features((counted.values > 0).astype(np.float32), counted.run_of_scan)


def alignment_errors(prince: LittlePrince, language: str, words_per_scan: int = 5) -> list[np.ndarray]:
    """How far fixed-length alignment places each word from the moment it was heard.

    Returns a list over sections of arrays [words, 2]: onset (s), and the middle of the scan that FLA gives the word to
    minus the middle of the scan during which it began (s). Words that FLA cuts off at the end are left out.
    """
    words = prince.words(language)
    errors = []
    for section, n_scans in prince.scans(language).items():
        onsets = words.onset[words.section == section].to_numpy()
        given = np.arange(len(onsets)) // words_per_scan
        kept = given < n_scans
        errors.append(np.column_stack([onsets, (given - onsets // TR) * TR])[kept])
    return errors
