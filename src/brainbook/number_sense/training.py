"""Training of VAEs and MMVAEs: pairs in memory, several seeds side by side, `brainbook.training.fit` as the loop."""

from functools import lru_cache, partial
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

    A VAE gets the images of its modality in the order of the pairs: as many, as often, as an MMVAE would. Each copy has
    its own order of the pairs and its own noise, from its seed. The loss is the sum over copies of minus the bound
    (nats per pair), so every copy's gradient is its own; the curve's columns `bound_<seed>` show them one by one.

    checkpoint : a folder to write checkpoints to and to resume from. Others: see Objective, Training and `fit`.
    """
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

    def loss(module: MMVAE, batch: dict):
        chosen = batch["pairs"].to(place)  # copies, batch
        images = {name: as_input(pixels[name][rows[name][chosen]], place) for name in module.names}
        noise = draw_noise(module, objective.samples, chosen.shape[1], batch["noise"], place)
        value, surrogate = bound(module, images, objective, noise)
        return -surrogate, {f"bound_{seed}": v for seed, v in zip(seeds, value, strict=True)}

    options = training.model_dump(include={"learning_rate", "warm_up", "schedule", "precision"})
    options |= {"device": device, "seed": seeds[0], "checkpoint": checkpoint, "description": description}
    options["optimizer"] = partial(
        torch.optim.Adam, amsgrad=training.amsgrad, fused=True
    )  # a third of a step otherwise
    options["clip"] = None  # a common norm would tie the copies together
    return fit(model, batches, loss, steps=training.n_steps(len(pairs)), **options)
