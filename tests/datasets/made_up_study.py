"""A tiny study in fMRIPrep's layout, written without the phantom: two stories, three participants, 1.5-second scans."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from brainbook.encoding import haemodynamic_response

from .conftest import AFFINE, SHAPE

TR = 1.5
STARTS = {"fox": 6.4, "well": 3.0}  # s in the run, of the first participant; the story is an event
SECONDS = {"fox": 150.0, "well": 120.0}
RUN_SCANS = {"fox": 120, "well": 96}
PARTICIPANTS = ("sub-01", "sub-02", "sub-10")
MOTION = ["trans_x", "trans_y", "rot_z"]
VOLUME = "space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
DESCRIPTION = """
name: Fox and well
license: CC0
recordings: fmriprep/{participant}/func/{participant}_task-{task}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz
confounds: fmriprep/{participant}/func/{participant}_task-{task}_desc-confounds_timeseries.tsv
nuisance: [trans_*, rot_z]
events: "{participant}/func/{participant}_task-{task}_events.tsv"
language: EN
stories:
  fox: {words: stimuli/fox.json, start: {event: story}}
  well: {words: stimuli/well.csv, start: {event: story}}
"""


def story_words(name: str) -> pd.DataFrame:
    """Words in bursts of some ten seconds with pauses between them, so that their rate changes."""
    rng = np.random.default_rng(len(name))
    onsets = np.cumsum(rng.uniform(0.2, 0.5, 2000))
    spoken = np.cumsum(rng.uniform(4, 14, 100))
    inside = np.searchsorted(spoken, onsets) % 2 == 0
    onsets = np.round(onsets[inside & (onsets < SECONDS[name] - 1)], 3)
    words = np.resize(["the", "fox", "and", "the", "king", "said", "it", "was", "in", "you"], len(onsets))
    return pd.DataFrame({"word": words, "onset": onsets, "offset": np.round(onsets + 0.18, 3)})


def evoked(name: str, start: float, n_scans: int, tr: float = TR) -> np.ndarray:
    """The response to the words of a story that begins at a second of the run."""
    counts = np.bincount(((story_words(name)["onset"] + start) // tr).astype(int), minlength=n_scans)[:n_scans]
    return np.convolve(counts, haemodynamic_response(np.arange(0, 32, tr)))[:n_scans]


def write_study(root: Path, layout: str = "volume", participants=PARTICIPANTS, repetitions: int = 1) -> Path:
    """Write the study; return its description. `layout`: volume, or surface (fsaverage5, the newer names)."""
    rng = np.random.default_rng(0)
    (root / "stimuli").mkdir(parents=True)
    words = {name: story_words(name) for name in STARTS}
    gentle = [{"case": "success", "word": w, "start": a, "end": b} for w, a, b in words["fox"].itertuples(index=False)]
    (root / "stimuli/fox.json").write_text(json.dumps({"words": gentle}))
    words["well"].to_csv(root / "stimuli/well.csv", index=False)
    for number, participant in enumerate(participants):
        for name, start in STARTS.items():
            for repetition in range(1, repetitions + 1):
                task = f"{participant}_task-{name}" + (f"_run-{repetition}" if repetitions > 1 else "")
                start = STARTS[name] + 0.04 * number
                events = f"onset\tduration\ttrial_type\n0.0\t2.0\tmusic\n{start:.2f}\tn/a\tstory\n"
                write(root / participant / "func" / f"{task}_events.tsv", events)
                motion = pd.DataFrame(rng.normal(0, 0.1, (RUN_SCANS[name], 3)), columns=MOTION)
                motion["trans_x_derivative1"] = motion["trans_x"].diff()
                path = root / "fmriprep" / participant / "func" / f"{task}_desc-confounds_timeseries.tsv"
                write(path, motion.to_csv(sep="\t", index=False, na_rep="n/a"))
                signal = evoked(name, start, RUN_SCANS[name])
                signal = signal / signal.std() + 3 * motion["trans_x"].to_numpy()
                write_recording(path.parent, task, signal, layout, rng)
    text = DESCRIPTION
    if layout == "surface":
        text = text.replace("space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz", "XXX")
        text = text.replace("XXX", "hemi-{hemisphere}_space-fsaverage5_bold.func.gii")
    if repetitions > 1:
        text = text.replace("{participant}_task-{task}", "{participant}_task-{task}[_run-{run}]")
    write(root / "study.yaml", text)
    return root / "study.yaml"


def write_recording(folder: Path, task: str, signal: np.ndarray, layout: str, rng) -> None:
    """Write a signal in every voxel or vertex, with noise that repeats in space and so takes little room."""
    if layout == "volume":
        noise = rng.normal(0, 1, (*SHAPE, len(signal)))
        image = nib.Nifti1Image((1000 + 20 * (signal + noise)).astype(np.float32), AFFINE)
        image.header.set_xyzt_units("mm", "sec")
        image.header["pixdim"][4] = TR
        nib.save(image, folder / f"{task}_{VOLUME}")
        sidecar = f"{task}_{VOLUME}".replace(".nii.gz", ".json")
        write(folder / sidecar, json.dumps({"RepetitionTime": TR}))
        return
    for side in "LR":
        noise = np.tile(rng.normal(0, 1, (len(signal), 32)), (1, 321))[:, :10_242]
        write_gifti(
            folder / f"{task}_hemi-{side}_space-fsaverage5_bold.func.gii", 1000 + 20 * (signal[:, None] + noise)
        )
        write(folder / f"{task}_hemi-{side}_space-fsaverage5_bold.json", json.dumps({"RepetitionTime": TR}))


def write_gifti(path: Path, scans: np.ndarray) -> None:
    """Write scans [scans, vertices] as GIFTI, an array for each scan."""
    arrays = [
        nib.gifti.GiftiDataArray(scan.astype(np.float32), intent="NIFTI_INTENT_TIME_SERIES", datatype="float32")
        for scan in scans
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(nib.gifti.GiftiImage(darrays=arrays).to_bytes())


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
