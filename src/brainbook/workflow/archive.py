"""Tables of studies that take too long for every reader: archived with the book, and honest about their age.

They lie in `book/archive/<study>/<table>.csv`, under a line of JSON: when, in how many minutes, by which command and at
which commit they were made, and a key of the code that they rest on. When that code means something else today,
`ArchivedTable.origin` says so. `archive_lines` lists all tables (`make archive`), and `remake` makes those again that
are asked for (`make archive TABLES="xnli calibration/levels"`).
"""

import io
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from brainbook.errors import ConfigurationError
from brainbook.source_code import BEGAN, PACKAGE, Rooms, code_fingerprint, reading_once
from brainbook.store import atomic_write, fingerprint

ARCHIVE = Path("book/archive")
# Rooms and files that run, draw, teach or record, and make no number.
NO_NUMBERS = Rooms("plots", "course", "workflow", "checkpoints.py", "store.py", "source_code.py", "errors.py")
CONSULTED: dict[tuple[str, str, bool], str] = {}  # {(study, table, results made here go first): key} of tables read


@dataclass(frozen=True)
class ArchivedTable:
    """A table and where it came from.

    Attributes
    ----------
    rows : the table. date (ISO), command, commit : when, by what and at which commit it was made.
    here : whether it was made in this checkout's results folder rather than read from the repository.
    minutes : how long the command took. rests_on, code : the files that it begins with, and `code_key` of them and of
        all that they import, as it was then; empty when it names no file that was there.
    """

    rows: pd.DataFrame
    date: str
    command: str
    commit: str
    here: bool = False
    minutes: float | None = None
    rests_on: tuple[str, ...] = ()
    code: str = ""

    @property
    def code_changed(self) -> bool | None:
        """Return whether the code that the table rests on means something else today; None if it was not noted."""
        return None if not self.code else self.code != code_key(self.rests_on)

    def origin(self) -> str:
        """Describe in Markdown when, by what and at which commit it was made; whether that code has changed since."""
        since = {
            True: " The code that it rests on has changed since.",
            None: " Which code it rests on was not noted: it may have changed since.",
            False: "",
        }[False if self.here else self.code_changed]
        return f"Run on {self.date[:10]} by `{self.command}`, commit `{self.commit}`.{since}"


def code_key(rests_on: tuple[str, ...]) -> str:
    """Return a key of what these files and all that they import mean, without what draws; "" when one is gone."""
    if not all(Path(file).is_file() for file in rests_on):
        return ""
    return code_fingerprint(rests_on, NO_NUMBERS)


def archive_table(
    study: str,
    table: str,
    rows: pd.DataFrame,
    command: str,
    *,
    date: str | None = None,
    commit_of: str | None = None,
    minutes: float | None = None,
    rests_on: tuple[str, ...] | None = None,
    digits: int = 4,
    root: str | Path = ARCHIVE,
) -> Path:
    """Write a small table of results to `book/archive/<study>/<table>.csv`, to be committed; returns the path.

    Parameters
    ----------
    rows : any table; numbers are written with `digits` significant digits.
    command : what makes the results anew, in one line.
    date, commit_of : when and at which commit they were made, as a run's provenance has them; now, and the present
        commit, by default.
    minutes : how long that takes; by default as long as this process has been running.
    rests_on : the files whose code makes them; by default the Python files that `command` names.
    """
    if "\n" in command:
        raise ConfigurationError(f"the command of the archived table {table!r} has to be one line: {command!r}")
    if rests_on is None:
        rests_on = tuple(word for word in shlex.split(command) if word.endswith(".py") and Path(word).is_file())
    about = {
        "date": date or datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "commit": commit_of or commit(),
        "minutes": round((time.time() - BEGAN) / 60 if minutes is None else minutes, 1),
        "rests_on": list(rests_on),
        "code": code_key(rests_on) if rests_on else "",
        "text": [str(name) for name in rows if not pd.api.types.is_numeric_dtype(rows[name])],
    }
    path = Path(root) / study / f"{table}.csv"
    text = rows.to_csv(index=False, float_format=f"%.{digits}g", lineterminator="\n")
    about["content"] = fingerprint(text)
    with atomic_write(path) as temporary:
        temporary.write_text(f"# {json.dumps(about)}\n{text}", encoding="utf-8")
    return path


