"""What the rooms offer: every public name has a docstring on a page of the book, and every example in one runs."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

from brainbook.source_code import PACKAGE

ROOT = Path(__file__).parents[1]
ROOMS = sorted(path.stem for path in (ROOT / "book/api").glob("*.md") if path.stem != "index")
EXAMPLES = sorted(path for path in PACKAGE.rglob("*.py") if ">>>" in path.read_text(encoding="utf-8"))


def offered(room: str) -> dict:
    module = importlib.import_module(f"brainbook.{room}")
    names = {name: getattr(module, name) for name in module.__all__}
    return {name: it for name, it in names.items() if inspect.isfunction(it) or inspect.isclass(it)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_documented(room):
    assert offered(room)
    assert not [name for name, it in offered(room).items() if not (it.__doc__ or "").strip()]
    assert f"brainbook.{room}" in (ROOT / "book/api/index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_of_docstrings_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(".".join(["brainbook", *path.relative_to(PACKAGE).with_suffix("").parts]))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert not result.failed
    if not result.attempted:
        pytest.skip("its examples need recordings")
