"""The description of a study: a small YAML file that says where its recordings, words and confounds lie.

A plain study in fMRIPrep's layout, whose story begins when the event `story` does:

    name: Two stories                     # shown by `check`
    license: CC0                          # of the recordings
    recordings: fmriprep/{participant}/func/{participant}_task-{task}_hemi-{hemisphere}_space-fsaverage6_bold.func.gii
    confounds: fmriprep/{participant}/func/{participant}_task-{task}_desc-confounds_timeseries.tsv
    nuisance: [trans_*, rot_*]
    events: "raw/{participant}/func/{participant}_task-{task}_events.tsv"
    language: EN
    exclude: {sub-03: fell asleep}
    stories:
      pieman: {words: stimuli/pieman.json, start: {event: story}}
      tunnel: {words: stimuli/tunnel.csv, start: 3.0}

`KEYS` lists every key. Names in braces stand for a part of a file's name without `_` and `/`, `*` for any part, and
what stands in brackets may be absent (`[_run-{run}]`); a text that begins with a brace stands in quotes. Other parts of
names (`{run}`, `{session}`) may be named as well: files that differ in these alone are repetitions of a story.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brainbook.datasets.files import read_text
from brainbook.errors import DatasetError
from brainbook.store import read_yaml

SHIPPED = Path(__file__).with_name("descriptions")
FORMATS = ("csv", "textgrid", "gentle", "gentle_csv", "whisperx", "events", "ds003643")
KEYS = json.loads(Path(__file__).with_name("description_keys.json").read_text(encoding="utf-8"))  # {key: what it says}

_BRANCH = re.compile(r"EventStart|WordFile|str|float|int|(?:list|constrained).*")  # pydantic's names of kinds

Count = Annotated[int, Field(ge=0)]
_LONG = 1e6  # seconds
Seconds = Annotated[float, Field(ge=0, le=_LONG)]
Clock = Annotated[float, Field(ge=-_LONG, le=_LONG)]


class Strict(BaseModel):
    """A part of a description; it refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EventStart(Strict):
    """The event of a run at which the clock of the words shows `clock`."""

    event: str
    column: str = "trial_type"
    nth: int = Field(default=1, ge=1)
    clock: Clock = 0.0


class WordFile(Strict):
    """Where the words of a story stand, and how to read them."""

    file: str | list[str]
    format: Literal[FORMATS] | None = None  # type: ignore[valid-type]  # the names of `word_formats`
    columns: dict[Literal["word", "onset", "offset", "duration", "section"], str] = Field(default_factory=dict)
    tier: str | int | None = None
    drop: list[str] = Field(default_factory=list)


class Story(Strict):
    """A story in the order in which its sections were heard."""

    words: WordFile | str | list[str]
    language: str | None = None
    where: dict[str, str | int] | None = None
    sections_by: str | None = None
    start: Clock | EventStart | list[Clock | EventStart] = 0.0
    lead_in: Seconds = 0.0
    seconds: Seconds | list[Seconds] | None = None
    trimmed: Count | None = None
    skip_first: Count | None = None
    skip_last: Count | None = None
    exclude: dict[str, str] = Field(default_factory=dict)

    @property
    def word_file(self) -> WordFile:
        """The words' file with its options, also where only its name was given."""
        return self.words if isinstance(self.words, WordFile) else WordFile(file=self.words)


class Description(Strict):
    """A study as its file describes it (see `KEYS`)."""

    name: str = ""
    license: str = ""
    root: Path
    recordings: str | list[str]
    stories: Annotated[dict[str, Story], Field(min_length=1)]
    tr: Annotated[float, Field(gt=0, le=100)] | None = None
    confounds: str | None = None
    nuisance: list[str] = Field(default_factory=list)
    events: str | None = None
    participants: list[str] | None = None
    exclude: dict[str, str] = Field(default_factory=dict)
    only: list[str] | Literal["here"] | None = None
    language: str | None = None
    margin: Seconds = 10.0
    trimmed: Count = 0
    skip_first: Count = 0
    skip_last: Count = 0

    @property
    def patterns(self) -> list[str]:
        """The patterns of the recordings."""
        return [self.recordings] if isinstance(self.recordings, str) else self.recordings


