"""Training of VAEs and MMVAEs: pairs in memory, several seeds side by side, `brainbook.training.fit` as the loop."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainbook.number_sense.configuration import Objective, Training
from brainbook.number_sense.mmvae import MMVAE, as_input
from brainbook.number_sense.objectives import bound, draw_noise
from brainbook.number_sense.pairs import Pairs
from brainbook.training import fit

ORDER, NOISE = 11, 12  # what a copy's random numbers are for


def train(
    model: MMVAE,
    pairs: Pairs,
    objective: Objective,
    training: Training,
    *,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    description: str = "training",
) -> pd.DataFrame:
    """Train all copies of `model` in place, and return the loss curve.

    A VAE sees the images of its modality in the order of the pairs: as many, as often, as an MMVAE would. Each copy has
    its own order of the pairs and its own noise, from its seed. The loss is the sum over copies of minus the bound
    (nats a pair), so every copy's gradient is its own; the curve's columns `bound_<seed>` show them one by one.

    checkpoint : a folder to keep checkpoints in and to resume from. Other arguments: see Objective, Training and `fit`.
    """
    seeds = model.seeds
    place = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    # uint8 in memory, on the device: a batch is gathered there
    pixels = {name: model.senses[name].see(pairs.modalities[name].pixels).to(place) for name in model.names}
    rows = {name: torch.from_numpy(pairs.rows[name]).to(place) for name in model.names}
    order = _Order(seeds, len(pairs), training.batch)

    def batches(number: int, generator: torch.Generator) -> dict:
        return {"pairs": order.batch(number), "noise": [_stream(seed, NOISE, number) for seed in seeds]}

    def loss(module: MMVAE, batch: dict):
        chosen = batch["pairs"].to(place)  # copies, batch
        images = {name: as_input(pixels[name][rows[name][chosen]], place) for name in module.names}
        noise = draw_noise(module, objective.samples, chosen.shape[1], batch["noise"], place)
        value, surrogate = bound(module, images, objective, noise)
        return -surrogate, {f"bound_{seed}": v for seed, v in zip(seeds, value, strict=True)}

    return fit(
        model,
        batches,
        loss,
        steps=training.n_steps(len(pairs)),
        learning_rate=training.learning_rate,
        optimizer=partial(torch.optim.Adam, amsgrad=training.amsgrad, fused=True),  # a third of a step otherwise
        warm_up=training.warm_up,
        schedule=training.schedule,
        clip=None,  # a common norm would tie the copies together
        precision=training.precision,
        device=device,
        seed=seeds[0],
        checkpoint=checkpoint,
        description=description,
    )


class _Order:
    """The pairs of each step, for each copy: a new random order of all pairs every epoch."""

    def __init__(self, seeds: tuple[int, ...], n_pairs: int, batch: int):
        self.seeds, self.n_pairs, self.batch_size = seeds, n_pairs, min(batch, n_pairs)
        self.per_epoch = max(1, n_pairs // self.batch_size)
        self.epoch, self.rows = None, None

    def batch(self, number: int) -> torch.Tensor:
        """Rows of the pairs of step `number`, int64 [copies, batch]."""
        epoch, step = divmod(number, self.per_epoch)
        if epoch != self.epoch:
            orders = [np.random.default_rng([seed, ORDER, epoch]).permutation(self.n_pairs) for seed in self.seeds]
            self.epoch, self.rows = epoch, torch.from_numpy(np.stack(orders))
        return self.rows[:, step * self.batch_size : (step + 1) * self.batch_size]


def _stream(seed: int, purpose: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, purpose, number]).generate_state(1, np.uint32)[0])
