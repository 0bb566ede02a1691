"""Models that learn no number sense: what they reach is what the figures of the others have to be held against."""

from collections.abc import Mapping

import numpy as np
from sklearn.decomposition import PCA

from brainbook.errors import ModelError
from brainbook.number_sense.images import Images


class PixelControl:
    """Principal components of the pixels, in place of a network: a linear code, with the interface of a VAE.

    Its arithmetic is arithmetic on (compressed) mean pictures. `prior_scale` is the spread of each component, [1,
    latent].
    """

    def __init__(self, images: Mapping[str, Images], latent: int = 20, n_fit: int = 3000):
        self.names = tuple(images)
        self.models = {
            name: PCA(latent, svd_solver="randomized", random_state=0).fit(_flat(shown[:n_fit]))
            for name, shown in images.items()
        }
        self.sizes = {name: shown.size for name, shown in images.items()}

    def embed(self, images: Images, name: str | None = None) -> np.ndarray:
        """Scores on the components, float32 [images, latent]."""
        return self._of(name).transform(_flat(images)).astype(np.float32)

    def decode(self, z: np.ndarray, name: str | None = None) -> np.ndarray:
        """Images float32 0..1 [n, channels, height, width] from scores [n, latent]."""
        pixels = self._of(name).inverse_transform(z).clip(0, 1)
        return pixels.reshape(len(pixels), *self.sizes[name or self.names[0]]).astype(np.float32)

    def associate(self, images: Images, source: str, target: str, seed: int | None = None) -> np.ndarray:
        """Reconstructions; a linear code of one modality cannot imagine another, and nothing in it is random."""
        if source != target:
            raise ModelError("the pixel control has a code for each modality alone: it can recall but not associate")
        return self.decode(self.embed(images, source), source)

    def noise_scale(self, name: str) -> np.ndarray:
        """Standard deviation of each component, float [latent]."""
        return np.sqrt(self._of(name).explained_variance_)

    def _of(self, name: str | None) -> PCA:
        if name is None and len(self.names) == 1:
            name = self.names[0]
        if name not in self.models:
            raise ModelError(f"modality {name!r}: this control has {', '.join(self.names)}")
        return self.models[name]


def _flat(images: Images) -> np.ndarray:
    return images.pixels.reshape(len(images), -1).astype(np.float32) / 255
