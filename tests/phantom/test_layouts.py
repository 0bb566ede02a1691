"""Phantoms in the layouts of other datasets: opened by what opens the real ones, their truth found again."""

import json
import re
from functools import lru_cache

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainbook.datasets import open_dataset
from brainbook.encoding import cross_validate, delays_in_scans, lag_check
from brainbook.errors import ConfigurationError
from brainbook.phantom import make_phantom, read_truth
from brainbook.phantom.__main__ import main
from brainbook.phantom.drivers import DRIVERS, convolve, on_clock, word_drivers
from brainbook.phantom.layouts.surfaces import section_after, subdivided_edges
from brainbook.phantom.volume import triangles
from brainbook.phantom.world import make_world

pytestmark = pytest.mark.integration

LAYOUTS = {
    "fmriprep": {"space": "fsaverage5", "scans": 80},
    "narratives": {"space": "fsaverage5", "scans": 80, "participants": 2},
    "lebel": {"scans": 80},
}
TRIM = 8  # scans


class Written(dict):
    """{layout: folder}, each written when it is first asked for."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def __missing__(self, name):
        options = {"participants": 1, "seed": 1, "signal": 5.0, "layout": name} | LAYOUTS[name]
        self[name] = make_phantom(self.folder / name, **options)
        return self[name]


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return Written(tmp_path_factory.mktemp("layouts"))


@pytest.fixture(params=LAYOUTS)
def layout(request, roots):
    return request.param, open_dataset(roots[request.param]), read_truth(roots[request.param])


def test_the_loader_and_the_truth_have_the_same_clock(layout):
    name, data, truth = layout
    assert data.is_phantom and data.tr == truth.tr and data.tr != 2
    assert truth.parameters["layout"] == name
    heard, known = data.words("EN"), truth.words("EN")
    assert heard["word"].tolist() == known["word"].tolist() and heard["section"].tolist() == known["section"].tolist()
    np.testing.assert_allclose(heard["onset"], known["onset"], atol=2e-3)
    table = truth.scans.set_index("section")
    assert data.scans("EN") == table["scans_preprocessed"].to_dict()
    assert data.starts("EN") == pytest.approx(table["start"].to_dict(), abs=1e-4)
    for features, run_of_scan in truth.drivers("EN").values():
        assert len(features) == len(run_of_scan) == sum(data.scans("EN").values())
    assert len(truth.story("EN")) == len(table)


def test_the_drivers_count_the_words_in_their_scans(layout):
    """By definition: a word at `onset` lies in the scan floor((onset + start) / tr)."""
    _, data, truth = layout
    words = data.words("EN")
    counts, run_of_scan = truth.drivers("EN")["sound"]
    for section, n_scans in data.scans("EN").items():
        onsets = words["onset"][words["section"] == section] + data.starts("EN")[section]
        expected = np.histogram(onsets, np.arange(n_scans + 1) * data.tr)[0]
        assert np.abs(counts[run_of_scan == section, 0] - expected).sum() <= 2  # on a scan's border by rounding


@lru_cache
def only_responses(root):
    """What the one participant's recordings give, read once."""
    data = open_dataset(root)
    return data.responses(*data.participants("EN"))


@lru_cache
def scores_of_drivers(root, confounds=True):
    """Each driver's score in each region, runs left out one by one, edges trimmed; and what the truth says of it."""
    data, truth = open_dataset(root), read_truth(root)
    observed = only_responses(root)
    nuisance = data.nuisance(*data.participants("EN")) if confounds else None
    features = [values for values, _ in truth.drivers("EN").values()]
    runs, delays = observed.run_of_scan, delays_in_scans(data.tr, (0, 2, 4, 6, 8, 10))
    scores = cross_validate(
        features, observed.values, runs, delays, np.logspace(1.5, 4, 3), trim=TRIM, nuisance=nuisance
    )
    table = pd.DataFrame(scores.scores.T, columns=DRIVERS)
    regions = truth.regions.set_index(["region", "hemisphere"])
    known = regions.loc[pd.MultiIndex.from_frame(observed.names[["region", "hemisphere"]])]
    table = table.assign(driver=known["driver"].to_numpy(), ceiling=known["ceiling_EN"].to_numpy())
    own = [row[row["driver"]] if row["driver"] in DRIVERS else np.nan for _, row in table.iterrows()]
    return table.assign(own=np.array(own, float))


