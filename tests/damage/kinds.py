"""Every kind of file that the package reads: how a sound one is written, and the reader that a user meets it by."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import h5py
import nibabel as nib
import nibabel.freesurfer as fs
import numpy as np
import pandas as pd

from brainbook.datasets import DescribedDataset, LeBel, LittlePrince, read_textgrid, read_words, read_xnli
from brainbook.datasets.alice import _table as alice_table
from brainbook.datasets.atlas import NOT_CORTEX, VERTICES_PER_HEMISPHERE, _read_annotations
from brainbook.datasets.confounds import read_confounds
from brainbook.datasets.description import read_description
from brainbook.datasets.images import open_image, says_repetition_time
from brainbook.datasets.recordings import SurfaceRecording, VolumeRecording, repetition_time
from brainbook.datasets.sections import EventStart, story_start
from brainbook.datasets.story_annotation import StoryAnnotation
from brainbook.datasets.word_formats import read_timed_words
from brainbook.number_sense.digits import read_idx
from brainbook.phantom.truth import FORMAT, read_truth
from brainbook.plots.own_surfaces import _read_file, _read_flat_patch, _read_surface
from brainbook.store import read_array, read_json, write_json
from brainbook.workflow.archive import archive_table, read_archived
from brainbook.workflow.content import read_state
from brainbook.workflow.study_file import read_study
from brainbook.workflow.tables import results

WORDS = [("Once", 0.1, 0.4), ("when", 0.5, 0.75), ("I", 0.8, 0.9), ("été", 1.0, 1.5), ("six", 2.0, 2.25)]
N_SCANS = 6


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    name : of the file, below the folder that the test gives. write : writes a sound one there, with what it needs.
    read : reads it as a user does. names : whether a message must hold the file's name.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    names: bool = True


def text(content: str) -> Callable[[Path], object]:
    """Return what writes a text."""
    return lambda path: path.write_text(content, encoding="utf-8")


def word_table(sep: str = ",", first: str = "") -> str:
    rows = [f"{n}{sep}{word}{sep}{on}{sep}{off}{sep}{1 + n // 3}" for n, (word, on, off) in enumerate(WORDS)]
    return "\n".join([first or sep.join(["", "word", "onset", "offset", "section"]), *rows]) + "\n"


def textgrid(tier: str = "word") -> str:
    entries = "".join(f'{start}\n{end}\n"{word}"\n' for word, start, end in WORDS)
    head = '"ooTextFile"\n"TextGrid"\n0\n9\n<exists>\n2\n"IntervalTier"\n"phones"\n0\n9\n1\n0\n9\n"AH"\n'
    return f'{head}"IntervalTier"\n"{tier}"\n0\n9\n{len(WORDS)}\n{entries}'


def gentle() -> str:
    words = [{"case": "success", "word": word, "start": start, "end": end} for word, start, end in WORDS]
    return json.dumps({"words": [*words, {"case": "not-found-in-audio", "word": "uh"}]})


def whisperx() -> str:
    words = [{"word": word, "start": start, "end": end} for word, start, end in WORDS]
    return json.dumps({"segments": [{"words": words[:2]}, {"words": words[2:]}]})


def events() -> str:
    rows = [f"{start}\t{end - start:.2f}\t{word}\n" for word, start, end in WORDS]
    return "onset\tduration\ttrial_type\n" + "".join(rows)


def read_event(path: Path) -> float:
    story, section = SimpleNamespace(start=EventStart(event="six")), SimpleNamespace(story="fox", part=1, n_parts=1)
    return story_start(story, section, path)


DESCRIPTION = """name: Two stories
license: CC0
recordings: "{participant}_task-{task}_space-MNI_bold.nii.gz"
events: "{participant}_task-{task}_events.tsv"
tr: 2.0
language: EN
exclude: {sub-03: "fell asleep"}
stories:
  fox: {words: words.csv, start: {event: six, nth: 1}, seconds: 30}
  well: {words: {file: [a.csv, b.csv], format: csv}, where: {task: "well{section}"}, start: [1.5, 2], lead_in: 0.5}
