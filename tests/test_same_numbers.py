"""The same numbers with another number of threads, within a tolerance; what the tables of `book/promises.md` say."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import torch
from kills import VICTIMS, WRONG
from threadpoolctl import threadpool_limits

from brainbook.encoding import RidgeEncoder, cross_validate
from brainbook.workflow import archived_table

from .conftest import ROOT

pytestmark = pytest.mark.integration

spec = importlib.util.spec_from_file_location("same_numbers", ROOT / "benchmarks/same_numbers.py")
same_numbers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(same_numbers)


def computed(threads: int) -> dict[str, pd.DataFrame]:
    """Return scores, choices of alphas and predictions of a design with signal, as tables."""
    rng = np.random.default_rng(0)
    runs = np.repeat(range(4), 60)
    features = rng.normal(size=(240, 30))
    responses = features @ rng.normal(size=(30, 50)) + 6 * rng.normal(size=(240, 50))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            scores = cross_validate(features, responses, runs, device="cpu")
            encoder = RidgeEncoder(device="cpu").fit(features, responses, groups=runs)
            predicted = encoder.predict(features)
    finally:
        torch.set_num_threads(before)
    return {
        "scores": pd.DataFrame({"r": scores.scores}),
        "alphas": pd.DataFrame(np.log10(scores.best_alphas)),
        "predictions": pd.DataFrame(predicted),
    }


@pytest.mark.filterwarnings("ignore:.* of the choices fell on")
def test_one_and_two_threads_agree_within_the_tolerance_and_the_same_twice_to_the_bit():
    one = computed(1)
    assert set(same_numbers.compare(one, computed(1)).values()) == {"to the bit"}
    for name, table in computed(2).items():
        assert same_numbers.digits(one[name], table) >= same_numbers.DIGITS, name


def test_digits_are_counted_as_they_are_described():
    first = pd.DataFrame({"a": [1.0, np.nan, 100.0], "text": ["x", "y", "z"], "seconds": [1.0, 2.0, 3.0]})
    assert same_numbers.digits(first, first.assign(seconds=0.0)) == np.inf
    assert same_numbers.digits(first, first.assign(a=[1.0, np.nan, 100.01])) == pytest.approx(4)
    for other in ({"a": [1.0, 2.0, 100.0]}, {"text": ["x", "y", "q"]}, {"more": 1}):
        assert same_numbers.digits(first, first.assign(**other)) == 0
    assert same_numbers.digits(first, first[:2]) == 0
    gaps = first.assign(gap=np.nan)
    assert same_numbers.digits(gaps, gaps) == np.inf and same_numbers.digits(gaps, gaps.assign(gap=1.0)) == 0


def test_the_archived_tables_say_what_the_page_says():
    rows = archived_table("promises", "same_numbers").rows
    assert set(rows["again"]) == set(rows["elsewhere"]) == {"to the bit"}
    digits = rows["two threads"].str.extract(r"(\d+) digits")[0].astype(float)
    assert (digits.isna() | (digits >= same_numbers.DIGITS)).all()
    for name, least in (("kills", 75), ("kills_slurm", 20)):
        counts = archived_table("promises", name).rows.set_index("what")["count"]
        assert counts["kills"] >= least and all(counts[f"of {victim}"] for victim in VICTIMS)
        assert counts[list(WRONG)].sum() == 0
