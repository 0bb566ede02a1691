"""Examples for BrainLM: a few scans' words and the scans that answer to them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.language_models.brainlm.features import check_scans
from brainbook.phantom.story import words_with_truth
from brainbook.phantom.world import make_world

TR = 2.0  # seconds
HAEMODYNAMIC = {1: 0.2, 2: 0.4, 3: 0.3, 4: 0.1}  # delay in scans -> weight


@dataclass
class BrainText:
    """Examples of text and brain.

    Attributes
    ----------
    input_ids, attention_mask : int64 [examples, tokens], special tokens included, padded at the end.
    brain : float32 [examples, scans, features].
    run : int [examples]: examples of one run share a fold.
    first_scan : int [examples], where in the run the text begins: says which examples overlap.
    texts : str [examples], the words.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    brain: torch.Tensor
    run: np.ndarray
    first_scan: np.ndarray
    texts: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: Any) -> "BrainText":
        rows = np.asarray(rows)
        return BrainText(*(getattr(self, field.name)[rows] for field in fields(self)))


def pair_scans(
    words: pd.DataFrame,
    brain: Any,
    run_of_scan: np.ndarray,
    tokenizer: PreTrainedTokenizerBase,
    *,
    scans: int = 4,
    step: int = 2,
    delay: int = 2,
    max_tokens: int = 40,
    tr: float = TR,
    starts: Mapping[int, float] | None = None,
) -> BrainText:
    """Cut recordings and their words into examples.

    Parameters
    ----------
    words : DataFrame with word, onset (s, within its section) and section.
    brain : [scans, features] of one participant (or of their mean), runs one after the other.
    run_of_scan : int [scans]: the section heard.
    scans, step : an example is the words of `scans` scans; the next begins `step` scans later.
    delay : the brain's answer to them is taken this many scans later (2 scans of 2 s are 4 s).
    tr : seconds from one scan to the next.
    starts : {section: seconds from its first scan to zero of the words' clock}; None where the two begin together.

    Raises
    ------
    DatasetError : values that are not numbers, runs without words, or text that outlasts its scans.
    """
    brain = check_scans(brain)
    run_of_scan = np.asarray(run_of_scan)
    if len(run_of_scan) != len(brain):
        raise DatasetError(f"{len(brain)} scans but {len(run_of_scan)} entries in run_of_scan")
    if min(scans, step) < 1 or delay < 0:
        raise ConfigurationError(f"scans {scans} and step {step} are at least 1, delay {delay} at least 0")
    examples = []  # run, first scan, scans of the brain, text
    for run in pd.unique(run_of_scan):
        scans_of_run = np.flatnonzero(run_of_scan == run)
        heard = words[words["section"] == run]
        if heard.empty:
            raise DatasetError(f"no words for run {run}: words has sections {sorted(words['section'].unique())}")
        onsets = heard["onset"].to_numpy() + (starts[run] if starts else 0)
        last, end = onsets.max(), len(scans_of_run) * tr
        if last >= end + tr:
            raise DatasetError(f"run {run}: a word at {last:.1f} s, but its scans end at {end:.1f} s")
        scan_of_word = (onsets // tr).astype(int)
        spoken = heard["word"].astype(str).to_numpy()
        for first in range(0, len(scans_of_run) - scans - delay + 1, step):
            text = " ".join(spoken[(scan_of_word >= first) & (scan_of_word < first + scans)])
            if text:
                examples.append((run, first, scans_of_run[first + delay : first + delay + scans], text))
    if not examples:
        raise DatasetError(f"no example: every run is shorter than {scans} + {delay} scans")
    run, first_scan, rows, texts = map(np.array, zip(*examples, strict=True))
    options = {"padding": "max_length", "truncation": True, "max_length": max_tokens, "return_tensors": "pt"}
    encoded = tokenizer(texts.tolist(), **options)
    brain = torch.from_numpy(brain[rows])
    return BrainText(encoded["input_ids"], encoded["attention_mask"], brain, run, first_scan, texts)


def concatenate(parts: list[BrainText]) -> BrainText:
    """Put the examples of several participants one after the other."""
    columns: Any = ([getattr(part, field.name) for part in parts] for field in fields(BrainText))
    joined: Any = (torch.cat(c) if isinstance(c[0], torch.Tensor) else np.concatenate(c) for c in columns)
    return BrainText(*joined)


def non_overlapping(pairs: BrainText, scans: int) -> BrainText:
    """Select examples that share no scan: of each run every one that begins `scans` after the last one selected."""
    last: dict[int, int]
    selected, last = [], {}
    for row, (run, first) in enumerate(zip(pairs.run, pairs.first_scan, strict=True)):
        if first >= last.get(run, -scans) + scans or first < last.get(run, 0):
            selected.append(row)
            last[run] = first
    return pairs[np.array(selected)]


def derangement(n: int, seed: int = 0) -> np.ndarray:
    """Return an order in which nothing stays in its place: a random cycle."""
    cycle = np.random.default_rng(seed).permutation(n)
    order = np.empty(n, int)
    order[cycle] = np.roll(cycle, 1)
    return order


def phantom_recordings(
    n_sentences: int = 3000, n_features: int = 64, snr: float = 0.3, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Simulate recordings of somebody who hears the phantom's corpus: words with times, and features of scans.

    Features are random mixtures of the word's identity, its meaning in the scene and the scene itself, summed over a
    scan, delayed by a coarse haemodynamic response over 1 to 4 scans; `snr` is the ratio of signal to noise variance.
    Each story of 40 sentences is a run.

    Returns
    -------
    words (word, onset, section), brain [scans, n_features], run_of_scan [scans].
    """
    world = make_world(0)
    words = words_with_truth(n_sentences, seed).rename(columns={"story": "section"})
    words["section"] += 1
    rng = np.random.default_rng([seed, 7])
    seconds = 0.2 + 0.045 * words["word"].str.len() + rng.exponential(0.08, len(words))
    words["onset"] = seconds.groupby(words["section"]).cumsum() - seconds
    concept, scene = words["concept"].to_numpy(), words["scene"].to_numpy()
    meaning = np.hstack([world.vectors[concept], world.interactions[scene, concept]]) * (concept >= 0)[:, None]
    drivers = np.hstack([meaning, np.eye(len(world.rotations))[scene] - 0.25])  # words, dimensions
    mixture = rng.standard_normal((drivers.shape[1], n_features)) / np.sqrt(drivers.shape[1])
    signals, runs = [], []
    for section, rows in words.groupby("section").indices.items():
        scan = (words["onset"].to_numpy()[rows] // TR).astype(int)
        driven = np.zeros((scan.max() + 5, drivers.shape[1]))  # four scans more, for the response
        np.add.at(driven, scan, drivers[rows])
        response: Any = sum(weight * np.roll(driven, k, 0) for k, weight in HAEMODYNAMIC.items())
        signals.append(response @ mixture)
        runs += [section] * len(response)
    brain = np.concatenate(signals)
    brain = brain / brain.std(0) * np.sqrt(snr) + rng.standard_normal(brain.shape)
    return words[["word", "onset", "section"]], (brain / brain.std(0)).astype(np.float32), np.array(runs)
