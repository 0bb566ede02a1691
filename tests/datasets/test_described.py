"""A described study: whose recordings of what, on which clock, in which scans."""

import json
import math
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings, strategies as st

from brainbook.__main__ import main
from brainbook.datasets import SurfaceRecording, VolumeRecording, check, clean, open_dataset, to_surface
from brainbook.datasets.cleaning import without_drifts
from brainbook.datasets.recordings import repetition_time
from brainbook.datasets.sections import Section, place, scans_until
from brainbook.encoding import lag_check
from brainbook.errors import AnnotationError, DatasetError

from .conftest import save
from .made_up_study import DESCRIPTION, STARTS, TR, VOLUME, evoked, story_words, write, write_gifti, write_study


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("described") / "study")


@pytest.fixture
def study(written, tmp_path):
    """`study(story={...}, **keys)`: the study opened with other keys, of the description or of its story fox."""
    shutil.copytree(written.parent, tmp_path / "study")

    def opened(story=None, **keys):
        content = yaml.safe_load(DESCRIPTION) | keys
        content["stories"]["fox"] |= story or {}
        path = tmp_path / "study" / "study.yaml"
        path.write_text(yaml.safe_dump(content))
        return open_dataset(path)

    opened.root = tmp_path / "study"
    return opened


def fox(root, participant="sub-01"):
    return root / "fmriprep" / participant / "func" / f"{participant}_task-fox_{VOLUME}"


def test_participants_runs_and_words(study):
    dataset = study()
    assert dataset.participants("EN") == ["sub-01", "sub-02", "sub-10"]  # numbers in order, not letters
    assert [(run.section, run.story, run.path) for run in dataset.runs("sub-01")][0] == (1, "fox", fox(study.root))
    pd.testing.assert_frame_equal(
        dataset.words("EN").query("section == 1")[["word", "onset", "offset"]], story_words("fox")
    )
    with pytest.raises(DatasetError, match="no participant is called 'sub-03'; they are sub-01, sub-02"):
        dataset.runs("sub-03")
    with pytest.raises(DatasetError, match="'FR' is no language of Fox and well; it has EN"):
        dataset.words("FR")


def test_who_is_left_out_and_why(study):
    for path in (study.root / "fmriprep/sub-02/func").glob("*well*"):
        path.unlink()
    dataset = study(exclude={"sub-10": "fell asleep"})
    assert dataset.participants("EN") == ["sub-01"]
    assert dataset.left_out == {"sub-02": "no recording of well", "sub-10": "excluded: fell asleep"}
    with pytest.raises(DatasetError, match="sub-02 is left out: no recording of well"):
        dataset.runs("sub-02")
    assert study(only=["fox"], participants=["sub-01", "sub-02"]).participants("EN") == ["sub-01", "sub-02"]
    assert study({"exclude": {"sub-01": "noisy"}}).left_out["sub-01"] == "excluded from fox: noisy"
    with pytest.raises(DatasetError, match="no participant has recordings of all stories of EN .sub-01: excluded: x"):
        study(exclude={name: "x" for name in ("sub-01", "sub-02", "sub-10")}).participants("EN")


def test_the_analysed_scans_are_those_of_the_story(study):
    dataset = study(margin=6.0)
    start, end = STARTS["fox"], story_words("fox").offset.max()
    first, stop = math.floor(start / TR), math.ceil((start + end + 6) / TR)
    assert dataset.scans("EN")[1] == stop - first
    assert dataset.starts("EN")[1] == pytest.approx(start - first * TR)
    image = nib.load(fox(study.root))
    expected = clean(to_surface(image.slicer[..., first:stop]), tr=TR)
    responses = dataset.responses("sub-01", targets="vertices")
    np.testing.assert_allclose(responses.values[: stop - first], expected, atol=1e-5)
    assert dataset.recording(dataset.runs("sub-01")[0]).content_key() != VolumeRecording(fox(study.root)).content_key()


