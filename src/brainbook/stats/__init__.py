"""Scores, intervals, tests, noise ceilings, hemispheres and layer preference: arrays in, arrays out."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.stats.intervals import (
        Interval as Interval,
        compare_nulls as compare_nulls,
        compare_runs as compare_runs,
        mean_interval as mean_interval,
        null_interval as null_interval,
        paired_interval as paired_interval,
        run_interval as run_interval,
    )
    from brainbook.stats.laterality import (
        amplitude_index as amplitude_index,
        index_of_amplitudes as index_of_amplitudes,
        index_of_means as index_of_means,
        laterality_index as laterality_index,
        score_after_fitting as score_after_fitting,
    )
    from brainbook.stats.noise_ceilings import (
        RepeatCeiling as RepeatCeiling,
        explainable_variance as explainable_variance,
        group_ceiling as group_ceiling,
        largest_r as largest_r,
        noise_ceiling as noise_ceiling,
        perfect_r as perfect_r,
        repeat_ceiling as repeat_ceiling,
        spearman_brown as spearman_brown,
        split_half as split_half,
    )
    from brainbook.stats.scores import (
        correlation as correlation,
        explained_variance as explained_variance,
        fisher_mean as fisher_mean,
        fisher_z as fisher_z,
    )
    from brainbook.stats.significance import fdr as fdr, sign_flip_test as sign_flip_test

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
