"""Variational autoencoders of one or several modalities: VAE, MMVAE (Shi et al. 2019), MMVAE+ (Palumbo et al. 2023).

The MMVAE's posterior is a mixture of experts: q(z | x_1 .. x_M) = 1/M sum of q(z | x_m). With private latents (MMVAE+)
each modality has dimensions of its own, encoded from its own image, and drawn from a prior when its image is generated
from another modality.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from brainbook.errors import ConfigurationError, ModelError
from brainbook.number_sense.configuration import Modality, ModelConfiguration
from brainbook.number_sense.images import Images
from brainbook.number_sense.networks import make_networks

ROWS = 256  # images at a time when nothing is learned: what a layer makes of them stays in cache
LOWEST, HIGHEST = -6.0, 3.0  # limits of a free log scale: a posterior can neither collapse nor burst


class Posterior(NamedTuple):
    """Location and scale of the latents of some images, each [copies, batch, dimensions]."""

    loc: Tensor
    scale: Tensor


def positive_scale(form: str, raw: Tensor) -> Tensor:
    """Return scales from a network's output: "softmax" (times its length) or "free" (clamped, then exp)."""
    if form == "softmax":
        return torch.softmax(raw, -1) * raw.shape[-1] + 1e-6
    return raw.clamp(LOWEST, HIGHEST).exp()


def as_input(pixels: Tensor, device: torch.device) -> Tensor:
    """Return uint8 [copies, batch, ...] as float 0..1, [copies, batch, pixels], on the device."""
    return pixels.to(device).flatten(2).to(torch.float32).div_(255)


class ModalityVAE(nn.Module):
    """The networks of one modality.

    active : bool [channels, height, width], the pixels that the networks encode and decode, all others being black;
    None for all.
    """

    def __init__(
        self,
        configuration: ModelConfiguration,
        modality: Modality,
        generators: Sequence[torch.Generator],
        active: np.ndarray | None,
    ) -> None:
        super().__init__()
        active = np.ones(modality.size, dtype=bool) if active is None else np.asarray(active)
        if active.shape != modality.size or active.dtype != bool or not active.any():
            problem = f"give bool {modality.size}, True for some pixel"
            raise ConfigurationError(f"active_pixels of {modality.name!r}: {problem}")
        if configuration.architecture == "cnn" and not active.all():
            raise ConfigurationError("a convolution needs whole images: give no active_pixels, or take an 'mlp'")
        self.active, self.modality, self.scale = active, modality, configuration.scale
        # not part of the state: which pixels they are is said when a model is made
        self.pixels: Tensor
        self.register_buffer("pixels", torch.from_numpy(np.flatnonzero(active)), persistent=False)
        self.sizes = [configuration.latent, configuration.private]
        self.encoder, self.decoder = make_networks(configuration, modality, len(self.pixels), generators)

    def select(self, images: np.ndarray) -> Tensor:
        """Return the active pixels: uint8 [images, channels, height, width] -> uint8 [images, pixels]."""
        flat = images.reshape(len(images), -1)
        return torch.from_numpy(flat if self.active.all() else flat.take(np.flatnonzero(self.active), axis=1))

    def fill(self, means: Tensor) -> Tensor:
        """Return whole images from their active pixels: [images, pixels] -> [images, channels, height, width]."""
        whole = means.new_zeros(len(means), self.active.size)
        whole[:, self.pixels.to(means.device)] = means
        return whole.reshape(-1, *self.modality.size)

    def encode(self, images: Tensor) -> tuple[Posterior, Posterior]:
        """Return the posteriors of shared and private latents of active pixels 0..1 [copies, batch, pixels]."""
        loc, raw = self.encoder(images).float().chunk(2, dim=-1)
        parts = zip(loc.split(self.sizes, -1), raw.split(self.sizes, -1), strict=True)
        shared, private = (Posterior(part_loc, positive_scale(self.scale, part_raw)) for part_loc, part_raw in parts)
        return shared, private

    def decode(self, latents: Tensor) -> Tensor:
        """Return logits of active pixels: [copies, samples, batch, dimensions] -> [copies, samples, batch, pixels]."""
        return self.decoder(latents.flatten(1, 2)).unflatten(1, latents.shape[1:3])


