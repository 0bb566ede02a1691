"""A model without a network: its results are what a linear code of the pixels gives, without any number sense."""

from collections.abc import Mapping

import numpy as np
from sklearn.decomposition import PCA

from brainbook.errors import ModelError
from brainbook.number_sense.images import Images


class PixelControl:
    """Principal components of the pixels, in place of a network: a linear code, with the interface of a VAE.

    Its arithmetic is arithmetic on (compressed) mean images.

    images : training images by modality, the first `n_fit` of which are fitted. latent : number of components.
    """

    def __init__(self, images: Mapping[str, Images], latent: int = 20, n_fit: int = 3000) -> None:
        self.names = tuple(images)
        self.sizes = {name: part.size for name, part in images.items()}
        self.models = {
            name: PCA(latent, svd_solver="randomized", random_state=0).fit(_flat(part[:n_fit]))
            for name, part in images.items()
        }

    can_sample = False

    def targets(self, source: str) -> tuple[str, ...]:
        """Return the modalities that latents of `source` can be decoded in: itself alone."""
        return (source,)

    def embed(self, images: Images, name: str) -> np.ndarray:
        """Return scores on the components, float32 [images, latent]."""
        if name not in self.models:
            raise ModelError(f"modality {name!r}: this control has {', '.join(self.names)}")
        return self.models[name].transform(_flat(images)).astype(np.float32)

    def decode(self, z: np.ndarray, name: str) -> np.ndarray:
        """Return images float32 0..1 [n, channels, height, width] from scores [n, latent]."""
        pixels = self.models[name].inverse_transform(z).clip(0, 1)
        return pixels.reshape(len(pixels), *self.sizes[name]).astype(np.float32)

    def generate(self, images: Images, source: str, target: str, seed: int | None = None) -> np.ndarray:
        """Reconstruct `images`; a linear code of one modality cannot give another, and nothing in it is random."""
        if source != target:
            raise ModelError("the pixel control has a code for each modality alone: it can only reconstruct")
        return self.decode(self.embed(images, source), source)

    def prior_sample(self, n: int, rng: np.random.Generator, name: str) -> np.ndarray:
        """Draw `n` latents with each component's standard deviation: float [n, latent]."""
        spread = np.sqrt(self.models[name].explained_variance_)
        return rng.standard_normal((n, len(spread))) * spread


def _flat(images: Images) -> np.ndarray:
    return images.pixels.reshape(len(images), -1).astype(np.float32) / 255
