"""Recordings and what was heard: words, runs, scans and responses of real datasets and of studies of your own."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.datasets.alice import Alice
    from brainbook.datasets.atlas import Regions, destrieux, embedded_destrieux, functional_groups
    from brainbook.datasets.base import Dataset, Responses, Run
    from brainbook.datasets.bids import DescribedDataset
    from brainbook.datasets.cleaning import clean, zscore
    from brainbook.datasets.description import KEYS, read_description
    from brainbook.datasets.files import MissingFileError, check_content
    from brainbook.datasets.lebel import LeBel
    from brainbook.datasets.little_prince import LittlePrince
    from brainbook.datasets.little_prince_runs import LANGUAGES
    from brainbook.datasets.opening import open_dataset
    from brainbook.datasets.recordings import SurfaceRecording, VolumeRecording
    from brainbook.datasets.region_names import region_name
    from brainbook.datasets.responses import load_responses
    from brainbook.datasets.sentence_pairs import make_pairs, shuffle_pairs
    from brainbook.datasets.sound import Sound, SoundSeries, read_sound
    from brainbook.datasets.story_annotation import StoryAnnotation
    from brainbook.datasets.study_check import Report, check
    from brainbook.datasets.surface import surface_matrix, to_surface
    from brainbook.datasets.word_checks import check_clock
    from brainbook.datasets.word_formats import read_timed_words
    from brainbook.datasets.words import changed_words, read_textgrid, read_words
    from brainbook.datasets.xnli import read_xnli, xnli_from_hub

__all__ = [
    "KEYS",
    "LANGUAGES",
    "Alice",
    "Dataset",
    "DescribedDataset",
    "LeBel",
    "LittlePrince",
    "MissingFileError",
    "Regions",
    "Report",
    "Responses",
    "Run",
    "Sound",
    "SoundSeries",
    "StoryAnnotation",
    "SurfaceRecording",
    "VolumeRecording",
    "changed_words",
    "check",
    "check_clock",
    "check_content",
    "clean",
    "destrieux",
    "embedded_destrieux",
    "functional_groups",
    "load_responses",
    "make_pairs",
    "open_dataset",
    "read_description",
    "read_sound",
    "read_textgrid",
    "read_timed_words",
    "read_words",
    "read_xnli",
    "region_name",
    "shuffle_pairs",
    "surface_matrix",
    "to_surface",
    "xnli_from_hub",
    "zscore",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
