"""Whole studies of number sense as presets: a demonstration, reduced MNIST, the paper's, and a rehearsal of that."""

from typing import Literal

from pydantic import Field

from brainbook.errors import ConfigurationError
from brainbook.number_sense.configuration import Configuration, Modality, ModelConfiguration, Objective, Training

OSCN = Modality(name="oscn", size=(3, 32, 32))
# Digits have less ink than objects have light and their number is harder to see: without the weight objects drown them.
CMNIST = Modality(name="cmnist", size=(3, 28, 28), weight=3.0)


class Study(Configuration):
    """All settings of a study.

    digits : "embedded", "mnist" (downloads) or a folder of MNIST's idx files.
    n_train, n_test : images per modality.
    seeds : of the models of the published design (0 .. seeds - 1). extra_seeds : of the two further designs.
        private_seeds : of the arm with private latents; None for as many as the others have.
    designs : "published" (the layout of the paper), "area" (the same active area for all numbers, free placement) and
        "unseen" (the classes `left_out` never occur in training).
    left_out : (number, colour) classes of the design "unseen"; by default one colour of each number.
    private : private latents of the MMVAE+ arm; 0 leaves it out.
    pixels : what the networks encode and decode: "all" pixels, as published, or those that are "active" in some
        training image of the design (a third of the objects' on their grid); the others are black in every image, so
        nothing is lost but the time to learn so. A CNN takes whole images and always has all.
    classifier_steps : training of the classifiers.
    data_seed : of images and pairs, which all seeds share.
    """

    digits: str = "embedded"
    n_train: int = Field(20_000, ge=108)
    n_test: int = Field(1000, ge=108)
    seeds: int = Field(3, ge=1)
    extra_seeds: int = Field(3, ge=0)
    private_seeds: int | None = Field(None, ge=0)
    designs: tuple[Literal["published", "area", "unseen"], ...] = ("published", "area", "unseen")
    left_out: tuple[tuple[int, int], ...] = tuple((number, number % 4) for number in range(1, 10))
    private: int = Field(6, ge=0)
    pixels: Literal["all", "active"] = "all"
    model: ModelConfiguration = ModelConfiguration(modalities=(OSCN, CMNIST))
    objective: Objective = Objective()
    training: Training = Training(epochs=1)
    classifier_steps: int = Field(400, ge=1)
    data_seed: int = 0


# As published (Noda, Soda & Yamashita 2024), for a GPU, with the same families in every arm.
PAPER = Study(
    digits="mnist",
    n_train=120_000,
    n_test=4000,
    seeds=20,
    extra_seeds=20,
    model=ModelConfiguration(
        modalities=(
            OSCN.replace(likelihood="laplace"),
            CMNIST.replace(likelihood="laplace", weight=(3 * 32 * 32) / (3 * 28 * 28)),
        ),
        scale="softmax",
        output_bias=0.0,
    ),
    objective=Objective(bound="dreg", samples=20),
    training=Training(epochs=50, precision="bf16"),
    classifier_steps=3000,
)
# What trains best on two cores in a few minutes, not what was published.
SMALL_MODEL = ModelConfiguration(modalities=(OSCN, CMNIST), layers=1, width=256)
SHORT_TRAINING = Training(
    steps=1000, batch=32, learning_rate=3e-3, warm_up=0.05, schedule="cosine", amsgrad=False
)  # fmt: skip
PRESETS = {
    "demo": Study(model=SMALL_MODEL, training=SHORT_TRAINING, extra_seeds=2, private=10, pixels="active"),
    "mnist": Study(
        digits="mnist",
        n_train=40_000,
        n_test=2000,
        private=10,
        pixels="active",
        model=SMALL_MODEL,
        training=SHORT_TRAINING.replace(steps=1500, batch=64),
        extra_seeds=0,
        designs=("published",),
        classifier_steps=800,
    ),
    "paper": PAPER,
    # The paper's with small numbers: it shows in half a minute that everything runs, and teaches the models nothing.
    "rehearsal": PAPER.replace(
        n_train=540,
        n_test=216,
        seeds=1,
        extra_seeds=1,
        model=PAPER.model.replace(layers=1, width=32),
        objective=PAPER.objective.replace(samples=2),
        training=PAPER.training.replace(epochs=None, steps=5, batch=32, precision="no"),
        classifier_steps=20,
    ),
}


def make_study(preset: str = "demo", **changes) -> Study:
    """Return one of the PRESETS with changes.

    changes : any field of Study; fields of its model, objective and training as `model_width=400`,
    `objective_bound="dreg"`, `training_steps=100`. A change that is None changes nothing, so a notebook's parameters
    can be handed on as they are.
    """
    if preset not in PRESETS:
        raise ConfigurationError(f"preset {preset!r}: one of {', '.join(PRESETS)}")
    study, parts = PRESETS[preset], {"model": {}, "objective": {}, "training": {}}
    given = {key: value for key, value in changes.items() if value is not None}
    for key in [key for key in given if key not in Study.model_fields]:
        part, _, field = key.partition("_")
        if part in parts:
            parts[part][field] = given.pop(key)
    for length, rival in (("epochs", "steps"), ("steps", "epochs")):
        if length in parts["training"]:
            parts["training"].setdefault(rival, None)
    return study.replace(**{part: getattr(study, part).replace(**values) for part, values in parts.items()}, **given)
