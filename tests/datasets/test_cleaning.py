import numpy as np
import pytest

from brainbook.datasets.cleaning import clean, zscore
from brainbook.errors import DatasetError

SCANS, TR = 300, 2.0
TIME = np.arange(SCANS) * TR


def test_mean_and_spread(rng):
    cleaned = clean(rng.normal(1000, 30, (SCANS, 5)))
    assert cleaned.dtype == np.float32
    np.testing.assert_allclose(cleaned.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(cleaned.std(axis=0, ddof=1), 1, rtol=1e-5)


def test_drift_goes_and_signal_stays(rng):
    signal = np.sin(2 * np.pi * TIME / 40)
    drift = 5 * np.cos(np.pi * np.arange(0.5, SCANS) / SCANS * 3) + 0.05 * TIME  # a slow cosine and a line
    cleaned = clean((1000 + signal + drift)[:, None])[:, 0]
    assert np.corrcoef(signal + drift, signal)[0, 1] < 0.2
    assert np.corrcoef(cleaned, signal)[0, 1] > 0.98
    assert abs(np.corrcoef(cleaned, drift)[0, 1]) < 0.02


def test_equals_regression_on_a_line_and_cosines_written_out(rng):
    values = rng.normal(size=(SCANS, 4)).cumsum(axis=0)
    order = int(np.floor(2 * SCANS * TR / 128))
    middle = np.arange(SCANS) + 0.5
    drifts = [np.cos(np.pi * k * middle / SCANS) for k in range(1, order + 1)]
    basis = np.stack([np.ones(SCANS), TIME / TIME[-1], *drifts], axis=1)
    left = values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    np.testing.assert_allclose(clean(values), left / left.std(axis=0, ddof=1), atol=1e-5)


def test_confounds_are_taken_out(rng):
    motion = rng.normal(size=(SCANS, 6))
    motion[:, 0] = np.cos(np.pi * 2 * (np.arange(SCANS) + 0.5) / SCANS)  # nilearn would take it for its own filter
    values = motion @ rng.normal(size=(6, 3)) + 0.1 * rng.normal(size=(SCANS, 3))
    correlation = np.corrcoef(np.hstack([clean(values, confounds=motion), motion]).T)[:3, 3:]
    assert np.abs(correlation).max() < 0.1
    assert np.abs(np.corrcoef(np.hstack([clean(values), motion]).T)[:3, 3:]).max() > 0.3
    middle = np.arange(SCANS) + 0.5
    order = int(np.floor(2 * SCANS * TR / 128))
    cosines = [np.cos(np.pi * k * middle / SCANS) for k in range(1, order + 1)]
    basis = np.column_stack([np.ones(SCANS), TIME / TIME[-1], *cosines, motion])
    left = values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    np.testing.assert_allclose(clean(values, confounds=motion), left / left.std(axis=0, ddof=1), atol=1e-5)
    with pytest.raises(DatasetError, match=r"confounds of shape \(299, 6\)"):
        clean(values, confounds=motion[1:])


def test_still_and_missing_targets(rng):
    values = rng.normal(size=(SCANS, 4))
    values[:, 1] = 7.1
    values[3, 2] = np.nan
    cleaned = clean(values)
    assert np.isnan(cleaned[:, [1, 2]]).all()  # no signal: not 0, which would enter a mean as a score
    np.testing.assert_allclose(cleaned[:, [0, 3]], clean(values[:, [0, 3]]))
    assert np.isnan(clean(np.full((SCANS, 1), np.nan))).all()


def test_short_runs_are_only_detrended(rng):
    values = rng.normal(size=(20, 2)) + np.arange(20)[:, None]
    cleaned = clean(values)
    assert np.isfinite(cleaned).all()
    assert abs(np.corrcoef(cleaned[:, 0], np.arange(20))[0, 1]) < 1e-5


def test_not_scans_by_targets():
    with pytest.raises(DatasetError, match=r"shape \(5,\)"):
        clean(np.zeros(5))
    with pytest.raises(DatasetError, match="at least two scans"):
        clean(np.zeros((1, 4)))


def test_zscore(rng):
    values = rng.normal(3, 2, (50, 3))
    values[:, 1] = 0.1
    scaled = zscore(values)
    assert np.isnan(scaled[:, 1]).all()
    np.testing.assert_allclose(scaled[:, 0], (values[:, 0] - values[:, 0].mean()) / values[:, 0].std(ddof=1), rtol=1e-5)
