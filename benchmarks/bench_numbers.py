"""Training an MMVAE of two modalities: pairs per second, against multivae 1.0.3 and what the arithmetic allows.

    python benchmarks/bench_numbers.py [--rounds 12] [--warm 100] [--threads 2] [--bf16] [--keep]

Same architecture (two modalities of 3 x 32 x 32, 4 hidden layers of 400, 20 latents, Laplace with softmax scales), same
bound, batch 128, Adam with amsgrad, images of objects and of digits. The contenders take turns, so a busy machine
slows all alike: trust the ratios, which come with their quartiles over rounds. Ours is first trained for `--warm`
steps: later in training few samples carry weight, and DReG that leaves out the rest gets faster (what multivae does
costs the same at any time). With --keep the table goes to book/archive/bench.

multivae is not a dependency (it pulls in torchvision, which it uses for data sets only). For its rows, install it
without dependencies into a folder of its own:

    pip install --no-deps --target /tmp/multivae multivae==1.0.3 pythae==0.1.2 cloudpickle
    PYTHONPATH=/tmp/multivae python benchmarks/bench_numbers.py
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainbook.number_sense import MMVAE, Modality, ModelConfiguration, Objective, make_image_pairs
from brainbook.number_sense.objectives import bound, draw_noise
from brainbook.workflow import archive_table

SIZE, LATENT, WIDTH, LAYERS, BATCH = (3, 32, 32), 20, 400, 4, 128
PIXELS = 3 * 32 * 32
AIM = 1.3
MINIMUM = 1e-3  # weight below which a sample is left out of the backward pass
Step = Callable[[dict, int], None]


def our_model() -> MMVAE:
    modalities = tuple(Modality(name=name, size=SIZE, likelihood="laplace") for name in ("a", "b"))
    return MMVAE(ModelConfiguration(modalities=modalities, scale="softmax", output_bias=0.0))


def our_step(model: MMVAE, objective: Objective, bf16: bool = False) -> Step:
    """Return a function that makes one training step of ours, from where `model` is."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3, amsgrad=True, fused=True)

    def step(images: dict, number: int) -> None:
        shown = {name: x.flatten(1)[None] for name, x in images.items()}
        noise = draw_noise(model, objective.samples, BATCH, [number], "cpu")
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = -bound(model, shown, objective, noise)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step.model = model
    return step