def read_archived(study: str, table: str, root: str | Path = ARCHIVE) -> ArchivedTable:
    """Read what `archive_table` wrote. ConfigurationError when it is not there, or damaged, or without its origin."""
    path = Path(root) / study / f"{table}.csv"
    if not path.is_file():
        raise ConfigurationError(f"{path} is not there: run `make book STUDY={study}` and archive its tables")
    first, _, content = path.read_bytes().decode("utf-8", "replace").partition("\n")
    try:
        header = json.loads(first.removeprefix("#"))
        text, key = dict.fromkeys(header.pop("text"), str), header.pop("content")
        archived = ArchivedTable(pd.DataFrame(), **header | {"rests_on": tuple(header.get("rests_on", ()))})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            f"{path}: the first line should be '# ' and JSON with date, command and commit, not {first[:60]!r}"
        ) from error
    try:  # words such as NA, null and 001 stay what they are; only an empty cell holds nothing
        if key != fingerprint(content):
            raise ValueError("its rows are not those that were written")
        rows = pd.read_csv(io.StringIO(content), dtype=text, keep_default_na=False, na_values=[""])
    except ValueError as error:
        raise ConfigurationError(f"{path} is damaged ({error}): `git checkout {path}` brings it back") from None
    return replace(archived, rows=rows)


def archived_table(study: str, table: str, root: str | Path = ARCHIVE) -> ArchivedTable:
    """Read an archived table (`read_archived`), and note that this process read it."""
    archived = read_archived(study, table, root)
    consulted(study, table, False, archived)
    return archived


def consulted(study: str, table: str, latest: bool, archived: ArchivedTable | None) -> ArchivedTable | None:
    """Record what was read, so that a page is made anew when a table that it shows, or its origin, changes."""
    CONSULTED[study, table, latest] = consulted_key(archived)
    return archived


def consulted_key(archived: ArchivedTable | None) -> str:
    return "none" if archived is None else fingerprint(archived.rows, archived.origin())


def commit() -> str:
    """Return the commit of the code that runs, 'unknown' outside a checkout.

    '+' follows it when files were changed since, archived tables apart: they are remade one after the other.
    """

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *words], cwd=PACKAGE, capture_output=True, text=True)

    try:
        described = git("rev-parse", "--short", "HEAD").stdout.strip()
    except OSError:
        return "unknown"
    changed = described and git("diff", "--quiet", "HEAD", "--", ":/", f":(top,exclude){ARCHIVE}").returncode
    return f"{described}+" if changed else described or "unknown"


def archive(root: str | Path = ARCHIVE) -> dict[str, ArchivedTable]:
    """Read everything that is archived: {"study/table": the table}."""
    paths = sorted(Path(root).glob("*/*.csv"))
    return {f"{path.parent.name}/{path.stem}": read_archived(path.parent.name, path.stem, root) for path in paths}


@reading_once()
def archive_lines(root: str | Path = ARCHIVE) -> list[str]:
    """Return one line per table: whether its code is what it was, the minutes that it takes, and the command."""
    lines = []
    for name, table in archive(root).items():
        state = {True: "code changed", None: "code not noted", False: "current"}[table.code_changed]
        minutes = "?" if table.minutes is None else f"{table.minutes:g}"
        lines.append(f"{state:<15}{name:<28}{minutes:>6} min  {table.command}")
    return lines


def remake(names: list[str], root: str | Path = ARCHIVE) -> int:
    """Make archived tables again ("study/table", or a study's name for all of its tables), each command once.

    Returns 1 when one of the commands failed.
    """
    archived = archive(root)
    selected = [name for name in archived if name in names or name.split("/")[0] in names]
    if unknown := set(names) - set(selected) - {name.split("/")[0] for name in selected}:
        raise ConfigurationError(f"no archived table {', '.join(sorted(unknown))}; there are {', '.join(archived)}")
    own = [sys.executable, "-m", "brainbook"]
    failed = 0
    for command in dict.fromkeys(archived[name].command for name in selected):
        study = re.fullmatch(r"make book STUDY=([\w-]+)", command)
        words = [*own, "study", study[1]] if study else shlex.split(command)
        print(f"== {command}", flush=True)
        with tempfile.TemporaryDirectory() as folder:  # stands for what the command calls FOLDER
            words = [{"python": sys.executable, "FOLDER": folder}.get(word, word) for word in words]
            failed |= subprocess.run(words).returncode != 0
        if study and not failed:
            tables = [name.split("/")[1] for name in archived if name.startswith(f"{study[1]}/")]
            failed |= subprocess.run([*own, "keep", study[1], *tables]).returncode != 0
    return int(failed)
