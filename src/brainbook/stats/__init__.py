"""Scores, intervals, tests, noise ceilings, hemispheres and layer preference: arrays in, arrays out."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.stats.intervals import (
        Interval,
        compare_nulls,
        compare_runs,
        mean_interval,
        null_interval,
        paired_interval,
        run_interval,
    )
    from brainbook.stats.laterality import (
        amplitude_index,
        index_of_amplitudes,
        index_of_means,
        laterality_index,
        score_after_fitting,
    )
    from brainbook.stats.noise_ceilings import (
        RepeatCeiling,
        explainable_variance,
        group_ceiling,
        largest_r,
        noise_ceiling,
        perfect_r,
        repeat_ceiling,
        spearman_brown,
        split_half,
    )
    from brainbook.stats.scores import correlation, explained_variance, fisher_mean, fisher_z
    from brainbook.stats.significance import fdr, sign_flip_test

__all__ = [
    "Interval",
    "RepeatCeiling",
    "amplitude_index",
    "compare_nulls",
    "compare_runs",
    "correlation",
    "explainable_variance",
    "explained_variance",
    "fdr",
    "fisher_mean",
    "fisher_z",
    "group_ceiling",
    "index_of_amplitudes",
    "index_of_means",
    "largest_r",
    "laterality_index",
    "mean_interval",
    "noise_ceiling",
    "null_interval",
    "paired_interval",
    "perfect_r",
    "repeat_ceiling",
    "run_interval",
    "score_after_fitting",
    "sign_flip_test",
    "spearman_brown",
    "split_half",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
