"""What one notebook needs beyond the library, a module or folder each; `shared` is what several of them need.

Everything that takes long is cached under a key made of its inputs, so that no step is done twice, by whichever
chapter.
"""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.chapters.shared import (
        ALIGNMENTS,
        EDGE,
        Features,
        ParticipantScores,
        align,
        archived_calibration,
        average_by,
        driver_masks,
        group_masks,
        score_participants,
        speech_or_silence,
        stack_responses,
        story_states,
        true_ceilings,
        true_drivers,
        word_count,
    )

__all__ = [
    "ALIGNMENTS",
    "EDGE",
    "Features",
    "ParticipantScores",
    "align",
    "archived_calibration",
    "average_by",
    "driver_masks",
    "group_masks",
    "score_participants",
    "speech_or_silence",
    "stack_responses",
    "story_states",
    "true_ceilings",
    "true_drivers",
    "word_count",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
