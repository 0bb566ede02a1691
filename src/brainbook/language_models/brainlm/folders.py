"""The tiny BrainLMs: trained once on another phantom's recordings, and cached."""

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainbook.language_models.brainlm.examples import BrainText, pair_scans, phantom_recordings
from brainbook.language_models.brainlm.model import save_brainlm
from brainbook.language_models.brainlm.training import VERSIONS, BrainLMSettings, new_brainlm, train_brainlm
from brainbook.language_models.language_model import LanguageModel, open_folder
from brainbook.language_models.model_folders import cached_model
from brainbook.language_models.tiny.folders import tiny_folder
from brainbook.store import fingerprint

TINY_BRAINLMS = {"tiny-brainlm-1": "1.0", "tiny-brainlm-2": "2.0"}
# What they were trained on: another phantom's participant, who heard other stories than Le Petit Prince's, as the
# published model was trained on recordings of Alice. The last stories are held out.
RECORDED = {"n_sentences": 3000, "n_features": 64, "snr": 1.0}
HELD_OUT_STORIES = 15


@lru_cache(maxsize=1)
def _recordings() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    return phantom_recordings(**RECORDED)


def tiny_brainlm_folder(name: str, cache: str | Path = "cache", train: bool = True, device: str = "auto") -> Path:
    """Return the folder of a tiny BrainLM, trained now if it is not in `cache`/models yet."""
    settings = VERSIONS[TINY_BRAINLMS[name]]
    start = tiny_folder("tiny-bert", cache, train, device)
    words, brain, runs = _recordings()

    def train_and_save(folder: Path) -> None:
        seen = runs <= runs.max() - HELD_OUT_STORIES
        train_on_recordings(
            folder, open_folder(start, device="cpu"), words, brain[seen], runs[seen], settings, device=device
        )

    inputs = {**asdict(settings), **RECORDED, "held_out": HELD_OUT_STORIES, "start": start.name}
    return cached_model(cache, name, {**inputs, "brain": fingerprint(brain)}, train_and_save, train)


def recorded_pairs(tokenizer) -> tuple[BrainText, BrainText]:
    """Return examples of the stories that the tiny BrainLMs were trained on, and of those that were held out."""
    words, brain, runs = _recordings()
    pairs = pair_scans(words, brain, runs, tokenizer)
    held_out = pairs.run > runs.max() - HELD_OUT_STORIES
    return pairs[~held_out], pairs[held_out]


def train_on_recordings(
    folder: str | Path,
    start: LanguageModel,
    words: pd.DataFrame,
    brain: np.ndarray,
    run_of_scan: np.ndarray,
    settings: BrainLMSettings,
    **options,
) -> pd.DataFrame:
    """Train a BrainLM from the BERT `start` on recordings (see `pair_scans`); write it and its loss.csv to `folder`.

    `options` are those of `train_brainlm`. Returns the loss curve. Of several processes the first one writes.
    """
    pairs = pair_scans(words, brain, run_of_scan, start.tokenizer)
    model = new_brainlm(start, brain.shape[1], settings.seed)
    curve = train_brainlm(model, pairs, start.tokenizer, settings, **options)
    if not (torch.distributed.is_initialized() and torch.distributed.get_rank()):
        save_brainlm(model.cpu().eval(), start.tokenizer, folder)
        curve.to_csv(Path(folder) / "loss.csv", index=False)
    return curve