@pytest.mark.parametrize(
    "story, keys",
    [
        ({}, {}),
        ({"start": 6.4}, {}),
        ({"start": {"event": "music", "clock": -6.4}}, {}),
        ({"start": [6.4]}, {}),
        ({"lead_in": 20.0}, {}),
        ({"seconds": 150.0}, {"margin": 3.0}),
        ({}, {"skip_first": 10}),
        ({}, {"skip_last": 7}),
        ({"trimmed": 8}, {}),
    ],
)
def test_words_and_responses_stay_together_whatever_is_cut(study, story, keys):
    """The noise-free response to the words has its best lag at zero, and scans without words are as they were said."""
    if "trimmed" in story:
        for participant in ("sub-01", "sub-02", "sub-10"):
            image = nib.load(fox(study.root, participant))
            data = np.asarray(image.dataobj)[..., story["trimmed"] :]
            save(data, fox(study.root, participant), tr=TR)
    dataset = study(story, nuisance=[], confounds=None, **keys)
    words, scans, starts = dataset.words("EN"), dataset.scans("EN"), dataset.starts("EN")
    responses = dataset.responses("sub-01")
    mean = np.nanmean(responses.values, axis=1)[responses.run_of_scan == 1]
    scan = np.floor((words.onset[words.section == 1] + starts[1]) / dataset.tr).astype(int)
    counts = np.bincount(scan[(scan >= 0) & (scan < scans[1])], minlength=scans[1])
    lags = lag_check(counts, mean, np.ones(scans[1]), range(-4, 5), TR).set_index("lag").value
    assert lags.idxmax() == 0 and lags[0] > 0.85
    first = round((6.4 - story.get("trimmed", 0) * TR - starts[1]) / TR)
    assert keys.get("skip_first", 0) <= first and first + scans[1] <= 120 - keys.get("skip_last", 0)
    if "lead_in" in story:
        assert starts[1] + 20 >= 0 and starts[1] + 20 < TR


@settings(deadline=None)
@given(
    start=st.floats(-20, 60), tr=st.floats(0.5, 3), trimmed=st.integers(0, 12), skipped=st.integers(0, 12),
    lead_in=st.floats(0, 20), onset=st.floats(0, 100),
)  # fmt: skip
def test_a_word_lies_in_the_scan_that_was_taken_while_it_began(start, tr, trimmed, skipped, lead_in, onset):
    words = pd.DataFrame({"word": ["so"], "onset": [onset], "offset": [onset + 0.2], "section": [1]})
    section = Section(1, "story", 1, 1, words, 120.0, lead_in, None)
    found = place(section, start, tr, trimmed, skipped)
    taken = (start + onset) / tr - trimmed  # scans of the file before the word
    ours = (onset + found.start - found.first * tr) / tr + found.first
    assert ours == pytest.approx(taken, abs=1e-6)
    assert found.first >= skipped
    if skipped == 0 and start + lead_in > trimmed * tr:
        assert 0 <= found.start + lead_in - found.first * tr + 1e-5 < tr + 2e-5


def test_scans_until_counts_the_scan_that_holds_the_moment():
    assert [scans_until(seconds, 1.5) for seconds in (0.0, 0.1, 1.5, 3.0, 4.4)] == [0, 1, 1, 2, 3]


def test_starts_of_participants_differ_by_whole_scans(study):
    """Who heard the story two scans later is analysed two scans later; parts of a scan are reported."""
    path = study.root / "sub-02/func/sub-02_task-fox_events.tsv"
    path.write_text("onset\tduration\ttrial_type\n10.1\t150\tstory\n")
    dataset = study()
    assert dataset._first(dataset.takes("EN", 1)[1]) == dataset._first(dataset.takes("EN", 1)[0]) + 2
    differences = dataset.clock_differences("EN").query("participant == 'sub-02' and section == 1").seconds.item()
    assert differences == pytest.approx(10.1 - 6.4 - 2 * TR)
    assert any("of sub-02 +0.70 s in section 1" in line for line in check(dataset).warnings)


def test_confounds_are_those_of_the_analysed_scans(study):
    dataset = study(nuisance=["trans_*", "rot_z", "cosine*"])
    table = pd.read_csv(study.root / "fmriprep/sub-01/func/sub-01_task-fox_desc-confounds_timeseries.tsv", sep="\t")
    assert np.isnan(table.trans_x_derivative1[0])
    first, n = 4, dataset.scans("EN")[1]
    columns = ["trans_x", "trans_y", "trans_x_derivative1", "rot_z"]
    expected = without_drifts(table[columns].fillna(0).to_numpy()[first : first + n], TR)
    np.testing.assert_allclose(dataset.nuisance("sub-01")[:n], expected)
    assert study(nuisance=[]).nuisance("sub-01") is None
    with pytest.raises(DatasetError, match="say where the tables lie, as confounds"):
        study(confounds=None).nuisance("sub-01")


