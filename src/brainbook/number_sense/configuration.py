"""Typed settings of models, objectives and training; an unknown key is refused, not ignored."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from brainbook.errors import ConfigurationError


class Configuration(BaseModel):
    """A frozen set of settings. ConfigurationError names unknown keys and impossible values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}" for problem in error.errors()
            ]
            known = ", ".join(type(self).model_fields)
            raise ConfigurationError(f"{type(self).__name__}: {'; '.join(problems)} (known: {known})") from error

    def replace(self, **changes: Any) -> Self:
        """Return the same settings with some changed, checked like new ones (`model_copy` checks nothing)."""
        return type(self)(**{**dict(self), **changes})


class Modality(Configuration):
    """The images of one modality and their likelihood.

    likelihood : "bernoulli" (of pixels in 0..1 as probabilities), or "normal" or "laplace" of scale `likelihood_scale`
        around a sigmoid mean (published: Laplace, 0.75).
    weight : factor on the log-likelihood, so that a modality with fewer or darker pixels is not drowned.

    Examples
    --------
    >>> Modality(name="oscn", size=(3, 32, 32), likelihood="laplace").likelihood_scale
    0.75
    """

    name: str
    size: tuple[int, int, int] = (3, 32, 32)  # channels, height, width
    likelihood: Literal["bernoulli", "normal", "laplace"] = "bernoulli"
    likelihood_scale: float = Field(0.75, gt=0)
    weight: float = Field(1.0, gt=0)


class ModelConfiguration(Configuration):
    """A VAE (one modality) or MMVAE (several).

    latent : dimensions that all modalities share.
    private : further dimensions of each modality of its own (MMVAE+, Palumbo et al. 2023); 0 for MMVAE.
    family : of posterior and prior, the same in every modality and arm.
    scale : "softmax" (over dimensions, times their number: as published) or "free" (an exponential, clamped).
    learn_prior : whether the prior's scales are learned (in softmax form, so that their mean stays 1).
    architecture : "mlp" (`layers` hidden layers of `width`; published: 4 of 400) or "cnn" (`channels`, twice and four
        times as many in three convolutions, then one hidden layer of `width`).
    output_bias : of the decoder's last layer at the start; below 0 begins dark, as the images are.

    Examples
    --------
    >>> sizes = {"oscn": (3, 32, 32), "cmnist": (3, 28, 28)}
    >>> modalities = [Modality(name=name, size=size) for name, size in sizes.items()]
    >>> ModelConfiguration(modalities=modalities, latent=10).unimodal("oscn").latent
    10
    """

    modalities: tuple[Modality, ...] = Field(min_length=1)
    latent: int = Field(20, ge=1)
    private: int = Field(0, ge=0)
    family: Literal["normal", "laplace"] = "laplace"
    scale: Literal["softmax", "free"] = "free"
    learn_prior: bool = True
    architecture: Literal["mlp", "cnn"] = "mlp"
    layers: int = Field(4, ge=1)
    width: int = Field(400, ge=1)
    channels: int = Field(32, ge=1)
    output_bias: float = -2.0

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [modality.name for modality in self.modalities]
        if len(set(names)) < len(names):
            raise ValueError(f"modalities {names}: each needs a name of its own")
        return self

    def unimodal(self, name: str | None) -> "ModelConfiguration":
        """Return the settings of the control arm: one modality alone, no likelihood weight, no private latents."""
        modalities = {modality.name: modality for modality in self.modalities}
        if name not in modalities:
            raise ConfigurationError(f"no modality {name!r}: there are {', '.join(modalities)}")
        return self.replace(modalities=(modalities[name].replace(weight=1.0),), private=0)


class Objective(Configuration):
    """The lower bound on the log-likelihood that training raises.

    bound : "elbo", "iwae" (Burda et al. 2016) or "dreg" (IWAE with Tucker et al.'s doubly reparametrised gradient).
    samples : K, drawn from each modality's posterior.
    looser : for "iwae" and "dreg", average over modalities outside the logarithm instead of inside it; for "elbo",
        take the divergence of each modality's posterior from the prior in closed form instead of the mixture's by
        sampling.
    minimum_weight : for "dreg", samples whose normalised weight is below it are left out of the backward pass. 0 keeps
        all; 0.001 loses at most that share of a gradient per sample and saves time late in training.

    Examples
    --------
    >>> Objective(bound="dreg", samples=30).looser
    True
    """

    bound: Literal["elbo", "iwae", "dreg"] = "elbo"
    samples: int = Field(1, ge=1)
    looser: bool = True
    minimum_weight: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _weights_exist(self) -> Self:
        if self.minimum_weight and self.bound != "dreg":
            raise ValueError("minimum_weight is for the bound 'dreg'")
        return self


class Training(Configuration):
    """How a model is trained: Adam, with or without amsgrad, on pairs drawn in random order, epoch by epoch.

    Without `patience`, for as long as `steps` or `epochs` say. With it, until the bound on validation pairs is flat,
    and at most so long: every `validate_every` steps the bound is taken, in units of `tolerance` (nats per pair); once
    it has not risen `patience` times in a row, the learning rate falls to zero in `decay` times as many steps.

    rounds : how often all that is done. From the second time on, the network is trained for as many steps again.
    batch : pairs per step. learning_rate, warm_up, schedule, precision : as in `brainbook.training.fit`.

    Examples
    --------
    >>> Training(epochs=2, batch=32).n_steps(n_pairs=320)
    20
    """

    steps: int | None = Field(None, ge=1)
    epochs: float | None = Field(None, gt=0)
    batch: int = Field(128, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    warm_up: float = Field(0.0, ge=0)
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    amsgrad: bool = True
    precision: Literal["no", "bf16"] = "no"
    patience: int | None = Field(None, ge=1)
    validate_every: int = Field(100, ge=1)
    tolerance: float = Field(0.5, gt=0)
    decay: float = Field(0.25, gt=0)
    rounds: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self

    def n_steps(self, n_pairs: int) -> int:
        """Return the number of optimizer steps on a training set of `n_pairs`."""
        return self.steps or max(1, round(self.epochs * n_pairs / self.batch))  # type: ignore[operator]  # one is given
