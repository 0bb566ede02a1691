"""Common mistakes in a description or its files, planted in copies of a sound study, and what `check` says of each."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import yaml

from brainbook.datasets.bids import DescribedDataset
from brainbook.datasets.description import read_description
from brainbook.datasets.patterns import fill_pattern
from brainbook.datasets.recordings import sidecar_tr
from brainbook.datasets.sections import Section
from brainbook.datasets.study_check import check
from brainbook.datasets.takes import Take
from brainbook.errors import ConfigurationError
from brainbook.store import read_json, write_json


class StudyCopy:
    """A copy of a described study that may be spoilt; files are shared with the original until they are replaced."""

    def __init__(self, description: Path, folder: Path) -> None:
        if description.parent.resolve() not in [root := read_description(description).root.resolve(), *root.parents]:
            raise ConfigurationError(f"{description}: its files lie in {root}, and only what lies beside it is copied")
        shutil.copytree(description.parent, folder, copy_function=_link)
        self.path = folder / description.name
        self.keys = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        self.dataset = DescribedDataset(read_description(self.path))
        self.language = self.dataset.languages[0]
        self.sections = self.dataset.sections(self.language)
        self.story = self.sections[0].story
        self.take: Take = self.dataset.takes(self.language)[0]

    def say(self, **keys: Any) -> None:
        """Change keys of the description."""
        self.keys |= keys
        self.replace(self.path, yaml.safe_dump(self.keys, sort_keys=False, allow_unicode=True))

    def say_of_story(self, **keys: Any) -> None:
        """Change keys of its first story."""
        self.keys["stories"][self.story] |= keys
        self.say()

    def say_by_section(self, key: str, value: Callable[[Section], Any]) -> None:
        """Change a key of all stories to a list with one value for each of their sections."""
        values: dict[str, list] = {}
        for section in self.sections:
            values.setdefault(section.story, []).append(value(section))
        for story, of_story in values.items():
            self.keys["stories"][story][key] = of_story
        self.say()

    def say_words(self, change: Callable[[Section], pd.DataFrame], everywhere: bool = False) -> None:
        """Change the words of the first section, or of all."""

        def written(section: Section) -> str:
            words = change(section) if everywhere or section.number == 1 else section.words
            path = self.dataset.root / f"words_{section.number}.csv"
            words[["word", "onset", "offset"]].to_csv(path, index=False)
            return path.name

        self.say_by_section("words", written)

    def start(self, section: Section) -> float:
        """Return the second of its first recording at which a section's clock is at zero."""
        return float(self.dataset.placement(self.dataset.takes(self.language, section.number)[0]).start)

    @property
    def pattern(self) -> str:
        """The pattern of the recordings."""
        return self.dataset.description.patterns[0]

    @property
    def confounds(self) -> Path:
        """The table of confounds of its first recording."""
        description = self.dataset.description
        return fill_pattern(str(description.confounds), self.take.files.values, description.root, "confounds")

    @staticmethod
    def replace(path: Path, content: str | bytes) -> None:
        """Write a file anew, so that the original is left as it is."""
        path.unlink(missing_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)


def _misspell_key(study: StudyCopy) -> None:
    study.keys["recording"] = study.keys.pop("recordings")
    study.say()


def _own_space(study: StudyCopy) -> None:
    def renamed(name: str) -> str:
        return name.replace("MNI152NLin2009cAsym", "T1w").replace("fsaverage", "fsnative")

    for path in (path for take in study.dataset.takes(study.language) for path in take.files.paths.values()):
        path.rename(path.with_name(renamed(path.name)))
    study.say(recordings=renamed(study.pattern))


def _contradict_tr(study: StudyCopy) -> None:
    found: Any = sidecar_tr(study.take.path, study.dataset.root)
    tr, sidecar = found
    content = read_json(sidecar) | {"RepetitionTime": 2 * tr}
    sidecar.unlink()
    write_json(sidecar, content)
    study.say(tr=tr)


