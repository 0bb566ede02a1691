"""Slow drifts and differences of scale, taken out of one run at a time."""

import numpy as np

from brainbook.errors import DatasetError

HIGH_PASS = 1 / 128  # Hz: slower changes are the scanner's drift rather than the story's


def clean(
    values: np.ndarray, tr: float = 2.0, high_pass: float | None = HIGH_PASS, confounds: np.ndarray | None = None
) -> np.ndarray:
    """Detrend, high-pass and z-score the signals of ONE run, through `nilearn.signal.clean`.

    Drifts are taken out by regression on a line and on the discrete cosines slower than `high_pass`, as SPM does:
    unlike a recursive filter this has no transients at the ends of a run. Never give it several runs in one array.

    Parameters
    ----------
    values : array [scans, targets], in any unit.
    tr : seconds from one scan to the next.
    high_pass : cut-off in Hz, None for no high-pass.
    confounds : array [scans, confounds] taken out in the same regression (motion, say), or None.

    Returns
    -------
    float32 array [scans, targets], mean 0 and (sample) standard deviation 1. A target without a signal (it does not
    change, or has a value that is not finite, as a vertex outside the image) is NaN throughout.

    Examples
    --------
    >>> drift = np.linspace(0, 5, 100)[:, None]
    >>> signal = np.sin(np.arange(100) / 2)[:, None]
    >>> correlation = np.corrcoef(clean(drift + signal)[:, 0], signal[:, 0])[0, 1]
    >>> correlation.round(2)
    np.float64(0.98)
    """
    from nilearn.signal import clean as nilearn_clean

    values = np.asarray(values)
    if values.ndim != 2 or len(values) < 2:
        raise DatasetError(f"values of shape {values.shape} are no [scans, targets] of at least two scans")
    if high_pass is not None and 1 / high_pass > 2 * len(values) * tr:
        high_pass = None  # the run is too short to hold even half a period of the slowest cosine
    finite = np.isfinite(values).all(axis=0)
    signals = values[:, finite].astype(np.float64)
    scale = np.abs(signals).max(axis=0, initial=0)
    still = np.ptp(signals, axis=0) <= 1e-12 * scale  # constant but for rounding
    cleaned = np.full(values.shape, np.nan, dtype=np.float32)
    moving = np.flatnonzero(finite)[~still]
    if not len(moving):
        return cleaned
    # nilearn leaves its cosines out when a confound resembles one. Taking drifts out of signals and confounds first and
    # then regressing one on the other is the same as one regression on both (Frisch, Waugh, Lovell), without that gap.
    drifts = {"detrend": True, "high_pass": high_pass, "filter": "cosine" if high_pass else False, "t_r": tr}
    steady, left = nilearn_clean(signals[:, ~still], standardize=None, **drifts), None
    if confounds is not None:
        confounds = np.asarray(confounds, dtype=np.float64)
        if confounds.ndim != 2 or len(confounds) != len(values) or not np.isfinite(confounds).all():
            raise DatasetError(
                f"confounds of shape {confounds.shape} are no finite [scans, confounds] of {len(values)} scans"
            )
        left = without_drifts(confounds, tr, high_pass)
        left = left[:, left.any(axis=0)]  # the others were drift
    confounds = left if left is not None and left.shape[1] else None
    options = {"detrend": False, "filter": False, "standardize": "zscore_sample"}
    cleaned[:, moving] = nilearn_clean(steady, confounds=confounds, **options)
    return cleaned


def without_drifts(values: np.ndarray, tr: float = 2.0, high_pass: float | None = HIGH_PASS) -> np.ndarray:
    """Take a line and slow cosines out of the signals of ONE run, as `clean` does, and leave their scale.

    Parameters
    ----------
    values : array [scans, signals], all finite. tr, high_pass : as `clean` has them.

    Returns
    -------
    float64 array [scans, signals], mean 0. What was all drift (or did not change) is 0.
    """
    from nilearn.signal import clean as nilearn_clean

    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise DatasetError(f"signals of shape {values.shape} are no finite [scans, signals] of at least two scans")
    if not values.shape[1]:
        return values
    if high_pass is not None and 1 / high_pass > 2 * len(values) * tr:
        high_pass = None  # as in `clean`
    filtering = {"detrend": True, "high_pass": high_pass, "filter": "cosine" if high_pass else False, "t_r": tr}
    steady = nilearn_clean(values, standardize=None, **filtering)
    return np.where(steady.std(axis=0) > 1e-8 * np.abs(values).max(axis=0, initial=0), steady, 0.0)


def zscore(values: np.ndarray) -> np.ndarray:
    """z-score `values` [scans, targets] over the scans of one run, like `clean` but without taking anything out.

    A target that does not change is NaN.

    Examples
    --------
    >>> zscore(np.array([[1.0], [2.0], [3.0]]))
    array([[-1.],
           [ 0.],
           [ 1.]], dtype=float32)
    """
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviations = values - values.mean(axis=0)
        spread = deviations.std(axis=0, ddof=1)
        still = spread <= 1e-12 * np.abs(values).max(axis=0, initial=0)
        scaled = np.where(still, np.nan, deviations / spread)
    return scaled.astype(np.float32)
