"""Writes a phantom: a simulated study in the layout of a real dataset, its truth in `truth/` unless left out."""

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from tqdm import tqdm

from brainbook.datasets.atlas import destrieux
from brainbook.datasets.little_prince_runs import LANGUAGES, PARTICIPANTS
from brainbook.errors import ConfigurationError
from brainbook.phantom.brain import Cortex, DrivenResponses, plan_regions
from brainbook.phantom.drivers import CELLS, story_drivers
from brainbook.phantom.files import is_simulated, write_text, written_whole
from brainbook.phantom.layouts import fmriprep, lebel, little_prince, narratives
from brainbook.phantom.real_stories import RealStory, scan_drivers
from brainbook.phantom.story import tell_story
from brainbook.phantom.study import Participant, Study, sound_seconds
from brainbook.phantom.truth import write_truth
from brainbook.phantom.volume import triangles
from brainbook.phantom.world import make_world

LAYOUTS = {"ds003643": little_prince, "fmriprep": fmriprep, "narratives": narratives, "lebel": lebel}


def make_phantom(
    root: str | Path,
    participants: dict[str, int] | int = 3,
    scans: int = 150,
    seed: int = 0,
    voxel_size: float = 6.0,
    null: bool = False,
    languages: tuple[str, ...] | None = None,
    echoes: int | None = None,
    signal: float = 1.0,
    truth: bool = True,
    story: RealStory | None = None,
    layout: str = "ds003643",
    space: str | None = None,
) -> Path:
    """Write a phantom study. The folder appears when it is complete, or not at all.

    Parameters
    ----------
    root : folder to write. It may exist if it is empty or a phantom, which is then replaced.
    participants : of each language, or {"EN": 3, "FR": 3, "CN": 3}.
    scans : mean number of scans that a section's audio takes in English.
    seed : of story, reader, brains and noise: equal seeds write equal bytes (with the same versions of the libraries
        and the same parcellation, which truth/phantom.json names).
    voxel_size : of volumes, mm; 2 mm is what the real ones have (and takes much longer).
    null : the same noise, and no response to the story in any region.
    languages : some of EN, FR, CN, by default all. Dropping one does not change the others. Layouts other than ds003643
        have one, by default EN.
    echoes : so many participants of each language also get raw runs of three echoes, by default 1; ds003643 only.
    signal : multiplies the share of variance that the story explains; 1 follows the published reliabilities.
    truth : False leaves `truth/` out: the folder is then read as real recordings are, for rehearsals of real studies.
    story : a real story that is heard in place of a made-up one (`real_story`), in its languages and with its scans;
        `scans` then does not count. Its annotation holds the story's text: such a phantom is not to be passed on.
        ds003643 only.
    layout : of the files, and what comes with it:

        - 'ds003643': Le Petit Prince, nine sections, scans of 2 s, volumes in MNI space, three languages;
        - 'fmriprep': derivatives as fMRIPrep writes them, two stories of three and two runs, scans of 1.5 s, stories
          that begin some seconds after their runs, motion that adds signal, dataset.yaml that describes it;
        - 'narratives': ds002345, five stories, scans of 1.5 s, music before some, fsaverage6; every second participant
          missed one story;
        - 'lebel': ds003020, six stories, scans of 2.0045 s, voxels in HDF5, trimmed runs, one story heard ten times.
    space : of the recordings where a layout has a choice. fmriprep: fsaverage6 (default), fsaverage5,
        MNI152NLin2009cAsym (volumes); narratives: fsaverage6 (default), fsaverage5.

    Returns
    -------
    the path of the folder.

    Raises
    ------
    ConfigurationError : for impossible parameters, and if `root` holds anything but a phantom.

    Examples
    --------
    >>> root = make_phantom("study", participants=1, scans=30, layout="fmriprep", space="fsaverage5")
    >>> (root / "dataset.yaml").is_file(), (root / "truth").is_dir()
    (True, True)
    """
    root = Path(root)
    chosen, space = _layout(layout, space)
    if layout == "ds003643":
        languages, echoes = LANGUAGES if languages is None else languages, 1 if echoes is None else echoes
    elif story is not None or echoes:
        raise ConfigurationError(f"layout={layout!r} has neither echoes nor a real story: only ds003643 has them")
    else:
        languages, echoes = LANGUAGES[:1] if languages is None else languages, 0
        if len(languages) > 1:
            raise ConfigurationError(f"languages={tuple(languages)!r}: the layout {layout} has one")
    if story is not None:
        languages = tuple(language for language in languages if language in story.words)
    counts = _participant_counts(participants, tuple(languages))
    if not 30 <= scans <= 400:
        raise ConfigurationError(f"scans={scans}: a section has 30 to 400 scans on average")
    if echoes < 0 or seed < 0 or not 0 < signal <= 5:
        raise ConfigurationError(
            f"echoes={echoes}, seed={seed}, signal={signal}: echoes and seed are at least 0, signal between 0 and 5"
        )
    if root.exists() and not is_simulated(root) and (not root.is_dir() or any(root.iterdir())):
        raise ConfigurationError(f"{root} exists and is not a phantom: name another folder, or empty this one first")
    given: dict[str, Any] = {"seed": seed, "null": null, "scans": scans, "voxel_size": voxel_size, "signal": signal}
    with written_whole(root) as folder:
        study = _draw(**given, languages=tuple(languages), folder=folder, story=story, layout=chosen, space=space)
        parameters = {**given, "participants": counts, "languages": list(languages), "echoes": echoes}
        parameters["regions"] = study.cortex.regions.source
        if story is not None:
            parameters["made_of"] = {language: story.made_of[language] for language in languages}
        if layout != "ds003643":
            parameters |= {"layout": layout, "space": space}
        chosen.write_top(folder, study, counts, space)
        n_sections = sum(chosen.STORIES.values())
        with tqdm(total=sum(counts.values()) * n_sections, desc="phantom runs", disable=None) as bar:
            for language, n in counts.items():
                for number, name in enumerate(chosen.participant_names(language, n)):
                    participant = Participant(study, language, number, name)
                    chosen.write_participant(folder, study, participant, space, number < echoes, bar.update)
                    participant.finish()
        if truth:
            stored = {} if story is None else {code: scan_drivers(story.drivers[code]) for code in languages}
            write_truth(folder, study, parameters, stored, None if layout == "ds003643" else _scans_table(study))
        else:
            shutil.rmtree(folder / "truth")
    return root


