"""Participants of several languages put together, and tests of their regions."""

from dataclasses import replace

import numpy as np
import pandas as pd

from brainbook.chapters.group_scores import (
    layer_of_others,
    significance_of_regions,
    with_agreement,
)
from brainbook.chapters.shared import Features, score_participants

N_RUNS, N_LAYERS, N_REGIONS = 9, 7, 148


def test_participants_stand_one_language_after_the_other(group_scores):
    assert group_scores.scores.shape == (9, N_REGIONS) and group_scores.profiles.shape == (9, N_LAYERS, N_REGIONS)
    assert group_scores.chosen.shape == (9, N_RUNS, N_REGIONS) and group_scores.n_layers == N_LAYERS
    np.testing.assert_array_equal(group_scores.language, np.repeat(["EN", "FR", "CN"], 3))
    np.testing.assert_allclose(group_scores.mean("FR"), group_scores.scores[3:6].mean(axis=0))


def test_only_what_follows_the_features_is_significant(tmp_path):
    rng = np.random.default_rng(8)
    runs, n = np.repeat(np.arange(5), 60), 300
    features = Features(rng.normal(size=(2, n, 4)).astype(np.float32), runs)
    signal = np.roll(features.values[1] @ rng.normal(size=4), 1)
    responses = rng.normal(size=(3, n, 20)).astype(np.float32)
    responses[..., :8] += 0.7 * signal[:, None]
    table = pd.DataFrame({"region": [f"r{i}" for i in range(20)], "hemisphere": "lh"})
    scores = {"EN": score_participants(features, responses, ["a", "b", "c"], table)}
    layer = layer_of_others({**scores, "FR": scores["EN"]}, "FR")
    assert layer == 1 and layer_of_others(scores, "EN") == 0  # nobody else was recorded: the middle of two layers
    p = significance_of_regions(features, 1, responses, n_permutations=200, cache=tmp_path)
    again = significance_of_regions(features, 1, responses, n_permutations=200, cache=tmp_path)
    np.testing.assert_array_equal(p, again)
    assert (p[:8] < 0.01).all() and (p[8:] < 0.05).mean() <= 0.25


def test_a_layer_of_others_keeps_the_level_and_a_layer_of_one_s_own_does_not():
    """Nothing drives 150 lone regions; each is tested with a layer of 12, chosen by it or by somebody else's."""
    rng = np.random.default_rng(10)
    runs, n = np.repeat(np.arange(4), 40), 150
    table = pd.DataFrame({"region": [f"r{i}" for i in range(n)], "hemisphere": "lh"})
    features = Features(rng.normal(size=(12, len(runs), 2)).astype(np.float32), runs)
    tested, somebody_else = rng.normal(size=(2, 1, len(runs), n)).astype(np.float32)
    p = np.stack([significance_of_regions(features, layer, tested, n_permutations=50) for layer in range(12)])
    rejected = {}
    for name, responses in (("own", tested), ("other", somebody_else)):
        scores = score_participants(features, responses, ["a"], table, alphas=[1e3, 1e4])
        chosen = [
            layer_of_others({"theirs": replace(scores, chosen_layers=scores.chosen_layers[..., [i]])}, "tested")
            for i in range(n)
        ]
        rejected[name] = np.mean(p[chosen, np.arange(n)] <= 0.05)
    assert rejected["other"] < 0.1 < 0.15 < rejected["own"]


def test_a_sentence_is_read_by_its_interval():
    table = pd.DataFrame({"lower": [0.1, -0.2, -0.2], "upper": [0.2, -0.1, 0.1]})
    assert list(with_agreement(table).data) == ["agree with", "contradict", "neither support nor contradict"]