def test_drifts_are_taken_out_of_confounds_and_scale_is_left(rng):
    scans = np.arange(300)
    noise = rng.normal(0, 5, 300)
    values = np.column_stack([noise + 0.1 * scans, scans, np.full(300, 7.0)])
    steady = without_drifts(values, tr=2.0)
    assert np.corrcoef(steady[:, 0], noise)[0, 1] > 0.95 and 4 < steady[:, 0].std() < 5.5
    assert not steady[:, 1:].any()


def test_na_elsewhere_than_in_the_first_scan_is_refused(study):
    path = study.root / "fmriprep/sub-01/func/sub-01_task-fox_desc-confounds_timeseries.tsv"
    table = pd.read_csv(path, sep="\t")
    table.loc[5, "trans_y"] = np.nan
    path.write_text(table.to_csv(sep="\t", index=False, na_rep="n/a"))
    with pytest.raises(DatasetError, match="line 7, column trans_y: n/a where a number should be"):
        study().nuisance("sub-01")


def test_a_story_heard_again_is_a_repetition(tmp_path):
    dataset = open_dataset(write_study(tmp_path / "study", participants=("sub-01",), repetitions=2))
    assert [(run.section, run.number, run.repetition) for run in dataset.runs("sub-01")] == [(1, 1, 1), (2, 1, 1)]
    repeated = dataset.repeats("sub-01", targets="regions")
    responses = dataset.responses("sub-01")
    scans = dataset.scans("EN")
    assert {number: each.shape for number, each in repeated.items()} == {1: (2, scans[1], 148), 2: (2, scans[2], 148)}
    np.testing.assert_array_equal(repeated[1][0], responses.values[responses.run_of_scan == 1])
    again = repeated[1][:, :, np.isfinite(repeated[1]).all((0, 1))]
    agreement = np.corrcoef(again[0].mean(1), again[1].mean(1))[0, 1]
    assert 0.3 < agreement < 0.999  # the same story, other noise


def test_two_files_for_one_recording_are_refused(tmp_path):
    path = write_study(tmp_path / "study", participants=("sub-01",), repetitions=2)
    path.write_text(path.read_text().replace("[_run-{run}]", "*"))
    with pytest.raises(DatasetError, match="run-2_.* and .*run-1_.* are one recording by the pattern"):
        open_dataset(path).participants("EN")


def test_a_surface_study_equals_its_vertices(tmp_path):
    dataset = open_dataset(write_study(tmp_path / "study", "surface", participants=("sub-01",)))
    run = dataset.runs("sub-01")[0]
    recording = dataset.recording(run)
    assert isinstance(recording, SurfaceRecording) and recording.n_scans == 120
    left, right = (
        np.stack([array.data for array in nib.load(path).darrays]) for path in (recording.path, recording.right)
    )
    np.testing.assert_array_equal(recording.to_surface(), np.hstack([left, right])[slice(*recording.scans)])
    assert dataset.tr == TR and check(dataset).ok


@pytest.mark.parametrize(
    "said, seconds", [("2.5", 2.5), ("2500", 2.5), ("0", None), ("1e+-3", "'1e.-3', which is no number")]
)
def test_the_time_step_of_a_gifti_file_is_in_seconds_or_milliseconds(tmp_path, said, seconds):
    paths = [tmp_path / f"sub-1_hemi-{side}_space-fsaverage5_bold.func.gii" for side in "LR"]
    for path in paths:
        write_gifti(path, np.zeros((3, 10_242)))
        begin = "<MetaData><MD><Name><![CDATA[TimeStep]]></Name><Value><![CDATA["
        path.write_text(path.read_text().replace("<MetaData />", f"{begin}{said}]]></Value></MD></MetaData>", 1))
    if isinstance(seconds, str):
        with pytest.raises(DatasetError, match=seconds):
            _ = SurfaceRecording(*paths).header_tr
    else:
        assert SurfaceRecording(*paths).header_tr == seconds


def test_of_a_finer_surface_the_coarse_vertices_are_taken(tmp_path, rng):
    scans = rng.normal(size=(3, 40_962)).astype(np.float32)
    paths = [tmp_path / f"sub-1_hemi-{side}_space-fsaverage6_bold.func.gii" for side in "LR"]
    write_gifti(paths[0], scans)
    write_gifti(paths[1], scans + 1)
    values = SurfaceRecording(*paths).to_surface()
    np.testing.assert_array_equal(values, np.hstack([scans[:, :10_242], scans[:, :10_242] + np.float32(1)]))
    write_gifti(paths[1], scans[:2])
    with pytest.raises(DatasetError, match="has 3 scans and sub-1_hemi-R.* 2: one of them is damaged"):
        _ = SurfaceRecording(*paths).n_scans
    write_gifti(paths[1], scans[:, :5000])
    with pytest.raises(DatasetError, match="arrays of the shape .5000,.: a hemisphere of fsaverage5 10,242"):
        SurfaceRecording(*paths).to_surface()
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="cannot be read as a GIFTI file"):
        SurfaceRecording(*paths).to_surface()


