"""What code a result rests on, and a key of what that code means.

A result rests on the definitions that its code names, on those that these name, and so on: functions, classes and
constants at the top of this package's modules, with the tables and weights beside a module that they name. The key
changes with each of their statements. It stays the same when other definitions change or are added, when comments,
docstrings, layout or annotations do (but those of a class's fields, which dataclasses read), when an import moves into
a function or out of it, when files are renamed or moved, and whatever their dates.
"""

import ast
import hashlib
import json
import re
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from brainbook.lazy_imports import is_type_checking

PACKAGE = Path(__file__).resolve().parent
BEGAN = time.time()  # nearly when this process began
_READING_ONCE: list[bool] = []  # one entry for each such block that has begun
BLOCKS = ("body", "orelse", "finalbody")
WITH_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)
CELL = re.compile(r"^(?P<fence>`{3,})\{code-cell\}[^\n]*\n(?P<body>.*?)^(?P=fence)`*[ \t]*$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(?:---\n(?P<block>.*?)^---\n|(?P<lines>(?:^:[^\n]*\n)+))", re.MULTILINE | re.DOTALL)
Entry = Path | str | tuple[Path, str]  # a file as a whole, or what one name in it stands for


class _Statement(NamedTuple):
    """One statement at the top of a module."""

    digest: str  # of the statement without docstrings, annotations and imports
    names: frozenset[str]  # what it names by itself
    attributes: frozenset[tuple[str, str]]  # and with a point, `a.b`
    imports: dict[str, tuple[str, str]]  # imports inside it: {name: (module, name there or "")}
    strings: frozenset[str]  # that may name files


class _Module(NamedTuple):
    statements: tuple[_Statement, ...]
    bound: dict[str, tuple[int, ...]]  # name -> statements that bind it
    imports: dict[str, tuple[str, str]]  # at the top
    always: tuple[int, ...]  # statements that bind nothing and are executed by an import: `if`, `try`, a call


class Rooms:
    """Contains every file of the package that lies in some folders or files of it; with `outside`, every other one."""

    def __init__(self, *names: str, outside: bool = False) -> None:
        self.names, self.outside = names, outside

    def __contains__(self, file: object) -> bool:
        room = _room(file) if isinstance(file, Path) else None
        return room is not None and (room in self.names) != self.outside


@cache
def _room(file: Path) -> str | None:
    """Return the folder or file of the package that a file lies in or is; None for what is not the package's."""
    return file.relative_to(PACKAGE).parts[0] if PACKAGE in file.parents else None


def sources(*entries: Entry) -> list[Path]:
    """Return every file of the package that holds something that notebooks or modules rest on, sorted."""
    _forget()
    given = {Path(entry).resolve() for entry in entries if not isinstance(entry, tuple)}
    return sorted({file for file, _ in _reached(entries)} - given)


def code_fingerprint(entries: Iterable[Entry], ignored: Rooms | tuple[Path, ...] = ()) -> str:
    """Return a key of what code means to a computer, with all that it rests on.

    Parameters
    ----------
    entries : Python files, notebooks (their code cells), YAML files, or (file, name) for what one name stands for.
    ignored : files of the package that do not count, nor what only they rest on.
    """
    _forget()
    return _fingerprint(tuple(entries), ignored)


@cache
def _fingerprint(entries: tuple[Entry, ...], ignored: Rooms | tuple[Path, ...]) -> str:
    settings = [entry for entry in entries if not isinstance(entry, tuple) and Path(entry).suffix in (".yaml", ".yml")]
    meanings = {_digest(_yaml(Path(file))) for file in settings}
    for file, number in _reached([entry for entry in entries if entry not in settings], ignored):
        statement = _module(file).statements[number]
        links = sorted(_links(file, number, ignored))
        data = sorted(_digest(path.read_bytes()) for path in _data_files(file, statement.strings))
        meanings.add(_digest("\n".join([statement.digest, *links, *data])))
    return _digest("\n".join(sorted(meanings)))


def code_of(function: Callable, rooms: tuple[str, ...] = ()) -> str | None:
    """Return `code_fingerprint` of the definition that holds `function`, with all that it rests on.

    With `rooms` (folders or files of the package) only what lies in these.
    Of a function that no file holds (one typed into a notebook) its own instructions count. None when a file changed
    after this process began: nobody knows then which of its states is being executed.
    """
    function = getattr(function, "func", function)  # of functools.partial: what it calls
    code = function.__code__
    if not code.co_filename.endswith(".py") or "ipykernel" in code.co_filename:
        constants = [part for part in code.co_consts if not hasattr(part, "co_code")]
        return _digest(repr((code.co_code, code.co_names, constants)))
    return _code_of_definition(Path(code.co_filename).resolve(), function.__qualname__.split(".")[0], rooms)


