"""Scores whose layers and sides are known, for the tests of several chapters."""

import numpy as np
import pytest

from brainbook.chapters.group_scores import GroupScores
from brainbook.chapters.shared import ParticipantScores
from brainbook.datasets.atlas import embedded_destrieux

N_PARTICIPANTS, N_RUNS, N_LAYERS, N_REGIONS = 3, 9, 7, 148


@pytest.fixture(scope="session")
def columns():
    return embedded_destrieux().columns


@pytest.fixture(scope="session")
def scores_of(columns):
    """Scores of one language's participants: `profile` [layers] in every region, `boost` [regions] on top."""

    def build(rng, profile, boost=0.0):
        layers = profile[:, None, None] + boost + 0.01 * rng.normal(size=(N_LAYERS, N_PARTICIPANTS, N_REGIONS))
        folds = layers[:, :, None] + 0.02 * rng.normal(size=(N_LAYERS, N_PARTICIPANTS, N_RUNS, N_REGIONS))
        chosen = folds.argmax(axis=0)
        best = np.take_along_axis(folds, chosen[None], axis=0)[0]
        return ParticipantScores(best, layers, chosen, ["a", "b", "c"], columns)

    return build


@pytest.fixture(scope="session")
def group_scores(columns, scores_of):
    """The fourth layer is best everywhere, and the left is better than the right by .04."""
    rng = np.random.default_rng(1)
    profile = 0.1 * np.exp(-((np.arange(N_LAYERS) - 4) ** 2) / 2)
    left = 0.04 * (columns.hemisphere == "lh").to_numpy()
    return GroupScores.of({language: scores_of(rng, profile, 0.05 + left) for language in ("EN", "FR", "CN")})


@pytest.fixture
def scores_of_nothing(rng):
    """Four participants a language under a model of six layers, from layer 1 on, alike in all regions and layers."""
    n = 3 * 4
    return GroupScores(
        0.1 + 0.01 * rng.normal(size=(n, N_REGIONS)),
        0.1 + 0.01 * rng.normal(size=(n, 6, N_REGIONS)),
        rng.integers(0, 6, (n, 5, N_REGIONS)),
        np.repeat(("EN", "FR", "CN"), 4),
        first=1,
    )
