from itertools import islice

import numpy as np
import pytest

from brainbook.phantom.story import sentences
from brainbook.phantom.world import N_SCENES, make_world


@pytest.fixture(scope="module")
def events():
    return list(islice(make_world(0).events(np.random.default_rng(0)), 30_000))


def test_the_world_is_the_same_every_time_and_each_concept_is_a_direction():
    world = make_world(0)
    assert len(world.concepts) == 112
    assert not world.concepts["concept"].duplicated().any()
    np.testing.assert_allclose(np.linalg.norm(world.vectors, axis=1), 1)
    make_world.cache_clear()
    np.testing.assert_array_equal(make_world(0).vectors, world.vectors)
    assert np.abs(make_world(1).vectors - world.vectors).max() > 0.1


def test_a_sense_is_an_interaction_of_word_and_scene():
    world = make_world(0)
    for rotation in world.rotations:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(16), atol=1e-12)
    one = world.vectors[5] + 1.2 * world.rotations[2] @ world.vectors[5]
    np.testing.assert_allclose(world.senses[2, 5], one / np.linalg.norm(one))
    inside = world.interactions
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-12)  # the word alone says nothing about it
    np.testing.assert_allclose(inside.mean(axis=1), 0, atol=1e-12)  # nor the scene alone
    assert inside.var() > 0.2 * world.senses.var()


def test_counting_words_hardly_tells_the_scene(events):
    counts = np.zeros((N_SCENES, 112))
    for event in events:
        counts[event.scene, event.concepts] += 1
    share = counts / counts.sum(axis=1, keepdims=True)
    bits = (share * np.log2(share / share.mean(axis=0))).sum(axis=1)  # about the scene, a word
    assert bits.max() < 0.05


def test_what_happens_next_depends_on_the_scene(events):
    """Given agent AND scene the action is easier to guess than given the agent alone (held out, add-one smoothing)."""
    half = len(events) // 2

    def surprise(with_scene: bool) -> float:
        counts = np.ones((N_SCENES, 112, 112)) * 0.2
        for event in events[:half]:
            counts[event.scene if with_scene else 0, event.agent, event.action] += 1
        chances = counts / counts.sum(axis=-1, keepdims=True)
        held_out = [chances[e.scene if with_scene else 0, e.agent, e.action] for e in events[half:]]
        return -np.log2(held_out).mean()

    assert surprise(with_scene=True) < surprise(with_scene=False) - 0.2


def test_a_sharper_world_has_the_same_senses_and_follows_them_more_closely():
    world, sharp = make_world(0), make_world(0, sharpness=25.0, scene_change=0.0)
    np.testing.assert_array_equal(world.senses, sharp.senses)

    def follows(world):  # how well what is done fits what the agent means in its scene
        drawn = list(islice(world.events(np.random.default_rng(0)), 3000))
        assert world is not sharp or len({event.scene for event in drawn}) == 1
        return np.mean([world.senses[e.scene, e.agent] @ world.vectors[e.action] for e in drawn])

    assert follows(sharp) > follows(world) + 0.04  # ten standard errors
    told = sentences(60, 0, ("EN",), world=sharp)
    assert told.groupby("story").scene.nunique().max() == 1
    assert not told["EN"].equals(sentences(60, 0, ("EN",))["EN"])


def test_events_make_sense(events):
    world = make_world(0)
    groups = world.concepts["group"]
    for event in events[:3000]:
        assert event.agent != event.patient
        accepted = groups[event.action].split()
        if event.thing >= 0 and not {"thing", "gift"} & set(accepted):
            assert groups[event.thing] in accepted  # nobody eats a lamp
        assert (event.patient >= 0) == (bool({"agent", "gift"} & set(accepted)))
    changes = np.mean([a.scene != b.scene for a, b in zip(events, events[1:], strict=False)])
    assert changes == pytest.approx(1 / 12, abs=0.01)