def read_keys(path: str | Path, root: str | Path | None = None) -> dict[str, Any]:
    """Return the keys of a description file, those of the description that it is `like` filled in.

    `root` takes the place of the file's own. A relative root begins from the folder of the file.
    DatasetError names the line where the file is no YAML, and the shipped descriptions where `like` names none.
    """
    path = Path(path)
    keys = read_yaml(read_text(path), path, DatasetError)
    if (base := keys.pop("like", None)) is not None:
        shipped = {file.stem: file for file in sorted(SHIPPED.glob("*.yaml"))}
        if not isinstance(base, str) or base not in shipped:
            raise DatasetError(f"{path}: like is {base!r}; shipped descriptions are {', '.join(shipped)}")
        keys = {name: value for name, value in read_keys(shipped[base]).items() if name != "root"} | keys
    folder = str(root if root is not None else keys.get("root", "."))
    try:
        keys["root"] = path.parent / Path(folder).expanduser()
    except RuntimeError as error:  # of ~somebody
        raise DatasetError(f"{path}: root is {folder!r}: {error}") from None
    keys.setdefault("name", path.stem)
    return keys


def recordings_folder(path: str | Path) -> Path:
    """Return the folder of the recordings that `data` names: the folder that a description file names, or itself."""
    path = Path(path)
    return read_keys(path)["root"] if path.is_file() else path


def read_description(path: str | Path, root: str | Path | None = None) -> Description:
    """Read and check a description file (see `KEYS`).

    Parameters
    ----------
    path : the YAML file.
    root : folder of the recordings, in place of the one that the file names.

    Raises
    ------
    DatasetError : the file is not there or no YAML; a key is unknown or missing or holds something else than it should;
        `only` names an unknown story.

    Examples
    --------
    >>> description = read_description("data/described/dataset.yaml")
    >>> description.root.name
    'described'
    """
    keys = read_keys(path, root)
    try:
        description = Description.model_validate(keys)
    except ValidationError as error:
        raise DatasetError(describe_errors(path, error)) from None
    if isinstance(only := description.only, list):
        unknown = [name for name in only if name not in description.stories]
        if unknown or not only:
            known = ", ".join(description.stories)
            raise DatasetError(f"{path}: only names {', '.join(unknown) or 'no story'}; stories are {known}")
        description = with_stories(description, only)
    if without_language := [
        name for name, story in description.stories.items() if not (story.language or description.language)
    ]:
        raise DatasetError(
            f"{path}: no language for {', '.join(without_language)}: say language: EN, FR, ... at the top"
        )
    return description


def with_stories(description: Description, names: Iterable[str]) -> Description:
    """Return a description with some of its stories."""
    return description.model_copy(update={"stories": {name: description.stories[name] for name in names}})


def describe_errors(path: str | Path, error: ValidationError) -> str:
    """Say what is wrong with a description, one line per key, with what the key should hold."""
    lines: dict[str, str] = {}
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        branches = [n for n, part in enumerate(place) if _BRANCH.fullmatch(part) and place[n - 1 : n] != ["stories"]]
        place = [part for n, part in enumerate(place) if n not in branches]  # a key may hold one of several kinds
        key = ".".join(place)
        known = next((KEYS[name] for name in (key, _generic(place)) if name in KEYS), None)
        if problem["type"] == "extra_forbidden":
            lines.setdefault(key, f"{key} is no key of a description")
        elif problem["type"] == "missing":
            lines.setdefault(key, f"{key} is missing" + (f": {known}" if known else ""))
        else:
            hint = ""
            if isinstance(problem["input"], dict):
                hint = "; a text that begins with a brace stands in quotes"
            elif isinstance(problem["input"], bool):
                hint = "; yes, no, on and off stand in quotes"
            should = f" ({known})" if known else ""
            lines.setdefault(key, f"{key} is {str(problem['input'])[:60]!r}: {problem['msg'].lower()}{hint}{should}")
    deepest = [key for key in lines if not any(other.startswith(f"{key}.") for other in lines)]
    return f"{path}: " + ". ".join(lines[key] for key in deepest)


def _generic(place: list[str]) -> str:
    return ".".join([*place[:1], "*", *place[2:]]) if place[:1] == ["stories"] else ""