"""


def write_described(path: Path) -> None:
    """Write the description, words and events; the recordings are not downloaded yet."""
    table = "word,onset,offset\n" + "".join(f"{word},{start},{end}\n" for word, start, end in WORDS)
    for name in ("words.csv", "a.csv", "b.csv"):
        path.with_name(name).write_text(table)
    for task in ("fox", "well1", "well2"):
        path.with_name(f"sub-01_task-{task}_events.tsv").write_text(events())
        pointer = path.with_name(f"sub-01_task-{task}_space-MNI_bold.nii.gz")
        pointer.write_text("/annex/objects/MD5E-s66000000--0123456789abcdef.nii.gz\n")
    path.write_text(DESCRIPTION)


def read_described(path: Path) -> object:
    dataset = DescribedDataset(read_description(path))
    return dataset.participants("EN"), dataset.words("EN"), dataset.scans("EN")


STUDY = """data: ${DATA}/tiny
phantom: {participants: 1, scans: 30, layout: lebel}
models: [tiny-causal]
runs:
  - {chapter: one, parameters: {data: d}, sweep: {seed: [1, 2], model: [a, b]}, after: [two]}
  - {chapter: one, name: two, minutes: 20, gpus: 1, work: {minutes: 2.5}}
"""
CHAPTER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
---
```{code-cell} ipython3
:tags: [parameters]
data = "data/x"
results = "results/x"
seed = 0
model = "tiny-causal"
```
"""


def write_study(path: Path) -> None:
    (path.parent / "one.md").write_text(CHAPTER)
    path.write_text(STUDY)


def read_whole_study(path: Path) -> object:
    study = read_study(path.stem, "d", studies=path.parent, notebooks=path.parent)
    return [study.before(run) for run in study.runs.values()]