@pytest.mark.parametrize(
    "header, unit, sidecar, given, expected",
    [
        (1.5, "sec", 1.5, None, 1.5),
        (1.0, "sec", 1.5, None, 1.5),  # fMRIPrep 23.2.0 wrote 1
        (0.0, "sec", 1.5, None, 1.5),
        (1500.0, "msec", 1.5, None, 1.5),
        (1500.0, "sec", 1.5, None, 1.5),
        (0.0, "sec", None, 1.5, 1.5),
        (2.0, "sec", None, None, 2.0),
        (1.5, "sec", 2.0, None, "2 s by own.json, 1.5 s by its header"),
        (1.5, "sec", 1.5, 2.0, "2 s by the description, 1.5 s by own.json, 1.5 s by its header"),
        (0.0, "sec", None, None, "neither its header nor a sidecar says how far apart scans are: say it as tr"),
    ],
)
def test_header_sidecar_and_description_agree(tmp_path, header, unit, sidecar, given, expected):
    recording = VolumeRecording(save(np.ones((3, 3, 3, 4), np.float32), tmp_path / "own.nii.gz", header, unit))
    if sidecar:
        (tmp_path / "own.json").write_text(json.dumps({"RepetitionTime": sidecar}))
    if isinstance(expected, str):
        with pytest.raises(DatasetError, match=expected):
            repetition_time(recording, tmp_path, given)
    else:
        assert repetition_time(recording, tmp_path, given) == pytest.approx(expected)


def test_a_sidecar_above_holds_for_its_task(tmp_path):
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    (tmp_path / "task-fox_bold.json").write_text('{"RepetitionTime": 0.8}')
    path = save(np.ones((3, 3, 3, 4), np.float32), folder / "sub-01_task-fox_bold.nii", tr=0.0)
    assert repetition_time(VolumeRecording(path), tmp_path) == 0.8


def sections_study(root, words: dict[str, str], keys: dict, runs=("04", "5", "11")):
    """Three recordings of one story, in runs whose numbers are not those of the sections."""
    folder = root / "fmriprep/sub-01/func"
    folder.mkdir(parents=True)
    for number, run in enumerate(runs, 1):
        path = folder / f"sub-01_task-prince_run-{run}_space-MNIColin27_bold.nii.gz"
        save(np.full((4, 4, 4, 20), number, np.float32), path, tr=2.0)
    for name, text in words.items():
        write(root / name, text)
    story = {"language": "XX", "where": {"task": "prince"}} | keys
    pattern = "fmriprep/{participant}/func/{participant}_task-{task}_run-{run}_space-MNIColin27_bold.nii.gz"
    write(root / "dataset.yaml", yaml.safe_dump({"recordings": pattern, "stories": {"prince": story}}))
    return open_dataset(root)


TABLE = "word,onset,offset,section\n" + "".join(f"w{s},{t},{t + 0.5},{s}\n" for s in (1, 2, 3) for t in range(1, 30))


def by_section(section):
    lines = TABLE.splitlines()
    return "word,onset,offset\n" + "".join(line[:-2] + "\n" for line in lines[1:] if line.endswith(f",{section}"))


@pytest.mark.parametrize(
    "words, keys",
    [
        ({"words.csv": TABLE}, {"words": "words.csv", "sections_by": "run"}),
        (
            {f"w{s}.csv": by_section(s) for s in (1, 2, 3)},
            {"words": ["w1.csv", "w2.csv", "w3.csv"], "sections_by": "run"},
        ),
        ({f"w{s:02d}.csv": by_section(s) for s in (1, 2, 3)}, {"words": "w{section}.csv", "sections_by": "run"}),
    ],
)
def test_sections_of_a_story(tmp_path, words, keys):
    dataset = sections_study(tmp_path, words, keys)
    assert dataset.languages == ("XX",) and dataset.stories == ("prince",)
    assert [(run.section, run.number) for run in dataset.runs("sub-01")] == [(1, 4), (2, 5), (3, 11)]
    assert dataset.words("XX").groupby("section").word.unique().map(list).tolist() == [["w1"], ["w2"], ["w3"]]
    assert dataset.scans("XX") == {1: 20, 2: 20, 3: 20}  # 29.5 s, and the margin of 10 s


