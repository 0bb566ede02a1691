"""A simulated study with a known truth, written in the layouts of real datasets."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.phantom.dataset import make_phantom
    from brainbook.phantom.real_stories import RealStory, real_story
    from brainbook.phantom.story import sentences, tell_story, words_with_truth
    from brainbook.phantom.truth import Truth, read_truth
    from brainbook.phantom.world import World, make_world

__all__ = [
    "RealStory",
    "Truth",
    "World",
    "make_phantom",
    "make_world",
    "read_truth",
    "real_story",
    "sentences",
    "tell_story",
    "words_with_truth",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
