"""Files by patterns of their names: `{participant}_task-{task}[_run-{run}]_bold.nii.gz` finds files and says whose."""

import re
from pathlib import Path

from brainbook.errors import DatasetError

_PIECE = re.compile(r"\{(?P<name>[^{}]*)\}|(?P<star>\*)|(?P<open>\[)|(?P<close>\])|(?P<text>[^{}*\[\]]+)")


def find_files(root: Path, pattern: str) -> dict[Path, dict[str, str]]:
    """Return the files that a pattern finds below a folder, sorted, and what the names in braces stand for in each.

    A name in braces stands for one or more characters other than `/` and `_`, the same ones wherever it is repeated;
    `*` stands for any characters but `/`; what stands in brackets may be absent. Links that lead nowhere count, as
    content of datasets may be fetched later.
    """
    expression = compile_pattern(pattern)
    found = {}
    if "**" in pattern or "\0" in pattern:
        raise DatasetError(f"{pattern!r}: ** and zero bytes stand in no pattern; name the folders, or * for each")
    wildcards = re.sub(r"(?:\[[^\[\]]*\]|\{[^{}]*\}|\*)+", "*", pattern)
    for path in sorted(root.glob(wildcards)):
        match = expression.fullmatch(path.relative_to(root).as_posix())
        if match and not path.name.startswith("."):
            found[path] = {name: value for name, value in match.groupdict().items() if value is not None}
    return found


def compile_pattern(pattern: str) -> re.Pattern:
    """Return the regular expression of a pattern; DatasetError if its braces or brackets do not match.

    Examples
    --------
    >>> compile_pattern("{who}/{who}_task-{task}[_run-{run}].nii").fullmatch("sub-1/sub-1_task-rest.nii").groupdict()
    {'who': 'sub-1', 'task': 'rest', 'run': None}
    """
    parts, known = [], set()
    for kind, value in _pieces(pattern):
        if kind == "name":
            parts.append(f"(?P={value})" if value in known else f"(?P<{value}>[^/_]+)")
            known.add(value)
        else:
            parts.append({"star": "[^/]*", "open": "(?:", "close": ")?"}.get(kind, re.escape(value)))
    return re.compile("".join(parts))


def fill_pattern(pattern: str, values: dict[str, str], root: Path, what: str) -> Path:
    """Return the one file that a pattern means once its names have values.

    What stands in brackets is left out where a name in it has no value. DatasetError if another name has none, or
    there is no such file or several; `what` is the pattern's key in the description.
    """
    within = re.sub(r"\[([^\[\]]*)\]", lambda part: part[1] if names_in(part[1]) <= set(values) else "", pattern)
    if unknown := sorted(names_in(within) - set(values)):
        raise DatasetError(
            f"{what}: {{{unknown[0]}}} in {pattern} has no value, as it stands in no pattern of the recordings; these "
            f"have one: {', '.join(sorted(values))}. Write * instead"
        )
    name = "".join(values[value] if kind == "name" else value for kind, value in _pieces(within))
    if "*" not in name:
        return root / name
    paths = sorted(root.glob(name))
    if len(paths) != 1:
        raise DatasetError(f"{what}: {len(paths)} files are called {root / name}, not one")
    return paths[0]


def names_in(pattern: str) -> set[str]:
    """Return the names in the braces of a pattern."""
    return {value for kind, value in _pieces(pattern) if kind == "name"}


def same_value(one: str | int, other: str | int) -> bool:
    """Return whether two values of a name are equal, as text or as whole numbers: 01 is 1."""
    first, second = str(one), str(other)
    return first == second or (first.isdecimal() and second.isdecimal() and int(first) == int(second))


def in_order(value: str) -> list[tuple[int, str]]:
    """Return a key to sort by that compares numbers within names as numbers: run-2 comes before run-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", value)]


def _pieces(pattern: str) -> list[tuple[str, str]]:
    """Return the pieces of a pattern in order: ('text' | 'name' | 'star' | 'open' | 'close', text)."""
    if pattern.startswith(("/", "~")):
        raise DatasetError(f"{pattern}: patterns begin from root; name that folder as root, and the rest here")
    matches = list(_PIECE.finditer(pattern))
    pieces = [(str(match.lastgroup), match[str(match.lastgroup)]) for match in matches]
    brackets = "".join(value for kind, value in pieces if kind in ("open", "close"))
    if sum(len(match[0]) for match in matches) != len(pattern) or brackets.replace("[]", ""):
        raise DatasetError(f"{pattern}: its braces or brackets do not match")
    for kind, value in pieces:
        if kind == "name" and not re.fullmatch(r"[A-Za-z]\w*", value):
            raise DatasetError(f"{pattern}: {{{value}}} is no name; write {{participant}}, {{task}}, {{run}}, ...")
    return pieces
