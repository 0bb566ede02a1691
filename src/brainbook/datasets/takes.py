"""Which file of a described study is whose recording of which section."""

from dataclasses import dataclass
from pathlib import Path

from brainbook.datasets.description import Description, Story
from brainbook.datasets.files import check_name, is_pointer
from brainbook.datasets.patterns import find_files, in_order, names_in, same_value
from brainbook.datasets.recordings import Recording, make_recording
from brainbook.datasets.sections import Section
from brainbook.errors import DatasetError

_HEMISPHERES = {"l": "L", "r": "R"}


@dataclass(frozen=True)
class Files:
    """The files of one recording by hemisphere ('' for a volume), and what the names in its pattern stand for."""

    values: dict[str, str]
    paths: dict[str, Path]


@dataclass(frozen=True)
class Take:
    """One participant's recording of one section."""

    participant: str
    section: Section
    repetition: int
    files: Files

    @property
    def path(self) -> Path:
        """The file that stands for the recording: the volume, or the left hemisphere."""
        return self.files.paths[min(self.files.paths)]

    @property
    def is_absent(self) -> bool:
        """Whether a file of it is not downloaded."""
        return any(map(is_pointer, self.files.paths.values()))

    @property
    def recording(self) -> Recording:
        """All scans of it."""
        return make_recording(self.files.paths)


def find_recordings(description: Description) -> list[Files]:
    """Return all recordings that a description's patterns find; those of the first pattern that finds any.

    DatasetError if none finds any; it says which recordings lie in the folder.
    """
    root = description.root
    for pattern in description.patterns:
        if "participant" not in names_in(pattern):
            raise DatasetError(f"{description.name}: a pattern of the recordings holds no {{participant}}: {pattern}")
        grouped: dict[tuple, dict[str, Path]] = {}
        for path, values in find_files(root, pattern).items():
            check_name(values["participant"], path)
            side = values.pop("hemisphere", "")
            files = grouped.setdefault(tuple(sorted(values.items())), {})
            if other := files.get(side := _HEMISPHERES.get(side[:1].lower(), side)):
                raise DatasetError(
                    f"{path} and {other.name} are one recording by the pattern {pattern}: name in braces what tells "
                    "them apart, such as [_run-{run}]"
                )
            files[side] = path
        if grouped:
            return [Files(dict(values), paths) for values, paths in grouped.items()]
    others = sorted(path for end in ("*bold*.nii*", "*.func.gii") for path in root.glob(f"**/{end}"))
    if others:
        listed = ", ".join(path.relative_to(root).as_posix() for path in others[:2])
        there = f"there are {len(others)} other recordings, such as {listed}: correct the pattern"
    else:
        there = "nor does any file there look like a recording: is root right?"
    raise DatasetError(
        f"{description.name}: no file in {root.absolute()} is called {' or '.join(description.patterns)}; {there}"
    )


def stories_here(description: Description, recordings: list[Files]) -> list[str]:
    """Return the stories that somebody has a recording of; all if there is none."""
    here = []
    for name, story in description.stories.items():
        where = {part: value for part, value in _where(name, story).items() if "{section}" not in str(value)}
        if any(_is_of(files, where) for files in recordings):
            here.append(name)
    return here or list(description.stories)


def all_takes(
    description: Description, recordings: list[Files], sections: list[Section]
) -> dict[str, dict[int, list[Take]]]:
    """Return {participant: {section: takes by repetition}} of all who heard some of the sections.

    DatasetError if nobody did; it says what the names in the patterns stand for.
    """
    heard: dict[str, dict[int, list[Take]]] = {}
    for participant in sorted({files.values["participant"] for files in recordings}, key=in_order):
        own = [files for files in recordings if files.values["participant"] == participant]
        if participant in description.exclude or participant not in (description.participants or [participant]):
            heard[participant] = {}  # nothing of theirs is looked at
            continue
        takes = {section.number: _takes_of(description, participant, section, own) for section in sections}
        if any(takes.values()):
            heard[participant] = {number: each for number, each in takes.items() if each}
    looked_at = {files.values["participant"] for files in recordings} - {name for name in heard if not heard[name]}
    if looked_at and not any(heard.values()):
        raise DatasetError(_describe_other_stories(description, recordings, sections))
    return heard


def _takes_of(description: Description, participant: str, section: Section, own: list[Files]) -> list[Take]:
    """Return a participant's recordings of a section, by repetition."""
    story = description.stories[section.story]
    where = _where(section.story, story)
    named = names_in(" ".join(description.patterns))
    if unknown := [name for name in (*where, *filter(None, [story.sections_by])) if name not in named]:
        raise DatasetError(
            f"{section.story}: {{{unknown[0]}}} stands in no pattern of the recordings: name it there, or say with "
            "where: {...} what tells the story's files"
        )
    wanted: dict[str, str | int] = {
        name: str(value).replace("{section}", str(section.part)) for name, value in where.items()
    }
    matching = [files for files in own if _is_of(files, wanted)]
    if (by := story.sections_by) and matching:
        matching.sort(key=lambda files: in_order(files.values[by]))
        if len(matching) != section.n_parts:
            numbers = ", ".join(files.values[story.sections_by] for files in matching)
            raise DatasetError(
                f"{participant} has {len(matching)} recordings of {section.story} ({story.sections_by} {numbers}), its "
                f"words have {section.n_parts} sections. A section is the rank among all, so none is known: get the "
                f"others, or exclude: {{{participant}: reason}}"
            )
        matching = matching[section.part - 1 : section.part]
    matching.sort(key=lambda files: [in_order(value) for _, value in sorted(files.values.items())])
    return [Take(participant, section, repetition, files) for repetition, files in enumerate(matching, 1)]


def _where(name: str, story: Story) -> dict[str, str | int]:
    return {"task": name} if story.where is None else story.where


def _is_of(files: Files, where: dict[str, str | int]) -> bool:
    return all(same_value(files.values.get(name, ""), value) for name, value in where.items())


def _describe_other_stories(description: Description, recordings: list[Files], sections: list[Section]) -> str:
    """Say that no recording is of one of the stories, and what there is."""
    stories = ", ".join(dict.fromkeys(section.story for section in sections))
    names = [name for name in recordings[0].values if name != "participant"]
    found = [
        f"{name} {', '.join(sorted({files.values[name] for files in recordings}, key=in_order)[:8])}" for name in names
    ]
    return (
        f"{description.name}: {len(recordings)} recordings are found, none of {stories} (there are "
        f"{'; '.join(found) or 'no names in braces but {participant}'}). Say with where: {{...}} "
        "what tells a story's files"
    )
