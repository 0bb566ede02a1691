"""What a whole study of number sense consists of, and its studies: a demonstration, reduced MNIST, the paper's, and
the paper's with small numbers."""

from typing import Literal

from pydantic import Field

from brainbook.errors import ConfigurationError
from brainbook.number_sense.configuration import Configuration, Modality, ModelConfiguration, Objective, Training

OSCN = Modality(name="oscn", size=(3, 32, 32))
# Digits have less ink than objects have light and their number is harder to see: without the weight objects drown them.
CMNIST = Modality(name="cmnist", size=(3, 28, 28), weight=3.0)
LATIN = tuple((number, number % 4) for number in range(1, 10))  # one colour of each number


class Study(Configuration):
    """All settings of a study.

    digits : "embedded", "mnist" (downloads) or a folder of MNIST's idx files. n_train, n_test : images a modality.
    seeds : of the models of the published design (0 .. seeds - 1). extra_seeds : of the two further designs.
        private_seeds : of the MMVAE+ arm; None for as many as the others have.
    designs : "published" (the layout of the paper), "area" (lit area says nothing of number, free placement) and
        "unseen" (the classes `left_out` never meet in training). private : private latents of the MMVAE+ arm; 0 leaves
        it out.
    pixels : what the networks see and paint: "all" pixels, as published, or those that some training picture of the
        design has "lit" (a third of the objects' on their grid); the others are black in every picture, so nothing is
        lost but the time to learn so. A CNN takes whole pictures and always sees all.
    data_seed : of images and pairs, which all seeds share. judge_steps : training of the judges.
    """

    digits: str = "embedded"
    n_train: int = Field(20_000, ge=108)
    n_test: int = Field(1000, ge=108)
    seeds: int = Field(3, ge=1)
    extra_seeds: int = Field(3, ge=0)
    private_seeds: int | None = Field(None, ge=0)
    designs: tuple[Literal["published", "area", "unseen"], ...] = ("published", "area", "unseen")
    left_out: tuple[tuple[int, int], ...] = LATIN
    private: int = Field(6, ge=0)
    pixels: Literal["all", "lit"] = "all"
    model: ModelConfiguration = ModelConfiguration(modalities=(OSCN, CMNIST))
    objective: Objective = Objective()
    training: Training = Training(epochs=1)
    judge_steps: int = Field(400, ge=1)
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
            OSCN.but(likelihood="laplace"),
            CMNIST.but(likelihood="laplace", weight=(3 * 32 * 32) / (3 * 28 * 28)),
        ),
        family="laplace",
        scale="softmax",
        output_bias=0.0,
    ),
    objective=Objective(bound="dreg", samples=20, looser=True),
    training=Training(epochs=50, batch=128, learning_rate=1e-3, amsgrad=True, precision="bf16"),
    judge_steps=3000,
)
# The same with other numbers: it shows in half a minute that everything runs, and teaches the models nothing.
REHEARSAL = PAPER.but(
    n_train=540,
    n_test=216,
    seeds=1,
    extra_seeds=1,
    model=PAPER.model.but(layers=1, width=32),
    objective=PAPER.objective.but(samples=2),
    training=PAPER.training.but(epochs=None, steps=5, batch=32, precision="no"),
    judge_steps=20,
)
STUDIES = {
    # Small enough for two cores and four minutes: what trains best in so little time, not what was published.
    "demo": Study(
        model=ModelConfiguration(modalities=(OSCN, CMNIST), layers=1, width=256),
        training=Training(steps=1000, batch=32, learning_rate=3e-3, warm_up=0.05, schedule="cosine", amsgrad=False),
        extra_seeds=2,
        private=10,
        pixels="lit",
    ),
    # MNIST in some five minutes on two cores.
    "mnist": Study(
        digits="mnist",
        n_train=40_000,
        n_test=2000,
        private=10,
        pixels="lit",
        model=ModelConfiguration(modalities=(OSCN, CMNIST), layers=1, width=256),
        training=Training(steps=1500, batch=64, learning_rate=3e-3, warm_up=0.05, schedule="cosine", amsgrad=False),
        extra_seeds=0,
        designs=("published",),
        judge_steps=800,
    ),
    "paper": PAPER,
    "rehearsal": REHEARSAL,
}


def study(name: str = "demo", **changes) -> Study:
    """One of the STUDIES, with changes.

    changes : any field of Study; fields of its model, objective and training as `model_width=400`,
    `objective_bound="dreg"`, `training_steps=100`. A change that is None changes nothing, so a notebook's parameters
    can be handed on as they are.
    """
    if name not in STUDIES:
        raise ConfigurationError(f"study {name!r}: one of {', '.join(STUDIES)}")
    chosen, parts = STUDIES[name], {"model": {}, "objective": {}, "training": {}}
    own = {}
    for key, value in changes.items():
        if value is None:
            continue
        part, _, field = key.partition("_")
        if part in parts and key not in Study.model_fields:
            parts[part][field] = value
        else:
            own[key] = value
    if "steps" in parts["training"]:
        parts["training"].setdefault("epochs", None)
    elif "epochs" in parts["training"]:
        parts["training"]["steps"] = None
    for part, values in parts.items():
        if values:
            own[part] = getattr(chosen, part).but(**values)
    return chosen.but(**own)