def _layout(name: str, space: str | None) -> tuple[ModuleType, str]:
    """Return the module of a layout, and the space it is written in."""
    if name not in LAYOUTS:
        raise ConfigurationError(f"layout={name!r}: choose one of {', '.join(LAYOUTS)}")
    space = space or LAYOUTS[name].SPACES[0]
    if space not in LAYOUTS[name].SPACES:
        raise ConfigurationError(f"space={space!r}: {name} is written in {' or '.join(LAYOUTS[name].SPACES)}")
    return LAYOUTS[name], space


def _participant_counts(participants: dict[str, int] | int, languages: tuple[str, ...]) -> dict[str, int]:
    if not languages or set(languages) - set(LANGUAGES):
        raise ConfigurationError(f"languages={languages!r}: choose some of {LANGUAGES}")
    counts = participants if isinstance(participants, dict) else dict.fromkeys(languages, participants)
    for language in languages:
        most = PARTICIPANTS[language]
        if not 1 <= counts.get(language, 0) <= most:
            raise ConfigurationError(f"participants={participants!r}: {language} takes 1 to {most} participants")
    return {language: counts[language] for language in languages}


def _draw(
    seed: int,
    null: bool,
    scans: Any,
    voxel_size: float,
    languages: tuple[str, ...],
    signal: float,
    folder: Path,
    story: RealStory | None,
    layout: ModuleType,
    space: str,
) -> Study:
    """Draw story (unless a real one is given) and brains, and write the printed story."""
    regions = destrieux()
    cortex = Cortex.make(regions, triangles())
    if story is not None:
        words = {language: story.words[language] for language in languages}
        texts: dict[str, list[str]] = {}
        audio = story.audio
        sections = {language: layout.sections({}, language, story.n_scans[language]) for language in languages}
    else:
        words, texts = tell_story(scans * layout.TR, seed, languages)
        audio, sections = {}, {}
        n_sections = sum(layout.STORIES.values())
        for language in texts:
            table = words[language].query("section <= @n_sections")
            lead_in = table["section"].map(getattr(layout, "LEAD_IN", {})).fillna(0.0)
            times = {name: (table[name] + lead_in).round(3) for name in ("onset", "offset")}
            words[language] = table.assign(**times)
            texts[language] = texts[language][:n_sections]
            ends = {int(s): float(end) for s, end in words[language].groupby("section")["offset"].max().items()}
            audio[language] = {section: sound_seconds(end) for section, end in ends.items()}
            sections[language] = layout.sections(ends, language)
    plan = plan_regions(regions, seed, signal)
    where = layout.places(regions, voxel_size, space, seed)
    study = Study(
        seed, null, layout.TR, where, cortex, plan, words, audio, sections, story is not None, layout.N_ECHOES
    )
    for language in languages:
        if story is not None:
            drivers = story.drivers[language]
        else:
            recorded = {section: how.n_recorded for section, how in sections[language].items()}
            starts = {section: how.start for section, how in sections[language].items()}
            drivers = story_drivers(words[language], make_world(), recorded, CELLS, layout.TR, starts)
        printed = texts.get(language, ["A real story, whose text is not shown."])
        write_text(folder / "truth" / f"story_{language}.txt", "\n\n".join(printed))
        study.responses[language] = DrivenResponses(cortex, plan, drivers, seed, layout.TR)
    return study


def _scans_table(study: Study) -> pd.DataFrame:
    """Return the truth's table of scans; start is on the clock of the first analysed scan, as in `Dataset.starts`."""
    rows = [
        (language, section, study.audio[language][section], how.n_recorded, how.n_scans, how.cut, how.start)
        for language, of_language in study.sections.items()
        for section, how in of_language.items()
    ]
    columns = ["language", "section", "audio_seconds", "scans_raw", "scans_preprocessed", "cut", "start"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(start=table["start"] - table["cut"] * study.tr)
