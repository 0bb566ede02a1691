"""Helpers of the chapter `hemispheres_and_layers` for fits at every vertex: what it costs to share penalties."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brainbook.encoding import CrossValidation

OWN, SHARED = "each its own", "shared by region"


def penalties_compared(ways: Mapping[str, CrossValidation], significant: np.ndarray) -> pd.DataFrame:
    """Scores of the same vertices under several ways of choosing penalties.

    Parameters
    ----------
    ways : name -> fit of one feature space to the same vertices.
    significant : bool array [vertices], those of regions that the features predict.

    Returns
    -------
    DataFrame, a row a way: penalties (its name), vertices (how many have a score in all ways), mean_r over these,
    mean_r_significant (NaN where there are none), median_penalty.
    """
    scored = np.all([np.isfinite(found.scores) for found in ways.values()], axis=0)
    both = scored & significant
    return pd.DataFrame(
        {
            "penalties": name,
            "vertices": scored.sum(),
            "mean_r": found.scores[scored].mean(),
            "mean_r_significant": found.scores[both].mean() if both.any() else np.nan,
            "median_penalty": np.median(found.best_alphas[:, scored]),
        }
        for name, found in ways.items()
    )


POINTS = {"regions": 148, "vertices of fsaverage5": 20_484, "points of one's own cortex": 250_000}


def cost_of_points(n_scans: int, participants: int = 112, targets: Mapping[str, int] = POINTS) -> pd.DataFrame:
    """What responses at more points cost: disk and memory by arithmetic, time as a multiple of that for vertices.

    Returns a DataFrame: targets, points, GB a participant (float32 responses, on disk and in memory), GB of all
    participants, times a vertex fit (a fit's time goes with its targets, once there are thousands).
    """
    points = pd.Series(targets)
    gigabytes = points * n_scans * 4 / 1e9
    vertices = targets["vertices of fsaverage5"]
    return pd.DataFrame(
        {
            "targets": points.index,
            "points": points.to_numpy(),
            "GB a participant": gigabytes.round(3).to_numpy(),
            f"GB of {participants}": (gigabytes * participants).round(1).to_numpy(),
            "times a vertex fit": (points / vertices).round(2).to_numpy(),
        }
    )


def penalties_told(table: pd.DataFrame, ways: Mapping[str, CrossValidation]) -> str:
    """What `penalties_compared` found about shared penalties, in words."""
    rows = table.set_index("penalties")
    gain = rows.loc[SHARED] - rows.loc[OWN]
    scores = np.stack([ways[name].scores for name in (OWN, SHARED)])
    alike = np.corrcoef(scores[:, np.isfinite(scores).all(axis=0)])[0, 1]
    inside = (
        "" if np.isnan(gain.mean_r_significant) else f" and by {gain.mean_r_significant:+.4f} in significant regions"
    )
    return (
        f"Penalties shared by region change the mean r by {gain.mean_r:+.4f} over all vertices{inside}; the two maps "
        f"of scores correlate with {alike:.3f}."
    )
