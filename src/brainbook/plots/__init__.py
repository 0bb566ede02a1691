"""Arrays and tables in, matplotlib out: charts and curves; `brain_maps` for the cortex, `latents` for number sense."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.plots.charts import (
        accuracy_intervals,
        called_significant,
        ceilings_and_bounds,
        cosine_histograms,
        forest,
        inflation,
        mirror_scatter,
        null_scores,
        region_lines,
        scores_by_group,
    )
    from brainbook.plots.claims import claims_overview
    from brainbook.plots.curves import (
        lag_curve,
        layer_profile,
        learning_curves,
        loss_curves,
        response_curve,
        roc_curves,
        score_by_trim,
        score_by_words_per_scan,
        shrinking_interval,
        task_curves,
    )
    from brainbook.plots.look import colours, panels, style
    from brainbook.plots.signals import (
        alignment_error,
        before_and_after,
        section_course,
        time_course,
        words_on_scans,
        words_per_scan,
    )

__all__ = [
    "accuracy_intervals",
    "alignment_error",
    "before_and_after",
    "called_significant",
    "ceilings_and_bounds",
    "claims_overview",
    "colours",
    "cosine_histograms",
    "forest",
    "inflation",
    "lag_curve",
    "layer_profile",
    "learning_curves",
    "loss_curves",
    "mirror_scatter",
    "null_scores",
    "panels",
    "region_lines",
    "response_curve",
    "roc_curves",
    "score_by_trim",
    "score_by_words_per_scan",
    "scores_by_group",
    "section_course",
    "shrinking_interval",
    "style",
    "task_curves",
    "time_course",
    "words_on_scans",
    "words_per_scan",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