@pytest.mark.filterwarnings("ignore")  # regions that nothing drives take any penalty
def test_each_region_follows_its_own_driver_up_to_its_ceiling(layout):
    scores = scores_of_drivers(layout[1].root)
    by_driver = scores.groupby("driver")[list(DRIVERS)].mean()
    for driver in DRIVERS:
        assert by_driver.loc[driver].idxmax() == driver
        assert by_driver.loc[driver, driver] > 0.1
    assert abs(by_driver.loc["none"].mean()) < 0.08
    driven = scores[scores["driver"] != "none"]
    assert 0.45 < driven["own"].mean() / driven["ceiling"].mean() < 1
    assert np.corrcoef(driven["own"], driven["ceiling"])[0, 1] > 0.5


def test_words_and_recordings_share_a_clock(layout):
    _, data, truth = layout
    counts, runs = truth.drivers("EN")["sound"]
    responses = only_responses(data.root)
    auditory = responses.names["region"].isin(["G_temp_sup-G_T_transv", "S_temporal_transverse"]).to_numpy()
    lags = lag_check(counts[:, 0], responses.values[:, auditory], runs, tr=data.tr)
    assert abs(lags.groupby("lag")["value"].mean().idxmax()) <= 1


@pytest.mark.filterwarnings("ignore")  # regions that nothing drives take any penalty
def test_motion_adds_what_the_truth_says_and_confounds_take_it_out(roots):
    """The share of a region's variance that motion makes is one less the ratio of the squared ceilings."""
    data, truth = open_dataset(roots["fmriprep"]), read_truth(roots["fmriprep"])
    confounds, observed = data.nuisance(*data.participants("EN")), only_responses(data.root).values
    left = observed - confounds @ np.linalg.lstsq(confounds, observed, rcond=None)[0]
    explained = 1 - left.var(axis=0) / observed.var(axis=0)
    driven = truth.ceilings["ceiling"].to_numpy() > 0
    ceilings = truth.ceilings[driven]
    expected = 1 - (ceilings["ceiling_uncorrected"] / ceilings["ceiling"]) ** 2
    assert expected.mean() > 0.25 and explained[driven].mean() == pytest.approx(expected.mean(), abs=0.05)
    assert np.corrcoef(explained[driven], expected)[0, 1] > 0.8
    scores, uncorrected = (scores_of_drivers(data.root, confounds)["own"].mean() for confounds in (True, False))
    assert scores > uncorrected + 0.02


def test_repetitions_agree_as_the_truth_says(roots):
    """Two recordings of the same response correlate at the square of the ceiling."""
    data, truth = open_dataset(roots["lebel"]), read_truth(roots["lebel"])
    (participant,) = data.participants("EN")
    ((section, repeats),) = data.repeats(participant).items()
    assert data.runs(participant)[section - 1].story == "wheretheressmoke" and len(repeats) == 10
    covariance = np.einsum("ist,jst->ijt", repeats, repeats) / (repeats.shape[1] - 1)
    agreement = covariance[np.triu_indices(10, 1)].mean(axis=0)
    expected = truth.regions["ceiling_EN"].to_numpy() ** 2
    assert np.corrcoef(agreement, expected)[0, 1] > 0.8
    assert agreement.mean() == pytest.approx(expected.mean(), abs=0.04)
    first = only_responses(data.root)
    np.testing.assert_array_equal(first.values[first.run_of_scan == section], repeats[0])


