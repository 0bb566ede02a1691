"""The page 'How cost grows': powers that are known are found, and the page says what its archived tables say."""

import importlib
import re

import pandas as pd
import pytest

from .conftest import ROOT


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("bench_growth")


def test_a_known_power_is_found(bench):
    sizes = [10, 20, 40, 80]
    curves = pd.DataFrame({"axis": "scans", "value": sizes, "memory_mb": [3.0 * size for size in sizes]})
    curves["cpu_s"] = [1.0, *(size**2 / 100 for size in sizes[1:])]  # the smallest is not looked at
    found = bench.exponents(curves).iloc[0]
    assert found.cpu_s == pytest.approx(2) and found.memory_mb == pytest.approx(1)


def test_the_page_says_what_the_tables_say(bench):
    def numbers(text):
        return re.sub(r"Run on .*", "", text)  # whether the code has changed since, which the built page says

    assert numbers(bench.page_text()) == numbers((ROOT / "book/growth.md").read_text(encoding="utf-8")), (
        "write it anew: python benchmarks/bench_growth.py --keep"
    )
