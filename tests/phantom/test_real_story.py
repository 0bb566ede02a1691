"""A phantom that hears a real story: what drives it is known, written down, and found again in its recordings."""

from dataclasses import replace

import numpy as np
import pytest

from brainbook.chapters.shared import driver_masks, score_participants, stack_responses, true_drivers
from brainbook.datasets import LittlePrince, StoryAnnotation
from brainbook.errors import ConfigurationError
from brainbook.phantom import make_phantom, read_truth, real_story
from brainbook.phantom.drivers import CELLS
from brainbook.phantom.real_stories import scan_drivers

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def story(made_up_annotation):
    annotation = StoryAnnotation(made_up_annotation)
    rng = np.random.default_rng(0)
    states = {code: rng.standard_normal((len(annotation.words(code)), 24)) for code in ("EN", "FR")}
    return real_story(annotation, states, "random states")


@pytest.fixture(scope="module")
def phantom(story, tmp_path_factory):
    root = tmp_path_factory.mktemp("real") / "phantom"
    return make_phantom(root, participants=1, voxel_size=12.0, echoes=0, signal=5.0, story=shortened(story))


def shortened(story, n_scans=80):
    """The first scans of every section."""
    words = {code: words[words.offset < 2 * n_scans].reset_index(drop=True) for code, words in story.words.items()}
    drivers = {
        code: {
            section: {name: values[: n_scans * CELLS] for name, values in clock.items()}
            for section, clock in sections.items()
        }
        for code, sections in story.drivers.items()
    }
    audio = {code: dict.fromkeys(range(1, 10), 2.0 * n_scans) for code in words}
    scans = {code: dict.fromkeys(range(1, 10), n_scans) for code in words}
    return replace(story, words=words, drivers=drivers, audio=audio, n_scans=scans)


def test_drivers_are_those_of_the_annotation(story, made_up_annotation):
    annotation = StoryAnnotation(made_up_annotation)
    words = annotation.words("EN").query("section == 2")
    clock = story.drivers["EN"][2]
    begins = np.bincount((words.onset // 0.5).astype(int), minlength=298 * CELLS)
    np.testing.assert_array_equal(clock["sound"][:, 0], begins)
    assert clock["sound"][10, 1] == pytest.approx(0.2) and not clock["sound"][30, 1]  # at 5 and at 15 s
    assert clock["word"].shape[1] == 2 and story.made_of["EN"]["word"] == ["frequency", "surprisal"]
    assert story.made_of["FR"]["word"] == ["frequency in the story"] and story.made_of["FR"]["sound"] == ["word rate"]


def test_meaning_is_what_the_word_alone_does_not_say(story, made_up_annotation):
    """States that are the same at every occurrence of a word leave nothing to meaning, and all to topic."""
    annotation = StoryAnnotation(made_up_annotation)
    words = annotation.words("EN")
    fixed = (words.word == "one").to_numpy()[:, None] * np.random.default_rng(0).standard_normal((1, 20))
    drivers = scan_drivers(real_story(annotation, {"EN": fixed}).drivers["EN"])
    assert np.abs(drivers["meaning"]).max() < 1e-3 and drivers["topic"].std() > 0.1
    with pytest.raises(ConfigurationError, match="3600 words, the states have 4"):
        real_story(annotation, {"EN": fixed[:4]})
    with pytest.raises(ConfigurationError, match="of 3 units: at least 16"):
        real_story(annotation, {"EN": fixed[:, :3]})


def test_the_loader_finds_the_words_and_the_scans(phantom, made_up_annotation):
    prince, annotation = LittlePrince(phantom), StoryAnnotation(made_up_annotation)
    assert prince.languages == ("EN", "FR")
    for code in prince.languages:
        heard = annotation.words(code).query("offset < 160").reset_index(drop=True)
        assert set(prince.scans(code).values()) == {80} and prince.words(code).equals(heard)
    truth = read_truth(phantom)
    assert truth.parameters["made_of"]["EN"]["meaning"] == ["random states in context"]
    assert truth.story("FR") == ["A real story, whose text is not shown."]
    assert "CC0" not in (phantom / "dataset_description.json").read_text()


def test_each_region_follows_its_own_driver(phantom):
    truth, prince = read_truth(phantom), LittlePrince(phantom)
    responses, _, columns = stack_responses(prince, prince.participants("EN"), cache=None)
    features = true_drivers(truth, "EN")
    scores = score_participants(features, responses, ["one"], columns).layer_scores[:, 0]  # drivers, regions
    masks = driver_masks(truth, columns)
    by_driver = np.array([scores[:, masks[name]].mean(axis=1) for name in ("sound", "word", "meaning", "topic")])
    assert (by_driver.argmax(axis=1) == np.arange(4)).all() and by_driver.diagonal().min() > 0.1
    undriven = scores[:, masks["none"]].mean(axis=1)  # not quite zero: large voxels blur neighbours into them
    assert undriven.max() < by_driver.diagonal().min() / 2