@lru_cache(maxsize=1024)
def _code_of_definition(file: Path, name: str, rooms: tuple[str, ...]) -> str | None:
    _forget()
    entry = (file, name) if name in _module(file).bound else file
    ignored = Rooms(*rooms, outside=True) if rooms else ()
    files = {path for path, _ in _reached([entry], ignored)} | {file}
    return None if any(path.stat().st_ctime > BEGAN for path in files) else code_fingerprint([entry], ignored)


@contextmanager
def reading_once() -> Iterator[None]:
    """Take no file for changed within the block: for commands that ask for the keys of many results, and end."""
    _forget()
    _READING_ONCE.append(True)
    try:
        yield
    finally:
        _READING_ONCE.pop()


def _forget() -> None:
    """Read everything anew: files may have changed since the last call."""
    for function in () if _READING_ONCE else (_module, _targets, _room, _names_in, _fingerprint):
        function.cache_clear()


def _reached(entries: Iterable[Entry], ignored: Container[Path] = ()) -> set[tuple[Path, int]]:
    """Return the statements, (file, number), that entries hold and rest on."""
    waiting: list[tuple[Path, int]] = []
    for entry in entries:
        if isinstance(entry, tuple):
            waiting += _statements_of(entry[0].resolve(), entry[1])
        else:
            file = Path(entry).resolve()
            waiting += [(file, number) for number in range(len(_module(file).statements))]
    reached = set(waiting)
    while waiting:
        file, number = waiting.pop()
        module = _module(file)
        targets = {(file, other) for other in module.always}
        targets |= {target for _, target in _targets(file, number)}
        new = {target for target in targets - reached if target[0] not in ignored}
        reached |= new
        waiting += new
    return reached


@cache
def _targets(file: Path, number: int) -> list[tuple[str, tuple[Path, int]]]:
    """Return what a statement names: (how it is written, the statement that binds it)."""
    statement, named = _module(file).statements[number], []
    imports = {**_module(file).imports, **statement.imports}
    uses = [(name, "") for name in statement.names] + sorted(statement.attributes)
    for name, attribute in uses:
        found, rest = _resolve(file, name, imports), attribute
        if isinstance(found, Path):  # a module: what is taken from it, or all of it
            found = _statements_of(found, rest) if rest else _all_of(found)
        named += [(f"{name}.{rest}", target) for target in found]
    return named


def _links(file: Path, number: int, ignored: Container[Path]) -> Iterator[str]:
    """Return under which name a statement knows what it takes from other files and packages, and what that is."""
    statement = _module(file).statements[number]
    for name, (target, other) in _targets(file, number):
        if target != file and target not in ignored:
            yield f"{name} {_module(target).statements[other].digest}"
    imports = {**_module(file).imports, **statement.imports}
    used = statement.names | {name for name, _ in statement.attributes} | statement.imports.keys()
    for name in used & imports.keys():
        module, there = imports[name]
        if module.split(".")[0] != "brainbook":
            yield f"{name} is {module} {there}"


def _resolve(file: Path, name: str, imports: dict[str, tuple[str, str]]) -> Path | list[tuple[Path, int]]:
    """Return the module that a name stands for, or the statements that bind it; none for what is not this package's."""
    module = _module(file)
    if name in imports:
        source, there = imports[name]
        files = _files_of(source)
        if not there:
            return files[-1] if files else []
        own = files[-1] if files else None
        if own is not None and (there in _module(own).bound or there in _module(own).imports):
            return _statements_of(own, there)
        inner = _files_of(f"{source}.{there}")
        return inner[-1] if len(inner) > len(files) else []
    return [(file, number) for number in module.bound.get(name, ())]


def _statements_of(file: Path, name: str) -> list[tuple[Path, int]]:
    found = _resolve(file, name, _module(file).imports)
    return _all_of(found) if isinstance(found, Path) else found


def _all_of(file: Path) -> list[tuple[Path, int]]:
    return [(file, number) for number in range(len(_module(file).statements))]