class MMVAE(nn.Module):
    """A multimodal variational autoencoder.

    configuration : see ModelConfiguration.
    seeds : one independent copy of the model for each; their first weights, and in training their data order and noise,
        come from their own seed, so a copy is what it would be alone, up to rounding.
    active_pixels : by modality, bool [channels, height, width], the pixels that are not black in every image: the
        networks of an MLP encode and decode these alone, and the bound is that of a decoder that knows the others to be
        black. By default all pixels.

    Examples
    --------
    >>> sizes = {"oscn": (3, 32, 32), "cmnist": (3, 28, 28)}
    >>> modalities = [Modality(name=name, size=size) for name, size in sizes.items()]
    >>> model = MMVAE(ModelConfiguration(modalities=modalities, layers=1, width=16))
    >>> model.generate(make_oscn(4), "oscn", "cmnist").shape  # digits for objects, before any training
    (4, 3, 28, 28)
    """

    def __init__(
        self,
        configuration: ModelConfiguration,
        seeds: Sequence[int] = (0,),
        active_pixels: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.configuration, self.seeds = configuration, tuple(int(seed) for seed in seeds)
        if len(set(self.seeds)) < len(self.seeds) or not self.seeds:
            raise ConfigurationError(f"seeds {list(seeds)}: give each copy a seed of its own")
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        active = active_pixels or {}
        self.modalities: Any = nn.ModuleDict(
            {m.name: ModalityVAE(configuration, m, generators, active.get(m.name)) for m in configuration.modalities}
        )
        copies, learn, private = len(self.seeds), configuration.learn_prior, configuration.private
        self.prior_raw = nn.Parameter(torch.zeros(copies, configuration.latent), requires_grad=learn)
        # the scale of the private latents that a modality is generated with from another in training (r in Palumbo et
        # al.): when it is small the decoder can tell "layout unknown", near 0, from a layout, which lies anywhere
        drawn = {name: nn.Parameter(torch.zeros(copies, private)) for name in self.names if private}
        self.drawn_raw = nn.ParameterDict(drawn)

    can_sample = True  # whether `generate` has a posterior to sample from

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.modalities)

    @property
    def prior_scale(self) -> Tensor:
        """[copies, 1, 1, latent]; their mean over the latent dimensions is 1."""
        return positive_scale("softmax", self.prior_raw)[:, None, None]

    def drawn_scale(self, name: str) -> Tensor:
        """Return the scale of private latents of a modality generated from another, [copies, 1, 1, private].

        It is for training; afterwards they are drawn from their prior, of scale 1, as Palumbo et al. do.
        """
        raw = self.drawn_raw[name] if self.configuration.private else self.prior_raw.detach()[:, :0]
        return positive_scale("free", raw)[:, None, None]

    def targets(self, source: str) -> tuple[str, ...]:
        """Return the modalities that latents of `source` can be decoded in: all of them."""
        return self.names

    def copy(self, index: int) -> "MMVAE":
        """Return the model of one seed alone."""
        active = {name: part.active for name, part in self.modalities.items()}
        alone = type(self)(self.configuration, self.seeds[index : index + 1], active)
        alone.load_state_dict({name: value[index : index + 1] for name, value in self.state_dict().items()})
        return alone.to(self.prior_raw.device)

    def embed(self, images: Images, name: str | None = None) -> np.ndarray:
        """Return the locations of the shared latents of `images` of modality `name`, float32 [images, latent]."""
        return self._posteriors(images, name)[0]

    @torch.no_grad()
    def decode(self, z: Any, name: str | None = None, private: np.ndarray | None = None) -> np.ndarray:
        """Decode latents to mean images of modality `name`, float32 0..1 [n, channels, height, width].

        z : float [n, latent]. private : float [n, private]; by default their prior's location, 0.
        """
        networks = self._networks(name)
        z = torch.as_tensor(np.asarray(z), dtype=torch.float32)
        n_latents, n_private = networks.sizes
        if z.ndim != 2 or z.shape[1] != n_latents:
            raise ModelError(f"latents of shape {tuple(z.shape)}: this model takes [n, {n_latents}]")
        own = torch.zeros(len(z), n_private) if private is None else torch.as_tensor(private, dtype=torch.float32)
        latents = torch.cat([z, own], 1).to(self.prior_raw.device)
        parts = [torch.sigmoid(networks.decode(part[None, None])[0, 0]).cpu() for part in latents.split(ROWS)]
        return networks.fill(torch.cat(parts)).numpy()

    def generate(
        self, images: Images, source: str | None = None, target: str | None = None, seed: int | None = None
    ) -> np.ndarray:
        """Generate images of modality `target` from `images` of modality `source`: float32 0..1 [images, ...].

        From a modality to itself this is reconstruction, else cross-modal generation.

        seed : None decodes the posterior's location; a number decodes one sample of the posterior (and, where the
        target is another modality, of its private latents) that is drawn with this seed.
        """
        source, target = self._networks(source).modality.name, self._networks(target).modality.name
        shared_loc, shared_scale, own_loc, own_scale = self._posteriors(images, source)
        if source != target:
            own_loc = np.zeros((len(images), self.configuration.private), dtype=np.float32)
            own_scale = own_loc + 1
        if seed is not None:
            rng = np.random.default_rng(seed)
            shared_loc = shared_loc + shared_scale * self._draw(rng, shared_loc.shape)
            own_loc = own_loc + own_scale * self._draw(rng, own_loc.shape)
        return self.decode(shared_loc, target, own_loc)

    def prior_sample(self, n: int, rng: np.random.Generator, name: str | None = None) -> np.ndarray:
        """Draw `n` shared latents from the prior, which is the same for all modalities: float [n, latent]."""
        scale = self.prior_scale.detach().cpu().numpy().reshape(1, -1)
        return self._draw(rng, (n, scale.size)) * scale

    def _draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        return rng.standard_normal(shape) if self.configuration.family == "normal" else rng.laplace(size=shape)

    @torch.no_grad()
    def _posteriors(self, images: Images, name: str | None) -> tuple[np.ndarray, ...]:
        """Return locations and scales of shared and of private latents, each [images, dimensions]."""
        networks = self._networks(name)
        if images.size != networks.modality.size:
            known = f"{networks.modality.name!r} was built for {networks.modality.size}"
            raise ModelError(f"images of size {images.size}: {known}")
        parts = []
        for start in range(0, len(images), ROWS):
            pixels = networks.select(images.pixels[start : start + ROWS])
            shared, private = networks.encode(as_input(pixels[None], self.prior_raw.device))
            parts.append([part[0].cpu().numpy() for part in (*shared, *private)])
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _networks(self, name: Any) -> ModalityVAE:
        """Return the networks of a modality (which a VAE need not name) of a model of one seed."""
        if len(self.seeds) != 1:
            raise ModelError(f"this model has {len(self.seeds)} copies: choose one with model.copy(0)")
        name = self.names[0] if name is None and len(self.names) == 1 else name
        if name not in self.modalities:
            raise ModelError(f"modality {name!r}: this model has {', '.join(self.names)}")
        return self.modalities[name]


class VAE(MMVAE):
    """A variational autoencoder of a single modality: the control arm. Arguments as of MMVAE.

    Examples
    --------
    >>> model = VAE(ModelConfiguration(modalities=[Modality(name="oscn", size=(3, 32, 32))], layers=1, width=16))
    >>> model.embed(make_oscn(4)).shape
    (4, 20)
    """

    def __init__(self, configuration: ModelConfiguration, *arguments: Any, **options: Any) -> None:
        if len(configuration.modalities) != 1 or configuration.private:
            raise ConfigurationError("a VAE has one modality: take configuration.unimodal(name), or MMVAE")
        super().__init__(configuration, *arguments, **options)
