"""Folders of tiny models: pretrained weights that are part of this package, or trained and cached."""

import shutil
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from brainbook.language_models.model_folders import model_folder
from brainbook.language_models.tiny.settings import SHARP, tiny_settings
from brainbook.language_models.tiny.training import train_tiny
from brainbook.phantom.story import LANGUAGES, sentences


def tiny_folder(
    name: str, cache: str | Path = "cache", train: bool = True, device: str = "auto", save: bool = False
) -> Path:
    """Return the folder of a tiny model: config.json, model.safetensors (with its head), tokenizer.json, loss.csv.

    It is trained if it is neither part of this package nor in `cache`/models; ModelError if `train` is False.
    save : make it part of this package (see `model_folder`).
    """
    settings = tiny_settings(name)

    def train_and_save(folder: Path) -> None:
        checkpoint = Path(cache) / "models" / f".{folder.name}.training"
        model, tokenizer, curve = train_tiny(settings, device, name, checkpoint)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        curve.to_csv(folder / "loss.csv", index=False)
        shutil.rmtree(checkpoint, ignore_errors=True)

    inputs = {**asdict(settings), "corpus": corpus_sample()}
    if settings.architecture == "llama":
        del inputs["mask_share"]  # nothing is masked
    if settings.sharp_share:
        inputs["sharp"] = SHARP
    for later in ("causal_share", "sharp_share"):  # settings that older models do without
        if not inputs[later]:
            del inputs[later]
    return model_folder(cache, name, inputs, train_and_save, train, save)


@lru_cache
def corpus_sample() -> list[str]:
    """Return enough of the corpus to tell when the phantom's world or grammar has changed."""
    return sentences(200, 0, LANGUAGES)[list(LANGUAGES)].agg(" ".join, axis=1).tolist()
