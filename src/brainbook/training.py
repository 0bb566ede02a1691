"""The one training loop, on accelerate: one CPU, one GPU, or several processes under `accelerate launch`.

    def loss(model, batch):
        return model(**batch).loss                       # or (loss, {"reconstruction": ..., "divergence": ...})

    curve = fit(model, loader, loss, steps=500, learning_rate=1e-3)

What a step computes depends only on the seed and the step's number: each micro-batch has its own random stream (its
data, its dropout, its sampling). A run that was killed therefore goes on from its checkpoint to the same weights, and
two processes that share the micro-batches of a step arrive where one process arrives that takes them all, up to
rounding.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, send_to_device
from torch import nn
from tqdm import tqdm

from brainbook.checkpoints import Checkpoints
from brainbook.errors import ConfigurationError, ModelError

Loss = Callable[[Any, Any], "torch.Tensor | tuple[torch.Tensor, dict]"]
SCHEDULES = ("cosine", "linear", "constant")
BETAS = (0.9, 0.98)  # of AdamW
FLUSH_EVERY = 20  # steps between two looks at the loss: each look makes a GPU wait


def progress(iterable: Iterable, description: str = "", total: int | None = None, **options: Any) -> tqdm:
    """A progress bar on a terminal; nothing at all in a notebook that is rendered, a log file or a test."""
    options = {"disable": None, "leave": False, "dynamic_ncols": True, **options}
    return tqdm(iterable, desc=description, total=total, **options)


def fit(
    model: nn.Module,
    batches: Iterable | Callable[[int, torch.Generator], object],
    loss: Loss,
    *,
    steps: int,
    learning_rate: float = 1e-3,
    optimizer: Any = None,  # a callable that returns a torch.optim.Optimizer
    weight_decay: float = 0.01,
    warm_up: float = 0.1,
    schedule: str = "cosine",
    clip: float | None = 1.0,
    accumulate: int = 1,
    precision: str = "no",
    device: str = "auto",
    seed: int = 0,
    validate: Callable[[Any], float] | None = None,
    validate_every: int = 100,
    patience: int | None = None,
    tolerance: float = 0.0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 200,
    description: str = "training",
) -> pd.DataFrame:
    """Train `model` in place and return its loss curve.

    Parameters
    ----------
    model : any module. It is moved to the device and left there; its training/evaluation mode is put back at the end.
    batches : a loader (with a length, to be iterated again and again: a DataLoader, a list), or a function
        `batches(number, generator)` that makes micro-batch `number` (0, 1, 2, ...) with the given CPU generator, which
        is seeded by `seed` and `number`. A DataLoader that shuffles is seeded anew, by `seed` and the epoch, at each
        epoch. Batches may be tensors or any nesting of dictionaries, lists and tuples of them; they are moved to the
        device.
    loss : `loss(model, batch)` returns a scalar, or a scalar and a dictionary of its parts, which the curve then shows.
        It may call any method of the model, also when several processes train it.
    steps : number of steps of the optimizer.
    learning_rate : highest learning rate, reached after `warm_up` (a share of the steps if below 1, else a number of
        steps) and lowered to zero by `schedule` ("cosine", "linear") or left there ("constant").
    optimizer : called as `optimizer(parameters, lr=learning_rate)`, for instance torch.optim.Adam. By default AdamW
        with betas of 0.9 and 0.98, and `weight_decay` on matrices only (not on biases, norms and other vectors).
    clip : gradients are scaled down to this norm; None leaves them.
    accumulate : micro-batches that one step averages over, counted over all processes: with two processes and
        `accumulate=4` each takes two. Must be a multiple of the number of processes.
    precision : "no" (float32) or "bf16" (autocast to bfloat16; weights stay float32).
    device : "auto" (a GPU if there is one), "cpu" or "cuda".
    seed : decides data order, dropout and sampling (not the model's first weights: those are the caller's).
    validate : called as `validate(model)`, in evaluation mode and without gradients, every `validate_every` steps and
        at the end; returns a number, lower is better. The model ends with the weights of the best one. After `patience`
        validations in a row without a better one, by more than `tolerance`, training stops; None never stops early.
    checkpoint : a folder. If it holds a checkpoint, training goes on from there; a finished run returns at once. The
        newest and the one before it stay; a damaged newest is passed over with a warning.
    checkpoint_every : steps between two checkpoints. Weights and optimizer state are safetensors, by parameter name.
    description : for the progress bar and for errors.

    Returns
    -------
    A table with one row per step: step (from 1), loss, the loss's parts, learning_rate, gradient_norm, seconds (since
    the start, earlier parts of a resumed run included), validation (NaN where there was none).

    Raises
    ------
    ConfigurationError : impossible settings, or a checkpoint that was made with other ones.
    ModelError : the loss became infinite or not a number; every checkpoint is damaged, or of another model.

    Examples
    --------
    >>> import torch
    >>> model, generator = torch.nn.Linear(2, 1), torch.Generator().manual_seed(0)
    >>> x = torch.randn(64, 2, generator=generator)
    >>> batches = [(x, x.sum(1, keepdim=True))]
    >>> def loss(model, batch):
    ...     return ((model(batch[0]) - batch[1]) ** 2).mean()
    >>> curve = fit(model, batches, loss, steps=200, learning_rate=0.1, device="cpu")
    >>> bool(curve["loss"].iloc[-1] < 1e-3)
    True
    """
    accelerator = _accelerator(precision, device)
    settings = {"steps": steps, "learning_rate": learning_rate, "warm_up": warm_up, "schedule": schedule, "clip": clip}
    settings |= {"optimizer": getattr(optimizer, "__name__", str(optimizer)), "weight_decay": weight_decay}
    settings |= {"accumulate": accumulate, "precision": precision, "seed": seed, "patience": patience}
    settings |= {"validate_every": validate_every, "tolerance": tolerance} if validate else {"validate_every": None}
    _check(settings, accelerator.num_processes)
    was_training = model.training
    objective = accelerator.prepare_model(_Objective(model, loss))
    optimizer = _optimizer(model, optimizer, learning_rate, weight_decay)
    saved = Checkpoints(checkpoint, settings) if checkpoint else None
    restored = saved.load(model, optimizer) if saved else None
    state, best = restored or ({"step": 0, "rows": [], "seconds": 0.0, "best": None, "stale": 0}, None)
    curve = _Curve(state.pop("rows"), accelerator, description)
    started = time.monotonic() - state["seconds"]
    n_shared = accumulate // accelerator.num_processes  # micro-batches of a step that this process takes
    numbers = [
        step * accumulate + k * accelerator.num_processes + accelerator.process_index
        for step in range(state["step"], steps)
        for k in range(n_shared)
    ]
    stream = _stream(batches, seed, numbers)
    bar = progress(range(state["step"], steps), description, total=steps, initial=state["step"])
    bar.disable |= not accelerator.is_main_process
    gpus = [accelerator.device.index or 0] if accelerator.device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):  # the caller's random state is untouched afterwards
        for step in bar:
            if patience is not None and state["stale"] >= patience:
                break
            model.train()
            rate = learning_rate_factor(step, steps, warm_up, schedule)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
            parts = []
            for k in range(n_shared):
                number, batch = next(stream)
                _seed_generators(_seed(seed, 1, number), accelerator.device)
                with nullcontext() if k == n_shared - 1 else accelerator.no_sync(objective):
                    value, named = objective(send_to_device(batch, accelerator.device))
                    accelerator.backward(value / n_shared)
                parts.append({"loss": value.detach(), **named})
            norm = _gradient_norm(model, clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state |= {"step": step + 1, "seconds": time.monotonic() - started}
            curve.add(step + 1, parts, optimizer.param_groups[0]["lr"], norm, state["seconds"])
            is_last = step + 1 == steps
            if validate and (is_last or (step + 1) % validate_every == 0):
                score = _validate(model, validate, _seed(seed, 2, step), accelerator)
                curve.flush()
                curve.rows[-1]["validation"] = score
                state["stale"] += 1
                if state["best"] is None or score < state["best"] - tolerance:
                    state |= {"best": score, "stale": 0}
                    best = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
            is_last |= patience is not None and state["stale"] >= patience
            if saved and (is_last or (step + 1) % checkpoint_every == 0):
                curve.flush()
                if accelerator.is_main_process:
                    saved.save(model, optimizer, best, {**state, "rows": curve.rows})
                accelerator.wait_for_everyone()
    curve.flush()
    if best is not None:
        model.load_state_dict(best)
    model.train(was_training)
    return pd.DataFrame(curve.rows)


def learning_rate_factor(step: int, steps: int, warm_up: float = 0.1, schedule: str = "cosine") -> float:
    """Return the share of the highest learning rate at `step` (from 0) of `steps`: linear warm-up, then `schedule`."""
    warm = warm_up * steps if warm_up < 1 else warm_up
    if step < warm:
        return (step + 1) / (warm + 1)
    done = (step - warm) / max(1.0, steps - warm)
    return {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[schedule]


class _Objective(nn.Module):
    """The loss as a module: this is what several processes wrap, so the loss may call any method of the model."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        value = self.loss(self.model, batch)
        value, parts = value if isinstance(value, tuple) else (value, {})
        return value, {
            name: torch.as_tensor(part, device=value.device).detach().float() for name, part in parts.items()
        }