def test_fmriprep_to_the_letter(roots):
    root = roots["fmriprep"]
    func = root / "derivatives" / "fmriprep" / "sub-01" / "func"
    runs = [f"sub-01_task-{task}_run-{run}" for task, run in [("forest", 1), ("forest", 2), ("forest", 3)]]
    for stem in [*runs, "sub-01_task-harbour_run-1", "sub-01_task-harbour_run-2"]:
        left = nib.load(func / f"{stem}_hemi-L_space-fsaverage5_bold.func.gii")
        assert (func / f"{stem}_hemi-R_space-fsaverage5_bold.func.gii").is_file()
        assert left.darrays[0].data.shape == (10_242,) and left.meta["TimeStep"] == "1500.000000"
        assert json.loads((func / f"{stem}_hemi-L_space-fsaverage5_bold.json").read_text())["RepetitionTime"] == 1.5
        text = (func / f"{stem}_desc-confounds_timeseries.tsv").read_text().splitlines()
        header, first = text[0].split("\t"), text[1].split("\t")
        assert len(text) == 1 + len(left.darrays)
        missing = {name for name, cell in zip(header, first, strict=True) if cell == "n/a"}
        assert missing == {name for name in header if "derivative" in name} | {"framewise_displacement"}
        assert not any("n/a" in line for line in text[2:])
        events = pd.read_csv(root / "sub-01" / "func" / f"{stem}_events.tsv", sep="\t")
        assert events["trial_type"].tolist() == ["story"] and 5 < events["onset"][0] < 15
    scans = read_truth(root).scans["scans_preprocessed"]
    assert scans[:3].sum() > 1.2 * scans[3:].sum()  # two stories of unequal length
    words = json.loads((root / "stimuli" / "forest_run-2.json").read_text())
    assert words["language"] == "en" and set(words["segments"][0]["words"][0]) == {"word", "start", "end", "score"}


def test_narratives_to_the_letter(roots):
    root = roots["narratives"]
    func = root / "derivatives" / "afni-nosmooth" / "sub-001" / "func"
    assert len(list(func.glob("sub-001_task-*_space-fsaverage5_hemi-[LR]_desc-clean.func.gii"))) == 10
    events = pd.read_csv(root / "sub-001" / "func" / "sub-001_task-pieman_events.tsv", sep="\t")
    assert events["trial_type"].tolist() == ["music", "story"] and events["onset"].tolist() == [0.0, 15.0]
    aligned = json.loads((root / "stimuli" / "gentle" / "pieman" / "align.json").read_text())
    word = aligned["words"][3]
    assert aligned["transcript"][word["startOffset"] : word["endOffset"]] == word["word"]
    assert aligned["words"][0]["start"] > 15 and word["case"] == "success"  # music included
    table = pd.read_csv(root / "stimuli" / "gentle" / "pieman" / "align.csv", header=None)
    assert table[2].tolist() == [word["start"] for word in aligned["words"]]
    assert json.loads((root / "code" / "event_meta.json").read_text())["pieman"]["onset"] == 10


def test_lebel_to_the_letter(roots):
    derivative = roots["lebel"] / "derivative"
    counted = json.loads((derivative / "respdict.json").read_text())
    table = pd.read_csv(derivative / "regions" / "UTS01.csv")
    assert len(counted) == 6 and table.groupby(["region", "hemisphere"]).size().max() == 3
    for path in (derivative / "preprocessed_data" / "UTS01").glob("*.hf5"):
        with h5py.File(path) as file:
            values = file["data"][:]
            assert values.shape == (counted[path.stem] - 20, len(table))
            np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-4)
            assert ("individual_repeats" in file) == (path.stem == "wheretheressmoke")
    text = (derivative / "TextGrids" / "souls.TextGrid").read_text()
    assert re.findall(r'name = "(\w+)"', text) == ["phone", "word"]
    assert {"sentence_start", "sp", "{LG}", "{NS}"} <= set(re.findall(r'text = "(.*)"', text))


