"""Folders of trained models, each under a key of what it was trained from: part of this package, or trained once."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from safetensors.torch import load_file, save_file

from brainbook.errors import ModelError
from brainbook.source_code import code_of
from brainbook.store import file_lock, fingerprint, sync, write_json

PRETRAINED = Path(__file__).parent / "pretrained"
VERSION = 1  # raise when a change of training code must replace the pretrained weights, too


def folder_name(name: str, inputs: dict) -> str:
    """Return `name`-key, where the key is the fingerprint of `inputs`."""
    return f"{name}-{fingerprint({**inputs, 'version': VERSION})}"


def model_folder(
    cache: str | Path, name: str, inputs: dict, train: Callable[[Path], None], allow_training: bool, save: bool = False
) -> Path:
    """Return the folder of a model that is part of this package if it fits `inputs`; else see `cached_model`.

    save : put it into the package, trained if it is not in `cache`/models, in the place of the one that was there:
        weights in half precision, and of its loss.csv every tenth step and those that were validated.
    """
    folder = PRETRAINED / folder_name(name, inputs)
    if folder.is_dir() and not save:
        return folder
    trained = cached_model(cache, name, inputs, train, allow_training)
    if save:
        for older in PRETRAINED.glob(f"{name}-" + "[0-9a-f]" * 16):
            shutil.rmtree(older)
        shutil.copytree(trained, folder)
        for path in folder.rglob("*.safetensors"):
            save_file({key: value.half() for key, value in load_file(path).items()}, path, {"format": "pt"})
        curve = pd.read_csv(trained / "loss.csv")
        curve = curve[(curve.index % 10 == 0) | curve["validation"].notna()].dropna(axis=1, how="all")
        curve.to_csv(folder / "loss.csv", index=False, float_format="%.5g")
        return folder
    return trained


def cached_model(
    cache: str | Path, name: str, inputs: dict, train: Callable[[Path], None], allow_training: bool = True
) -> Path:
    """Return the folder of a model under `cache`/models; train it if it is not there.

    Of several processes that ask at once, one trains and the others wait for it. A training that fails leaves nothing.

    Parameters
    ----------
    inputs : everything that the model depends on (see `store.fingerprint`) but the code: what the module of `train`
        and the modules of this room and `training` that it imports mean is part of the key by itself.
    train : called as `train(folder)`; writes the model into this empty folder.
    allow_training : False raises ModelError, which names the command, where the model is missing.
    """
    root = Path(cache) / "models"
    inputs = {**inputs, "code": code_of(train, rooms=("language_models", "training.py"))}
    folder = root / folder_name(name, inputs)
    if folder.is_dir():
        return folder
    if not allow_training:
        raise ModelError(f"{name} is not in {root}: python -m brainbook.language_models tiny {name}")
    root.mkdir(parents=True, exist_ok=True)
    with file_lock(root / f".{folder.name}.lock"):
        if not folder.is_dir():
            with TemporaryDirectory(dir=root, prefix=".writing-") as temporary:
                written = Path(temporary) / folder.name
                written.mkdir()
                started = time.monotonic()
                train(written)
                write_json(written / "settings.json", {**inputs, "seconds": time.monotonic() - started})
                sync(*written.rglob("*"), written)
                written.rename(folder)
    return folder
