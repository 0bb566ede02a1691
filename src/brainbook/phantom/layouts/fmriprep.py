"""A phantom in the layout of fMRIPrep's derivatives: two stories of unequal length, TR 1.5 s, motion that adds signal.

The story begins some seconds after its run; events.tsv of the raw folder says when. Words are in WhisperX's JSON, one
file per run, on the clock of the sound. `dataset.yaml` describes it all for `open_dataset`.
"""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import yaml

from brainbook.datasets.atlas import Regions
from brainbook.phantom import files
from brainbook.phantom.brain import autoregressive
from brainbook.phantom.files import write_csv, write_text
from brainbook.phantom.layouts import surfaces
from brainbook.phantom.layouts.surfaces import HEMISPHERES, halves, section_after, write_events, write_gifti
from brainbook.phantom.places import Places
from brainbook.phantom.study import BASELINE, UNIT, Participant, Section, Study
from brainbook.phantom.volume import make_grid, triangles, write_volume
from brainbook.store import write_json

TR = 1.5
STORIES = {"forest": 3, "harbour": 2}
VOLUMES = "MNI152NLin2009cAsym"
SPACES = (*surfaces.SPACES, VOLUMES)
N_ECHOES = 1
MOTION = 1.5  # variance that motion adds, where everything else together has 1
PARAMETERS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_STEADINESS = 0.8  # of motion from scan to scan
_RESOLUTION = "res-2"


def places(regions: Regions, voxel_size: float, space: str, seed: int) -> Places:
    """Return the vertices of fsaverage5, or voxels if `space` is a volume's."""
    return Places.voxels(make_grid(voxel_size)[0], regions) if space == VOLUMES else Places.vertices(regions)


def sections(ends: dict[int, float], language: str) -> dict[int, Section]:
    """Return how each section is recorded: its sound begins 8.0 to 13.4 s after the run."""
    parts = [(story, number) for story, n in STORIES.items() for number in range(1, n + 1)]
    return {
        section: section_after(story, number, round(8 + 2.7 * (section % 3), 1), ends[section], TR)
        for section, (story, number) in enumerate(parts, start=1)
    }


def participant_names(language: str, n: int) -> list[str]:
    """Return sub-01, sub-02, ..."""
    return [f"sub-{number:02d}" for number in range(1, n + 1)]


def write_top(folder: Path, study: Study, counts: dict[str, int], space: str) -> None:
    """Write the tops of the raw folder and the derivatives, words, and the description."""
    kind = "null phantom" if study.null else "phantom"
    files.write_top(folder, f"Two stories, {kind}: simulated recordings in the layout of fMRIPrep", DatasetType="raw")
    derivatives = folder / "derivatives" / "fmriprep"
    derivatives.mkdir(parents=True)
    made_by = [{"Name": "brainbook.phantom", "Description": "simulated in the layout of fMRIPrep's derivatives"}]
    about = {"Name": f"{kind} in the layout of fMRIPrep", "DatasetType": "derivative", "GeneratedBy": made_by}
    write_json(derivatives / "dataset_description.json", {**about, "BIDSVersion": "1.6.0", "Authors": files.AUTHORS})
    ((language, n),) = counts.items()
    write_text(folder / "participants.tsv", "\n".join(["participant_id", *participant_names(language, n)]))
    write_description(folder / "dataset.yaml", kind, language, space)
    for section, how in study.sections[language].items():
        words = study.words[language][study.words[language]["section"] == section]
        write_json(folder / "stimuli" / f"{how.story}_run-{how.number}.json", whisperx(words, language))


def write_description(path: Path, kind: str, language: str, space: str) -> None:
    """Write the description that `open_dataset` reads."""
    stem = "{participant}_task-{task}_run-{run}"
    func = "derivatives/fmriprep/{participant}/func/" + stem
    surface = f"{func}_hemi-{{hemisphere}}_space-{space}_bold.func.gii"
    volume = f"{func}_space-{space}_{_RESOLUTION}_desc-preproc_bold.nii.gz"
    keys = {
        "name": f"Two stories ({kind})",
        "license": "CC0",
        "recordings": surface if space in surfaces.SPACES else volume,
        "confounds": f"{func}_desc-confounds_timeseries.tsv",
        "nuisance": ["trans_*", "rot_*"],
        "events": f"{{participant}}/func/{stem}_events.tsv",
        "language": language,
        "stories": {
            story: {"words": f"stimuli/{story}_run-{{section}}.json", "sections_by": "run", "start": {"event": "story"}}
            for story in STORIES
        },
    }
    write_text(path, yaml.safe_dump(keys, sort_keys=False, width=200).strip())


