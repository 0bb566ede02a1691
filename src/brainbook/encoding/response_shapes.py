"""The shape of a target's response to one feature: finite impulse response weights, with an interval over runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainbook.encoding.delays import delay, run_slices
from brainbook.encoding.inputs import as_count, as_delays
from brainbook.stats.frames import TargetNames, target_frame
from brainbook.stats.intervals import Interval, mean_interval
from brainbook.stats.scores import as_array


@dataclass(frozen=True)
class ResponseShape:
    """What `response_shape` returns.

    Attributes
    ----------
    seconds : array [delays], seconds from the scan of a feature to the scan of the response.
    weights : array [runs, delays, targets], units of response per unit of feature; each run is fitted by itself.
    """

    seconds: np.ndarray
    weights: np.ndarray

    def interval(self, level: float = 0.95) -> Interval:
        """Return the mean over runs with Student's interval, arrays [delays, targets].

        Runs are fitted on scans of their own, so that, unlike scores of left-out runs, their weights are independent.
        """
        return mean_interval(self.weights, level)

    def to_frame(self, targets: TargetNames = None, level: float = 0.95) -> pd.DataFrame:
        """Return one row per delay and target: the targets' columns, seconds, value, lower, upper.

        Parameters
        ----------
        targets : as in `CrossValidation.to_frame`. level : of the interval.
        """
        interval = self.interval(level)
        values = {"value": interval.estimate, "lower": interval.lower, "upper": interval.upper}
        return target_frame(targets, {"seconds": self.seconds}, **values)


def response_shape(
    feature: np.ndarray,
    responses: np.ndarray,
    runs: np.ndarray,
    delays: Sequence[int] = range(-1, 9),
    tr: float = 2.0,
    *,
    others: np.ndarray | None = None,
    trim: int = 0,
) -> ResponseShape:
    """Estimate the response to one feature at every delay, by least squares in each run.

    No shape is assumed and none is smoothed, and no penalty pulls the weights towards 0, so that their mean over runs
    has no bias if the feature acts linearly. A negative delay is a control: a response cannot come before its cause.

    Parameters
    ----------
    feature : array [scans], such as the number of words in each scan; not yet delayed.
    responses : array [scans, targets].
    runs : array [scans], the run of every scan; of a single run, parts of it.
    delays : scans after the feature. Scans from which a delay would look out of the run are left out.
    tr : seconds from one scan to the next.
    others : array [scans, features] or None: features at the same delays whose effect is taken out.
    trim : scans at each end of every run that are left out.

    Returns
    -------
    ResponseShape.

    Raises
    ------
    ValueError : a run has fewer scans than weights, or a feature does not vary in it.

    Source: Dale (1999), Human Brain Mapping 8, 109-114.

    Examples
    --------
    >>> import numpy as np
    >>> runs = np.repeat([1, 2], 60)
    >>> feature = np.random.default_rng(0).standard_normal(120)
    >>> responses = np.roll(feature, 2)[:, None]  # two scans later
    >>> response_shape(feature, responses, runs, delays=range(5)).interval().estimate[:, 0].round(2) + 0.0
    array([0., 0., 1., 0., 0.])
    """
    feature, responses, delays = as_array(feature, "feature"), as_array(responses, "responses"), as_delays(delays)
    trim, columns = as_count(trim, "trim", least=0), [feature.reshape(len(feature), -1)]
    if columns[0].shape[1] != 1 or responses.ndim != 2 or len(feature) != len(responses):
        raise ValueError(f"feature must be [scans], responses [scans, targets]: {feature.shape}, {responses.shape}")
    if others is not None:
        columns.append(as_array(others, "others").reshape(len(feature), -1))
    delayed = np.hstack([delay(values.astype(float), delays, runs) for values in columns])
    weights = []
    for part in run_slices(runs):
        inside = slice(max(part.start + trim, part.start + max(delays)), part.stop - max(trim, -min(delays)))
        x, name = delayed[inside], runs[part.start]
        if len(x) <= x.shape[1] + 1:
            raise ValueError(f"run {name} has {len(x)} scans for {x.shape[1]} weights: take fewer delays")
        x = x - x.mean(0)
        if not x.any(0).all():
            raise ValueError(f"run {name}: a feature does not vary, so that nothing can be said of its response")
        y = responses[inside] - responses[inside].mean(0)
        weights.append(np.linalg.lstsq(x, y, rcond=None)[0][: len(delays)])
    return ResponseShape(np.array(delays) * float(tr), np.stack(weights))
