"""Whole studies of number sense, from presets: a demonstration, reduced MNIST, the paper's, and a rehearsal of that."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from brainbook.errors import ConfigurationError
from brainbook.number_sense.configuration import Configuration, Modality, ModelConfiguration, Objective, Training

OSCN = Modality(name="oscn", size=(3, 32, 32))
# Digits have less ink than objects have light and their number is harder to see: without the weight objects drown them.
CMNIST = Modality(name="cmnist", size=(3, 28, 28), weight=3.0)


class Study(Configuration):
    """All settings of a study.

    digits : "embedded", "mnist" (downloads) or a folder of MNIST's idx files.
    n_train, n_validation, n_test : images per modality.
    seeds : of the models of the published design (0 .. seeds - 1). extra_seeds : of the two further designs.
        private_seeds : of the arm with private latents; None for as many as the others have.
    side_by_side : seeds trained together on a CPU: five take hardly more than half of the time that they take one by
        one, and end together. A GPU trains all of an arm's together.
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
    n_validation: int = Field(1000, ge=108)
    n_test: int = Field(1000, ge=108)
    seeds: int = Field(3, ge=1)
    extra_seeds: int = Field(3, ge=0)
    private_seeds: int | None = Field(None, ge=0)
    side_by_side: int = Field(1, ge=1)
    designs: tuple[Literal["published", "area", "unseen"], ...] = ("published", "area", "unseen")
    left_out: tuple[tuple[int, int], ...] = tuple((number, number % 4) for number in range(1, 10))
    private: int = Field(6, ge=0)
    pixels: Literal["all", "active"] = "all"
    model: ModelConfiguration = ModelConfiguration(modalities=(OSCN, CMNIST))
    objective: Objective = Objective()
    training: Training = Training(epochs=1)
    classifier_steps: int = Field(400, ge=1)
    data_seed: int = 0


def read_presets() -> dict[str, dict]:
    """Read the changes to the defaults of Study that each preset of `presets.yaml` makes."""
    return yaml.safe_load((Path(__file__).parent / "presets.yaml").read_text(encoding="utf-8"))


def make_study(preset: str = "demo", **changes: Any) -> Study:
    """Return a study of `presets.yaml` with changes.

    changes : any field of Study; fields of its model, objective and training as `model_width=400`,
    `objective_bound="dreg"`, `training_steps=100`. A change that is None changes nothing, so a notebook's parameters
    can be handed on as they are.
    """
    presets = read_presets()
    if preset not in presets:
        raise ConfigurationError(f"preset {preset!r}: one of {', '.join(presets)}")
    settings = presets[preset]
    study = make_study(settings.pop("preset")) if "preset" in settings else Study()
    for given in (settings, {key: value for key, value in changes.items() if value is not None}):
        study = _change(study, given)
    return study


def _change(study: Study, changes: dict) -> Study:
    own: dict[str, Any]
    parts: dict[str, dict[str, Any]]
    own, parts = {}, {"model": {}, "objective": {}, "training": {}}
    for key, value in changes.items():
        part, _, field = key.partition("_")
        if part in parts and key not in Study.model_fields:
            parts[part][field] = value
        else:
            own[key] = value
    for length, rival in (("epochs", "steps"), ("steps", "epochs")):
        if length in parts["training"]:
            parts["training"].setdefault(rival, None)
    return study.replace(**{part: getattr(study, part).replace(**values) for part, values in parts.items()}, **own)
