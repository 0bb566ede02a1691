"""Variational autoencoders of one sense and of several: VAE, MMVAE (Shi et al. 2019) and MMVAE+ (Palumbo et al. 2023).

The MMVAE's posterior is a mixture of experts: q(z | x_1 .. x_M) = 1/M sum of q(z | x_m). With private latents (MMVAE+)
each modality has dimensions of its own, read from its own image and drawn from a prior when the image is imagined from
another.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from brainbook.errors import ConfigurationError, ModelError
from brainbook.number_sense.configuration import Modality, ModelConfiguration
from brainbook.number_sense.families import positive_scale
from brainbook.number_sense.images import Images
from brainbook.number_sense.networks import make_decoder, make_encoder

ROWS = 256  # images at a time when nothing is learned: what a layer makes of them stays in cache


class Posterior(NamedTuple):
    """Location and scale of the latents of some images, each [copies, batch, dimensions]."""

    loc: Tensor
    scale: Tensor


class Sense(nn.Module):
    """The networks of one modality.

    lit : bool [channels, height, width], the pixels that the networks see and paint, all others being black; None for
    all.
    """

    def __init__(
        self, configuration: ModelConfiguration, modality: Modality, generators, lit: np.ndarray | None = None
    ):
        super().__init__()
        lit = np.ones(modality.size, dtype=bool) if lit is None else np.asarray(lit)
        if lit.shape != modality.size or lit.dtype != bool or not lit.any():
            raise ConfigurationError(f"lit of {modality.name!r}: give bool {modality.size}, True for some pixel")
        if configuration.architecture == "cnn" and not lit.all():
            raise ConfigurationError(
                "a convolution needs whole images: leave `lit` out, or take the architecture 'mlp'"
            )
        self.lit = lit
        # not part of the state: which pixels they are is said when a model is made
        self.register_buffer("pixels", torch.from_numpy(np.flatnonzero(lit)), persistent=False)
        self.modality = modality
        self.latent, self.private, self.scale = configuration.latent, configuration.private, configuration.scale
        n_pixels = len(self.pixels)
        self.encoder = make_encoder(configuration, modality, n_pixels, 2 * (self.latent + self.private), generators)
        self.decoder = make_decoder(configuration, modality, n_pixels, generators)

    def see(self, images: np.ndarray) -> Tensor:
        """The pixels that the networks see: uint8 [images, channels, height, width] -> uint8 [images, pixels]."""
        flat = images.reshape(len(images), -1)
        return torch.from_numpy(flat if self.lit.all() else flat.take(np.flatnonzero(self.lit), axis=1))

    def paint(self, means: Tensor) -> Tensor:
        """Whole images, black where nothing is painted: [images, pixels] -> [images, channels, height, width]."""
        if not self.lit.all():
            whole = means.new_zeros(len(means), self.lit.size)
            whole[:, self.pixels.to(means.device)] = means
            means = whole
        return means.reshape(-1, *self.modality.size)

    def encode(self, images: Tensor) -> tuple[Posterior, Posterior]:
        """Posteriors of the shared and of the private latents. images: 0..1, of `see`, [copies, batch, pixels]."""
        loc, raw = self.encoder(images).float().chunk(2, dim=-1)
        parts = [self.latent, self.private]
        shared, private = (
            Posterior(part_loc, positive_scale(self.scale, part_raw))
            for part_loc, part_raw in zip(loc.split(parts, -1), raw.split(parts, -1), strict=True)
        )
        return shared, private

    def decode(self, latents: Tensor) -> Tensor:
        """Logits of the pixels: [copies, samples, batch, latent + private] -> [copies, samples, batch, pixels]."""
        return self.decoder(latents.flatten(1, 2)).unflatten(1, latents.shape[1:3])


class MMVAE(nn.Module):
    """A multimodal variational autoencoder.

    configuration : see ModelConfiguration. seeds : one independent copy of the model for each; their first weights,
    and in training their data order and noise, come from their own seed, so a copy is what it would be alone, up to
    rounding. lit : by modality, bool [channels, height, width], the pixels that any picture ever lights: the networks
    of an MLP see and paint these alone, and the bound is that of a decoder that knows the others to be black. By
    default all pixels.
    """

    def __init__(
        self,
        configuration: ModelConfiguration,
        seeds: Sequence[int] = (0,),
        lit: Mapping[str, np.ndarray] | None = None,
    ):
        super().__init__()
        self.configuration, self.seeds = configuration, tuple(int(seed) for seed in seeds)
        if len(set(self.seeds)) < len(self.seeds) or not self.seeds:
            raise ConfigurationError(f"seeds {list(seeds)}: give each copy a seed of its own")
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        lit = lit or {}
        self.senses = nn.ModuleDict(
            {m.name: Sense(configuration, m, generators, lit.get(m.name)) for m in configuration.modalities}
        )
        copies, learn = len(self.seeds), configuration.learn_prior
        self.prior_raw = nn.Parameter(torch.zeros(copies, configuration.latent), requires_grad=learn)
        # the scale of the private latents that a modality is imagined with from another in training (r in Palumbo et
        # al.): when it is small the decoder can tell "layout unknown", near 0, from a layout, which lies anywhere
        self.imagined_raw = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(copies, configuration.private)) for name in self.senses}
            if configuration.private
            else {}
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.senses)

    @property
    def prior_scale(self) -> Tensor:
        """[copies, 1, 1, latent]; their mean over the latent dimensions is 1."""
        return positive_scale("softmax", self.prior_raw)[:, None, None]

    def imagined_scale(self, name: str) -> Tensor:
        """Scale of the private latents of a modality imagined from another in training, [copies, 1, 1, private].

        Afterwards they are drawn from their prior, of scale 1, as Palumbo et al. do.
        """
        return positive_scale("free", self.imagined_raw[name])[:, None, None]

    def copy(self, index: int) -> "MMVAE":
        """The model of one seed alone."""
        lit = {name: sense.lit for name, sense in self.senses.items()}
        alone = type(self)(self.configuration, self.seeds[index : index + 1], lit)
        alone.load_state_dict({name: value[index : index + 1] for name, value in self.state_dict().items()})
        return alone.to(self.prior_raw.device)

    @torch.no_grad()
    def embed(self, images: Images | Mapping[str, Images], name: str | None = None) -> np.ndarray:
        """Locations of the shared latents of `images` of modality `name`, float32 [images, latent]."""
        return self._posteriors(images, name)[0]

    @torch.no_grad()
    def decode(self, z: np.ndarray, name: str | None = None, private: np.ndarray | None = None) -> np.ndarray:
        """Mean images of modality `name` from latents, float32 0..1 [n, channels, height, width].

        z : float [n, latent]. private : float [n, private]; by default their prior's location, 0.
        """
        self._alone()
        sense = self._sense(name)
        z = torch.as_tensor(np.asarray(z), dtype=torch.float32)
        if z.ndim != 2 or z.shape[1] != sense.latent:
            raise ModelError(f"latents of shape {tuple(z.shape)}: this model takes [n, {sense.latent}]")
        own = torch.zeros(len(z), sense.private) if private is None else torch.as_tensor(private, dtype=torch.float32)
        latents = torch.cat([z, own], 1).to(self.prior_raw.device)
        parts = [torch.sigmoid(sense.decode(part[None, None])[0, 0]).cpu() for part in latents.split(ROWS)]
        return sense.paint(torch.cat(parts)).numpy()

    def recall(self, images: Images, name: str | None = None, seed: int | None = None) -> np.ndarray:
        """Images as they are reconstructed from themselves; see `associate`."""
        return self.associate(images, name, name, seed)

    @torch.no_grad()
    def associate(
        self, images: Images, source: str | None = None, target: str | None = None, seed: int | None = None
    ) -> np.ndarray:
        """What `images` of modality `source` bring to mind in modality `target`: float32 0..1 [images, ...].

        seed : None decodes the posterior's location; a number decodes one sample of the posterior (and, where the
        target is another modality, of its private latents) that is drawn with this seed.
        """
        source, target = self._sense(source).modality.name, self._sense(target).modality.name
        shared_loc, shared_scale, own_loc, own_scale = self._posteriors(images, source)
        if source != target:
            own_loc = np.zeros((len(images), self.configuration.private), dtype=np.float32)
            own_scale = own_loc + 1
        if seed is not None:
            rng = np.random.default_rng(seed)
            draw = rng.standard_normal if self.configuration.family == "normal" else lambda n: rng.laplace(size=n)
            shared_loc = shared_loc + shared_scale * draw(shared_loc.shape)
            own_loc = own_loc + own_scale * draw(own_loc.shape)
        return self.decode(shared_loc, target, own_loc)

    def _posteriors(self, images: Images, name: str | None) -> tuple[np.ndarray, ...]:
        """Locations and scales of shared and of private latents, each [images, dimensions]."""
        self._alone()
        sense = self._sense(name)
        if images.size != sense.modality.size:
            raise ModelError(
                f"images of size {images.size}: {sense.modality.name!r} was built for {sense.modality.size}"
            )
        parts = []
        with torch.no_grad():
            for start in range(0, len(images), ROWS):
                pixels = as_input(sense.see(images.pixels[start : start + ROWS])[None], self.prior_raw.device)
                shared, private = sense.encode(pixels)
                parts.append([part[0].cpu().numpy() for part in (*shared, *private)])
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _sense(self, name: str | None) -> Sense:
        if name is None and len(self.senses) == 1:
            return next(iter(self.senses.values()))
        if name not in self.senses:
            raise ModelError(f"modality {name!r}: this model has {', '.join(self.names)}")
        return self.senses[name]

    def _alone(self) -> None:
        if len(self.seeds) != 1:
            raise ModelError(f"{len(self.seeds)} copies are here: choose one with model.copy(0)")


class VAE(MMVAE):
    """A variational autoencoder of a single modality: the control arm."""

    def __init__(
        self,
        configuration: ModelConfiguration,
        seeds: Sequence[int] = (0,),
        lit: Mapping[str, np.ndarray] | None = None,
    ):
        if len(configuration.modalities) != 1 or configuration.private:
            raise ConfigurationError(
                "a VAE has one modality and no private latents: take configuration.only(name), or MMVAE"
            )
        super().__init__(configuration, seeds, lit)


def as_input(pixels: Tensor, device) -> Tensor:
    """uint8 [copies, batch, pixels], or [copies, batch, channels, height, width] -> float 0..1 [copies, batch, pixels]
    on the device."""
    return pixels.to(device).flatten(2).to(torch.float32).div_(255)
