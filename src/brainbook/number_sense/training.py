"""Training of VAEs and MMVAEs: pairs in memory, several seeds side by side, `brainbook.training.fit` as the loop."""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainbook.errors import ConfigurationError
from brainbook.number_sense.configuration import Objective, Training
from brainbook.number_sense.mmvae import MMVAE, ROWS, as_input
from brainbook.number_sense.objectives import bound, draw_noise
from brainbook.number_sense.pairs import Pairs
from brainbook.training import fit

ORDER, NOISE = 11, 12  # what a copy's random numbers are for
VALIDATION = 13  # the noise on validation pairs


def train(
    model: MMVAE,
    pairs: Pairs,
    objective: Objective,
    training: Training,
    *,
    validation: Pairs | None = None,
    steps_before: int = 0,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    description: str = "training",
) -> pd.DataFrame:
    """Train all copies of `model` in place, and return the loss curve.

    A VAE gets the images of its modality in the order of the pairs: as many, as often, as an MMVAE would. Each copy has
    its own order of the pairs and its own noise, from its seed. The loss is the sum over copies of minus the bound
    (nats per pair), so every copy's gradient is its own; the curve's columns `bound_<seed>` show them one by one.

    objective : the bound that is raised. training : how. description : for the progress bar and for errors.
    validation : pairs on which the bound is taken, with the same noise each time: the curve's column `validation` (nats
        per pair, mean over copies). `training.patience` needs them.
    steps_before : of earlier rounds; training goes on for as many, and does not stop before.
    checkpoint : a folder to write checkpoints to and to resume from. Others: see Objective, Training and `fit`.

    Examples
    --------
    >>> sizes = {"oscn": (3, 32, 32), "cmnist": (3, 28, 28)}
    >>> modalities = [Modality(name=name, size=size) for name, size in sizes.items()]
    >>> model = MMVAE(ModelConfiguration(modalities=modalities, layers=1, width=16))
    >>> pairs = make_image_pairs({"train": 360})["train"]
    >>> curve = train(model, pairs, Objective(), Training(steps=3, batch=16), device="cpu")
    >>> len(curve)
    3
    """
    if training.patience and validation is None:
        raise ConfigurationError("patience needs validation pairs: without them nothing says when the bound is flat")
    seeds = model.seeds
    place = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    # uint8 in memory, on the device: a batch is gathered there
    pixels = {n: networks.select(pairs.modalities[n].pixels).to(place) for n, networks in model.modalities.items()}
    rows = {name: torch.from_numpy(pairs.rows[name]).to(place) for name in model.names}
    batch_size = min(training.batch, len(pairs))

    @lru_cache(maxsize=1)
    def order(epoch: int) -> torch.Tensor:
        orders = [np.random.default_rng([seed, ORDER, epoch]).permutation(len(pairs)) for seed in seeds]
        return torch.from_numpy(np.stack(orders))  # copies, pairs

    def batches(number: int, generator: torch.Generator) -> dict:
        epoch, step = divmod(number, len(pairs) // batch_size)
        noise = [np.random.SeedSequence([seed, NOISE, number]).generate_state(1, np.uint32)[0] for seed in seeds]
        return {"pairs": order(epoch)[:, step * batch_size :][:, :batch_size], "noise": list(map(int, noise))}

    def loss(module: MMVAE, batch: dict) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        chosen = batch["pairs"].to(place)  # copies, batch
        images = {name: as_input(pixels[name][rows[name][chosen]], place) for name in module.names}
        noise = draw_noise(module, objective.samples, chosen.shape[1], batch["noise"], place)
        value, surrogate = bound(module, images, objective, noise)
        return -surrogate, {f"bound_{seed}": v for seed, v in zip(seeds, value, strict=True)}

    validate = None if validation is None else lambda module: -validation_bound(module, validation, objective)

    def run(stage: str, first: int, steps: int, **how: Any) -> pd.DataFrame:
        options = training.model_dump(include={"learning_rate", "warm_up", "schedule", "precision", "validate_every"})
        options |= {"device": device, "seed": seeds[0], "description": description, "validate": validate}
        options |= {"checkpoint": checkpoint and Path(checkpoint) / stage, **how}
        # fused: a third of a step otherwise. No clipping: a common norm would tie the copies together
        adam = partial(torch.optim.Adam, amsgrad=training.amsgrad, fused=True)
        curve = fit(model, lambda k, g: batches(first + k, g), loss, steps=steps, optimizer=adam, clip=None, **options)
        return curve.assign(step=curve.step + first, validation=-curve.validation)  # the bound itself

    n_steps = training.n_steps(len(pairs))
    if not training.patience:
        return run("only", steps_before, n_steps)
    n_steps = round(steps_before / (1 + training.decay)) or n_steps
    patience = None if steps_before else training.patience
    level = run("level", steps_before, n_steps, schedule="constant", patience=patience, tolerance=training.tolerance)
    fall = run("fall", steps_before + len(level), round(training.decay * len(level)), schedule="linear")
    fall["seconds"] += level.seconds.iloc[-1]
    return pd.concat([level, fall], ignore_index=True)


@torch.no_grad()
def validation_bound(model: MMVAE, pairs: Pairs, objective: Objective) -> float:
    """Return the bound on held-out pairs, always with the same noise: nats per pair, mean over copies."""
    objective, place, copies = objective.replace(minimum_weight=0.0), model.prior_raw.device, len(model.seeds)
    aligned, total = pairs.aligned(), 0.0
    for start in range(0, len(pairs), ROWS):
        images = {name: networks.select(aligned[name][start : start + ROWS].pixels)
                  for name, networks in model.modalities.items()}  # fmt: skip
        n = len(images[model.names[0]])
        shown = {name: as_input(pixels.expand(copies, -1, -1), place) for name, pixels in images.items()}
        noise = draw_noise(model, objective.samples, n, [VALIDATION + start] * copies, place)
        total += n * bound(model, shown, objective, noise)[0].mean().item()
    return total / len(pairs)
