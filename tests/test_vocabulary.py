"""Words that CONTRIBUTING.md advises against stand in no name, docstring, message or page."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "src" / "brainbook").rglob("*.py"))
PAGES = [*sorted((ROOT / "notebooks").glob("*.md")), *sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"]


def listed(section: str) -> list[str]:
    """The words of the left column of the table in `section` of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"### {section}\n")[2].partition("###")[0]
    rows = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return [word.strip() for row in rows if row != "not" for word in row.split(",")]


def names_in(source: str) -> set[str]:
    """All names that Python source defines or calls things by."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(value := getattr(node, field, None), str):
                names.add(value)
    return names


def parts(name: str) -> set[str]:
    """The words of a name: of `n_listeners` and `TrueListeners` both `listeners`."""
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def strings_in(source: str) -> str:
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def found_in(text: str, words: list[str]) -> list[str]:
    plain = " ".join(text.split())  # a phrase may be broken over lines
    return [word for word in words if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", plain, re.IGNORECASE)]


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_names_docstrings_and_messages_use_plain_words(path):
    source, words = path.read_text(encoding="utf-8"), set(listed("In names"))
    assert not {name for name in names_in(source) if parts(name) & words}
    assert not found_in(strings_in(source), listed("In docstrings, messages, tables and pages"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_use_plain_words(path):
    text = path.read_text(encoding="utf-8")
    assert not found_in(text, listed("In docstrings, messages, tables and pages"))


def test_a_listed_word_is_seen():
    assert {"told", "people"} <= set(listed("In names"))
    assert parts("n_listeners") & {"listeners"} and parts("TrueListeners") & {"listeners"}
    assert names_in("def f(told): return told.x") == {"f", "told", "x"}
    assert found_in("It brings\nto mind a ruler's end.", ["brings to mind", "ruler", "shy"]) == [
        "brings to mind",
        "ruler",
    ]
