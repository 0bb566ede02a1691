"""Arrays and tables in, matplotlib out: charts and curves; `brain_maps` for the cortex, `latents` for number sense."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.plots.charts import (
        accuracy_intervals as accuracy_intervals,
        called_significant as called_significant,
        ceilings_and_bounds as ceilings_and_bounds,
        cosine_histograms as cosine_histograms,
        forest as forest,
        inflation as inflation,
        mirror_scatter as mirror_scatter,
        null_scores as null_scores,
        region_lines as region_lines,
        scores_by_group as scores_by_group,
    )
    from brainbook.plots.claims import claims_overview as claims_overview
    from brainbook.plots.curves import (
        lag_curve as lag_curve,
        layer_profile as layer_profile,
        learning_curves as learning_curves,
        loss_curves as loss_curves,
        response_curve as response_curve,
        roc_curves as roc_curves,
        score_by_trim as score_by_trim,
        score_by_words_per_scan as score_by_words_per_scan,
        shrinking_interval as shrinking_interval,
        task_curves as task_curves,
    )
    from brainbook.plots.look import colours as colours, panels as panels, style as style
    from brainbook.plots.signals import (
        alignment_error as alignment_error,
        before_and_after as before_and_after,
        section_course as section_course,
        time_course as time_course,
        words_on_scans as words_on_scans,
        words_per_scan as words_per_scan,
    )

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
