"""The published values and the list of references."""

import re
from pathlib import Path

from brainbook.chapters import published

BIB = (Path(__file__).parents[2] / "book" / "references.bib").read_text(encoding="utf-8")


def entries():
    return dict(re.findall(r"@\w+\{(\w+),(.*?)\n\}", BIB, re.DOTALL))


def test_no_two_references_have_the_same_label():
    """The pages name a reference by surnames and year: two of one label could not be told apart."""
    labels = {}
    for key, text in entries().items():
        authors = re.search(r"author\s*=\s*\{(.*?)\},\n", text)[1].split(" and ")
        names = tuple(name.split(",")[0] for name in authors[:2]), len(authors)
        labels.setdefault((names, re.search(r"year\s*=\s*\{(\w+)\}", text)[1]), []).append(key)
    assert {label: keys for label, keys in labels.items() if len(keys) > 1} == {}


def test_the_seed_paper_has_its_own_title():
    assert "を用いた多言語学習での転移学習性能の検証" in entries()["luo2025brains"]
    assert "Brains and languages" not in BIB and "を用いた多言語学習での転移学習性能の検証" in published.__doc__


def test_the_best_regions_are_of_one_participant_and_known_regions():
    top, maps = published.top_regions(), published.reliability_by_region()
    assert len(top.merge(maps, on=["region", "hemisphere"])) == len(top) == 9
    assert set(top.language) == set(published.PARTICIPANTS)
