"""Arguments that would be misread are refused by their name."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from brainbook.encoding import RidgeEncoder, correlation, cross_validate, delay, permutation_scores

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


@pytest.fixture
def small(rng, study):
    return study(rng, n_runs=4, length=20, n_features=3, n_targets=3)


def test_tables_are_taken_as_arrays(small):
    features, responses, runs = small
    expected = cross_validate(features, responses, runs).scores
    tables = pd.DataFrame(features), pd.DataFrame(responses), pd.Series(runs)
    np.testing.assert_allclose(cross_validate(*tables).scores, expected)
    found = permutation_scores(*tables, 10.0, n_permutations=1, delays=(1,))
    assert found.score.shape == (3,)
    hidden_nothing = np.ma.masked_invalid(features)
    np.testing.assert_allclose(cross_validate(hidden_nothing, responses, runs).scores, expected)


def with_one(values, value, kind=float):
    values = values.astype(kind)
    values.flat[5] = value
    return values


WRONG = {  # argument -> (what it becomes, message)
    "masked features": ("features", lambda x: np.ma.masked_greater(x, 1), "features: .* masked"),
    "complex features": ("features", lambda x: x + 1j, "features: complex"),
    "pandas NA among features": ("features", lambda x: pd.DataFrame(with_one(x, pd.NA, object)), "pandas.NA"),
    "no features": ("features", lambda x: x[:, :0], "hold one unit or more"),
    "masked responses": ("responses", lambda y: np.ma.masked_greater(y, 1), "responses: .* masked"),
    "complex responses": ("responses", lambda y: y.astype(complex), "responses: complex"),
    "text responses": ("responses", lambda y: y.astype(str).astype(object) + "x", "responses must hold numbers"),
    "NaN among runs": ("runs", lambda runs: with_one(runs, np.nan), "runs: scan 5 .* has no run"),
    "pandas NA among runs": ("runs", lambda runs: with_one(runs, pd.NA, object), "runs: scan 5"),
    "masked runs": ("runs", lambda runs: np.ma.masked_equal(runs, 1), "runs: 20 scans are masked"),
    "one delay": ("delays", lambda _: 4, "delays are one or more .* not 4"),
    "no delays": ("delays", lambda _: (), r"delays are one or more .* not \(\)"),
    "half a delay": ("delays", lambda _: (1.5,), "whole numbers of scans"),
    "block": ("block", lambda _: -1, "block must be a whole number of 1 or more, not -1"),
    "no splits": ("splits", lambda _: [], "splits must hold at least one fold"),
    "splits beyond the scans": ("splits", lambda _: [([0, 1], [2, 80])], "tests on scans 2 to 80; there are 0 to 79"),
    "negative splits": ("splits", lambda _: [([-1, 1], [2, 3])], "trains on scans -1 to 1"),
    "splits of masks": ("splits", lambda _: [(np.ones(80, bool), [3])], "it needs one or more scan numbers"),
    "an empty fold": ("splits", lambda _: [([1, 2], [])], "it needs one or more scan numbers"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("function", ["cross_validate", "permutation_scores"])
def test_what_would_be_misread_is_refused(small, function, name):
    argument, make, message = WRONG[name]
    given = dict(zip(("features", "responses", "runs"), small, strict=True)) | {"delays": (1, 2)}
    given[argument] = make(given.get(argument))
    run = {"cross_validate": cross_validate, "permutation_scores": partial(permutation_scores, alpha=1.0)}[function]
    with pytest.raises(ValueError, match=message):
        run(**given)


def test_splits_and_trim_exclude_each_other(small):
    with pytest.raises(ValueError, match="splits or trim"):
        cross_validate(*small, splits=[(range(40), range(40, 80))], trim=2)


@pytest.mark.parametrize("cv", [1, 0, [], np.int64(1)])
def test_an_encoder_wants_two_folds_or_more(small, cv):
    features, responses, _ = small
    with pytest.raises(ValueError, match="cv |n_splits=2 or more"):
        RidgeEncoder(cv=cv).fit(features, responses)


def test_an_encoder_refuses_masks_and_imaginary_parts(small):
    features, responses, runs = small
    encoder = RidgeEncoder().fit(features, responses, groups=runs)
    masked = np.ma.masked_greater(features, 1)
    for call in (lambda: encoder.predict(masked), lambda: RidgeEncoder().fit(masked, responses)):
        with pytest.raises(ValueError, match="X: .* masked"):
            call()
    for wrong in (np.ma.masked_greater(responses, 1), responses + 1j):
        with pytest.raises(ValueError, match="y: "):
            RidgeEncoder().fit(features, wrong, groups=runs)
    with pytest.raises(ValueError, match="observed: complex"):
        correlation(responses, responses + 1j)
    with pytest.raises(ValueError, match="features: .* masked"):
        delay(masked, (1,), runs)
