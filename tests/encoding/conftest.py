"""Responses with a known truth, for tests: autocorrelated noise, and signals that are weighted sums of features."""

import numpy as np
import pytest
from scipy.signal import lfilter


def coloured(rng, n_scans, n_columns, memory=0.5):
    """First-order autoregressive noise [scans, columns] of unit variance."""
    noise = lfilter([1], [1, -memory], rng.standard_normal((n_scans + 50, n_columns)), axis=0)[50:]
    return noise * np.sqrt(1 - memory**2)


def runs_of(n_runs, length):
    return np.repeat(np.arange(n_runs), length)


def make_study(rng, n_runs=6, length=40, n_features=8, n_targets=10, strength=1.0, memory=0.4):
    """Features [scans, features], responses [scans, targets] that follow them one and two scans later, and runs."""
    runs = runs_of(n_runs, length)
    features = np.concatenate([coloured(rng, length, n_features) for _ in range(n_runs)])
    signal = np.zeros((len(runs), n_targets))
    for shift in (1, 2):
        moved = np.concatenate(
            [np.vstack([np.zeros((shift, n_features)), features[runs == run][:-shift]]) for run in range(n_runs)]
        )
        signal += moved @ rng.standard_normal((n_features, n_targets))
    noise = np.concatenate([coloured(rng, length, n_targets, memory) for _ in range(n_runs)])
    return features, strength * signal / signal.std(0) + noise, runs


@pytest.fixture
def study():
    """The function `make_study`."""
    return make_study
