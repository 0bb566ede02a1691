"""What one notebook needs beyond the library, a module or folder each; `shared` is what several of them need.

Everything that takes long is cached under a key made of its inputs, so that no step is done twice, by whichever
chapter.
"""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.chapters.shared import (
        ALIGNMENTS as ALIGNMENTS,
        EDGE as EDGE,
        Features as Features,
        ParticipantScores as ParticipantScores,
        align as align,
        archived_calibration as archived_calibration,
        average_by as average_by,
        driver_masks as driver_masks,
        group_masks as group_masks,
        score_participants as score_participants,
        speech_or_silence as speech_or_silence,
        stack_responses as stack_responses,
        story_states as story_states,
        true_ceilings as true_ceilings,
        true_drivers as true_drivers,
        word_count as word_count,
    )

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
