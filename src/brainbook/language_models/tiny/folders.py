"""Folders of tiny models: trained and cached, or pretrained weights that are part of this package."""

import shutil
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pandas as pd
from safetensors.torch import load_file, save_file

from brainbook.language_models.model_folders import cached_model, folder_name
from brainbook.language_models.tiny.settings import tiny_settings
from brainbook.language_models.tiny.training import train_tiny
from brainbook.phantom.story import LANGUAGES, sentences

PRETRAINED = Path(__file__).parent / "pretrained"


def tiny_folder(name: str, cache: str | Path = "cache", train: bool = True, device: str = "auto") -> Path:
    """Return the folder of a tiny model: config.json, model.safetensors (with its head), tokenizer.json, loss.csv.

    It is trained if it is neither part of this package nor in `cache`/models; ModelError if `train` is False.
    """
    pretrained = PRETRAINED / folder_name(name, _inputs(name))
    return pretrained if pretrained.is_dir() else _trained_folder(name, cache, train, device)


def save_pretrained(name: str, cache: str | Path = "cache", device: str = "auto") -> Path:
    """Make a tiny model part of this package: weights in half precision, and every tenth step of its loss.

    It is trained if it is not in `cache`/models, and takes the place of the one that the package had.
    """
    trained = _trained_folder(name, cache, True, device)
    for older in PRETRAINED.glob(f"{name}-" + "[0-9a-f]" * 16):
        shutil.rmtree(older)
    folder = shutil.copytree(trained, PRETRAINED / folder_name(name, _inputs(name)))
    weights = {key: value.half() for key, value in load_file(trained / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    curve = pd.read_csv(trained / "loss.csv").iloc[::10].dropna(axis=1, how="all")
    curve.to_csv(folder / "loss.csv", index=False, float_format="%.5g")
    return folder


def _inputs(name: str) -> dict:
    """Return what the key of a tiny model is made of."""
    return {**asdict(tiny_settings(name)), "corpus": _corpus_sample()}


@lru_cache
def _corpus_sample() -> list[str]:
    """Return enough of the corpus to tell when the phantom's world or grammar has changed."""
    return sentences(200, 0, LANGUAGES)[list(LANGUAGES)].agg(" ".join, axis=1).tolist()


def _trained_folder(name: str, cache: str | Path, allow_training: bool, device: str) -> Path:
    def train(folder: Path) -> None:
        checkpoint = Path(cache) / "models" / f".{folder.name}.training"
        model, tokenizer, curve = train_tiny(tiny_settings(name), device, name, checkpoint)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        curve.to_csv(folder / "loss.csv", index=False)
        shutil.rmtree(checkpoint, ignore_errors=True)

    return cached_model(cache, name, _inputs(name), train, allow_training)
