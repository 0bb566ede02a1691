"""What code a result rests on, and a key of what that code means.

The key stays the same when comments, docstrings or layout change, when files are renamed or moved, and whatever their
dates. It changes with every statement, and with the tables and weights that lie beside the code and are named in it.
"""

import ast
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent
BEGAN = time.time()  # nearly when this process began


class _Parsed(NamedTuple):
    body: str  # a digest of all statements but the imports from this package
    names: tuple[tuple[str, str | None, Path], ...]  # what is imported from this package: name, as, file
    files: tuple[Path, ...]  # the package's files that are imported
    data: tuple[Path, ...]  # files beside the module that its strings name


def sources(path: str | Path) -> list[Path]:
    """Return every file of the package that a notebook or module uses, directly or not, sorted."""
    files: set[Path] = set()
    waiting = list(_parse(Path(path)).files)
    while waiting:
        module = waiting.pop()
        if module not in files:
            files.add(module)
            waiting += _parse(module).files
    return sorted(files)


def code_fingerprint(files: Iterable[str | Path], ignored: frozenset[Path] = frozenset()) -> str:
    """Return a key of what Python files, notebooks (their code cells) and YAML files mean to a computer.

    What they import from `ignored` files does not count.
    """
    meanings = set()
    for file in map(Path, files):
        if file.suffix in (".yaml", ".yml"):
            import yaml

            meanings.add(_digest(json.dumps(yaml.safe_load(file.read_text(encoding="utf-8")), default=str)))
            continue
        parsed = _parse(file)
        names = [(name, alias, target) for name, alias, target in parsed.names if target not in ignored]
        imports = sorted(f"{name} {alias} {_parse(target).body}" for name, alias, target in names)
        data = sorted(_digest(path.read_bytes()) for path in parsed.data)
        meanings.add(_digest("\n".join([parsed.body, *imports, *data])))
    return _digest("\n".join(sorted(meanings)))


def code_of(function: Callable, rooms: tuple[str, ...] = ()) -> str | None:
    """Return `code_fingerprint` of the module of `function` and of all that it imports from this package.

    With `rooms` (folders or files of the package) only what it imports from these.
    Of a function that no file holds (one typed into a notebook) its own instructions count. None when a file changed
    after this process began: nobody knows then which of its states is being executed.
    """
    code = getattr(function, "func", function).__code__  # of functools.partial: what it calls
    if not code.co_filename.endswith(".py") or "ipykernel" in code.co_filename:
        constants = [part for part in code.co_consts if not hasattr(part, "co_code")]
        return _digest(repr((code.co_code, code.co_names, constants)))
    return _code_of_module(Path(code.co_filename).resolve(), rooms)


@lru_cache(maxsize=256)
def _code_of_module(file: Path, rooms: tuple[str, ...]) -> str | None:
    files = {path for path in sources(file) if not rooms or path.relative_to(PACKAGE).parts[0] in rooms} | {file}
    return None if any(path.stat().st_ctime > BEGAN for path in files) else code_fingerprint(files)


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()[:16]


def _parse(path: Path) -> _Parsed:
    return _parse_content(path, path.read_bytes())


@lru_cache(maxsize=2048)
def _parse_content(path: Path, content: bytes) -> _Parsed:
    text = content.decode("utf-8")
    if path.suffix == ".md":
        import jupytext

        cells = jupytext.reads(text, fmt="md:myst").cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("%", "!")))
    tree = ast.parse(text, filename=str(path))
    names, modules, strings = [], [], set()
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [part for part in node.body if not _is_remark(part)]
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and _is_own(node):
            for alias in node.names:
                modules += [node.module, f"{node.module}.{alias.name}"]
                target = next(iter([*_files_of(modules[-1])[::-1], *_files_of(node.module)[::-1]]), None)
                names += [(alias.name, alias.asname, target)] if target else []
            node.module, node.names = "", []  # what is imported counts, not the name of its file nor the line's place
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w[\w.-]*", node.value):
            strings.add(node.value)
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [part for part in node.body if not (isinstance(part, ast.ImportFrom) and part.module == "")]
    files = dict.fromkeys(file for module in modules for file in _files_of(module))
    return _Parsed(_digest(ast.dump(tree)), tuple(names), tuple(files), tuple(_data_files(path, strings)))


def _is_remark(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_own(node: ast.ImportFrom) -> bool:
    return node.level == 0 and (node.module or "").split(".")[0] == "brainbook"


@lru_cache(maxsize=4096)
def _files_of(module: str) -> tuple[Path, ...]:
    """Return the package's files that `import module` executes, the innermost last."""
    parts = module.split(".")
    if parts[0] != "brainbook":
        return ()
    bases = [PACKAGE.joinpath(*parts[1:depth]) for depth in range(1, len(parts) + 1)]
    return tuple(file for base in bases for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file())


def _data_files(path: Path, strings: set[str]) -> list[Path]:
    """Return tables and weights in the module's folder, or in a folder there, that one of its strings names."""
    if PACKAGE not in path.parents:
        return []
    files = []
    for name in sorted(strings):
        named = path.parent / name
        files += sorted(named.rglob("*")) if named.is_dir() else [named]
    return [file for file in files if file.is_file() and file.suffix not in (".py", ".pyc")]
