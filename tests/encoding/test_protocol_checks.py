"""Every planted fault is named, and a clean design passes."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import KFold

from brainbook.encoding import (
    ProtocolWarning,
    blocks_with_gaps,
    check_protocol,
    cross_validate,
    delay,
    leave_one_run_out,
    published_split,
)

RUNS = np.repeat(np.arange(4), 25)
EDGES = "scans whose features reach before their run are not scored"


def inner(splits, runs=RUNS):
    """The splits without the first four scans of every run."""
    starts = [np.flatnonzero(runs == run)[:4] for run in np.unique(runs)]
    return [tuple(np.setdiff1d(rows, np.concatenate(starts)) for rows in split) for split in splits]


@pytest.fixture
def features(rng):
    return rng.standard_normal((100, 5)) + 3


def failed(*arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        findings = check_protocol(*arguments, **options)
    names = [finding.check for finding in findings if finding.passed is False]
    assert len(caught) == len(names) and all(issubclass(one.category, ProtocolWarning) for one in caught)
    return names


def test_a_clean_design_passes_everything(features):
    splits = inner(leave_one_run_out(RUNS))
    findings = check_protocol(RUNS, splits, features=features, delayed=delay(features, runs=RUNS), scans=np.arange(100))
    assert all(finding.passed for finding in findings)
    assert failed(np.zeros(100), inner(blocks_with_gaps(100, 4, gap=6), np.zeros(100))) == []


def test_splits_that_share_runs_are_named(features):
    shuffled = inner(KFold(5, shuffle=True, random_state=0).split(features))
    assert failed(RUNS, shuffled) == ["training and test scans come from different runs"]
    assert failed(np.zeros(100), inner(blocks_with_gaps(100, 4, gap=0), np.zeros(100))) == [
        "training and test scans come from different runs"
    ]
    twice = [(np.arange(100), np.arange(75, 100))]
    assert "no row both trains and tests" in failed(RUNS, twice)


def test_echoes_on_both_sides_are_named():
    split = published_split(100)
    names = failed(
        np.tile(RUNS, 3) + 4 * np.repeat(np.arange(3), 100), (split.train, split.test), scans=np.tile(np.arange(100), 3)
    )
    assert names == ["no scan both trains and tests", EDGES]


def test_edges_that_are_scored_are_named(features):
    splits = leave_one_run_out(RUNS)
    assert failed(RUNS, splits) == [EDGES] and failed(RUNS, inner(splits)) == []
    assert failed(RUNS, inner(splits), delays=(1, 2, 5)) == [EDGES]  # one scan of each run still sees the padding
    findings = check_protocol(RUNS, splits, warn=False)
    assert "16 test scans lie within 4 scans" in next(one.message for one in findings if one.check == EDGES)
    assert failed(RUNS, splits, delays=(0, -1)) == []


@pytest.mark.parametrize("wrong", [{"runs": None}, {"circular": True}])
@pytest.mark.parametrize("stretch", [1.0, 7.0])
def test_delays_across_runs_are_named_even_after_scaling(features, wrong, stretch):
    splits = inner(leave_one_run_out(RUNS))
    right, bad = delay(features, (1, 2, 3), RUNS), delay(features, (1, 2, 3), **{"runs": RUNS, **wrong})
    right, bad = right * stretch - 1, bad * stretch - 1
    assert failed(RUNS, splits, delayed=bad, delays=(1, 2, 3)) == ["delays stay within runs"]
    assert failed(RUNS, splits, delayed=right, delays=(1, 2, 3)) == []


def test_scaling_that_saw_the_test_scans_is_named(features):
    splits, name = inner(leave_one_run_out(RUNS)), ["scaling saw training scans only"]
    assert failed(RUNS, splits, features=(features - features.mean(0)) / features.std(0)) == name
    assert failed(RUNS, splits, features=(features - features.min(0)) / np.ptp(features, axis=0)) == name
    within = np.concatenate([(part - part.mean(0)) / part.std(0) for part in np.split(features, 4)])
    assert failed(RUNS, splits, features=within) == []
    train = splits[0][0]
    assert failed(RUNS, splits[:1], features=(features - features[train].mean(0)) / features[train].std(0)) == []


def test_cross_validate_warns_by_itself_when_folds_share_runs(features, rng):
    responses = rng.standard_normal((100, 3))
    shuffled = list(KFold(5, shuffle=True, random_state=0).split(features))
    with pytest.warns(ProtocolWarning, match="share their run"):
        cross_validate(features, responses, RUNS, alphas=100.0, splits=shuffled)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # of what earlier tests left open
        cross_validate(features, responses, RUNS, alphas=100.0)
