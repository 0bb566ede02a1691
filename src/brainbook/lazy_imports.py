"""Rooms whose names are imported when they are first asked for, so that nobody waits for what they do not use.

`import torch` alone takes seconds. A room's `__init__` therefore lists what it offers below `if TYPE_CHECKING:`, where
type checkers and `brainbook.source_code` read it and Python imports nothing, and fetches each name at its first use
(PEP 562).
"""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from sys import modules
from typing import Any

EXTRAS = {  # what pip installs for a room, beyond what `encoding` and `stats` need
    **dict.fromkeys(("datasets", "phantom"), "data"),
    **dict.fromkeys(("language_models", "number_sense"), "models"),
    "plots": "maps",
    **dict.fromkeys(("chapters", "course", "workflow"), "book"),
}


def lazy_names(room: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` for a package whose imports stand below `if TYPE_CHECKING:`.

    Parameters
    ----------
    room, file : `__name__` and `__file__` of the package.

    Examples
    --------
    >>> import brainbook.stats
    >>> __getattr__, __dir__, __all__ = lazy_names("brainbook.stats", brainbook.stats.__file__)
    >>> __getattr__("fdr").__module__
    'brainbook.stats.significance'
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    types_only = [node for node in tree.body if isinstance(node, ast.If) and is_type_checking(node)]
    imports = [node for block in types_only for node in block.body if isinstance(node, ast.ImportFrom)]
    module_of: dict[str, Any] = {alias.name: node.module for node in imports for alias in node.names}

    def __getattr__(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(module_of[name]), name)
        except ModuleNotFoundError as error:
            if str(error.name).startswith("brainbook"):
                raise
            extra = EXTRAS.get(room.rpartition(".")[2], "")
            how = f"pip install 'brainbook[{extra}]'" if extra else f"pip install {error.name}"
            raise ModuleNotFoundError(f"{room}.{name} needs {error.name}: {how}", name=error.name) from error
        setattr(modules[room], name, value)  # the next time it is found without this function
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(modules[room]), *module_of})

    return __getattr__, __dir__, sorted(module_of)


def is_type_checking(node: ast.If) -> bool:
    """Return whether an `if` holds for type checkers only."""
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
