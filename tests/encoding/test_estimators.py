"""The estimators, the transformer and the splitter are scikit-learn's like any other."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainbook.encoding import BandedRidge, Delayer, LeaveOneRunOut, RidgeEncoder, cross_validate

ESTIMATORS = [
    RidgeEncoder(),
    RidgeEncoder(metric="r2", per_target=False, alphas=(0.1, 10.0)),
    BandedRidge(alphas=(1.0, 100.0), n_candidates=2),
    Delayer((1, 2)),
    Delayer((0, -1), fill="mean"),
]
IN_TIME = "rows are scans in time order: a scan's delayed features are those of the scans before it"
EXPECTED = {"check_methods_subset_invariance": IN_TIME, "check_methods_sample_order_invariance": IN_TIME}


@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED if isinstance(estimator, Delayer) else {}
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")
def test_a_pipeline_predicts_left_out_runs_as_cross_validate_does(rng, study):
    """Features far from 0 show what stands beyond the borders of runs."""
    features, responses, runs = study(rng, n_runs=4)
    features = features + 10

    def both(alphas, delayer):
        ours = cross_validate(features, responses, runs, (1, 3), alphas, predictions=True, dtype="float64")
        with sklearn.config_context(enable_metadata_routing=True):
            pipeline, params = make_pipeline(delayer, RidgeEncoder(alphas)), {"runs": runs, "groups": runs}
            predicted = cross_val_predict(pipeline, features, responses, cv=LeaveOneRunOut(), params=params)
        return np.abs(predicted - ours.predictions).reshape(4, 40, 10).max(1)  # folds, targets

    assert both([30.0], Delayer((1, 3), fill="mean")).max() < 1e-5
    assert both([30.0], Delayer((1, 3))).max() > 0.1
    # Inside, `cross_validate` takes the mean of each inner fold: of two alphas that do alike the other may be chosen.
    assert (both(np.logspace(0, 3, 4), Delayer((1, 3), fill="mean")) > 1e-5).mean() < 0.05


def test_a_mean_is_learnt_from_the_scans_that_hold_a_feature():
    train, runs = np.array([[1.0], [3.0], [5.0], [20.0]]), np.array([1, 1, 1, 2])
    delayer = Delayer((1,), fill="mean").fit(train, runs=runs)
    assert delayer.fill_.tolist() == [2.0]  # of 1 and 3: those of the last scans of runs are in no row
    assert delayer.transform(np.array([[7.0], [8.0], [9.0]]), runs=[1, 1, 2]).ravel().tolist() == [2.0, 7.0, 2.0]
    with pytest.raises(ValueError, match='fill is "zeros" or "mean", not "edge"'):
        Delayer(fill="edge").fit(train)
