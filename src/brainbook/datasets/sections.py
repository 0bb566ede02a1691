"""The sections of a described study: their words, their length, and which scans of a run they lie in."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets.description import Description, EventStart, Story
from brainbook.datasets.files import read_table
from brainbook.datasets.patterns import same_value
from brainbook.datasets.word_checks import COLUMNS, check_clock
from brainbook.datasets.word_formats import read_timed_words
from brainbook.errors import AnnotationError, DatasetError

_NEAR = 1e-6  # of a scan: 4.5 s are three scans of 1.5 s, whatever the last digit


@dataclass(frozen=True)
class Section:
    """A part of a story that was heard without a break.

    Attributes
    ----------
    number : from 1 on through all stories of a language.
    story, part : name of the story, and the number of this part within it, from 1 on.
    words : DataFrame: word, onset, offset (s on the section's clock), section (`number`).
    n_parts : how many parts the story has.
    seconds : where on that clock the section ends. lead_in : where its analysis begins.
    source : the file of the words.
    """

    number: int
    story: str
    part: int
    n_parts: int
    words: pd.DataFrame
    seconds: float
    lead_in: float
    source: Path

    @property
    def name(self) -> str:
        """The story, and the part where it has several: 'forest 2'."""
        return self.story if self.n_parts == 1 else f"{self.story} {self.part}"


@dataclass(frozen=True)
class Placement:
    """Where a section lies in a file.

    Attributes
    ----------
    start : seconds from the first scan of the file to zero of the section's clock. first : the first analysed scan.
    """

    start: float
    first: int


def read_sections(description: Description, language: str) -> list[Section]:
    """Read the words of all stories of a language and number their sections.

    Raises DatasetError or AnnotationError, which names the story or the file, for words that cannot be read, are of
    another language, or lie after the end of the story.
    """
    sections: list[Section] = []
    for name, story in description.stories.items():
        if (story.language or description.language) == language:
            parts = _read_parts(description.root, name, story, language)
            for part, (words, source) in enumerate(parts, 1):
                number = len(sections) + 1
                seconds = _of_part(story.seconds, part, len(parts), name, "seconds")
                if seconds is not None:
                    check_clock(words.assign(section=part), {part: seconds}, source)
                end = float(words["offset"].max()) if seconds is None else float(seconds)
                if story.lead_in >= end:
                    raise DatasetError(
                        f"{name}: lead_in is {story.lead_in:g} s, and the story ends at {end:g} s of its clock"
                    )
                words = words.assign(section=number)[COLUMNS]
                sections.append(Section(number, name, part, len(parts), words, end, story.lead_in, source))
    return sections


def _read_parts(root: Path, name: str, story: Story, language: str) -> list[tuple[pd.DataFrame, Path]]:
    """Return the words of each part of a story, and the file they come from."""
    given = story.word_file
    options = given.model_dump(include={"format", "columns", "tier", "drop"}) | {"language": language}
    if isinstance(given.file, str) and "{section}" in given.file:
        files = _numbered_files(root, given.file, name)
    else:
        files = [root / file for file in ([given.file] if isinstance(given.file, str) else given.file)]
    parts = []
    for number, path in enumerate(files, 1):
        words = read_timed_words(path, section=number, **options)
        found = sorted(words["section"].unique().tolist())
        if len(files) == 1 and found != list(range(1, len(found) + 1)):
            raise AnnotationError(f"{path} has the sections {found}: they should be 1, 2, 3, ..., none missing")
        if len(files) > 1 and len(found) > 1:
            raise AnnotationError(f"{path} has the sections {found}, and {name} names a file for each section")
        parts += [(words[words["section"] == each].reset_index(drop=True), path) for each in found]
    return parts


def _numbered_files(root: Path, pattern: str, name: str) -> list[Path]:
    """Return the files of the sections 1, 2, ... by a pattern that holds {section}; zeros before a number count not."""
    before, _, after = pattern.partition("{section}")
    folder = (root / before).parent
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(f"{Path(before).name if not before.endswith('/') else ''}*{after}")):
        number = path.as_posix()[len((root / before).as_posix()) + before.endswith("/") :].removesuffix(after)
        if number.isdecimal():
            found[int(number)] = path
    if sorted(found) != list(range(1, len(found) + 1)) or not found:
        raise DatasetError(
            f"{name}: {root / pattern} finds the sections {sorted(found) or 'none'}: they should be 1, 2, 3, ..."
        )
    return [found[number] for number in sorted(found)]


def _of_part(value: Any, part: int, n_parts: int, name: str, key: str) -> Any:
    """Return the value of a key that may be a list of one for each part of a story."""
    if not isinstance(value, list):
        return value
    if len(value) != n_parts:
        raise DatasetError(f"{name}: {key} lists {len(value)} values, and there are {n_parts} sections of words")
    return value[part - 1]


def story_start(story: Story, section: Section, events: Path | None) -> float:
    """Return the second of a run at which the clock of a section's words is at zero.

    events : the run's table of events, None where the description names none.
    """
    name = section.story
    start = _of_part(story.start, section.part, section.n_parts, name, "start")
    if not isinstance(start, EventStart):
        return float(start)
    if events is None:
        raise DatasetError(f"{name}: its start is the event {start.event!r}; say where the tables lie, as events: ...")
    table = read_table(events, {"onset": float, start.column: str}, sep="\t", blank=("onset",))
    matching = table[table[start.column].map(lambda value: same_value(value.strip(), start.event))]
    if len(matching) < start.nth:
        known = ", ".join(dict.fromkeys(table[start.column].str.strip()))
        raise DatasetError(
            f"{events} has {len(matching)} events whose {start.column} is {start.event!r}, and {name} begins with the "
            f"{start.nth}. of them; its events are {known}"
        )
    onset = float(matching["onset"].iloc[start.nth - 1])
    if not np.isfinite(onset):
        raise DatasetError(f"{events}: {start.event!r} has no onset (n/a): say the start of {name} in seconds")
    return onset - start.clock


def place(section: Section, start: float, tr: float, trimmed: int, skipped: int) -> Placement:
    """Return where a section lies in a file whose run it begins at the second `start` of.

    trimmed : scans of the run that the file lacks at its beginning. skipped : scans of the file that are not analysed.
    """
    start = start - trimmed * tr
    return Placement(start, max(skipped, math.floor((start + section.lead_in) / tr + _NEAR), 0))


def scans_until(seconds: float, tr: float) -> int:
    """Return how many scans there are until a moment, the scan that holds it counted."""
    return math.ceil(seconds / tr - _NEAR)
