"""Recordings and what was heard: words, runs, scans and responses of real datasets and of studies of your own."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.datasets.alice import Alice as Alice
    from brainbook.datasets.atlas import (
        Regions as Regions,
        destrieux as destrieux,
        embedded_destrieux as embedded_destrieux,
        functional_groups as functional_groups,
    )
    from brainbook.datasets.base import Dataset as Dataset, Responses as Responses, Run as Run
    from brainbook.datasets.bids import DescribedDataset as DescribedDataset
    from brainbook.datasets.cleaning import clean as clean, zscore as zscore
    from brainbook.datasets.description import KEYS as KEYS, read_description as read_description
    from brainbook.datasets.files import MissingFileError as MissingFileError, check_content as check_content
    from brainbook.datasets.lebel import LeBel as LeBel
    from brainbook.datasets.little_prince import LittlePrince as LittlePrince
    from brainbook.datasets.little_prince_runs import LANGUAGES as LANGUAGES
    from brainbook.datasets.opening import open_dataset as open_dataset
    from brainbook.datasets.recordings import SurfaceRecording as SurfaceRecording, VolumeRecording as VolumeRecording
    from brainbook.datasets.region_names import region_name as region_name
    from brainbook.datasets.responses import load_responses as load_responses
    from brainbook.datasets.sentence_pairs import make_pairs as make_pairs, shuffle_pairs as shuffle_pairs
    from brainbook.datasets.sound import Sound as Sound, SoundSeries as SoundSeries, read_sound as read_sound
    from brainbook.datasets.story_annotation import StoryAnnotation as StoryAnnotation
    from brainbook.datasets.study_check import Report as Report, check as check
    from brainbook.datasets.surface import surface_matrix as surface_matrix, to_surface as to_surface
    from brainbook.datasets.word_checks import check_clock as check_clock
    from brainbook.datasets.word_formats import read_timed_words as read_timed_words
    from brainbook.datasets.words import (
        changed_words as changed_words,
        read_textgrid as read_textgrid,
        read_words as read_words,
    )
    from brainbook.datasets.xnli import read_xnli as read_xnli, xnli_from_hub as xnli_from_hub

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
