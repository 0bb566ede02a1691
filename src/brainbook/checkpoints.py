"""Checkpoints of a training run: weights and optimizer state as safetensors; the newest whole one counts."""

import json
import math
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from brainbook.errors import ConfigurationError, ModelError
from brainbook.store import fingerprint

_STATE = {"step": int, "rows": list, "seconds": (int, float), "settings": dict, "stale": int}


class Checkpoints:
    """Checkpoints of one run in one folder: the newest and the one before it, which counts if the newest is damaged."""

    def __init__(self, folder: str | Path | None, settings: dict, accelerator: Accelerator):
        self.folder = Path(folder) if folder else None
        self.settings = settings
        self.accelerator = accelerator
        self.best = None
        self.newest: Path | None = None  # the last one that was read or written: surely whole

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict | None:
        """Go on from the newest checkpoint that is whole: its state, or None if there is none.

        ModelError if all are damaged or belong to another model, ConfigurationError if made with other settings.
        """
        damage: list[str] = []
        for folder in sorted(self.folder.glob("step-*"), reverse=True) if self.folder else []:
            try:
                state = _whole(folder)
            except ModelError as error:
                damage.append(str(error))
                continue
            if damage:
                warnings.warn(f"{damage[0]}. Going on from {folder.name}, the one before", stacklevel=3)
            self._restore(folder, state, model, optimizer)
            self.newest = folder
            return state
        if damage:
            raise ModelError(f"{damage[0]}. There is none before it: remove {self.folder} to begin anew")
        return None

    def _restore(self, folder: Path, state: dict, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        other = [name for name, value in self.settings.items() if state["settings"].get(name) != value]
        if other:
            named = ", ".join(f"{name} {state['settings'].get(name)!r} (now {self.settings[name]!r})" for name in other)
            raise ConfigurationError(f"{folder}: made with other settings: {named}. Remove the folder or restore them.")
        try:
            load_model(model, folder / "model.safetensors")
        except RuntimeError as error:
            raise ModelError(f"{folder / 'model.safetensors'}: belongs to another model: {error}") from error
        load_optimizer(optimizer, model, folder / "optimizer.safetensors")
        if (folder / "best.safetensors").exists():
            self.best = load_file(folder / "best.safetensors")
        for row in state["rows"]:
            row["validation"] = math.nan if row["validation"] is None else row["validation"]

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, best: dict | None, state: dict) -> None:
        """Write a checkpoint; only when it is on the disk are those older than the one before it removed."""
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(".writing-*"):  # by a run that was killed
                shutil.rmtree(left)
            new = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
            rows = [
                {k: None if k == "validation" and math.isnan(v) else v for k, v in r.items()} for r in state["rows"]
            ]
            save_model(model, new / "model.safetensors")
            save_optimizer(optimizer, model, new / "optimizer.safetensors")
            if best is not None:
                save_file({name: tensor.clone() for name, tensor in best.items()}, new / "best.safetensors")
            files = {path.name: fingerprint(path) for path in new.iterdir()}
            written = {**state, "rows": rows, "settings": self.settings, "files": files}
            (new / "state.json").write_text(json.dumps(written), encoding="utf-8")
            target = self.folder / f"step-{state['step']:08d}"
            shutil.rmtree(target, ignore_errors=True)  # a damaged one of this step
            for path in (*new.iterdir(), new):
                _sync(path)
            new.rename(target)
            _sync(self.folder)
            for folder in set(self.folder.glob("step-*")) - {target, self.newest}:
                shutil.rmtree(folder)
            self.newest = target
        self.accelerator.wait_for_everyone()


def _whole(folder: Path) -> dict:
    """The state of a checkpoint whose files are what was written; else ModelError, which names the file."""
    path = folder / "state.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        wrong = [name for name, kind in _STATE.items() if not isinstance(state[name], kind)]
        if wrong or not all(isinstance(row, dict) and "validation" in row for row in state["rows"]):
            raise ValueError(f"{wrong[0] if wrong else 'rows'} is not what was written")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: damaged ({error!r})") from error
    for name, key in {"model.safetensors": None, "optimizer.safetensors": None, **state.get("files", {})}.items():
        path = folder / name
        try:
            if fingerprint(path) != key if key else not read_tensors(path):
                raise ModelError(f"{path}: damaged: its content is not what was written")
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    return state


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file; ModelError, which names the file, if it is damaged or not there."""
    try:
        return load_file(path)
    except Exception as error:  # safetensors' own error is a bare Exception
        raise ModelError(f"{path}: no safetensors file, or damaged or cut off: {error}. Get it again") from error


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk: else a power cut could keep its name and lose its content."""
    if os.name == "nt" and path.is_dir():  # which cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, path: str | Path) -> None:
    """Write an optimizer's state by parameter name ("weight/exp_avg"), without pickle; scalars become 0-d tensors."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    tensors = {
        f"{names[parameter]}/{key}": torch.as_tensor(value).detach().cpu().contiguous().clone()
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
        if value is not None
    }
    save_file(tensors, path)


def load_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, path: str | Path) -> None:
    """Read back what `save_optimizer` wrote. ModelError if it belongs to another model."""
    parameters = dict(model.named_parameters())
    with safe_open(path, framework="pt") as stored:
        for entry in stored.keys():  # noqa: SIM118 - not a dictionary
            name, key = entry.rsplit("/", 1)
            value = stored.get_tensor(entry)
            if name not in parameters or (value.ndim and value.shape != parameters[name].shape):
                raise ModelError(f"{path}: {entry} of shape {tuple(value.shape)} has no such parameter in this model")
            # torch keeps step counters on the CPU, but for fused optimizers
            moves = value.ndim or optimizer.defaults.get("fused")
            optimizer.state[parameters[name]][key] = value.to(parameters[name].device) if moves else value
