"""A study in BIDS derivatives, as fMRIPrep writes them, opened by its description."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.base import Responses, Run, once
from brainbook.datasets.cleaning import without_drifts
from brainbook.datasets.confounds import read_confounds
from brainbook.datasets.description import Description, with_stories
from brainbook.datasets.images import check_same_place
from brainbook.datasets.patterns import fill_pattern
from brainbook.datasets.recordings import Recording, VolumeRecording, analysed, repetition_time
from brainbook.datasets.responses import TARGETS, load_responses
from brainbook.datasets.sections import Placement, Section, place, read_sections, scans_until, story_start
from brainbook.datasets.takes import Files, Take, all_takes, find_recordings, stories_here
from brainbook.errors import DatasetError


class DescribedDataset:
    """The recordings and words that a description names (see `brainbook.datasets.description`).

    A participant takes part who has a recording of every section of a language, is listed or no list is given, and is
    not excluded; `left_out` says of the others why not. Analysed are the scans from the one in which the clock of the
    words is at zero (or the lead-in ends) to the one in which the story and the margin after it end.

    Raises
    ------
    DatasetError : when it is asked for what the files do not hold; the message names the file or the key, and what
        there is.

    Examples
    --------
    >>> dataset = DescribedDataset(read_description("data/described/dataset.yaml"))
    >>> dataset.stories, dataset.tr
    (('forest', 'harbour'), 1.5)
    """

    targets = TARGETS

    def __init__(self, description: Description) -> None:
        self.description, self.root, self.name = description, description.root, description.name
        self.license = description.license
        if not self.root.is_dir():
            raise DatasetError(f"{self.name}: there is no folder {self.root.absolute()}: correct root")
        if description.only == "here":
            self.description = with_stories(description, stories_here(description, self.files))
        self.stories = tuple(self.description.stories)
        self.languages = tuple(dict.fromkeys(self.language_of(name) for name in self.stories))
        self._placements: dict[tuple[Path, int], Placement] = {}

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.participants(language))} {language}" for language in self.languages)
        return f"DescribedDataset({self.name!r}, {str(self.root)!r}: {counts})"

    @property
    def is_phantom(self) -> bool:
        """Whether the folder is a simulated study, with its truth beside it."""
        return (self.root / "truth").is_dir()

    @cached_property
    def tr(self) -> float:
        """Seconds from one scan to the next: what the first downloaded recording and the description agree on."""
        takes = [take for language in self.languages for take in self.takes(language)]
        there = next((take for take in takes if not take.is_absent), None)
        if there is not None:
            return repetition_time(there.recording, self.root, self.description.tr)
        if self.description.tr is None:
            raise DatasetError(f"{self.name}: no recording is downloaded that says how far apart scans are: say tr")
        return self.description.tr

    @cached_property
    def files(self) -> list[Files]:
        """All recordings that the patterns find, of all participants and tasks."""
        return find_recordings(self.description)

    def language_of(self, story: str) -> str:
        """Return the language in which a story was heard."""
        return str(self.description.stories[story].language or self.description.language)

    @once
    def sections(self, language: str) -> list[Section]:
        """Return the sections of all stories of a language, with their words."""
        if language not in self.languages:
            raise DatasetError(f"{language!r} is no language of {self.name}; it has {', '.join(self.languages)}")
        return read_sections(self.description, language)

    def words(self, language: str) -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds on the clock of the section's sound), section."""
        return pd.concat([section.words for section in self.sections(language)], ignore_index=True)

    def participants(self, language: str) -> list[str]:
        """Return those who heard all stories of a language and are not excluded, sorted."""
        reasons = self.reasons(language)
        names = [name for name in self._all_takes(language) if name not in reasons]
        if not names:
            listed = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:5])
            raise DatasetError(
                f"{self.name}: no participant has recordings of all stories of {language} ({listed}). Name stories "
                "that the same participants heard, with only: [...]"
            )
        return names

    @once
    def reasons(self, language: str) -> dict[str, str]:
        """Return the participants who have recordings of a language and are left out, and why."""
        description, sections, reasons = self.description, self.sections(language), {}
        everyone = {files.values["participant"] for files in self.files}
        if unknown := set(description.participants or []) - everyone:
            raise DatasetError(
                f"{self.name}: no recordings of {', '.join(sorted(unknown))}; there are some of "
                f"{', '.join(sorted(everyone)[:8])}"
            )
        for name, takes in self._all_takes(language).items():
            stories = list(dict.fromkeys(section.story for section in sections))
            excluded = [story for story in stories if name in description.stories[story].exclude]
            lacking = [story for story in stories if any(s.story == story and s.number not in takes for s in sections)]
            if name in description.exclude:
                reasons[name] = f"excluded: {description.exclude[name]}"
            elif description.participants is not None and name not in description.participants:
                reasons[name] = "not among the listed participants"
            elif excluded:
                reasons[name] = f"excluded from {excluded[0]}: {description.stories[excluded[0]].exclude[name]}"
            elif lacking:
                reasons[name] = f"no recording of {', '.join(lacking)}"
        return reasons

    @property
    def left_out(self) -> dict[str, str]:
        """Participants who are left out of every language, and why."""
        analysed_names = {name for language in self.languages for name in self.participants(language)}
        reasons = {name: why for language in self.languages for name, why in self.reasons(language).items()}
        return {name: why for name, why in reasons.items() if name not in analysed_names}

    @once
    def runs(self, participant: str) -> list[Run]:
        """Return the analysed runs of a participant by section; of a section heard again, the first time only.

        The repetition time of each is compared with the dataset's, and volumes have to lie in one place.
        """
        language = self.heard_by(participant)
        takes = [repetitions[0] for repetitions in self._all_takes(language)[participant].values()]
        recordings = [take.recording for take in takes if not take.is_absent]
        for recording in recordings:
            repetition_time(recording, self.root, self.tr)
        volumes = [recording for recording in recordings if isinstance(recording, VolumeRecording)]
        if volumes and len(volumes) == len(recordings):
            check_same_place({recording.path: recording.image for recording in volumes})
        return [self._run(take, language) for take in takes]

    @once
    def scans(self, language: str) -> dict[int, int]:
        """Return {section: number of analysed scans}, the same for all participants.

        From the first analysed scan to the end of the story and the margin, or to where the shortest recording ends.
        DatasetError if a recording ends before the story does.
        """
        starts, counts, short = self.starts(language), {}, []
        for section in self.sections(language):
            end = starts[section.number] + section.seconds
            needed = scans_until(end, self.tr)
            counts[section.number] = scans_until(end + self.description.margin, self.tr)
            for take in self.takes(language, section.number):
                if not take.is_absent:
                    available = take.recording.n_scans - self._setting(section, "skip_last") - self._first(take)
                    if available < needed:
                        short.append((take, needed, max(available, 0)))
                    counts[section.number] = min(counts[section.number], available)
        if short:
            raise DatasetError(self._describe_short(short))
        return counts

    @once
    def starts(self, language: str) -> dict[int, float]:
        """Return {section: seconds from the first analysed scan to zero of the clock of its words}.

        0 or more and less than a scan; less the lead-in, if there is one; negative, too, where scans were trimmed or
        skipped after the story began.
        """
        firsts = {section.number: self.takes(language, section.number)[0] for section in self.sections(language)}
        placements = {number: self.placement(take) for number, take in firsts.items()}
        return {number: round(each.start - each.first * self.tr, 6) for number, each in placements.items()}

    def clock_differences(self, language: str) -> pd.DataFrame:
        """Return by how many seconds the clock of each recording differs from `starts`, at most half a scan.

        Columns: participant, section, repetition, seconds. Starts that are read from events differ by milliseconds.
        """
        starts, rows = self.starts(language), []
        for take in self.takes(language):
            number = take.section.number
            off = self.placement(take).start - self._first(take) * self.tr - starts[number]
            rows.append((take.participant, number, take.repetition, off))
        return pd.DataFrame(rows, columns=["participant", "section", "repetition", "seconds"])

    def recording(self, run: Run) -> Recording:
        """Return the analysed scans of a run."""
        take = self._take(run)
        return analysed(take.recording, self._first(take), run.n_scans)

    def responses(
        self, participant: str, targets: str = "regions", cache: str | Path | None = None, sampling: str = "line"
    ) -> Responses:
        """Return the cleaned recordings of all sections on the cortical surface (see `load_responses`)."""
        return load_responses(self, participant, targets, cache, sampling)

    def nuisance(self, participant: str) -> np.ndarray | None:
        """Return the confounds that the description names, array [scans, signals], or None.

        In each run slow drifts are taken out of them, as they are out of the responses. A column that a pattern finds
        in some runs only is 0 in the others.
        """
        if not self.description.nuisance:
            return None
        tables = [self.confounds(run) for run in self.runs(participant)]
        names = list(dict.fromkeys(name for table in tables for name in table))
        return np.concatenate([table.reindex(columns=names, fill_value=0.0).to_numpy() for table in tables])

    def confounds(self, run: Run) -> pd.DataFrame:
        """Return the confounds of a run's analysed scans, without slow drifts."""
        if self.description.confounds is None:
            raise DatasetError(f"{self.name}: nuisance is given; say where the tables lie, as confounds: ...")
        take = self._take(run)
        path = fill_pattern(self.description.confounds, take.files.values, self.root, "confounds")
        table = read_confounds(path, self.description.nuisance, take.recording.n_scans)
        scans = slice(self._first(take), self._first(take) + run.n_scans)
        return pd.DataFrame(without_drifts(table.to_numpy()[scans], self.tr), columns=table.columns)

    def repeats(
        self, participant: str, targets: str = "regions", cache: str | Path | None = None
    ) -> dict[int, np.ndarray]:
        """Return {section: array [repetitions, scans, targets]} of the sections that were heard more than once."""
        language = self.heard_by(participant)
        repeated = {}
        for number, takes in self._all_takes(language)[participant].items():
            if len(takes) > 1:
                runs = [self._run(take, language) for take in takes]
                parts = [load_responses(self, participant, targets, cache, runs=[run]).values for run in runs]
                repeated[number] = np.stack(parts)
        return repeated

    def takes(self, language: str, section: int | None = None) -> list[Take]:
        """Return the recordings of those who take part, of one section or of all."""
        heard = self._all_takes(language)
        of_participants = [
            take for name in self.participants(language) for each in heard[name].values() for take in each
        ]
        return [take for take in of_participants if section in (None, take.section.number)]

    def heard_by(self, participant: str) -> str:
        """Return the language that a participant heard."""
        languages = [language for language in self.languages if participant in self.participants(language)]
        if len(languages) == 1:
            return languages[0]
        if languages:
            raise DatasetError(f"{participant} heard {' and '.join(languages)}: choose stories of one with only")
        if participant in self.left_out:
            raise DatasetError(f"{participant} is left out: {self.left_out[participant]}")
        known = [name for language in self.languages for name in self.participants(language)]
        raise DatasetError(f"no participant is called {participant!r}; they are {', '.join(known[:8])}")

    @once
    def _all_takes(self, language: str) -> dict[str, dict[int, list[Take]]]:
        return all_takes(self.description, self.files, self.sections(language))

    def _take(self, run: Run) -> Take:
        return self._all_takes(run.language)[run.participant][run.section][run.repetition - 1]

    def _run(self, take: Take, language: str) -> Run:
        section, number = take.section, take.files.values.get("run", "")
        return Run(
            take.participant,
            language,
            section.number,
            int(number) if number.isdecimal() else take.repetition,
            take.path,
            self.scans(language)[section.number],
            story=section.story,
            repetition=take.repetition,
        )

    def placement(self, take: Take) -> Placement:
        """Return where a section lies in the files of a take."""
        section, events = take.section, None
        key = take.path, section.number  # two sections may lie in one file
        if key not in self._placements:
            if self.description.events is not None:
                events = fill_pattern(self.description.events, take.files.values, self.root, "events")
            start = story_start(self.description.stories[section.story], section, events)
            trimmed, skipped = self._setting(section, "trimmed"), self._setting(section, "skip_first")
            self._placements[key] = place(section, start, self.tr, trimmed, skipped)
        return self._placements[key]

    def _first(self, take: Take) -> int:
        """Return the first analysed scan of a file: the one in which the clock shows what it shows in the others."""
        start = self.starts(self.language_of(take.section.story))[take.section.number]
        return max(round((self.placement(take).start - start) / self.tr), 0)

    def _setting(self, section: Section, name: str) -> int:
        own = getattr(self.description.stories[section.story], name)
        return getattr(self.description, name) if own is None else own

    def _describe_short(self, short: list[tuple[Take, int, int]]) -> str:
        """Say which recordings end before their story does; `short` holds takes, needed and available scans."""
        take, needed, available = short[0]
        others = list(dict.fromkeys(each.participant for each, *_ in short if each.participant != take.participant))
        more = f" (so it is with recordings of {', '.join(others)})" if others else ""
        return (
            f"{take.path}: {take.section.name} needs {needed} scans of {self.tr:g} s from its beginning, and "
            f"{available} are there{more}. Either the run was broken off (exclude: {{{take.participant}: reason}}), or "
            f"its start is another than described, or the times in {take.section.source.name} are no seconds "
            "(milliseconds?)"
        )
