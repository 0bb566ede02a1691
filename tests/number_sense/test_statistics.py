import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.number_sense.statistics import against, interval, summarise, welch


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        _, lower, upper = interval(rng.normal(3, 2, 3))
        covered.append(lower < 3 < upper)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_one_value_has_no_interval():
    assert interval([2.0])[0] == 2.0
    assert np.isnan(interval([2.0])[1:]).all()
    assert np.isnan(interval([np.nan])).all()


def test_welch_is_scipy_s(rng):
    a, b = rng.normal(1, 1, 6), rng.normal(0, 3, 9)
    found, expected = welch(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert (found["t"], found["p"], found["df"]) == pytest.approx((expected.statistic, expected.pvalue, expected.df))
    assert found["difference"] == pytest.approx(a.mean() - b.mean())
    assert found["lower"] < found["difference"] < found["upper"]


def test_effect_size_is_hedges():
    a, b = np.array([2.0, 4, 6]), np.array([1.0, 3, 5])
    assert welch(a, b)["g"] == pytest.approx(1 / 2 * (1 - 3 / 15))
    assert against(a, 2)["g"] == pytest.approx(2 / 2 * (1 - 3 / 7))


def test_against_chance_is_scipy_s(rng):
    a = rng.normal(0.3, 0.1, 5)
    expected = stats.ttest_1samp(a, 1 / 9)
    assert (against(a, 1 / 9)["t"], against(a, 1 / 9)["p"]) == pytest.approx((expected.statistic, expected.pvalue))


def test_seeds_that_agree_wholly_have_no_t():
    found = welch([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    assert (found["difference"], found["lower"], found["upper"]) == (1, 1, 1)
    assert np.isnan(found["p"])
    assert np.isnan(against([1.0, 1.0], 0.5)["p"])


def test_summary_over_seeds():
    table = pd.DataFrame(
        {"arm": ["a"] * 3 + ["b"], "seed": [0, 1, 2, 0], "value": [1.0, 2, 3, 9], "chance": 0.1, "cap": 1.0}
    )
    summary = summarise(table, ["arm"]).set_index("arm")
    assert summary.value.to_dict() == {"a": 2, "b": 9}
    assert summary.seeds.to_dict() == {"a": 3, "b": 1}
    assert summary.lower["a"] == pytest.approx(2 - 4.3027 / np.sqrt(3), abs=1e-3)
