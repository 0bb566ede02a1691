"""A simulated study with a known truth, written in the layouts of real datasets."""

from brainbook.phantom.dataset import make_phantom
from brainbook.phantom.real_story import RealStory, real_story
from brainbook.phantom.story import sentences, tell_story, words_with_truth
from brainbook.phantom.truth import Truth, read_truth
from brainbook.phantom.world import World, make_world