def test_runs_that_bear_the_sections_number(tmp_path):
    dataset = sections_study(
        tmp_path,
        {"w.csv": TABLE},
        {"words": "w.csv", "where": {"task": "prince", "run": "{section}"}},
        ("01", "2", "3"),
    )
    assert [run.number for run in dataset.runs("sub-01")] == [1, 2, 3]


def test_with_a_run_missing_no_section_is_known(tmp_path):
    with pytest.raises(DatasetError, match=r"sub-01 has 2 recordings of prince .run 04, 5., its words have 3 sections"):
        keys = {"words": "w.csv", "sections_by": "run"}
        sections_study(tmp_path, {"w.csv": TABLE}, keys, ("04", "5")).participants("XX")


@pytest.mark.parametrize(
    "words, keys, error",
    [
        ({"w.csv": TABLE.replace(",2\n", ",4\n")}, {"words": "w.csv"}, "section 3 follows section 4"),
        (
            {"w.csv": "word,onset,offset,section\nw,1,2,2\n"},
            {"words": "w.csv"},
            "has the sections .2.: they should be 1",
        ),
        ({"w2.csv": by_section(2)}, {"words": "w{section}.csv"}, "finds the sections .2.: they should be 1, 2, 3"),
        ({"w.csv": TABLE}, {"words": "w.csv", "start": [1, 2]}, "start lists 2 values, and there are 3 sections"),
        (
            {"w.csv": by_section(1)},
            {"words": "w.csv", "lead_in": 40.0},
            "lead_in is 40 s, and the story ends at 29.5 s",
        ),
        ({"w.csv": by_section(1)}, {"words": "w.csv", "seconds": 20.0}, "words lie after the end of its audio .20 s."),
    ],
)
def test_sections_that_cannot_be_are_refused(tmp_path, words, keys, error):
    with pytest.raises((DatasetError, AnnotationError), match=error):
        dataset = sections_study(tmp_path, words, {"sections_by": "run"} | keys)
        dataset.scans("XX")


@pytest.mark.parametrize(
    "text, message",
    [
        ("recordngs: x\nstories: {a: {words: b}}", "recordngs is no key of a description"),
        ("recordings: x\nstories: {A: {words: b, start: soon}}", "stories.A.start is 'soon': .*seconds of the run"),
        ("recordings: x\nstories: {a: {words: b, start: {evnt: x}}}", "stories.a.start.evnt is no key"),
        ("recordings: {a}_b.nii\n", "line 1: not YAML .*stands in quotes"),
        ("recordings: x\nstories: {a: {words: b}}", "no language for a: say language"),
        ("recordings: x\nlanguage: EN\nstories: {a: {words: b}}\nonly: [c]", "only names c; stories are a"),
        ("like: nothing", "like is 'nothing'; shipped descriptions are little_prince_fmriprep, narratives"),
        ("recordings: x\nrecordings: y", "line 2: not YAML .the key 'recordings' stands twice"),
        ("like: [narratives]", "like is .*shipped descriptions are"),
        ("root: ~no_such_user_here/x", "root is '~no_such_user_here/x'"),
        ("recordings: x\nlanguage: EN\ntr: .nan\nstories: {a: {words: b}}", "tr is 'nan'"),
        ("recordings: x\nlanguage: EN\nstories: {a: {words: b, start: .inf}}", "stories.a.start is 'inf'"),
        ("- 1", "should hold keys and their values"),
        (
            "recordings: x\nlanguage: NO\nstories: {a: {words: b}}",
            "language is 'False': .*no, on and off stand in quotes",
        ),
        ("recordings: x\nlanguage: EN\nstories: {}", "stories is '{}'"),
    ],
)
def test_a_description_that_is_not_sound_is_refused(tmp_path, text, message):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path / "study.yaml")