def code_cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield the options (YAML) and the source of each code cell of a notebook in MyST Markdown, as jupytext reads them.

    jupytext itself takes half a second to import, and a notebook's prose most of the time that it reads.
    """
    for cell in CELL.finditer(text):
        body, options = cell["body"], ""
        if given := OPTIONS.match(body):
            options = given["block"] or re.sub("^:", "", given["lines"], flags=re.MULTILINE)
            body = body[given.end() :]
        yield options, body.strip("\n")


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()[:16]


def _yaml(file: Path) -> str:
    import yaml

    return json.dumps(yaml.safe_load(file.read_text(encoding="utf-8")), default=str)


@cache  # every public function clears it first: files may have changed since the last call
def _module(path: Path) -> _Module:
    return _parse(path, path.read_bytes())


@lru_cache(maxsize=2048)
def _parse(path: Path, content: bytes) -> _Module:
    text = content.decode("utf-8")
    if path.suffix == ".md":
        text = "\n".join(source for _, source in code_cells(text))
        text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("%", "!")))
    statements: list[_Statement] = []
    bound: dict[str, tuple[int, ...]] = {}
    imports: dict[str, tuple[str, str]] = {}
    always: list[int] = []
    for node in ast.parse(text, filename=str(path)).body:
        if taken := _imports(node):
            imports |= taken
        elif not _is_remark(node):
            node, number = _unannotated(node), len(statements)
            statements.append(_statement(node))
            for name in _bound_names(node):
                bound[name] = (*bound.get(name, ()), number)
            if isinstance(node, ast.If | ast.Try | ast.For | ast.While | ast.With | ast.Expr) and not _is_main(node):
                always.append(number)
    return _Module(tuple(statements), bound, imports, tuple(always))


def _statement(node: ast.stmt) -> _Statement:
    names, attributes, strings = set(), set(), set()
    imports: dict[str, tuple[str, str]] = {}
    waiting: list[ast.AST] = [node]
    while waiting:  # one pass: each part is cleaned, then looked at, then its own parts
        part = waiting.pop()
        for field in BLOCKS if isinstance(part, WITH_BLOCKS) else ():
            block = getattr(part, field, None)
            if isinstance(block, list):
                imports |= {name: where for inner in block for name, where in _imports(inner).items()}
                fields = isinstance(part, ast.ClassDef)
                block = [inner for inner in block if not _is_remark(inner, fields) and not _imports(inner)]
                setattr(part, field, block if fields else [_unannotated(inner) for inner in block])
        if isinstance(part, ast.arg):
            part.annotation = None
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            part.returns = None
        elif isinstance(part, ast.Name):
            names.add(part.id)
            continue
        elif isinstance(part, ast.Constant):
            if isinstance(part.value, str) and re.fullmatch(r"\w[\w.-]*", part.value):
                strings.add(part.value)
            continue
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            attributes.add((part.value.id, part.attr))
            continue
        for field in part._fields:
            value = getattr(part, field, None)
            if isinstance(value, list):
                waiting += [inner for inner in value if isinstance(inner, ast.AST)]
            elif isinstance(value, ast.AST):
                waiting.append(value)
    digest = _digest(ast.dump(node))
    return _Statement(digest, frozenset(names), frozenset(attributes), imports, frozenset(strings))


def _unannotated(node: ast.stmt) -> ast.stmt:
    """Return `name = value` for `name: type = value`, and any other statement as it is."""
    if not isinstance(node, ast.AnnAssign) or node.value is None:
        return node
    return ast.copy_location(ast.Assign([node.target], node.value), node)


def _imports(node: ast.stmt) -> dict[str, tuple[str, str]]:
    """Return what an import brings: {name: (module, name there; "" for the module itself)}.

    So do those below `if TYPE_CHECKING:`, which a room makes at the first use of a name (`brainbook.lazy_imports`).
    """
    if isinstance(node, ast.If) and is_type_checking(node):
        return {name: where for inner in node.body for name, where in _imports(inner).items()}
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and node.names[0].name != "*":
        return {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    if isinstance(node, ast.Import):
        return dict(_imported_module(alias) for alias in node.names)
    return {}


def _imported_module(alias: ast.alias) -> tuple[str, tuple[str, str]]:
    top = alias.name.split(".")[0]
    # `import a.b` brings the name `a`; of this package it stands for the module that is meant
    return alias.asname or top, (alias.name if alias.asname or top == "brainbook" else top, "")


def _bound_names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    aliases = [
        alias for part in ast.walk(node) if isinstance(part, ast.Import | ast.ImportFrom) for alias in part.names
    ]
    defined = {part.name for part in ast.walk(node) if isinstance(part, ast.FunctionDef | ast.ClassDef)}
    return names | defined | {(alias.asname or alias.name).split(".")[0] for alias in aliases}


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.dump(node.test)


def _is_remark(node: ast.stmt, in_class: bool = False) -> bool:
    """Return whether only a reader or a type checker sees it: a docstring, `name: type`, `if TYPE_CHECKING`."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.If):
        return is_type_checking(node)
    return isinstance(node, ast.AnnAssign) and node.value is None and not in_class


@lru_cache(maxsize=4096)
def _files_of(module: str) -> tuple[Path, ...]:
    """Return the package's files that `import module` executes, the innermost last."""
    parts = module.split(".")
    if parts[0] != "brainbook":
        return ()
    bases = [PACKAGE.joinpath(*parts[1:depth]) for depth in range(1, len(parts) + 1)]
    return tuple(file for base in bases for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file())


@cache
def _names_in(folder: Path) -> frozenset[str]:
    """Return the names of what lies in a folder of the package; of no other."""
    own = folder == PACKAGE or PACKAGE in folder.parents
    return frozenset(path.name for path in folder.iterdir()) if own else frozenset()


def _data_files(path: Path, strings: Iterable[str]) -> list[Path]:
    """Return tables and weights in the module's folder, or in a folder there, that one of its strings names."""
    files = []
    for name in sorted(_names_in(path.parent).intersection(strings)):
        named = path.parent / name
        files += sorted(named.rglob("*")) if named.is_dir() else [named]
    return [file for file in files if file.is_file() and file.suffix not in (".py", ".pyc")]