def multivae_step(samples: int, loss: str) -> Step | None:
    """Return a function that makes one training step of multivae's MMVAE; None when it is not installed."""
    vision = ("", ".transforms", ".datasets", ".datasets.utils", ".utils", ".models")
    for name in (*(f"torchvision{part}" for part in vision), "nltk", "nltk.tokenize"):
        sys.modules.setdefault(name, MagicMock())  # what only its data sets use
    try:
        from multivae.data.datasets.base import MultimodalBaseDataset
        from multivae.models import MMVAE as Theirs, MMVAEConfig
        from multivae.models.nn.base_architectures import BaseDecoder, BaseEncoder
        from pythae.models.base.base_utils import ModelOutput
    except ImportError:
        return None

    def hidden(first: int) -> nn.Sequential:
        sizes = [first, *[WIDTH] * LAYERS]
        layers = [part for i, o in zip(sizes[:-1], sizes[1:], strict=True) for part in (nn.Linear(i, o), nn.ReLU())]
        return nn.Sequential(*layers)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.latent_dim = LATENT
            self.body, self.loc, self.scale = hidden(PIXELS), nn.Linear(WIDTH, LATENT), nn.Linear(WIDTH, LATENT)

        def forward(self, x):
            h = self.body(x.flatten(1))
            return ModelOutput(embedding=self.loc(h), log_covariance=self.scale(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.latent_dim = LATENT
            self.body, self.last = hidden(LATENT), nn.Linear(WIDTH, PIXELS)

        def forward(self, z):
            return ModelOutput(reconstruction=torch.sigmoid(self.last(self.body(z))).reshape(-1, *SIZE))

    settings = MMVAEConfig(
        n_modalities=2, latent_dim=LATENT, input_dims={"a": SIZE, "b": SIZE}, K=samples, loss=loss,
        decoders_dist={"a": "laplace", "b": "laplace"},
        decoder_dist_params={"a": {"scale": 0.75}, "b": {"scale": 0.75}},
    )  # fmt: skip
    model = Theirs(settings, {"a": Encoder(), "b": Encoder()}, {"a": Decoder(), "b": Decoder()})
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, amsgrad=True)

    def step(images: dict, number: int) -> None:
        value = model(MultimodalBaseDataset(data=images)).loss
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return step


def load_images() -> dict[str, torch.Tensor]:
    """Make pairs of objects and digits, float 0..1 [pairs, 3, 32, 32] by name; digits are framed to 32 pixels."""
    pairs = make_image_pairs({"train": 4000})["train"].aligned()
    objects, digits = (torch.from_numpy(pairs[name].pixels).float() / 255 for name in ("oscn", "cmnist"))
    return {"a": objects, "b": nn.functional.pad(digits, (2, 2, 2, 2))}


def batch(images: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    rows = torch.from_numpy(np.random.default_rng(number).integers(0, len(images["a"]), BATCH))
    return {name: x[rows] for name, x in images.items()}


def operations(samples: int) -> float:
    """Count multiplications and additions of a step per pair: forward once, backward twice, two decoders per source."""
    hidden = (LAYERS - 1) * WIDTH**2
    encoder = PIXELS * WIDTH + hidden + 2 * WIDTH * LATENT
    decoder = LATENT * WIDTH + hidden + WIDTH * PIXELS
    return 3 * 2 * (2 * encoder + 4 * samples * decoder)


def matrix_speed(rows: int) -> float:
    """Measure operations per second of the largest product of a step."""
    a, b = torch.randn(rows, WIDTH), torch.randn(WIDTH, PIXELS)
    a @ b
    began = time.perf_counter()
    repeats = max(2, 4000 // rows)
    for _ in range(repeats):
        a @ b
    return 2 * rows * WIDTH * PIXELS * repeats / (time.perf_counter() - began)


def race(contenders: dict[str, Step], images: dict, rounds: int, repeats: int) -> dict[str, np.ndarray]:
    """Measure seconds per step of each contender in each round, taking turns."""
    seconds = {name: np.zeros(rounds) for name in contenders}
    for name in contenders:
        contenders[name](batch(images, 0), 0)
    for turn in range(rounds):
        for name in contenders:
            batches = [batch(images, turn * repeats + repeat) for repeat in range(repeats)]
            began = time.perf_counter()
            for repeat in range(repeats):
                contenders[name](batches[repeat], 1 + turn * repeats + repeat)
            seconds[name][turn] = (time.perf_counter() - began) / repeats
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--warm", type=int, default=100, help="steps of training before ours is timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="a row in bfloat16: for processors with AVX512-BF16 or AMX")
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    images, rows = load_images(), []
    for title, samples, name, theirs in (
        ("ELBO (K = 1)", 1, "iwae", "iwae_looser"),
        ("DReG, K = 10", 10, "dreg", "dreg_looser"),
    ):
        full = Objective(samples=samples, bound=name)
        thin = full.replace(minimum_weight=MINIMUM) if name == "dreg" else full
        warm = our_step(our_model(), thin)
        for number in range(arguments.warm):
            warm(batch(images, number), number)
        contenders = {"brainbook": our_step(warm.model, full)}
        if thin != full:
            contenders[f"brainbook, weights below {MINIMUM} left out"] = our_step(warm.model, thin)
        if arguments.bf16:
            contenders["brainbook, bfloat16"] = our_step(warm.model, thin, bf16=True)
        peer = multivae_step(samples, theirs)
        if peer:
            contenders["multivae 1.0.3"] = peer
        seconds = race(contenders, images, arguments.rounds, repeats=8 if samples == 1 else 1)
        speed = np.median([matrix_speed(2 * BATCH * samples) for _ in range(5)])
        row = {"bound": title, "contestant": "what float32 matrix products alone allow"}
        rows.append(row | {"pairs_per_second": speed / operations(samples)})
        for contender, taken in seconds.items():
            row = {"bound": title, "contestant": contender, "pairs_per_second": BATCH / np.median(taken)}
            if peer:
                ratios = np.quantile(seconds["multivae 1.0.3"] / taken, [0.25, 0.5, 0.75])
                row |= dict(zip(["lower", "times_multivae", "upper"], ratios, strict=True))
            rows.append(row)
        if not peer:
            print("multivae 1.0.3 is not installed: the head of this file says how to get it")
    table = pd.DataFrame(rows).assign(threads=arguments.threads, batch=BATCH, warm=arguments.warm)
    print(f"aim: {AIM} x multivae\n{table.to_string(index=False, float_format='{:.4g}'.format)}")
    if arguments.keep:
        options = f"--rounds {arguments.rounds} --warm {arguments.warm} --threads {arguments.threads}"
        options += " --bf16" if arguments.bf16 else ""
        archive_table("bench", "mmvae", table, f"python benchmarks/bench_numbers.py {options} --keep")


if __name__ == "__main__":
    main()
