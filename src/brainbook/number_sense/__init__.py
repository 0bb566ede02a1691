"""Number sense: one concept through two modalities (Noda, Soda & Yamashita 2024), with controls that were left out."""

from brainbook.number_sense.classifiers import Classifier, train_classifier
from brainbook.number_sense.configuration import Modality, ModelConfiguration, Objective, Training
from brainbook.number_sense.digits import Digits, make_cmnist, read_digits, read_idx
from brainbook.number_sense.evaluation import evaluate
from brainbook.number_sense.images import COLOURS, NUMBERS, SHAPES, Images
from brainbook.number_sense.mmvae import MMVAE, VAE
from brainbook.number_sense.oscn import make_oscn
from brainbook.number_sense.pairs import Pairs, make_image_pairs, pair
from brainbook.number_sense.training import train

__all__ = [
    "COLOURS",
    "MMVAE",
    "NUMBERS",
    "SHAPES",
    "VAE",
    "Classifier",
    "Digits",
    "Images",
    "Modality",
    "ModelConfiguration",
    "Objective",
    "Pairs",
    "Training",
    "evaluate",
    "make_cmnist",
    "make_image_pairs",
    "make_oscn",
    "pair",
    "read_digits",
    "read_idx",
    "train",
    "train_classifier",
]
