"""Checkpoints of a training run: weights and optimizer state as safetensors; the newest whole one counts."""

import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from brainbook.errors import ConfigurationError, ModelError
from brainbook.store import fingerprint, sync

_WRITTEN = "files.json"  # the key of every other file's content: a checkpoint is whole if they are what was written


class Checkpoints:
    """Checkpoints of one run in one folder: the newest and the one before it, which counts if the newest is damaged."""

    def __init__(self, folder: str | Path, settings: dict) -> None:
        self.folder = Path(folder)
        self.settings = settings
        self.newest: Path | None = None  # the last one that was read or written: surely whole

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict, dict | None] | None:
        """Restore the newest checkpoint that is whole; return its state and best weights, None without a checkpoint.

        ModelError if all are damaged or belong to another model, ConfigurationError if made with other settings.
        """
        damage: list[str] = []
        for folder in sorted(self.folder.glob("step-*"), reverse=True):
            if damaged := _damaged_file(folder):
                damage.append(f"{damaged}: damaged: its content is not what was written")
                continue
            if damage:
                warnings.warn(f"{damage[0]}. Going on from {folder.name}, the one before", stacklevel=3)
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            changed = [
                f"{name} {state['settings'].get(name)!r} (now {value!r})"
                for name, value in self.settings.items()
                if state["settings"].get(name) != value
            ]
            if changed:
                made = f"made with other settings: {', '.join(changed)}"
                raise ConfigurationError(f"{folder}: {made}. Remove the folder or restore them.")
            try:
                load_model(model, folder / "model.safetensors")
            except RuntimeError as error:
                raise ModelError(f"{folder / 'model.safetensors'}: belongs to another model: {error}") from error
            load_optimizer(optimizer, model, folder / "optimizer.safetensors")
            best = folder / "best.safetensors"
            self.newest = folder
            return state, load_file(best) if best.exists() else None
        if damage:
            raise ModelError(f"{damage[0]}. There is none before it: remove {self.folder} to begin anew")
        return None

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, best: dict | None, state: dict) -> None:
        """Write a checkpoint; only when it is on the disk are those older than the one before it removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self.folder.glob(".writing-*"):  # by a run that was killed
            shutil.rmtree(unfinished)
        new = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        save_model(model, new / "model.safetensors")  # type: ignore[arg-type]  # a path does as well
        save_optimizer(optimizer, model, new / "optimizer.safetensors")
        if best is not None:
            save_file({name: tensor.clone() for name, tensor in best.items()}, new / "best.safetensors")
        (new / "state.json").write_text(json.dumps({**state, "settings": self.settings}), encoding="utf-8")
        (new / _WRITTEN).write_text(json.dumps({path.name: fingerprint(path) for path in new.iterdir()}))
        target = self.folder / f"step-{state['step']:08d}"
        shutil.rmtree(target, ignore_errors=True)  # a damaged one of this step
        sync(*new.iterdir(), new)
        new.rename(target)
        sync(self.folder)
        for folder in set(self.folder.glob("step-*")) - {target, self.newest}:
            shutil.rmtree(folder)
        self.newest = target


def _damaged_file(folder: Path) -> Path | None:
    """Return a file of a checkpoint that is missing or not what was written; None if the checkpoint is whole."""
    try:
        written = json.loads((folder / _WRITTEN).read_text(encoding="utf-8"))
        for name, key in written.items():
            if not (folder / name).is_file() or fingerprint(folder / name) != key:
                return folder / name
    except (OSError, ValueError, AttributeError, RecursionError):
        return folder / _WRITTEN
    return None


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file; ModelError, which names the file, if it is damaged or not there."""
    try:
        return load_file(path)
    except Exception as error:  # safetensors' own error is a bare Exception
        raise ModelError(f"{path}: no safetensors file, or damaged or cut off: {error}. Get it again") from error


def save_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, path: str | Path) -> None:
    """Write an optimizer's state by parameter name ("weight/exp_avg"), without pickle; scalars become 0-d tensors."""
    names: dict[Any, str] = {parameter: name for name, parameter in model.named_parameters()}
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
    for entry, value in load_file(path).items():
        name, key = entry.rsplit("/", 1)
        if name not in parameters or (value.ndim and value.shape != parameters[name].shape):
            raise ModelError(f"{path}: {entry} of shape {tuple(value.shape)} has no such parameter in this model")
        on_cpu = not value.ndim and not optimizer.defaults.get("fused")  # where torch keeps step counters
        optimizer.state[parameters[name]][key] = value if on_cpu else value.to(parameters[name].device)
