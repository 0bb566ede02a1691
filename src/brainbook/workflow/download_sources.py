"""What is fetched of each dataset on OpenNeuro (`openneuro.yaml`): files of a participant, licence, whom to cite."""

import re
from dataclasses import dataclass
from pathlib import Path

from brainbook.errors import ConfigurationError
from brainbook.store import read_yaml

_TOP = ("dataset_description.json", "participants.tsv", "participants.json", "README", "CHANGES")
_FILE = Path(__file__).with_name("openneuro.yaml")


@dataclass(frozen=True)
class Source:
    """One dataset on OpenNeuro.

    Attributes
    ----------
    dataset, title : its number, and what it is called.
    licence, citation : what may be done with it, and the paper.
    participant, example : regular expression of the names of participants, and some of them.
    files, raw, optional : templates of patterns of files: needed, needed of raw recordings, taken where there are any.
    version : the snapshot that is taken, None for the latest.
    elsewhere : where else to look for what OpenNeuro does not list.
    """

    dataset: str
    title: str
    licence: str
    citation: str
    participant: str
    example: str
    files: list[str]
    raw: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    version: str | None = None
    elsewhere: str = ""

    @property
    def name(self) -> str:
        """Its number and version."""
        return f"{self.dataset} {self.version or '(latest version)'}"

    def patterns(self, participants: list[str], raw: bool, stories: list[str]) -> list[str]:
        """Return patterns of the files that are needed; ConfigurationError if nobody can be called so."""
        wrong = [name for name in participants if not re.fullmatch(self.participant, name)]
        if wrong or not participants:
            raise ConfigurationError(
                f"participants are named like {self.example}, not {', '.join(wrong) or 'nobody'}: "
                f'say PARTICIPANTS="{self.example.replace(",", "")}"'
            )
        return _filled([*self.files, *(self.raw if raw else ())], participants, stories or ["*"])

    def optional_patterns(self, participants: list[str]) -> list[str]:
        """Return patterns of files that are taken where there are any."""
        return [*_TOP, *_filled(self.optional, participants, ["*"])]


def _filled(templates: list[str] | tuple[str, ...], participants: list[str], stories: list[str]) -> list[str]:
    """Return the patterns that templates become for these participants and stories, each once."""
    every = ((each, name, story) for each in templates for name in participants for story in stories)
    filled = (
        each.format(participant=name, subject=name.removeprefix("sub-"), language=name[4:6], story=story)
        for each, name, story in every
    )
    return list(dict.fromkeys(filled))


SOURCES = {name: Source(name, **about) for name, about in read_yaml(_FILE.read_text(encoding="utf-8"), _FILE).items()}
