"""The public names of the package, as the pages of book/api list them, and the chapters that use each.

A page lists a module by `{api} module`: what stands in its `__init__`, or the names behind `:names:`.
"""

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?\n---\n|(?::[^\n]*\n)*)(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```\{api\} ([\w.]+)\n(?::names: (.*)\n)?```$", re.MULTILINE)


@cache
def public_names() -> dict[str, dict[str, object]]:
    """Return {module: {name: function or class}} of everything that the pages of book/api list."""
    found = {}
    for page in sorted((ROOT / "book/api").glob("*.md")):
        for module, names in BLOCK.findall(page.read_text(encoding="utf-8")):
            found[module] = offered(module, names.split())
    return found


def offered(module_name: str, names=()) -> dict[str, object]:
    """Return the functions and classes of this package that a module offers: `names`, or all without an underscore."""
    module = importlib.import_module(module_name)
    names = names or getattr(module, "__all__", None) or [name for name in dir(module) if name[0] != "_"]
    objects = {name: getattr(module, name) for name in names}
    return {name: each for name, each in objects.items() if _is_ours(each)}


def _is_ours(each) -> bool:
    is_code = inspect.isclass(each) or inspect.isfunction(inspect.unwrap(each))  # also of a function that is cached
    return is_code and each.__module__.startswith("brainbook")


def anchor(module: str, name: str) -> str:
    """Return the id of a name on its page, such as brainbook.encoding.delay."""
    return f"{module}.{name}"


@cache
def pages() -> dict[str, str]:
    """Return {module: page of book/api that lists it}."""
    texts = {f"book/api/{page.stem}": page.read_text(encoding="utf-8") for page in (ROOT / "book/api").glob("*.md")}
    return {module: page for page, text in texts.items() for module, _ in BLOCK.findall(text)}


@cache
def places() -> dict[str, str]:
    """Return {name as pages write it: full name}: `delay`, `encoding.delay`, `brainbook.encoding.delay`.

    A short name that two modules offer for two things stands for neither.
    """
    found: dict[str, str] = {}
    objects: dict[str, object] = {}
    for module, names in public_names().items():
        for name, each in names.items():
            full = anchor(module, name)
            found |= {full: full, full.removeprefix("brainbook."): full}
            if objects.setdefault(name, each) is each:
                found.setdefault(name, full)
            else:
                found.pop(name, None)
    return found


@cache
def imports_of_chapters() -> dict[str, list[str]]:
    """Return {chapter: names of the package that its code imports, as they can be read on a page of book/api}."""
    found = {}
    for notebook in sorted((ROOT / "notebooks").glob("*.md")):
        cells = CELL.findall(notebook.read_text(encoding="utf-8"))
        named = {
            f"{node.module}.{alias.name}": None
            for cell in cells
            for node in ast.walk(ast.parse(cell))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("brainbook")
            for alias in node.names
        }
        found[notebook.stem] = [name for name in named if name in places()]
    return found


def chapters_using(full_name: str) -> list[str]:
    """Return the chapters whose code imports a name."""
    return [chapter for chapter, names in imports_of_chapters().items() if full_name in names]
