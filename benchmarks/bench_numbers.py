"""Training an MMVAE of two senses: pairs a second, against multivae 1.0.3 and against what the arithmetic allows.

    python benchmarks/bench_numbers.py [--rounds 5] [--warm 0] [--threads 1]

Same architecture (two modalities of 3 x 32 x 32, 4 hidden layers of 400, 20 latents, Laplace with softmax scales),
same bound, batch 128, Adam with amsgrad. The contenders take turns, so a busy machine slows all alike: trust the
ratios. `--warm` trains ours first by so many steps: late in training few samples carry weight, and DReG that leaves
out the rest gets faster.

multivae is not a dependency (it pulls in torchvision, which it uses for data sets only). For its rows, install it
without dependencies into an environment of its own:

    python -m venv --system-site-packages .bench && .bench/bin/pip install --no-deps multivae==1.0.3 pythae==0.1.2
    cloudpickle .bench/bin/python benchmarks/bench_numbers.py
"""

import argparse
import sys
import time
from unittest.mock import MagicMock

import torch
from torch import nn

from brainbook.numbers import MMVAE, Modality, ModelConfiguration, Objective
from brainbook.numbers.objectives import bound, draw_noise

SIZE, LATENT, WIDTH, LAYERS, BATCH = (3, 32, 32), 20, 400, 4, 128
PIXELS = 3 * 32 * 32
AIM = 1.3


def step_of_ours(objective: Objective):
    """A function that makes one training step of ours."""
    modalities = tuple(Modality(name=name, size=SIZE, likelihood="laplace") for name in ("a", "b"))
    settings = ModelConfiguration(modalities=modalities, scale="softmax", output_bias=0.0)
    model = MMVAE(settings)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3, amsgrad=True, fused=True)

    def step(images: dict, number: int) -> None:
        shown = {name: x.flatten(1)[None] for name, x in images.items()}
        noise = draw_noise(model, objective.samples, BATCH, [number], "cpu")
        loss = -bound(model, shown, objective, noise)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def step_of_multivae(samples: int, loss: str):
    """A function that makes one training step of multivae's MMVAE; None when it is not installed."""
    vision = ("", ".transforms", ".datasets", ".datasets.utils", ".utils", ".models")
    for name in (*(f"torchvision{part}" for part in vision), "nltk", "nltk.tokenize"):
        sys.modules.setdefault(name, MagicMock())  # what only its data sets use
    try:
        from multivae.data.datasets.base import MultimodalBaseDataset
        from multivae.models import MMVAE as Theirs
        from multivae.models import MMVAEConfig
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


def operations(samples: int) -> float:
    """Multiplications and additions of one step for a pair: forward once, backward twice, two decoders a source."""
    hidden = (LAYERS - 1) * WIDTH**2
    encoder = PIXELS * WIDTH + hidden + 2 * WIDTH * LATENT
    decoder = LATENT * WIDTH + hidden + WIDTH * PIXELS
    return 3 * 2 * (2 * encoder + 4 * samples * decoder)


def matrix_speed(rows: int) -> float:
    """Operations a second of the largest product of a step."""
    a, b = torch.randn(rows, WIDTH), torch.randn(WIDTH, PIXELS)
    a @ b
    began = time.perf_counter()
    repeats = max(2, 4000 // rows)
    for _ in range(repeats):
        a @ b
    return 2 * rows * WIDTH * PIXELS * repeats / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=int, default=0, help="steps of training before ours is timed")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    images = {name: torch.rand(BATCH, *SIZE) for name in ("a", "b")}
    for title, samples, settings, theirs in (
        ("ELBO (K = 1)", 1, {"bound": "iwae"}, "iwae_looser"),
        ("DReG, K = 10", 10, {"bound": "dreg"}, "dreg_looser"),
    ):
        contenders = {"brainbook": step_of_ours(Objective(samples=samples, **settings))}
        if settings["bound"] == "dreg":
            thin = Objective(samples=samples, minimum_weight=1e-3, **settings)
            contenders["brainbook, weights below 0.001 left out"] = step_of_ours(thin)
        contenders["multivae"] = step_of_multivae(samples, theirs)
        seconds = dict.fromkeys(contenders, 0.0)
        speed = []
        for name, step in contenders.items():
            if step is None:
                continue
            for number in range(arguments.warm if "brainbook" in name else 1):
                step(images, number)
            step(images, 0)
        repeats = 4 if samples == 1 else 1
        for turn in range(arguments.rounds):
            for name, step in contenders.items():
                if step is not None:
                    began = time.perf_counter()
                    for repeat in range(repeats):
                        step(images, 1 + turn * repeats + repeat)
                    seconds[name] += time.perf_counter() - began
            speed.append(matrix_speed(2 * BATCH * samples))
        pairs = BATCH * repeats * arguments.rounds
        limit = sorted(speed)[len(speed) // 2] / operations(samples)
        print(f"{title}: pairs a second, batch {BATCH}, {arguments.threads} thread(s)")
        print(f"  {'what the matrix products alone allow':<42}{limit:8.0f}")
        for name, step in contenders.items():
            if step is None:
                print(f"  {name:<42}   not installed: see the head of this file")
                continue
            rate = pairs / seconds[name]
            ratio = ""
            if "brainbook" in name and contenders["multivae"]:
                ratio = f"  {rate * seconds['multivae'] / pairs:.2f} x multivae (aim {AIM})"
            print(f"  {name:<42}{rate:8.0f}{ratio}")


if __name__ == "__main__":
    main()
