"""A tiny folder in the layout of ds003643 with all of its traps, written without the phantom."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainbook.datasets.alice import DROPPED, N_SCANS

VOXEL = 16.0
SHAPE = (10, 12, 10)
AFFINE = np.array([[VOXEL, 0, 0, -72], [0, VOXEL, 0, -108], [0, 0, VOXEL, -70], [0, 0, 0, 1]])
RUNS = {"EN": [6, 7, 9, 10, 11, 12, 14, 16, 23], "FR": list(range(1, 10)), "CN": [4, 5, 6, 8, 9, 10, 11, 13, 17]}
SCANS = {"EN": range(20, 29), "FR": range(30, 39), "CN": range(40, 49)}
BEFORE = {"EN": 4, "FR": 0, "CN": 4}
WORDS = {"EN": "the little prince said so", "FR": "le petit prince l' a dit", "CN": "小 王子 说 这样"}


def save(data: np.ndarray, path: Path, tr: float = 2.0, unit: str = "sec", affine: np.ndarray = AFFINE) -> Path:
    """Write scans [x, y, z, scans] as NIfTI."""
    image = nib.Nifti1Image(data, affine, dtype=data.dtype)
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = tr
    nib.save(image, path)
    return path


class FakeDataset:
    """Writes participants; every preprocessed volume of section s holds 1000 s + noise, so that sections are told."""

    runs, scans = RUNS, SCANS

    def __init__(self, root: Path):
        self.root = root
        self.rng = np.random.default_rng(0)
        (root / "derivatives").mkdir(parents=True)
        (root / "dataset_description.json").write_text('{"Name": "Le Petit Prince fMRI Corpus"}')
        (root / "participants.tsv").write_bytes(b"\xef\xbb\xbfparticipant_id\tage\tsex\nsub-EN057\t20\tF\n")
        self.table()
        for language in SCANS:
            self.annotation(language)

    def table(self):
        rows = [
            (language, section, 2.0 * n, n + BEFORE[language], n)
            for language, scans in SCANS.items()
            for section, n in enumerate(scans, 1)
        ]
        table = pd.DataFrame(rows, columns=["language", "section", "audio_seconds", "scans_raw", "scans_preprocessed"])
        (self.root / "truth").mkdir()
        table.to_csv(self.root / "truth" / "scans.csv", index=False)

    def annotation(self, language):
        folder = self.root / "annotation" / language
        folder.mkdir(parents=True)
        rows = [
            (word, word, onset, onset + 0.5, "X", section)
            for section in range(1, 10)
            for onset, word in enumerate(WORDS[language].split())
        ]
        table = pd.DataFrame(rows, columns=["word", "lemma", "onset", "offset", "pos", "section"])
        table.to_csv(folder / f"lpp{language}_word_information.csv")

    def participant(self, name, raw=False, aborted=()):
        language = name[4:6]
        for section, (number, n) in enumerate(zip(RUNS[language], SCANS[language], strict=True), 1):
            self.write(self.preprocessed(name, number), 1000 * section, n)
            if raw:
                self.raw(name, number, n + BEFORE[language])
        for number in aborted:
            self.raw(name, number, 7)
        return name

    def raw(self, name, number, n):
        for echo in (1, 2, 3):
            path = self.root / name / "func" / f"{name}_task-lpp{name[4:6]}_run-{number:02d}_echo-{echo}_bold.nii.gz"
            self.write(path, 10_000 * echo, n)
            path.with_name(path.name.replace(".nii.gz", ".json")).write_text("{}")

    def preprocessed(self, name, number):
        file = f"{name}_task-lpp{name[4:6]}_run-{number:02d}_space-MNIColin27_desc-preproc_bold.nii.gz"
        return self.root / "derivatives" / name / "func" / file

    def write(self, path, level, n):
        path.parent.mkdir(parents=True, exist_ok=True)
        data = level + self.rng.normal(0, 20, (*SHAPE, n)) + np.arange(n)
        save(data.astype(np.float32), path)

    def unlink(self, path, pointer="link"):
        """What a file looks like before its content is downloaded."""
        path.unlink()
        key = "annex/objects/MD5E-s66000000--0123456789abcdef0123456789abcdef.nii.gz"
        if pointer == "link":
            path.symlink_to(f"../../../.git/annex/objects/Xx/Yy/{key}/{key}")
        else:
            path.write_text(f"/{key}\n")


@pytest.fixture
def fake(tmp_path):
    return FakeDataset(tmp_path / "ds003643")


@pytest.fixture(scope="session")
def fake_trio(tmp_path_factory):
    """One participant a language with raw echoes, and aborted runs; not to be changed by a test."""
    fake = FakeDataset(tmp_path_factory.mktemp("fake") / "ds003643")
    fake.participant("sub-EN059", raw=True, aborted=(15, 22))
    fake.participant("sub-FR025", raw=True)
    fake.participant("sub-CN032", raw=True, aborted=(3,))
    return fake


ALICE_TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
744
<exists>
1
"IntervalTier"
"word"
0
744
3
0
20.5
"sp"
20.5
21
"Alice"
21
21.25
"was"
"""


@pytest.fixture
def alice_folder(tmp_path, rng):
    """Three participants, the last of them all zeros, in the published layout."""
    data, stimulus = tmp_path / "alice_data_shared", tmp_path / "alice_stim_shared"
    (data / "10mm").mkdir(parents=True)
    stimulus.mkdir()
    (stimulus / "story.TextGrid").write_text(ALICE_TEXTGRID)
    for name in ("s18", "s22", "s33"):
        bold = rng.normal(100, 1, (N_SCANS, 6)) * (name != "s33")
        np.savetxt(data / "10mm" / f"{name}-timecourses.txt", bold)
        motion = rng.normal(size=(N_SCANS + DROPPED, 6))
        motion[:DROPPED] = 99
        np.savetxt(data / f"{name}-rp_run.txt", motion)
        for predictor in ("rate", "sndpwr"):
            np.savetxt(data / f"{name}-{predictor}.txt", np.arange(N_SCANS) + (name == "s22"))
    return tmp_path
