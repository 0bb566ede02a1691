"""How a BrainLM is trained: tasks, ablations, the two versions. Nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from brainbook.errors import ConfigurationError

TASKS = ("masked_language", "masked_brain", "matching")
BRAINS = ("real", "shuffled", "none")


@dataclass(frozen=True)
class BrainLMSettings:
    """How a BrainLM is trained.

    tasks : weight of each task: the share of steps that it gets.
    brain : "real"; the ablations are "shuffled" (each text gets another text's brain) and "none" (text alone).
    mask_share, hidden_share : of tokens and of scans that are masked.
    all_hidden_share : of the batches of masked brain modelling in which every scan is masked: text alone predicts them.
    """

    tasks: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(TASKS, 1.0) | {"matching": 2.0})
    brain: str = "real"
    margin: float = 0.2
    mask_share: float = 0.15
    hidden_share: float = 0.25
    all_hidden_share: float = 0.5
    steps: int = 4000
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 1e-3
    precision: str = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = set(self.tasks) - set(TASKS)
        if unknown or not sum(self.tasks.values()) > 0 or min(self.tasks.values()) < 0:
            raise ConfigurationError(f"tasks {self.tasks}: weights of {', '.join(TASKS)}, none negative, one positive")
        if self.brain not in BRAINS:
            raise ConfigurationError(f"brain {self.brain!r}: one of {', '.join(BRAINS)}")
        if self.brain == "none" and self.trained_tasks != ["masked_language"]:
            raise ConfigurationError("without a brain only masked_language can be trained")

    @property
    def trained_tasks(self) -> list[str]:
        return [task for task in TASKS if self.tasks.get(task)]


VERSIONS = {"1.0": BrainLMSettings(tasks={"masked_language": 1.0}, steps=800), "2.0": BrainLMSettings()}