def whisperx(words: pd.DataFrame, language: str) -> dict:
    """Return words as WhisperX writes them: segments (sentences here) of words with start, end and score."""
    segments = []
    for _, sentence in words.groupby("sentence", sort=False):
        rows = [
            {"word": word.word, "start": word.onset, "end": word.offset, "score": 0.9} for word in sentence.itertuples()
        ]
        text = " ".join(sentence["word"])
        segments.append({"start": rows[0]["start"], "end": rows[-1]["end"], "text": text, "words": rows})
    return {"segments": segments, "language": {"CN": "zh"}.get(language, language.lower())}


def write_participant(
    folder: Path, study: Study, participant: Participant, space: str, raw: bool, done: Callable[[], object]
) -> None:
    """Write the runs of one participant: recordings, sidecars, confounds, events."""
    name, rng = participant.name, participant.rng
    n_places = study.places.mixture.shape[0]
    baseline = (BASELINE * rng.uniform(0.9, 1.1, n_places)).astype(np.float32)
    maps = study.cortex.field(len(PARAMETERS), rng) * np.float32(np.sqrt(MOTION / len(PARAMETERS)))
    maps = (study.places.mixture @ maps.T).T  # how motion along each parameter changes each place
    edges = [surfaces.subdivided_edges(faces) for faces in triangles()] if space in surfaces.SPACES else []
    for section, how in study.sections[participant.language].items():
        motion_rng = np.random.default_rng([study.seed, 60, participant.number, section])
        motion = autoregressive((how.n_recorded, len(PARAMETERS)), motion_rng, _STEADINESS)
        recording = participant.record(section, nuisance=motion @ maps)
        stem = f"{name}_task-{how.story}_run-{how.number}"
        where = folder / "derivatives" / "fmriprep" / name / "func"
        values = baseline * (1 + UNIT / BASELINE * recording.combined)
        sidecar = {"RepetitionTime": TR, "TaskName": how.story, "SkullStripped": False, "Simulated": True}
        if space in surfaces.SPACES:
            for hemisphere, half, own in zip(HEMISPHERES, halves(values).values(), edges, strict=True):
                file = f"{stem}_hemi-{hemisphere}_space-{space}_bold"
                write_gifti(where / f"{file}.func.gii", half, hemisphere, space, TR, own, step=1)
                write_json(where / f"{file}.json", sidecar)
        else:
            volume = where / f"{stem}_space-{space}_{_RESOLUTION}_desc-preproc_bold"
            write_volume(volume.with_name(f"{volume.name}.nii.gz"), study.places.grid, values, TR)
            write_json(volume.with_name(f"{volume.name}.json"), sidecar)
            mask = study.places.grid.volume(np.ones((1, n_places)), np.uint8)[..., 0]
            image = nib.Nifti1Image(mask, study.places.grid.affine)
            nib.save(image, where / f"{stem}_space-{space}_{_RESOLUTION}_desc-brain_mask.nii.gz")
        table = confounds(motion, recording.combined, motion_rng)
        write_csv(where / f"{stem}_desc-confounds_timeseries.tsv", table, sep="\t", na_rep="n/a")
        seconds = study.audio[participant.language][section]
        event = (how.start, seconds, "story", f"{how.story}_run-{how.number}.wav")
        write_events(folder / name / "func" / f"{stem}_events.tsv", [event])
        done()


def confounds(motion: np.ndarray, series: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of a run: mean signals, motion (mm, radians) and its derivatives, components, cosines.

    Derivatives have no value in the first scan. Motion is what was added to the recording, in its own units.
    """
    units = np.array([0.1] * 3 + [0.002] * 3)
    moved = pd.DataFrame(motion * units, columns=list(PARAMETERS))
    table = pd.DataFrame({"global_signal": BASELINE + UNIT * series.mean(axis=1)})
    table["csf"], table["white_matter"] = BASELINE + UNIT * rng.standard_normal((2, len(motion)))
    steps = moved.diff()
    table["framewise_displacement"] = steps.abs().to_numpy() @ ([1.0] * 3 + [50.0] * 3)  # Power et al. 2012: 50 mm
    for parameter in PARAMETERS:
        table[parameter] = moved[parameter]
        table[f"{parameter}_derivative1"] = steps[parameter]
    for component in range(3):
        table[f"a_comp_cor_{component:02d}"] = rng.standard_normal(len(motion)) / np.sqrt(len(motion))
    times = (np.arange(len(motion)) + 0.5) / len(motion)
    for order in range(1, int(2 * len(motion) * TR / 128) + 1):
        table[f"cosine{order - 1:02d}"] = np.cos(np.pi * order * times) * np.sqrt(2 / len(motion))
    return table
