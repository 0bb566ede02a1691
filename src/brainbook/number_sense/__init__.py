"""Number sense: one concept through two senses (Noda, Soda & Yamashita 2024), with the controls that were left out.

Stands alone: nothing here knows the other rooms.
"""

from brainbook.number_sense.classifiers import Classifier, train_classifier
from brainbook.number_sense.configuration import Modality, ModelConfiguration, Objective, Training
from brainbook.number_sense.digits import Digits, make_cmnist, read_digits, read_idx
from brainbook.number_sense.evaluation import evaluate
from brainbook.number_sense.images import COLOURS, NUMBERS, SHAPES, Images
from brainbook.number_sense.learning import train
from brainbook.number_sense.mmvae import MMVAE, VAE
from brainbook.number_sense.objects import make_oscn
from brainbook.number_sense.pairs import Pairs, make_pairs, pair

__all__ = [
    "COLOURS",
    "MMVAE",
    "NUMBERS",
    "SHAPES",
    "VAE",
    "Digits",
    "Images",
    "Classifier",
    "Modality",
    "ModelConfiguration",
    "Objective",
    "Pairs",
    "Training",
    "evaluate",
    "make_cmnist",
    "make_oscn",
    "make_pairs",
    "pair",
    "read_digits",
    "read_idx",
    "train",
    "train_classifier",
]
