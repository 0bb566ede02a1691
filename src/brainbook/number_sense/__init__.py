"""Number sense: one concept through two modalities (Noda, Soda & Yamashita 2024), with controls that were left out."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.number_sense.classifiers import Classifier, train_classifier
    from brainbook.number_sense.configuration import Modality, ModelConfiguration, Objective, Training
    from brainbook.number_sense.digits import make_cmnist
    from brainbook.number_sense.evaluation import evaluate
    from brainbook.number_sense.images import Images
    from brainbook.number_sense.mmvae import MMVAE, VAE
    from brainbook.number_sense.oscn import make_oscn
    from brainbook.number_sense.pairs import make_image_pairs, pair
    from brainbook.number_sense.training import train

__all__ = [
    "MMVAE",
    "VAE",
    "Classifier",
    "Images",
    "Modality",
    "ModelConfiguration",
    "Objective",
    "Training",
    "evaluate",
    "make_cmnist",
    "make_image_pairs",
    "make_oscn",
    "pair",
    "train",
    "train_classifier",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
