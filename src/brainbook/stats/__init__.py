"""Intervals, tests, noise ceilings, hemispheres and layer preference: arrays in, arrays out."""

from brainbook.stats.intervals import (
    compare_nulls,
    compare_participants,
    compare_runs,
    null_interval,
    participant_interval,
    run_interval,
)
from brainbook.stats.noise_ceilings import group_ceiling, largest_r, noise_ceiling, perfect_r, split_half, stretch

__all__ = [
    "compare_nulls",
    "compare_participants",
    "compare_runs",
    "group_ceiling",
    "largest_r",
    "noise_ceiling",
    "null_interval",
    "participant_interval",
    "perfect_r",
    "run_interval",
    "split_half",
    "stretch",
]