def _break_off(study: StudyCopy) -> None:
    """Cut the first recording off after half of its scans."""
    for path in study.take.files.paths.values():
        image: Any = nib.load(path)
        if path.suffix == ".gii":
            image = nib.gifti.GiftiImage(darrays=image.darrays[: len(image.darrays) // 2])
        else:
            image = nib.Nifti1Image(np.asarray(image.dataobj)[..., : image.shape[3] // 2], image.affine, image.header)
        path.unlink()
        nib.save(image, path)


def _damage(study: StudyCopy) -> None:
    content = study.take.path.read_bytes()
    study.replace(study.take.path, content[: len(content) * 2 // 3])


def _forget_download(study: StudyCopy) -> None:
    study.replace(study.take.path, "/annex/objects/MD5E-s66000000--0123456789abcdef0123456789abcdef.nii.gz\n")


def _times(change: Callable[[pd.Series], pd.Series]) -> Callable[[StudyCopy], None]:
    """Return what changes the times of the first section's words."""

    def changed(section: Section) -> pd.DataFrame:
        words = section.words
        return words.assign(onset=change(words.onset), offset=change(words.offset))

    return lambda study: study.say_words(changed)


def _exchange(study: StudyCopy) -> None:
    """Give every section the words of the next one, as far as they last."""

    def next_words(section: Section) -> pd.DataFrame:
        words = study.sections[section.number % len(study.sections)].words
        return words[words.offset <= section.seconds]

    study.say_words(next_words, everywhere=True)


def _in_french(section: Section) -> pd.DataFrame:
    words = "le renard et la rose que je un il de"
    return section.words.assign(word=np.resize(words.split(), len(section.words)))


def _shorten_confounds(study: StudyCopy) -> None:
    lines = study.confounds.read_text(encoding="utf-8").splitlines()
    study.replace(study.confounds, "\n".join(lines[:-5]) + "\n")


MISTAKES: dict[str, Callable[[StudyCopy], None]] = {
    "a key is misspelt": _misspell_key,
    "the pattern names another folder": lambda study: study.say(recordings=f"elsewhere/{study.pattern}"),
    "the recordings are in each participant's own space": _own_space,
    "a participant who is listed has no recordings": lambda study: study.say(
        participants=[study.take.participant, "sub-99"]
    ),
    "no file of words has that name": lambda study: study.say_of_story(words="stimuli/none.csv"),
    "the words are in milliseconds": _times(lambda seconds: seconds * 1000),
    "the words are in minutes": _times(lambda seconds: seconds / 60),
    "every word stands there twice": lambda study: study.say_words(
        lambda section: section.words.loc[section.words.index.repeat(2)]
    ),
    "the words are of another language": lambda study: study.say_words(_in_french),
    "the event that a story begins with is misspelt": lambda study: study.say_of_story(start={"event": "stroy"}),
    "where names a part that the pattern lacks": lambda study: study.say_of_story(where={"session": 1}),
    "header or sidecar and description disagree": _contradict_tr,
    "a run was broken off": _break_off,
    "a recording is not downloaded": _forget_download,
    "a recording is damaged": _damage,
    "a confound is misspelt": lambda study: study.say(nuisance=["trans_xyz"]),
    "confounds are of another run": _shorten_confounds,
    "a story begins 6 s earlier than described": lambda study: study.say_by_section(
        "start", lambda section: study.start(section) + 6.0
    ),
    "the words are of another story": _exchange,
}


def planted_mistakes(
    description: str | Path, names: list[str] | None = None, cache: str | Path | None = None
) -> pd.DataFrame:
    """Plant mistakes one by one in copies of a sound study and return what `check` says of each.

    Parameters
    ----------
    description : of a study whose files lie beside it, in BIDS derivatives with tables of events and confounds.
    names : which of `MISTAKES`; by default all.
    cache : folder of what `check` computes from recordings, so that those that are not spoilt are read once.

    Returns
    -------
    DataFrame: mistake, message (the first problem of the report; '' if there is none).
    """
    rows = []
    for name in MISTAKES if names is None else names:
        with tempfile.TemporaryDirectory() as scratch:
            study = StudyCopy(Path(description), Path(scratch) / "study")
            MISTAKES[name](study)
            report = check(study.path, cache=cache)
            message = report.problems[0] if report.problems else ""
            rows.append((name, message.replace(f"{Path(scratch).resolve()}/", "").replace(f"{scratch}/", "")))
    return pd.DataFrame(rows, columns=["mistake", "message"])
