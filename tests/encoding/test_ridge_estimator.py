"""RidgeEncoder is a scikit-learn estimator like any other."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from brainbook.encoding import RidgeEncoder


@parametrize_with_checks([RidgeEncoder(), RidgeEncoder(metric="r2", per_target=False, alphas=(0.1, 10.0))])
def test_scikit_learn_checks(estimator, check):
    check(estimator)
