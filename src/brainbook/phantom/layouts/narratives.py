"""A phantom in the layout of Narratives (OpenNeuro ds002345): cleaned surface data, gentle's alignments, TR 1.5 s.

Names and times are those of the real stories (Nastase et al. 2021, Scientific Data 8, 250), what is heard is not. Music
comes before some; the sound, on whose clock the words are, begins with it. Every second participant missed one story.
`dataset.yaml` chooses the phantom's stories from the shipped description of the real dataset.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.atlas import Regions
from brainbook.phantom import files
from brainbook.phantom.files import write_csv, write_text
from brainbook.phantom.layouts import surfaces
from brainbook.phantom.layouts.surfaces import HEMISPHERES, halves, section_after, write_events, write_gifti
from brainbook.phantom.places import Places
from brainbook.phantom.study import Participant, Section, Study
from brainbook.phantom.volume import triangles
from brainbook.store import write_json

TR = 1.5
STORIES = dict.fromkeys(("pieman", "prettymouth", "tunnel", "lucy", "21styear"), 1)
SPACES = surfaces.SPACES
N_ECHOES = 1
MUSIC = {"pieman": 13.0, "prettymouth": 18.0, "21styear": 18.0}  # seconds, from the run's first scan on
ONSET = {"pieman": 15.0, "prettymouth": 21.0, "tunnel": 3.0, "lucy": 3.0, "21styear": 21.0}  # of the story in its run


def places(regions: Regions, voxel_size: float, space: str, seed: int) -> Places:
    """Return the vertices of fsaverage5."""
    return Places.vertices(regions)


def silence(story: str) -> float:
    """Return the seconds from the start of a story's sound to the story: its music and the pause after it."""
    return ONSET[story] if story in MUSIC else 0.0


LEAD_IN = {section: silence(story) for section, story in enumerate(STORIES, start=1)}


def sections(ends: dict[int, float], language: str) -> dict[int, Section]:
    """Return how each story is recorded: the sound begins with the run where there is music, else with the story."""
    return {
        section: section_after(story, 1, ONSET[story] - silence(story), ends[section], TR, silence(story))
        for section, story in enumerate(STORIES, start=1)
    }


def participant_names(language: str, n: int) -> list[str]:
    """Return sub-001, sub-002, ..."""
    return [f"sub-{number:03d}" for number in range(1, n + 1)]


def missed(number: int) -> int | None:
    """Return the section that the participant of this number (from 0) did not hear, None for those who heard all."""
    return 1 + number // 2 % len(STORIES) if number % 2 else None


def write_top(folder: Path, study: Study, counts: dict[str, int], space: str) -> None:
    """Write the top of the folder and what gentle made of each story."""
    kind = "null phantom" if study.null else "phantom"
    files.write_top(folder, f"Narratives, {kind}: simulated recordings in the layout of ds002345", DatasetType="raw")
    ((language, n),) = counts.items()
    lines = ["like: narratives", f"name: Narratives ({kind})", f"only: [{', '.join(STORIES)}]"]
    if space != SPACES[0]:
        stem = "derivatives/afni-nosmooth/{participant}/func/{participant}_task-{task}"
        lines.append(f"recordings: {stem}_space-{space}_hemi-{{hemisphere}}_desc-clean.func.gii")
    write_text(folder / "dataset.yaml", "\n".join([*lines, f"language: {language}"]))
    heard = [
        ",".join(story for section, story in enumerate(STORIES, start=1) if section != missed(number))
        for number in range(n)
    ]
    rows = [f"{name}\t{tasks}" for name, tasks in zip(participant_names(language, n), heard, strict=True)]
    write_text(folder / "participants.tsv", "\n".join(["participant_id\ttask", *rows]))
    meta = {}
    for section, how in study.sections[language].items():
        words = study.words[language][study.words[language]["section"] == section]
        where = folder / "stimuli" / "gentle" / how.story
        write_json(where / "align.json", gentle(words))
        rows = words.assign(lower=words["word"].str.lower())[["word", "lower", "onset", "offset"]]
        write_csv(where / "align.csv", rows, header=False)
        write_text(where / "transcript.txt", " ".join(words["word"]))
        duration = study.audio[language][section] - silence(how.story)
        meta[how.story] = {"onset": round(ONSET[how.story] / TR), "duration": round(duration / TR)}
    write_json(folder / "code" / "event_meta.json", meta)
    write_json(folder / "code" / "scan_exclude.json", {story: {} for story in STORIES})


def gentle(words: pd.DataFrame) -> dict:
    """Return words as gentle writes them; the places of a word in the transcript are counted in characters."""
    ends = words["word"].str.len().add(1).cumsum() - 1
    rows = [
        {
            "word": word.word,
            "alignedWord": word.word.lower(),
            "case": "success",
            "start": word.onset,
            "end": word.offset,
            "startOffset": int(end) - len(word.word),
            "endOffset": int(end),
            "phones": [],
        }
        for word, end in zip(words.itertuples(), ends, strict=True)
    ]
    return {"transcript": " ".join(words["word"]), "words": rows}


def write_participant(
    folder: Path, study: Study, participant: Participant, space: str, raw: bool, done: Callable[[], object]
) -> None:
    """Write the runs that one participant heard, as AFNI's cleaned residuals, and their events."""
    edges = [surfaces.subdivided_edges(faces) for faces in triangles()]
    for section, how in study.sections[participant.language].items():
        if section == missed(participant.number):
            done()
            continue
        series = participant.record(section).combined
        where = folder / "derivatives" / "afni-nosmooth" / participant.name / "func"
        stem = f"{participant.name}_task-{how.story}"
        halved = halves((series - series.mean(axis=0)).astype(np.float32))
        for hemisphere, own in zip(HEMISPHERES, edges, strict=True):
            file = where / f"{stem}_space-{space}_hemi-{hemisphere}_desc-clean.func.gii"
            write_gifti(file, halved[hemisphere], hemisphere, space, TR, own, step=1 / 64)
        sidecar = {"RepetitionTime": TR, "TaskName": how.story, "Simulated": True}
        raw_stem = folder / participant.name / "func" / stem
        write_json(raw_stem.with_name(f"{stem}_bold.json"), sidecar)
        duration = study.audio[participant.language][section] - silence(how.story)
        events = [(0.0, MUSIC[how.story], "music", f"{how.story}_audio.wav")] if how.story in MUSIC else []
        events.append((ONSET[how.story], duration, "story", f"{how.story}_audio.wav"))
        write_events(raw_stem.with_name(f"{stem}_events.tsv"), events)
        done()
