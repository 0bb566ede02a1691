"""What chapters share. Only this package and the notebooks bring rooms together.

`features` and `scores` serve every chapter of the first study; `alice`, `brainlm`, `pitfalls` and `transfer` one each.
Everything that takes long is kept on disk under a key made of what it depends on, so that no step is done twice, by
whichever chapter.
"""

from brainbook.chapters.features import (
    ALIGNMENTS,
    TRIM,
    Features,
    align,
    alignment_errors,
    oracle,
    speech_or_silence,
    story_states,
    word_count,
)
from brainbook.chapters.scores import (
    ParticipantScores,
    average_by,
    ceilings,
    chance_by_group,
    driver_masks,
    gain_of_alignment,
    group_masks,
    score_participants,
    select_participants,
    stack_responses,
    true_ceilings,
)

__all__ = [
    "ALIGNMENTS",
    "TRIM",
    "Features",
    "ParticipantScores",
    "align",
    "alignment_errors",
    "average_by",
    "ceilings",
    "chance_by_group",
    "select_participants",
    "driver_masks",
    "gain_of_alignment",
    "group_masks",
    "oracle",
    "score_participants",
    "speech_or_silence",
    "stack_responses",
    "story_states",
    "true_ceilings",
    "word_count",
]
