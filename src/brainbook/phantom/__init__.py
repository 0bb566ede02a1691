"""A simulated study with a known truth, written in the layouts of real datasets."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.phantom.dataset import make_phantom as make_phantom
    from brainbook.phantom.real_stories import RealStory as RealStory, real_story as real_story
    from brainbook.phantom.story import (
        sentences as sentences,
        tell_story as tell_story,
        words_with_truth as words_with_truth,
    )
    from brainbook.phantom.truth import Truth as Truth, read_truth as read_truth
    from brainbook.phantom.world import World as World, make_world as make_world

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
