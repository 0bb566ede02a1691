"""Scores of all participants under one model, for the chapters `hemispheres` and `layers`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.chapters.shared import ALPHA, Features, ParticipantScores
from brainbook.encoding import permutation_scores
from brainbook.store import cached_array, fingerprint


@dataclass(frozen=True)
class GroupScores:
    """Participants of all languages under one model. Stories differ, the model's layers are the same.

    Attributes
    ----------
    scores : array [participants, regions], r of left-out runs with the layer that training runs chose, mean over runs.
    profiles : array [participants, layers, regions], mean r over runs of every layer.
    chosen : int array [participants, runs, regions], the layer that training runs chose.
    language : array [participants] of str.
    first : number of the first layer: 0 where it is the embedding, 1 where the embedding was left out. The indices in
        `profiles` and `chosen` count from it.
    """

    scores: np.ndarray
    profiles: np.ndarray
    chosen: np.ndarray
    language: np.ndarray
    first: int = 0

    @classmethod
    def of(cls, scores: Mapping[str, ParticipantScores], first: int = 0) -> "GroupScores":
        """Concatenate the languages. `scores` : language -> scores of its participants."""
        parts = list(scores.values())
        return cls(
            np.concatenate([part.mean_scores for part in parts]),
            np.concatenate([part.layer_scores.swapaxes(0, 1) for part in parts]),
            np.concatenate([part.chosen_layers for part in parts]),
            np.repeat(list(scores), [len(part.participants) for part in parts]),
            first,
        )

    @property
    def n_layers(self) -> int:
        """How many layers there are to choose from."""
        return self.profiles.shape[1]

    @property
    def layers(self) -> range:
        """Their numbers in the model; 0 is the embedding."""
        return range(self.first, self.first + self.n_layers)

    def mean(self, language: str) -> np.ndarray:
        """Return the mean score [regions] over the participants of a language."""
        return self.scores[self.language == language].mean(axis=0)


def layer_of_others(scores: Mapping[str, ParticipantScores], language: str) -> int:
    """Return the layer that the participants of all OTHER languages choose most often: nothing of whom is tested.

    Where no other language was recorded it is the middle layer, chosen by nobody.
    """
    others = [part.chosen_layers.ravel() for name, part in scores.items() if name != language]
    if not others:
        return (len(scores[language].layer_scores) - 1) // 2
    return int(np.bincount(np.concatenate(others)).argmax())


def significance_of_regions(
    features: Features,
    layer: int,
    responses: np.ndarray,
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
    cache: str | None = None,
) -> np.ndarray:
    """Test whether each region of the average participant is predicted better than when its scans are shifted in time.

    One layer and one penalty serve all regions and all shifts. The test is right if both were chosen without these
    responses: the layer by other participants (`layer_of_others`), the penalty beforehand.

    Parameters
    ----------
    layer : the layer of `features` that is tested.
    responses : array [participants, scans, regions].
    n_permutations : refitted shifts. Their standardised scores are pooled over regions, which resolves p-values of
        1 / (permutations x regions).
    cache : folder of computed p-values, for chapters that ask the same; None computes them again.

    Returns
    -------
    p [regions].
    """
    mean = responses.mean(axis=0)
    data: dict[str, Any] = {"features": features.values[layer], "responses": mean, "runs": features.run_of_scan}
    options: dict[str, Any] = {
        "delays": features.delays,
        "n_permutations": n_permutations,
        "seed": seed,
        "trim": features.trim,
    }

    def compute() -> np.ndarray:
        null = permutation_scores(**data, alpha=ALPHA, device=device, **options)
        return null.p(pooled=True)

    inputs = {"data": fingerprint(*data.values()), "alpha": ALPHA, **options}
    return cached_array(f"{cache}/significance" if cache else None, "regions", inputs, compute)


def with_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Add the column `data`: whether the interval (lower, upper) agrees with a sentence that claims an increase."""
    conditions = [table.lower > 0, table.upper < 0]
    words = np.select(conditions, ["agree with", "contradict"], "neither support nor contradict")
    return table.assign(data=words)
