"""The tiny BrainLMs: trained once on another phantom's recordings; their weights are part of this package."""

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase

from brainbook.language_models.brainlm.examples import BrainText, pair_scans, phantom_recordings
from brainbook.language_models.brainlm.model import save_brainlm
from brainbook.language_models.brainlm.settings import VERSIONS, BrainLMSettings
from brainbook.language_models.brainlm.training import new_brainlm, train_brainlm
from brainbook.language_models.language_model import LanguageModel, open_folder
from brainbook.language_models.model_folders import model_folder
from brainbook.language_models.names import TINY_BRAINLMS
from brainbook.language_models.tiny.folders import corpus_sample, tiny_folder

# What they were trained on: another phantom's participant, who heard other stories than Le Petit Prince's, as the
# published model was trained on recordings of Alice. The last stories are held out, those before them validate.
RECORDED = {"n_sentences": 12_000, "n_features": 64, "snr": 1.0}
HELD_OUT_STORIES = VALIDATION_STORIES = 15


def tiny_brainlm_folder(
    name: str, cache: str | Path = "cache", train: bool = True, device: str = "auto", save: bool = False
) -> Path:
    """Return the folder of a tiny BrainLM, trained if it is neither part of this package nor in `cache`/models.

    save : make it part of this package (see `model_folder`).
    """
    settings = VERSIONS[TINY_BRAINLMS[name]]
    start = tiny_folder("tiny-bert", cache, train, device)

    def train_and_save(folder: Path) -> None:
        bert = open_folder(start, device="cpu")
        pairs, validation, _ = recorded_pairs(bert.tokenizer)
        _train_and_save(folder, bert, pairs, settings, validation=validation, device=device)

    inputs = {**asdict(settings), **RECORDED, "held_out": HELD_OUT_STORIES, "validation": VALIDATION_STORIES}
    inputs |= {"start": start.name, "corpus": corpus_sample()}
    return model_folder(cache, name, inputs, train_and_save, train, save)


_recordings = lru_cache(maxsize=1)(phantom_recordings)


def recorded_pairs(tokenizer: PreTrainedTokenizerBase) -> list[BrainText]:
    """Return examples of the stories that train the tiny BrainLMs, that validate them, and that are held out."""
    words, brain, runs = _recordings(**RECORDED)
    pairs = pair_scans(words, brain, runs, tokenizer)
    first_held_out = runs.max() + 1 - HELD_OUT_STORIES
    parts = np.searchsorted([first_held_out - VALIDATION_STORIES, first_held_out], pairs.run, side="right")
    return [pairs[parts == part] for part in range(3)]


def train_on_recordings(
    folder: str | Path,
    start: LanguageModel,
    words: pd.DataFrame,
    brain: np.ndarray,
    run_of_scan: np.ndarray,
    settings: BrainLMSettings,
    **options: Any,
) -> pd.DataFrame:
    """Train a BrainLM from the BERT `start` on recordings (see `pair_scans`); write it and its loss.csv to `folder`.

    `options` are those of `train_brainlm`. Returns the loss curve. Of several processes the first one writes.
    """
    return _train_and_save(folder, start, pair_scans(words, brain, run_of_scan, start.tokenizer), settings, **options)


def _train_and_save(
    folder: str | Path, start: LanguageModel, pairs: BrainText, settings: BrainLMSettings, **options: Any
) -> pd.DataFrame:
    model = new_brainlm(start, pairs.brain.shape[-1], settings.seed)
    curve = train_brainlm(model, pairs, start.tokenizer, settings, **options)
    if not (torch.distributed.is_initialized() and torch.distributed.get_rank()):
        save_brainlm(model.cpu().eval(), start.tokenizer, folder)
        curve.to_csv(Path(folder) / "loss.csv", index=False)
    return curve
