"""A folder in the layout of ds003020 written by hand: two participants, three stories, one heard three times."""

import json

import h5py
import numpy as np
import pytest

from brainbook.datasets import LeBel, clean, open_dataset, zscore
from brainbook.errors import AnnotationError, ConfigurationError, DatasetError

from .test_contract import check_contract

SCANS = {"avatar": 40, "legacy": 50, "wheretheressmoke": 45}
N_VOXELS = 7
WORDS = [("sentence_start", 0.0, 1.0), ("I", 1.0, 1.2), ("{NS}", 1.2, 12.0), ("saw", 12.0, 12.4), ("sp", 12.4, 12.9),
         ("it", 12.9, 13.0), ("br", 13.0, 14.0), ("LG", 14.0, 15.0), ("again", 15.0, 15.5)]  # fmt: skip
KEPT = ["I", "saw", "it", "again"]


def textgrid(words) -> str:
    lines = ['"ooTextFile"', '"TextGrid"', "0", "100", "<exists>", "2"]
    for tier, rows in {"phone": [("AY1", 1.0, 1.2)], "word": words}.items():
        lines += ['"IntervalTier"', f'"{tier}"', "0", "100", str(len(rows))]
        lines += [f'{start}\n{end}\n"{label}"' for label, start, end in rows]
    return "\n".join(lines)


@pytest.fixture
def values(rng):
    """{participant: {story: [repetitions, scans, voxels]}}; UTS02 has not heard legacy."""
    heard = {"UTS01": list(SCANS), "UTS02": ["avatar", "wheretheressmoke"]}
    return {
        name: {
            story: rng.standard_normal((3 if story == "wheretheressmoke" else 1, SCANS[story], N_VOXELS))
            for story in stories
        }
        for name, stories in heard.items()
    }


@pytest.fixture
def folder(tmp_path, values):
    derivative = tmp_path / "derivative"
    for name, stories in values.items():
        (derivative / "preprocessed_data" / name).mkdir(parents=True)
        for story, repeats in stories.items():
            with h5py.File(derivative / "preprocessed_data" / name / f"{story}.hf5", "w") as file:
                file["data"] = repeats.mean(axis=0)
                if len(repeats) > 1:
                    file["individual_repeats"] = repeats
    (derivative / "TextGrids").mkdir()
    for story in [*SCANS, "unheard"]:
        (derivative / "TextGrids" / f"{story}.TextGrid").write_text(textgrid(WORDS))
    (derivative / "respdict.json").write_text(json.dumps({story: n + 20 for story, n in SCANS.items()}))
    return tmp_path


def regions(folder, text="voxel,region,hemisphere\n0,S_a,lh\n2,S_a,lh\n5,S_b,rh\n", name="UTS01"):
    (folder / "derivative" / "regions").mkdir(exist_ok=True)
    (folder / "derivative" / "regions" / f"{name}.csv").write_text(text)