class _Curve:
    """Collects losses on the device and looks at them only now and then."""

    def __init__(self, rows: list[dict], accelerator: Accelerator, description: str) -> None:
        self.rows = rows
        self.waiting: list[tuple] = []
        self.accelerator = accelerator
        self.description = description

    def add(self, step: int, parts: list[dict], rate: float, norm: torch.Tensor, seconds: float) -> None:
        names = list(parts[0])
        # a part may be NaN where it had no turn; the loss may not
        values = [torch.stack([part[name].float() for part in parts]) for name in names]
        means = torch.stack([values[0].mean(), *(value.nanmean() for value in values[1:])])
        self.waiting.append((step, names, torch.cat([means, norm.detach().float().reshape(1)]), rate, seconds))
        if len(self.waiting) >= FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        for step, names, values, rate, seconds in self.waiting:
            if self.accelerator.num_processes > 1:
                values = self.accelerator.reduce(values, reduction="mean")
            row = {"step": step, **dict(zip([*names, "gradient_norm"], values.tolist(), strict=True))}
            if not math.isfinite(row["loss"]):
                raise ModelError(
                    f"{self.description}: the loss is {row['loss']} at step {step}: "
                    "lower the learning rate, lengthen warm_up, or look for NaN in the inputs"
                )
            row |= {"learning_rate": rate, "seconds": seconds, "validation": math.nan}
            self.rows.append(row)
        self.waiting = []


