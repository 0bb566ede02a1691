"""Number sense: one concept through two senses (Noda, Soda & Yamashita 2024), with the controls that were left out.

Stands alone: nothing here knows the other rooms.
"""

from brainbook.numbers.configuration import Modality, ModelConfiguration, Objective, Training
from brainbook.numbers.digits import Digits, make_cmnist, read_digits, read_idx
from brainbook.numbers.evaluation import evaluate
from brainbook.numbers.images import COLOURS, NUMBERS, SHAPES, Images
from brainbook.numbers.judges import Judge, train_judge
from brainbook.numbers.learning import train
from brainbook.numbers.mmvae import MMVAE, VAE
from brainbook.numbers.objects import make_oscn
from brainbook.numbers.pairs import Pairs, make_pairs, pair

__all__ = [
    "COLOURS",
    "MMVAE",
    "NUMBERS",
    "SHAPES",
    "VAE",
    "Digits",
    "Images",
    "Judge",
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
    "train_judge",
]
