"""Encoders and decoders: the published MLP and a CNN, several independent copies side by side.

A copy is one model of one seed. All copies of a network are one tensor, so that a GPU trains twenty seeds in hardly
more time than one; no copy depends on another.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainbook.number_sense.configuration import Modality, ModelConfiguration


def _uniform(shape: Sequence[int], n_inputs: int, generators: Sequence[torch.Generator], rectified: bool) -> Tensor:
    """Draw first weights [copies, *shape], each copy's by its own generator: uniform, so that a signal keeps its size.

    rectified : a ReLU follows, which halves the variance (He et al. 2015).
    """
    limit = math.sqrt((6 if rectified else 3) / n_inputs)
    return torch.stack([torch.rand(shape, generator=g).mul_(2 * limit).sub_(limit) for g in generators])


class Linear(nn.Module):
    """[copies, rows, inputs] -> [copies, rows, outputs], each copy with its own weights."""

    def __init__(
        self, n_inputs: int, n_outputs: int, generators: Sequence[torch.Generator], rectified: bool = False
    ) -> None:
        super().__init__()
        weight = _uniform((n_inputs, n_outputs), n_inputs, generators, rectified)
        self.weight = nn.Parameter(weight)  # copies, inputs, outputs
        self.bias = nn.Parameter(torch.zeros(len(generators), 1, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 1:  # twice as fast as a batch of one; squeezed, for the gradient of [0] is a copy within zeros
            return torch.addmm(self.bias.squeeze(0), x.squeeze(0), self.weight.squeeze(0)).unsqueeze(0)
        return torch.baddbmm(self.bias, x, self.weight)


class MLP(nn.Module):
    """Hidden layers of ReLU, the last layer linear: [copies, rows, inputs] -> [copies, rows, outputs]."""

    def __init__(self, sizes: Sequence[int], generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        last = len(sizes) - 2
        self.layers = nn.ModuleList(Linear(i, o, generators, k < last) for k, (i, o) in enumerate(pairwise(sizes)))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return self.layers[-1](x)


class Convolution(nn.Module):
    """4 x 4 kernel, stride 2: halves an image, or doubles it when `up`. Copies lie side by side in the channels."""

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        generators: Sequence[torch.Generator],
        rectified: bool = True,
        up: bool = False,
        output_padding: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        shape = (n_inputs, n_outputs, 4, 4) if up else (n_outputs, n_inputs, 4, 4)
        self.weight = nn.Parameter(_uniform(shape, n_inputs * 16 // (4 if up else 1), generators, rectified))
        self.bias = nn.Parameter(torch.zeros(len(generators), n_outputs))
        self.n_copies, self.up, self.output_padding = len(generators), up, output_padding

    def forward(self, x: Tensor) -> Tensor:  # rows, copies * channels, height, width
        weight, bias = self.weight.flatten(0, 1), self.bias.flatten()
        if self.up:
            return functional.conv_transpose2d(x, weight, bias, 2, 1, self.output_padding, self.n_copies)
        return functional.conv2d(x, weight, bias, 2, 1, 1, self.n_copies)


def _sizes(size: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Return height and width before and after each of the three convolutions."""
    return [(size[1] // 2**k, size[2] // 2**k) for k in range(4)]


class CNNEncoder(nn.Module):
    """[copies, rows, pixels] -> [copies, rows, outputs]: three convolutions and a hidden layer."""

    def __init__(
        self,
        size: tuple[int, int, int],
        channels: int,
        width: int,
        n_outputs: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        depths = [size[0], channels, 2 * channels, 4 * channels]
        self.size = size
        self.convolutions = nn.ModuleList(Convolution(i, o, generators) for i, o in pairwise(depths))
        self.head = MLP([depths[-1] * math.prod(_sizes(size)[-1]), width, n_outputs], generators)

    def forward(self, x: Tensor) -> Tensor:
        copies, rows, _ = x.shape
        x = x.transpose(0, 1).reshape(rows, copies * self.size[0], *self.size[1:])
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        return self.head(x.reshape(rows, copies, -1).transpose(0, 1))


class CNNDecoder(nn.Module):
    """[copies, rows, latents] -> [copies, rows, pixels]: the encoder's mirror image."""

    def __init__(
        self,
        n_inputs: int,
        width: int,
        channels: int,
        size: tuple[int, int, int],
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        sizes = _sizes(size)[::-1]
        depths = [4 * channels, 2 * channels, channels, size[0]]
        self.start = (depths[0], *sizes[0])
        self.head = MLP([n_inputs, width, math.prod(self.start)], generators)
        self.convolutions = nn.ModuleList()
        for k, (small, large) in enumerate(pairwise(sizes)):
            padding = (large[0] - 2 * small[0], large[1] - 2 * small[1])
            self.convolutions.append(Convolution(depths[k], depths[k + 1], generators, k < 2, True, padding))

    def forward(self, x: Tensor) -> Tensor:
        copies, rows, _ = x.shape
        x = functional.relu(self.head(x)).transpose(0, 1).reshape(rows, copies * self.start[0], *self.start[1:])
        for convolution in self.convolutions[:-1]:
            x = functional.relu(convolution(x))
        return self.convolutions[-1](x).reshape(rows, copies, -1).transpose(0, 1)


def make_networks(
    configuration: ModelConfiguration, modality: Modality, n_pixels: int, generators: Sequence[torch.Generator]
) -> tuple[nn.Module, nn.Module]:
    """Make a modality's encoder and decoder.

    The encoder takes images [copies, rows, n_pixels] to location and raw scale of all latents, [copies, rows, 2 *
    (latent + private)]; the decoder takes latents [copies, rows, latent + private] to logits [copies, rows, n_pixels].
    """
    encoder: Any
    decoder: Any
    n_latents, width = configuration.latent + configuration.private, configuration.width
    if configuration.architecture == "cnn":
        encoder = CNNEncoder(modality.size, configuration.channels, width, 2 * n_latents, generators)
        decoder = CNNDecoder(n_latents, width, configuration.channels, modality.size, generators)
        last = decoder.convolutions[-1]
    else:
        hidden = [width] * configuration.layers
        encoder = MLP([n_pixels, *hidden, 2 * n_latents], generators)
        decoder = MLP([n_latents, *hidden, n_pixels], generators)
        last = decoder.layers[-1]
    nn.init.constant_(last.bias, configuration.output_bias)
    return encoder, decoder
