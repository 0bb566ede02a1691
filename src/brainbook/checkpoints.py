"""Checkpoints of a training run: weights and optimizer state as safetensors, the newest whole one only."""

import json
import math
import shutil
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from brainbook.errors import ConfigurationError, ModelError


class Checkpoints:
    """Checkpoints of one run in one folder: the newest whole one counts, older ones are removed."""

    def __init__(self, folder: str | Path | None, settings: dict, accelerator: Accelerator):
        self.folder = Path(folder) if folder else None
        self.settings = settings
        self.accelerator = accelerator
        self.best = None

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict | None:
        found = sorted(self.folder.glob("step-*")) if self.folder else []
        if not found:
            return None
        newest = found[-1]
        state = json.loads((newest / "state.json").read_text(encoding="utf-8"))
        other = [name for name, value in self.settings.items() if state["settings"].get(name) != value]
        if other:
            told = ", ".join(f"{name} {state['settings'].get(name)!r} (now {self.settings[name]!r})" for name in other)
            raise ConfigurationError(f"{newest}: made with other settings: {told}. Remove the folder or restore them.")
        load_model(model, newest / "model.safetensors")
        load_optimizer(optimizer, model, newest / "optimizer.safetensors")
        if (newest / "best.safetensors").exists():
            self.best = load_file(newest / "best.safetensors")
        for row in state["rows"]:
            row["validation"] = math.nan if row["validation"] is None else row["validation"]
        return state

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, best: dict | None, state: dict) -> None:
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
            rows = [
                {k: None if k == "validation" and math.isnan(v) else v for k, v in r.items()} for r in state["rows"]
            ]
            save_model(model, new / "model.safetensors")
            save_optimizer(optimizer, model, new / "optimizer.safetensors")
            if best is not None:
                save_file({name: tensor.clone() for name, tensor in best.items()}, new / "best.safetensors")
            written = {**state, "rows": rows, "settings": self.settings}
            (new / "state.json").write_text(json.dumps(written), encoding="utf-8")
            older = list(self.folder.glob("step-*"))
            new.rename(self.folder / f"step-{state['step']:08d}")
            for folder in older:
                shutil.rmtree(folder)
        self.accelerator.wait_for_everyone()


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