def test_narratives_is_known_by_its_layout(tmp_path):
    """Music before the story is on the words' clock; of two participants one heard another story."""
    n_scans, start = 60, 15.0
    for participant, task in (("sub-001", "pieman"), ("sub-002", "pieman"), ("sub-003", "tunnel")):
        folder = tmp_path / "derivatives/afni-nosmooth" / participant / "func"
        run = "_run-1" if participant == "sub-002" else ""
        for side in "LR":
            path = folder / f"{participant}_task-{task}{run}_space-fsaverage6_hemi-{side}_desc-clean.func.gii"
            write_gifti(path, np.zeros((n_scans, 40_962)))
        events = "onset\tduration\ttrial_type\n0.0\t13.0\tmusic\n15.0\t60.0\tstory\n"
        write(tmp_path / participant / "func" / f"{participant}_task-{task}{run}_events.tsv", events)
    for story in ("pieman", "tunnel", "lucy", "prettymouth", "21styear", "slumlord", "reach"):
        words = [{"case": "success", "word": "so", "start": t, "end": t + 0.2} for t in np.arange(15.5, 70, 0.5)]
        write(tmp_path / f"stimuli/gentle/{story}/align.json", json.dumps({"words": words}))
    with pytest.raises(
        DatasetError, match="no participant has recordings of all stories of EN .sub-001: no recording of"
    ):
        open_dataset(tmp_path).participants("EN")
    write(tmp_path / "mine.yaml", "like: narratives\nonly: [pieman]\n")
    dataset = open_dataset(tmp_path / "mine.yaml")
    assert dataset.participants("EN") == ["sub-001", "sub-002"] and dataset.tr == 1.5
    n_analysed = math.ceil((69.7 + 10 - start) / 1.5)  # to ten seconds after the last word
    assert dataset.scans("EN") == {1: n_analysed} and dataset.starts("EN") == {1: -start}
    assert dataset.recording(dataset.runs("sub-002")[0]).scans == (10, 10 + n_analysed)
    assert open_dataset(tmp_path / "derivatives/..").stories == ("pieman", "tunnel")  # those that are here


def test_little_prince_processed_by_fmriprep_is_known_by_its_layout(tmp_path):
    folder = tmp_path / "derivatives/fmriprep/sub-EN057/func"
    folder.mkdir(parents=True)
    for run in (6, 7, 9, 10, 11, 12, 14, 16, 23):
        path = folder / f"sub-EN057_task-lppEN_run-{run:02d}_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz"
        path.symlink_to("../.git/annex/objects/absent")
    rows = "".join(f"the,{section}.0,{section}.4,{section}\n" for section in range(1, 10))
    write(tmp_path / "annotation/EN/lppEN_word_information.csv", "word,onset,offset,section\n" + rows)
    dataset = open_dataset(tmp_path)
    assert dataset.languages[0] == "EN" and dataset.participants("EN") == ["sub-EN057"]
    assert [run.number for run in dataset.runs("sub-EN057")][:3] == [6, 7, 9]
    assert dataset.starts("EN") == dict.fromkeys(range(1, 10), 0.0)  # of 8 s, four scans


def test_the_evoked_response_of_the_made_up_study_is_what_it_says():
    assert evoked("fox", 3.0, 120)[:4].max() < evoked("fox", 3.0, 120).max() / 2


def test_all_recordings_that_end_too_early_are_named(study):
    for participant in ("sub-02", "sub-10"):
        image = nib.load(fox(study.root, participant))
        save(np.asarray(image.dataobj)[..., :80], fox(study.root, participant), tr=TR)
    with pytest.raises(DatasetError, match=r"sub-02_.*: fox needs 100 scans .*, and 76 are there .so .* of sub-10."):
        study().scans("EN")


def test_a_description_is_checked_from_the_command_line(study, capsys):
    study(confounds="none_{participant}.tsv", nuisance=[])
    assert main(["check", str(study.root / "study.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "EN: 3 participants (sub-01, sub-02, sub-10), a scan every 1.5 s" in shown
    assert "Note: confounds are named and not used" in shown and "Words and recordings are ready." in shown
    (study.root / "study.yaml").write_text(f"root: elsewhere\n{DESCRIPTION}")
    assert main(["check", str(study.root / "study.yaml")]) == 1
    assert "there is no folder" in capsys.readouterr().out


def test_a_pattern_begins_from_the_root(study):
    with pytest.raises(DatasetError, match="/data/.*: patterns begin from root"):
        study(recordings="/data/{participant}_{task}.nii").participants("EN")


def test_a_participant_whose_name_is_no_name_is_refused(study):
    """A folder from elsewhere may be called anything; names stand in file names and, as links, in pages."""
    shutil.copytree(study.root / "fmriprep/sub-01", study.root / "fmriprep/<img src=x>")
    for path in (study.root / "fmriprep/<img src=x>/func").iterdir():
        path.rename(path.with_name(path.name.replace("sub-01", "<img src=x>")))
    with pytest.raises(DatasetError, match="'<img src=x>' cannot be a participant's name: letters"):
        study().participants("EN")