def _check(settings: dict, n_processes: int) -> None:
    if settings["steps"] < 1:
        raise ConfigurationError(f"steps is {settings['steps']}: at least 1")
    if settings["schedule"] not in SCHEDULES:
        raise ConfigurationError(f"schedule {settings['schedule']!r}: one of {', '.join(SCHEDULES)}")
    if settings["accumulate"] < 1 or settings["accumulate"] % n_processes:
        raise ConfigurationError(
            f"accumulate is {settings['accumulate']} with {n_processes} processes: it counts the micro-batches of a "
            f"step over all processes, so give a multiple of {n_processes}"
        )


def _accelerator(precision: str, device: str) -> Accelerator:
    if precision not in ("no", "bf16"):
        raise ConfigurationError(f"precision {precision!r}: 'no' (float32) or 'bf16'")
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"device {device!r}: 'auto', 'cpu' or 'cuda'")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device 'cuda': there is no GPU that torch can use here; take 'auto' or 'cpu'")
    # accelerate keeps one global state; a second run in this process may want another precision or device
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    AcceleratorState._reset_state(reset_partial_state=not several)
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)  # a task may leave a head untouched
    return Accelerator(mixed_precision=precision, cpu=device == "cpu", kwargs_handlers=[unused])


def _optimizer(
    model: nn.Module, make: Callable | None, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if make is None:
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        # fused: a small model's step is otherwise largely the optimizer's
        groups = [group for group in groups if group["params"]]
        optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, fused=True)
    else:
        optimizer = make(trained, lr=learning_rate)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return optimizer


def _gradient_norm(model: nn.Module, clip: float | None) -> torch.Tensor:
    """Return the norm over all gradients, which are scaled down to `clip` first if it is given."""
    if clip is not None:
        return nn.utils.clip_grad_norm_(model.parameters(), clip)
    return nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])


def _validate(model: nn.Module, validate: Callable[[nn.Module], Any], seed: int, accelerator: Accelerator) -> float:
    model.eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        score = [float(validate(model))]
    return broadcast_object_list(score)[0] if accelerator.num_processes > 1 else score[0]


def _seed(seed: int, purpose: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, purpose, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _seed_generators(seed: int, device: torch.device) -> None:
    """Seed what is drawn from here on, on the CPU and on `device`.

    torch.manual_seed seeds every kind of device, and keeps a stack trace for those that are not there: half a
    millisecond, which a step of a small model feels.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def _stream(batches: Any, seed: int, numbers: list[int]) -> Iterator[tuple[int, object]]:
    """Yield (number, micro-batch) for the given rising numbers, the same whatever was yielded before."""
    if callable(batches):
        for number in numbers:
            yield number, batches(number, torch.Generator().manual_seed(_seed(seed, 0, number)))
        return
    if not (n := len(batches) if hasattr(batches, "__len__") else 0):
        raise ConfigurationError("batches is empty, or has no length: give a list or a loader")
    wanted = set(numbers)
    for epoch in range(numbers[0] // n, numbers[-1] // n + 1):
        torch.manual_seed(_seed(seed, 3, epoch))
        if isinstance(getattr(batches, "generator", None), torch.Generator):
            batches.generator.manual_seed(_seed(seed, 3, epoch))
        for number, batch in enumerate(batches, epoch * n):
            if number in wanted:
                yield number, batch
