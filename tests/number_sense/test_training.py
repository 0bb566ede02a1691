"""When training stops: when the bound on validation pairs is flat, by one rule for every arm."""

import numpy as np
import pytest

from brainbook.errors import ConfigurationError
from brainbook.number_sense import (
    MMVAE,
    VAE,
    Modality,
    ModelConfiguration,
    Objective,
    Training,
    make_image_pairs,
    train,
    training,
)

SETTINGS = ModelConfiguration(
    modalities=(Modality(name="oscn"), Modality(name="cmnist", size=(3, 28, 28))), latent=4, layers=1, width=12
)
RULE = {"batch": 32, "learning_rate": 3e-3, "patience": 1, "validate_every": 4, "decay": 0.5}


@pytest.fixture(scope="module")
def pairs():
    return make_image_pairs({"train": 216, "validation": 108})


def run(pairs, model=None, steps=400, before=0, **options):
    model = model or MMVAE(SETTINGS)
    settings = Training(steps=steps, **{**RULE, **options})
    how = {"validation": pairs["validation"], "steps_before": before, "device": "cpu"}
    return train(model, pairs["train"], Objective(), settings, **how)


@pytest.mark.parametrize("model", [MMVAE, VAE])
def test_every_arm_stops_when_its_bound_is_flat(pairs, model):
    settings = SETTINGS if model is MMVAE else SETTINGS.unimodal("oscn")
    curve = run(pairs, model(settings), steps=400, tolerance=40.0)
    validated = curve.dropna(subset="validation")
    level = curve[curve.learning_rate == curve.learning_rate.max()]
    flat = validated[validated.step.isin(level.step)].validation.to_numpy()
    assert len(curve) < 400  # the rule stopped it, not the limit
    assert len(curve) == pytest.approx(1.5 * len(level), abs=2)  # and half as many steps at a falling rate
    assert flat[-1] < flat[:-1].max() + 40  # no rise worth the name
    assert flat[-2] > flat[0] + 40  # but before
    assert curve.learning_rate.iloc[-1] < 0.25 * curve.learning_rate.max()
    assert curve.step.tolist() == list(range(1, len(curve) + 1))


def test_a_smaller_tolerance_trains_longer(pairs):
    lengths = [len(run(pairs, tolerance=tolerance)) for tolerance in (400.0, 40.0)]
    assert lengths[0] < lengths[1]


def test_the_limit_holds(pairs):
    assert len(run(pairs, steps=20, tolerance=0.1)) == 30  # 20 and half as many


def test_a_second_round_is_as_long_and_goes_on(pairs):
    model = MMVAE(SETTINGS)
    first = run(pairs, model, tolerance=40.0)
    second = run(pairs, model, tolerance=40.0, before=len(first))
    assert len(second) == pytest.approx(len(first), abs=1)
    assert second.step.iloc[0] == len(first) + 1
    assert second.validation.max() > first.validation.max()


def test_the_bound_on_validation_pairs_is_the_same_however_it_is_split(pairs, monkeypatch):
    """It is a mean over pairs, not over parts; the noise differs, so agreement is near, not exact."""
    values = []
    for rows in (108, 50):
        monkeypatch.setattr(training, "ROWS", rows)
        model = MMVAE(SETTINGS)
        values.append(run(pairs, model, steps=1, patience=None, validate_every=1).validation.item())
    assert values[0] == pytest.approx(values[1], rel=0.03)


def test_copies_share_the_mean(pairs):
    options = {"steps": 2, "patience": None, "validate_every": 2}
    bounds = [run(pairs, MMVAE(SETTINGS, seeds), **options).validation.iloc[-1] for seeds in ((3,), (5,), (3, 5))]
    assert bounds[2] == pytest.approx(np.mean(bounds[:2]), rel=1e-4)


def test_patience_without_validation_pairs_is_refused(pairs):
    with pytest.raises(ConfigurationError, match="validation pairs"):
        train(MMVAE(SETTINGS), pairs["train"], Objective(), Training(steps=5, **RULE), device="cpu")