def write_prince(path: Path) -> Path:
    """Write a folder in the layout of ds003643 around the file that is damaged; return the folder."""
    root = next(folder for folder in path.parents if folder.name == "prince")
    recording = "sub-EN057_task-lppEN_run-06_space-MNIColin27_desc-preproc_bold.nii.gz"
    for name, content in {
        f"derivatives/sub-EN057/func/{recording}": "/annex/objects/MD5E-s66000000--0123456789abcdef.nii.gz\n",
        "annotation/EN/lppEN_prosody.csv": "section,time,intensity,f0\n1,0.01,61.5,\n1,0.02,62.5,101.25\n",
        "annotation/scans.csv": "language,section,audio_seconds,scans_raw,scans_preprocessed\n"
        + "".join(f"EN,{section},20.5,16,12\n" for section in range(1, 10)),
        "participants.tsv": "\ufeffparticipant_id\tage\tsex\nsub-EN057\t20\tF\nsub-EN058\t21\tM\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


def read_prince(path: Path) -> object:
    prince = LittlePrince(next(folder for folder in path.parents if folder.name == "prince"))
    return prince.participants_table, prince.scans("EN"), prince.audio_seconds("EN"), prince.prosody("EN")


def write_story(path: Path) -> None:
    """Write the annotation of a story, of which `path` is one of the files."""
    n = np.arange(12)
    words = pd.DataFrame({"word": "one", "onset": 40.0 * n + 0.25, "offset": 40.0 * n + 0.5})
    table = pd.concat([words.assign(section=section, logfreq=9.0) for section in range(1, 10)], ignore_index=True)
    table.to_csv(path.with_name("lppEN_word_information.csv"))
    table.assign(surprisal=1.5).to_csv(path.with_name("gpt2_surprisal.csv"), index=False)
    loud = pd.DataFrame({"onset": n / 100, "amplitude": 0.25}).to_csv(index=False).encode()
    for section in range(1, 10):
        path.with_name(f"section{section}_rms.csv.gz").write_bytes(gzip.compress(loud, mtime=0))


def read_story(path: Path) -> object:
    story = StoryAnnotation(path.parent.parent)
    return story.word_values("EN"), story.amplitude("EN")


def write_image(path: Path) -> None:
    image = nib.Nifti1Image(np.arange(3 * 4 * 5 * 6, dtype=np.int16).reshape(3, 4, 5, 6), np.diag([3.0, 3, 3, 1]))
    image.header["pixdim"][4] = 2.0
    nib.save(image, path)


def read_image(path: Path) -> np.ndarray:
    image = open_image(path)
    says_repetition_time(image, 2.0, path)
    repetition_time(VolumeRecording(path), path.parent, 2.0)
    return np.asanyarray(image.dataobj)


def write_surface(path: Path) -> None:
    scans = np.tile(np.arange(N_SCANS, dtype=np.float32)[:, None], VERTICES_PER_HEMISPHERE)
    arrays = [nib.gifti.GiftiDataArray(scan, intent="NIFTI_INTENT_TIME_SERIES", datatype="float32") for scan in scans]
    content = nib.gifti.GiftiImage(darrays=arrays).to_bytes()
    path.write_bytes(content)
    path.with_name("right.func.gii").write_bytes(content)


def read_surface(path: Path) -> np.ndarray:
    recording = SurfaceRecording(path, path.with_name("right.func.gii"), (0, N_SCANS))
    assert recording.n_scans and repetition_time(recording, path.parent, 2.0)
    return recording.to_surface()


def write_annotations(path: Path) -> None:
    names = ["Unknown", "Medial_wall", "G_cuneus"]
    assert set(NOT_CORTEX) < set(names)
    table = np.array([[0, 0, 0, 0], [10, 20, 30, 0], [40, 50, 60, 0]])
    for side in ("left", "right"):
        labels = np.arange(VERTICES_PER_HEMISPHERE) % 3
        fs.write_annot(path.with_name(f"{side}.aparc.a2009s.annot"), labels, table, names, fill_ctab=True)


POINTS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
FACES = np.array([[0, 1, 2], [1, 2, 3], [9, 10, 11]], np.int32)


def write_patch(path: Path) -> None:
    rows = np.zeros(4, np.dtype([("index", ">i4"), ("position", ">f4", 3)]))
    rows["index"] = [1, -2, 3, 4]
    path.write_bytes(np.array([-1, 4], ">i4").tobytes() + rows.tobytes())


def write_hdf5(path: Path) -> None:
    root = path.parents[3]
    (root / "derivative/TextGrids").mkdir(parents=True, exist_ok=True)
    (root / "derivative/TextGrids/fox.TextGrid").write_text(textgrid())
    (root / "derivative/respdict.json").write_text('{"fox": 55}')
    with h5py.File(path, "w") as file:
        file["data"] = np.random.default_rng(0).normal(size=(40, 3))


def read_lebel(path: Path) -> object:
    dataset = LeBel(path.parents[3] if path.suffix == ".hf5" else path.parents[1])
    return dataset.scans(), dataset.responses("UTS01", "voxels"), dataset.repeats("UTS01", "voxels"), dataset.words()


def write_respdict(path: Path) -> None:
    recording = path.with_name("preprocessed_data") / "UTS01/fox.hf5"
    recording.parent.mkdir(parents=True, exist_ok=True)
    write_hdf5(recording)


def write_xnli(path: Path) -> None:
    for code in ("en", "fr"):
        rows = [f"{code} premise {n // 3}\t{code} text {n}\t{label}" for n, label in enumerate(["neutral"] * 6)]
        path.with_name(f"dev-{code}.tsv").write_text("\n".join(rows) + "\n")


def write_archived(path: Path) -> None:
    table = pd.DataFrame({"language": ["EN", "NA", "001"], "r": [0.25, np.nan, 0.5], "n": [1, 2, 3]})
    about = {"date": "2026-01-01", "commit_of": "abc", "minutes": 1.0, "rests_on": ()}
    archive_table("xnli", path.stem, table, "make book STUDY=xnli", root=path.parents[1], **about)


def write_results(path: Path) -> None:
    """Write a run's folder: its table, provenance and state."""
    pd.DataFrame({"r": [0.25, 0.5], "language": ["EN", "FR"]}).to_parquet(path.with_name("scores.parquet"))
    record = {"chapter": "xnli", "parameters": {"seed": 1}, "tables": {"scores": {"rows": 2}}, "commit": "abc"}
    record |= {"finished": "2026-01-01T00:00:00+00:00", "seed": 1, "wall_time_s": 1.5, "peak_memory_gb": 0.5}
    write_json(path.with_name("provenance.json"), record | {"data": None, "data_fingerprint": None})
    write_json(path.with_name("state.json"), {"state": "done", "made_from": {}, "outputs": {}, "wall_s": 1.5})


def read_results(path: Path) -> object:
    read_state(path.parent)
    return results("study", "scores", root=path.parents[2]), results("study", root=path.parents[2])


def write_truth(path: Path) -> None:
    root = path.parents[1]
    (root / "truth").mkdir(parents=True, exist_ok=True)
    parameters = {"format": FORMAT, "languages": ["EN"], "participants": 1, "null": False, "regions": "embedded"}
    write_json(root / "truth/phantom.json", parameters)
    tables = {
        "truth/regions.csv": "region,hemisphere,driver,side,strength,laterality,ceiling\nG_cuneus,lh,word,both,1,0,1\n",
        "truth/ceilings.csv": "language,participant,region,hemisphere,share,ceiling\nEN,sub-EN057,G_cuneus,lh,.2,.5\n",
        "truth/scans.csv": "language,section,audio_seconds,scans_raw,scans_preprocessed\nEN,1,20,14,12\n",
    }
    for name, content in tables.items():
        (root / name).write_text(content)


def read_phantom(path: Path) -> object:
    return read_truth(path.parents[1])


KINDS = {
    "words": Kind("lppEN_word_information.csv", text(word_table()), lambda path: read_words(path, mend=False)),
    "textgrid": Kind("story.TextGrid", text(textgrid()), lambda path: read_textgrid(path, tier="word")),
    "aligned TextGrid": Kind("mfa.TextGrid", text(textgrid("S1 - words")), read_timed_words),
    "gentle": Kind("align.json", text(gentle()), read_timed_words),
    "gentle table": Kind("align.csv", text("".join(f"{w},{w},{a},{b}\n" for w, a, b in WORDS)), read_timed_words),
    "WhisperX": Kind("whisperx.json", text(whisperx()), read_timed_words),
    "words of BIDS": Kind("sub-01_events.tsv", text(events()), read_timed_words),
    "table of words": Kind("words.tsv", text(word_table("\t", "n\tword\tonset\toffset\tsection")), read_timed_words),
    "events": Kind("events.tsv", text(events()), read_event),
    "description": Kind("study.yaml", write_described, read_described, names=False),
    "study": Kind("mine.yaml", write_study, read_whole_study, names=False),
    "participants": Kind("prince/participants.tsv", write_prince, read_prince),
    "scans": Kind("prince/annotation/scans.csv", write_prince, read_prince),
    "prosody": Kind("prince/annotation/EN/lppEN_prosody.csv", write_prince, read_prince),
    "surprisal": Kind("story/EN/gpt2_surprisal.csv", write_story, read_story),
    "sound": Kind("story/EN/section1_rms.csv.gz", write_story, read_story),
    "confounds": Kind(
        "sub-01_desc-confounds_timeseries.tsv",
        text("trans_x\ttrans_y\tother\n" + "n/a\t0.25\t1\n" + "0.5\t-1e-3\t2\n" * 5),
        lambda path: read_confounds(path, ["trans_*", "other"], N_SCANS),
    ),
    "NIfTI": Kind("image.nii", write_image, read_image),
    "compressed NIfTI": Kind("image.nii.gz", write_image, read_image),
    "GIFTI": Kind("left.func.gii", write_surface, read_surface),
    "annot": Kind("left.aparc.a2009s.annot", write_annotations, lambda path: _read_annotations(path.parent)),
    "FreeSurfer surface": Kind(
        "lh.pial", lambda path: fs.write_geometry(path, POINTS, FACES), lambda path: _read_file(_read_surface, path)
    ),
    "FreeSurfer values": Kind(
        "lh.curv",
        lambda path: fs.write_morph_data(path, POINTS[:, 0]),
        lambda path: _read_file(fs.read_morph_data, path),
    ),
    "FreeSurfer patch": Kind(
        "lh.full.flat.patch.3d", write_patch, lambda path: _read_flat_patch(path, POINTS.astype(float), FACES)
    ),
    "HDF5": Kind("lebel/derivative/preprocessed_data/UTS01/fox.hf5", write_hdf5, read_lebel),
    "respdict": Kind("lebel/derivative/respdict.json", write_respdict, read_lebel),
    "regions of Alice": Kind(
        "s18-timecourses.txt", text("0.5 1 -2e-3\n" * 6), lambda path: alice_table(path, rows=6, columns=3)
    ),
    "XNLI": Kind("dev-fr.tsv", write_xnli, lambda path: read_xnli(path.parent, ("EN", "FR"), ("dev",)), names=False),
    "idx": Kind(
        "train-images-idx3-ubyte",
        lambda path: path.write_bytes(b"\0\0\x08\x03" + np.array([2, 3, 4], ">u4").tobytes() + bytes(24)),
        read_idx,
    ),
    "array": Kind("brain.npy", lambda path: np.save(path, np.arange(24.0).reshape(4, 6)), read_array),
    "JSON": Kind("settings.json", text('{"a": [1, 2.5, null, "x"], "b": {"c": true}}'), read_json),
    "archived table": Kind(
        "xnli/lengths.csv", write_archived, lambda path: read_archived("xnli", path.stem, path.parents[1])
    ),
    "table of results": Kind("study/run/scores.parquet", write_results, read_results),
    "provenance": Kind("study/run/provenance.json", write_results, read_results, names=False),
    "state": Kind("study/run/state.json", write_results, read_results, names=False),
    "truth": Kind("phantom/truth/regions.csv", write_truth, lambda path: read_truth(path.parents[1])),
    "parameters of a phantom": Kind(
        "phantom/truth/phantom.json", write_truth, lambda path: read_truth(path.parents[1])
    ),
}
