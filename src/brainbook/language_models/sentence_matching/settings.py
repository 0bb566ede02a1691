"""How a model is fine-tuned on sentence pairs. Nothing here imports torch."""

from dataclasses import dataclass

from brainbook.errors import ConfigurationError

COSINE_FORMS = ("standard", "printed")
# What a named loss changes in the settings. The published loss is cross-entropy and a cosine term alone; its sign, as
# printed, pushes matches apart, so it is here in the standard form, too. "ours" is what the settings say.
LOSSES = {
    "published": {"contrast": 0.0, "language": 0.0, "cosine_form": "standard"},
    "printed": {"contrast": 0.0, "language": 0.0, "cosine_form": "printed"},
    "ours": {},
}


@dataclass(frozen=True)
class TransferSettings:
    """How a model is fine-tuned. The loss is a weighted sum of four; a weight of 0 leaves one out.

    Attributes
    ----------
    match : weight of the binary cross-entropy of "these two match", through the matching head.
    cosine : weight of the cosine term, in the "standard" form or as "printed" (`cosine_form`).
    contrast : weight of the choice among the batch's sentences (InfoNCE), at `temperature`.
    language : weight of the language-modelling loss on the same sentences, which keeps the model a language model.
    margin : cosine below which a mismatch costs nothing.
    new_words : first give the tokens that only second sentences have the vectors that make matches of the training part
        agree (see the module `new_words`): for a model that has never read the second language.
    frozen_layers : embeddings and this many layers stay as they are; 0 is full fine-tuning, all of them leave the head.
    hidden : units of the matching head's hidden layer; 0 for a linear one.
    steps, batch_size, learning_rate : of the training; `batch_size` counts pairs.
    max_tokens : longer sentences are cut.
    validate_every, patience : steps between two looks at the validation part, and after how many looks in a row without
        a better loss training stops.
    validation_pairs : look at this many of them at most.
    precision : "no" (float32) or "bf16".
    """

    match: float = 1.0
    cosine: float = 1.0
    contrast: float = 0.0
    language: float = 0.0
    cosine_form: str = "standard"
    margin: float = 0.0
    temperature: float = 0.07
    new_words: bool = False
    frozen_layers: int = 0
    hidden: int = 0
    steps: int = 400
    batch_size: int = 32
    learning_rate: float = 5e-4
    max_tokens: int = 96
    validate_every: int = 50
    patience: int = 4
    validation_pairs: int = 1000
    precision: str = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.cosine_form not in COSINE_FORMS:
            raise ConfigurationError(f"cosine_form is one of {', '.join(COSINE_FORMS)}, not {self.cosine_form!r}")
        weights = (self.match, self.cosine, self.contrast, self.language)
        if min(weights) < 0 or not any(weights):
            raise ConfigurationError(f"weights of losses are 0 or more, and not all 0: {weights}")


def with_loss(settings: dict, loss: str) -> dict:
    """Return `settings` with what the loss of that name (`LOSSES`) changes in them."""
    if loss not in LOSSES:
        raise ConfigurationError(f"loss is one of {', '.join(LOSSES)}, not {loss!r}")
    return settings | LOSSES[loss]