def test_stories_sections_and_their_clock(folder):
    data = open_dataset(folder)
    assert isinstance(data, LeBel) and not data.is_phantom
    assert data.stories == tuple(SCANS) and data.participants("EN") == ["UTS01", "UTS02"]
    assert data.scans("EN") == {1: 40, 2: 50, 3: 45} and data.tr == 2.0045
    assert [run.section for run in data.runs("UTS02")] == [1, 3]
    assert [(run.story, run.n_scans) for run in data.runs("UTS01")] == list(SCANS.items())
    # scan k of the scanner begins at 2.0045 k - 10 s of the sound, and the first published one is k = 10
    assert data.starts("EN") == pytest.approx({1: -10.045, 2: -10.045, 3: -10.045})
    words = data.words("EN")
    assert words["word"].tolist() == KEPT * 3 and words["section"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    scan = np.floor((words["onset"][:4] + data.starts("EN")[1]) / data.tr)
    assert scan.tolist() == [-5, 0, 1, 2]  # the first word lies before the first published scan
    assert data.nuisance("UTS01") is None


def test_responses_are_the_first_time_and_repeats_are_all(folder, values):
    data = LeBel(folder)
    responses = data.responses("UTS01")
    assert responses.values.shape == (135, N_VOXELS) and responses.space == "voxels"
    for section, story in enumerate(SCANS, start=1):
        expected = clean(values["UTS01"][story][0], tr=2.0045)
        np.testing.assert_allclose(responses.values[responses.run_of_scan == section], expected, atol=1e-5)
    assert responses.names["region"].tolist() == [str(voxel) for voxel in range(N_VOXELS)]
    (repeats,) = data.repeats("UTS02").values()
    assert list(data.repeats("UTS02")) == [3] and repeats.shape == (3, 45, N_VOXELS)
    np.testing.assert_allclose(repeats[2], clean(values["UTS02"]["wheretheressmoke"][2], tr=2.0045), atol=1e-5)


def test_voxels_have_the_regions_of_a_table(folder, values):
    regions(folder)
    data = LeBel(folder)
    assert data.targets == ("regions", "voxels")
    responses = data.responses("UTS01")
    assert responses.names.to_numpy().tolist() == [["S_a", "lh"], ["S_b", "rh"]] and responses.space == "regions"
    first = clean(values["UTS01"]["avatar"][0], tr=2.0045)
    expected = zscore(np.stack([(first[:, 0] + first[:, 2]) / 2, first[:, 5]], axis=1))
    np.testing.assert_allclose(responses.values[:40], expected, atol=1e-5)
    names = data.responses("UTS01", "voxels").names
    assert names["region"].tolist() == ["S_a", "1", "S_a", "3", "4", "S_b", "6"]
    assert names["hemisphere"].tolist() == ["lh", "", "lh", "", "", "rh", ""]
    assert data.repeats("UTS01")[3].shape == (3, 45, 2)


def test_a_voxel_without_a_signal_is_left_out_of_its_region(folder, values):
    regions(folder)
    with h5py.File(folder / "derivative" / "preprocessed_data" / "UTS01" / "avatar.hf5", "r+") as file:
        file["data"][:, 0] = 3.0
        file["data"][:, 5] = np.nan
    responses = LeBel(folder).responses("UTS01").values[:40]
    expected = clean(values["UTS01"]["avatar"][0], tr=2.0045)[:, 2]
    np.testing.assert_allclose(responses[:, 0], expected, atol=1e-4)
    assert np.isnan(responses[:, 1]).all()


def test_what_is_wrong_is_said(folder, tmp_path_factory):
    with pytest.raises(DatasetError, match="no folder.*preprocessed_data.*--dataset ds003020"):
        LeBel(tmp_path_factory.mktemp("empty"))
    with pytest.raises(DatasetError, match="'UTS09'; they are UTS01, UTS02"):
        LeBel(folder).runs("UTS09")
    with pytest.raises(DatasetError, match="'FR'"):
        LeBel(folder).words("FR")
    with pytest.raises(ConfigurationError, match="'regions'; it is one of voxels, as there are no tables"):
        LeBel(folder).responses("UTS01", "regions")
    regions(folder, "voxel,region,hemisphere\n7,S_a,lh\n")
    with pytest.raises(DatasetError, match=r"UTS01\.csv names voxel 7, and there are 7 from 0 on"):
        LeBel(folder).responses("UTS01")
    regions(folder, "voxel,region,hemisphere\n1,S_a,lh\n1,S_b,lh\n")
    with pytest.raises(DatasetError, match=r"UTS01\.csv names voxel 1 twice"):
        LeBel(folder).responses("UTS01")


def test_damaged_files_are_named(folder):
    recordings, grids = folder / "derivative" / "preprocessed_data", folder / "derivative" / "TextGrids"
    (folder / "derivative" / "respdict.json").write_text(json.dumps({story: n + 10 for story, n in SCANS.items()}))
    with pytest.raises(DatasetError, match=r"avatar\.hf5 has 40 scans of 50.*not cut off"):
        LeBel(folder).scans("EN")
    (recordings / "UTS01" / "avatar.hf5").write_bytes(b"no HDF5")
    with pytest.raises(DatasetError, match=r"avatar\.hf5 is no HDF5 file"):
        LeBel(folder).runs("UTS01")
    (recordings / "UTS01" / "avatar.hf5").unlink()
    (recordings / "UTS01" / "avatar.hf5").symlink_to("../.git/annex/objects/nowhere")
    with pytest.raises(DatasetError, match=r"avatar\.hf5 is not downloaded yet"):
        LeBel(folder).runs("UTS01")
    (grids / "legacy.TextGrid").write_text(textgrid(WORDS)[:80])
    with pytest.raises(AnnotationError, match=r"legacy\.TextGrid.*damaged"):
        LeBel(folder).words("EN")


def test_it_keeps_the_contract_of_datasets(folder):
    check_contract(open_dataset(folder))


def test_damage_within_a_recording_is_named(folder, values):
    path = folder / "derivative" / "preprocessed_data" / "UTS01" / "avatar.hf5"
    path.unlink()
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.arange(280.0).reshape(40, 7), chunks=(40, 7), fletcher32=True)
    sound = path.read_bytes()
    at = sound.index(np.arange(280.0).tobytes()[80:160])
    path.write_bytes(sound[:at] + b"\xa5" + sound[at + 1 :])
    with pytest.raises(DatasetError, match=r"avatar\.hf5 is no HDF5 file with a dataset `data`, or damaged"):
        LeBel(folder).responses("UTS01", "voxels")
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (10**9, 10**9), chunks=(10, 10), dtype="f4")  # nothing of it is written
    with pytest.raises(DatasetError, match=r"avatar\.hf5: \d+ bytes cannot hold numbers \(1000000000, 1000000000\)"):
        LeBel(folder).runs("UTS01")
    with h5py.File(path, "w") as file:
        file["data"] = np.array([["a"]], dtype=object)
    with pytest.raises(DatasetError, match=r"avatar\.hf5: data is \(1, 1\).*not numbers"):
        LeBel(folder).runs("UTS01")


def test_a_voxel_below_the_first_is_no_voxel(folder):
    regions(folder, "voxel,region,hemisphere\n-1,S_a,lh\n")
    regions(folder, "voxel,region,hemisphere\n1,S_a,lh\n", name="UTS02")
    with pytest.raises(DatasetError, match=r"UTS01\.csv names voxel -1, and there are 7 from 0 on"):
        LeBel(folder).responses("UTS01")
