"""Arrays and tables in, matplotlib out: charts and curves; `brain_maps` for the cortex, `latents` for number sense."""

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
    alignment_error,
    before_and_after,
    lag_curve,
    layer_profile,
    learning_curves,
    loss_curves,
    response_curve,
    roc_curves,
    score_by_trim,
    score_by_words_per_scan,
    section_course,
    shrinking_interval,
    task_curves,
    time_course,
    words_on_scans,
    words_per_scan,
)
from brainbook.plots.look import colours, panels, style
