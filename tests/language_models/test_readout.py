"""The read-out finds what was put into states, and nothing in noise."""

import numpy as np
import pytest

from brainbook.language_models import phantom_targets, read_out
from brainbook.phantom.story import words_with_truth
from brainbook.phantom.world import make_world


@pytest.fixture(scope="module")
def planted():
    words = words_with_truth(400, 4)
    rows, targets = phantom_targets(words)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((len(rows), 20))
    deep = np.concatenate([targets["sense"], noise[:, :4] * 0.1], 1)
    shallow = np.concatenate([targets["word"], noise[:, :4] * 0.1], 1)
    noisy_scene = np.concatenate([targets["scene"], noise[:, :16]], 1)
    return words, rows, targets, np.stack([noise, shallow, deep, noisy_scene])


def test_what_is_in_a_layer_is_found_there(planted):
    words, rows, targets, states = planted
    found = read_out(states, targets, words["story"].to_numpy()[rows])
    r2 = found.groupby(["layer", "target"])["r2"].mean().unstack()
    assert (r2.loc[0] < 0.02).all()
    assert r2.loc[1, "word"] > 0.98 and r2.loc[1, "sense"] < 0.05
    assert r2.loc[2, "sense"] > 0.98 and r2.loc[3, "scene"] > 0.98
    accuracy = found[found["target"] == "scene"].groupby("layer")["accuracy"].mean()
    assert accuracy[3] == 1 and accuracy[0] < 0.45
    assert found[found["target"] == "word"]["accuracy"].isna().all()


def test_targets_are_the_worlds(planted):
    words, rows, targets, _ = planted
    world = make_world(0)
    row = words.iloc[rows[7]]
    np.testing.assert_array_equal(targets["word"][7], world.vectors[row["concept"]])
    np.testing.assert_array_equal(targets["sense"][7], world.interactions[row["scene"], row["concept"]])
    assert targets["scene"][7].argmax() == row["scene"]
    assert (words["concept"].to_numpy()[rows] >= 0).all()


def test_the_solver_is_scikit_learns():
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from brainbook.language_models.readout import _ridge

    rng = np.random.default_rng(1)
    train, targets, test = (
        rng.standard_normal((50, 8)) * 3 + 1,
        rng.standard_normal((50, 3)),
        rng.standard_normal((9, 8)),
    )
    for alpha, guess in zip((0.1, 30.0), _ridge(train, targets, test, (0.1, 30.0)), strict=True):
        reader = make_pipeline(StandardScaler(), Ridge(alpha)).fit(train, targets)
        np.testing.assert_allclose(guess, reader.predict(test), atol=1e-5)