def test_a_section_begins_in_its_run_and_words_fall_into_its_scans():
    """Scans of 1.5 s, a sound that begins 8 s after the run: cut five, and the first lies 0.5 s before the sound."""
    how = section_after("forest", 1, start=8.0, seconds=60.0, tr=1.5)
    assert how.cut == 5 and how.n_scans == int(np.ceil((0.5 + 60 + 10) / 1.5))
    assert how.n_recorded >= how.cut + how.n_scans
    words = pd.DataFrame({"onset": [0.9, 1.1], "offset": [1.0, 1.5], "section": 1, "loudness": 1.0})
    words = words.assign(concept=-1, meant=-1, scene=0)
    clock = on_clock(words, word_drivers(words, make_world()), 10, cells=1, tr=1.5, start=8.0)
    assert np.flatnonzero(clock["sound"][:, 0]).tolist() == [5, 6]  # at 8.9 and 9.1 s
    fine = on_clock(words, word_drivers(words, make_world()), 10, cells=4, tr=1.5, start=8.0)
    assert convolve(fine["sound"], 5.0, tr=1.5)[:, 0].argmax() == round((9.0 + 5.0) / 1.5 - 0.5)


def test_fsaverage6_begins_with_fsaverage5_and_has_its_number_of_vertices():
    for faces in triangles():
        edges = subdivided_edges(faces)
        assert len(edges) == 40_962 - 10_242 and (edges[:, 0] < edges[:, 1]).all()


def test_volumes_of_fmriprep(tmp_path):
    options = {"participants": 1, "scans": 30, "voxel_size": 15.0}
    root = make_phantom(tmp_path / "study", layout="fmriprep", space="MNI152NLin2009cAsym", **options)
    assert open_dataset(root).responses("sub-01").values.shape[1] == 148
    name = "sub-01_task-forest_run-1_space-MNI152NLin2009cAsym_res-2_desc-"
    func = root / "derivatives" / "fmriprep" / "sub-01" / "func"
    assert nib.load(func / f"{name}preproc_bold.nii.gz").header.get_zooms()[3] == 1.5
    assert np.asarray(nib.load(func / f"{name}brain_mask.nii.gz").dataobj).max() == 1


def test_a_participant_missed_a_story(roots):
    heard = {path.name.split("_")[1] for path in roots["narratives"].glob("derivatives/*/sub-002/func/*_hemi-L_*")}
    assert heard == {"task-prettymouth", "task-tunnel", "task-lucy", "task-21styear"}
    assert open_dataset(roots["narratives"]).participants("EN") == ["sub-001"]


def test_a_null_phantom_from_the_command_line(tmp_path):
    options = ["--layout", "lebel", "--null", "--scans", "30", "--participants", "1"]
    assert main([str(tmp_path / "study"), *options]) == 0
    truth = read_truth(tmp_path / "study")
    assert set(truth.regions["driver"]) == {"none"} and not truth.ceilings["ceiling"].any()
    (repeats,) = open_dataset(tmp_path / "study").repeats("UTS01").values()
    between = np.einsum("ist,jst->ijt", repeats, repeats)[np.triu_indices(10, 1)] / (repeats.shape[1] - 1)
    assert abs(between.mean()) < 0.02


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"layout": "bids"}, "layout='bids'.*fmriprep"),
        ({"layout": "lebel", "space": "fsaverage6"}, "lebel is written in voxels"),
        ({"layout": "narratives", "languages": ("EN", "FR")}, "has one"),
        ({"layout": "fmriprep", "echoes": 2}, "only ds003643"),
    ],
)
def test_impossible_layouts_are_refused(tmp_path, wrong, says):
    with pytest.raises(ConfigurationError, match=says):
        make_phantom(tmp_path / "study", participants=1, scans=30, **wrong)
    assert not list(tmp_path.iterdir())
