"""Number sense: one concept through two modalities (Noda, Soda & Yamashita 2024), with controls that were left out."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.number_sense.classifiers import Classifier as Classifier, train_classifier as train_classifier
    from brainbook.number_sense.configuration import (
        Modality as Modality,
        ModelConfiguration as ModelConfiguration,
        Objective as Objective,
        Training as Training,
    )
    from brainbook.number_sense.digits import make_cmnist as make_cmnist
    from brainbook.number_sense.evaluation import evaluate as evaluate
    from brainbook.number_sense.images import Images as Images
    from brainbook.number_sense.mmvae import MMVAE as MMVAE, VAE as VAE
    from brainbook.number_sense.oscn import make_oscn as make_oscn
    from brainbook.number_sense.pairs import make_image_pairs as make_image_pairs, pair as pair
    from brainbook.number_sense.training import train as train

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
