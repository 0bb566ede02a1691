import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainbook.datasets import LittlePrince, MissingFileError, to_surface
from brainbook.datasets.atlas import destrieux
from brainbook.datasets.cleaning import clean, zscore
from brainbook.errors import AnnotationError, ConfigurationError, DatasetError


@pytest.fixture(scope="module")
def prince(fake_trio):
    return LittlePrince(fake_trio.root)


def test_languages_and_participants(prince, fake_trio):
    assert prince.languages == ("EN", "FR", "CN")
    assert prince.participants("EN") == ["sub-EN059"]
    assert "1 EN, 1 FR, 1 CN" in repr(prince)
    assert prince.tr == 2.0


def test_participants_are_sorted_and_other_folders_left_out(fake):
    for name in ("sub-FR010", "sub-FR002"):
        fake.participant(name)
    (fake.root / "derivatives" / "sub-FR003" / "func").mkdir(parents=True)  # nothing in it
    (fake.root / "derivatives" / "sub-FRx").mkdir()
    (fake.root / "derivatives" / "logs").mkdir()
    prince = LittlePrince(fake.root)
    assert prince.languages == ("FR",)
    assert prince.participants("FR") == ["sub-FR002", "sub-FR010"]
    with pytest.raises(DatasetError, match="'EN' is not here.*has recordings in FR"):
        prince.words("EN")
    with pytest.raises(DatasetError, match="'ZH' is no language"):
        prince.participants("ZH")


@pytest.mark.parametrize("participant", ["sub-EN059", "sub-FR025", "sub-CN032"])
def test_sections_are_ranks_among_preprocessed_runs(prince, fake_trio, participant):
    language = participant[4:6]
    runs = prince.runs(participant)
    assert [run.section for run in runs] == list(range(1, 10))
    assert [run.number for run in runs] == fake_trio.runs[language]
    assert [run.n_scans for run in runs] == list(fake_trio.scans[language])
    assert {run.language for run in runs} == {language}
    for run in runs:
        image = prince.bold(participant, run.section)
        assert image.shape[3] == run.n_scans
        assert round(float(np.median(image.dataobj)) / 1000) == run.section  # the fake tells its section


def test_numbers_are_ranked_as_numbers(fake):
    fake.participant("sub-FR001")
    for number in range(1, 10):
        path = fake.preprocessed("sub-FR001", number)
        path.rename(path.with_name(path.name.replace(f"run-{number:02d}", f"run-{number + 1}")))
    assert [run.number for run in LittlePrince(fake.root).runs("sub-FR001")] == list(range(2, 11))


def test_aborted_raw_runs_shift_nothing(prince):
    assert prince.runs("sub-CN032")[0].number == 4


def test_echoes_start_where_the_audio_starts(prince):
    run = prince.run("sub-EN059", 2)
    assert sorted(run.echoes) == [1, 2, 3]
    assert all(f"run-{run.number:02d}_echo-{echo}" in path.name for echo, path in run.echoes.items())
    echo = prince.bold("sub-EN059", 2, echo=3)
    assert echo.shape[3] == run.n_scans
    raw = nib.load(run.echoes[3])
    assert raw.shape[3] == run.n_scans + 4
    np.testing.assert_array_equal(echo.dataobj[..., 0], raw.dataobj[..., 4])
    assert prince.bold("sub-FR025", 2, echo=1).shape[3] == prince.run("sub-FR025", 2).n_scans
    with pytest.raises(DatasetError, match="no echo 4.*there: 1, 2, 3"):
        prince.bold("sub-EN059", 2, echo=4)


def test_no_raw_data_no_echoes(fake):
    fake.participant("sub-EN057")
    prince = LittlePrince(fake.root)
    assert prince.run("sub-EN057", 1).echoes == {}
    with pytest.raises(DatasetError, match="datalad get sub-EN057/func"):
        prince.bold("sub-EN057", 1, echo=1)


def test_words_and_tables(prince, fake_trio):
    words = prince.words("CN")
    assert words.word[:2].tolist() == ["小", "王子"]
    words.loc[0, "word"] = "changed"
    assert prince.words("CN").word[0] == "小"  # a caller's change stays the caller's
    assert prince.scans("FR") == dict(enumerate(fake_trio.scans["FR"], 1))
    assert prince.audio_seconds("FR")[1] == 60.0
    assert prince.participants_table.participant_id.tolist() == ["sub-EN057"]  # in spite of the byte-order mark
    assert prince.is_phantom


def test_the_datasets_own_table_without_a_phantoms(fake):
    fake.participant("sub-EN057")
    (fake.root / "truth" / "scans.csv").unlink()
    (fake.root / "truth").rmdir()
    prince = LittlePrince(fake.root)
    assert prince.scans("EN")[1] == 282
    assert prince.scans("EN")[9] == 368
    with pytest.raises(DatasetError, match="has 20 scans, section 1 has 282"):
        prince.runs("sub-EN057")


def test_a_section_without_words(fake):
    fake.participant("sub-EN057")
    path = fake.root / "annotation" / "EN" / "lppEN_word_information.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.rstrip().endswith(",4")))
    with pytest.raises(AnnotationError, match="no word in section 4"):
        LittlePrince(fake.root).words("EN")


def test_words_off_the_clock_of_their_audio_are_refused(fake):
    fake.participant("sub-EN057")
    path = fake.root / "annotation" / "EN" / "lppEN_word_information.csv"
    table = pd.read_csv(path, index_col=0)
    table.loc[table.section >= 3, ["onset", "offset"]] += 500.0
    table.to_csv(path)
    prince = LittlePrince(fake.root)
    n = (table.section == 3).sum()
    with pytest.raises(AnnotationError, match=f"section 3: {n} of {n} words lie after the end of its audio"):
        prince.words("EN")
    assert list(prince.changed_words("EN").columns) == ["row", "was", "is", "why"]


def test_prosody(fake):
    fake.participant("sub-EN057")
    path = fake.root / "annotation" / "EN" / "lppEN_prosody.csv"
    with pytest.raises(MissingFileError, match="datalad get annotation/EN/lppEN_prosody.csv"):
        LittlePrince(fake.root).prosody("EN")
    path.write_text(",section,time,intensity,f0\n0,1,0.01,60,120\n")
    assert LittlePrince(fake.root).prosody("EN").iloc[0].tolist() == [1, 0.01, 60, 120]
    path.write_text("section,time,intensity,f0\n1,0.01,60,\n")
    assert np.isnan(LittlePrince(fake.root).prosody("EN").f0[0])
    path.write_text("section,time,intensity,f0\n1,soon,60,120\n")
    with pytest.raises(AnnotationError, match="line 2, column time: 'soon' is no number"):
        LittlePrince(fake.root).prosody("EN")
    path.write_text("section,time\n")
    with pytest.raises(AnnotationError, match="no column intensity, f0"):
        LittlePrince(fake.root).prosody("EN")


def test_folders_that_are_no_dataset(tmp_path, fake):
    with pytest.raises(DatasetError, match="there is no folder .*nowhere.*datalad clone.*python -m brainbook.phantom"):
        LittlePrince(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="holds no folder annotation and no derivatives"):
        LittlePrince(tmp_path)
    with pytest.raises(DatasetError, match="holds no preprocessed recording"):
        LittlePrince(fake.root)


def test_names_of_participants(prince):
    for name in ("EN057", "sub-57", "sub-EN57", "sub-XX001"):
        with pytest.raises(DatasetError, match="is no participant's name"):
            prince.runs(name)
    with pytest.raises(DatasetError, match=r"no sub-FR057: a figure.*sub-FR025"):
        prince.runs("sub-FR057")
    with pytest.raises(DatasetError, match="no preprocessed recordings of sub-EN060.*sub-EN059"):
        prince.runs("sub-EN060")
    for section in (0, 10, "1"):
        with pytest.raises(DatasetError, match="is not one of the sections"):
            prince.bold("sub-EN059", section)


def test_a_missing_run_makes_all_ranks_uncertain(fake):
    fake.participant("sub-EN057")
    fake.preprocessed("sub-EN057", 9).unlink()
    with pytest.raises(DatasetError, match=r"8 preprocessed runs \(6, 7, 10, .*not 9"):
        LittlePrince(fake.root).runs("sub-EN057")


def test_two_files_for_a_run_and_a_file_of_another(fake):
    fake.participant("sub-EN057")
    path = fake.preprocessed("sub-EN057", 9)
    twin = path.with_name(path.name.replace("run-09", "run-9"))
    twin.write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match="are both run 9"):
        LittlePrince(fake.root).runs("sub-EN057")
    twin.rename(path.with_name(path.name.replace("lppEN_run-09", "lppFR_run-30")))
    with pytest.raises(DatasetError, match="who heard lppEN"):
        LittlePrince(fake.root).runs("sub-EN057")


def test_other_files_beside_the_runs_are_passed_over(fake):
    fake.participant("sub-EN057")
    path = fake.preprocessed("sub-EN057", 9)
    path.with_name("._" + path.name).write_text("left by a Mac")
    path.with_name("notes.txt").touch()
    path.with_name(path.name.replace("_bold.nii.gz", "_mask.nii.gz")).touch()
    assert len(LittlePrince(fake.root).runs("sub-EN057")) == 9


@pytest.mark.parametrize("pointer", ["link", "text"])
def test_recordings_that_are_not_downloaded(fake, pointer):
    fake.participant("sub-EN057")
    for number in fake.runs["EN"][1:]:
        fake.unlink(fake.preprocessed("sub-EN057", number), pointer)
    prince = LittlePrince(fake.root)
    assert prince.participants("EN") == ["sub-EN057"]
    assert [run.n_scans for run in prince.runs("sub-EN057")] == list(fake.scans["EN"])  # from the table
    assert prince.bold("sub-EN057", 1).shape[3] == 20
    expected = r"not downloaded yet.*datalad get derivatives/sub-EN057/func/.*run-07"
    with pytest.raises(MissingFileError, match=expected):
        prince.bold("sub-EN057", 2)
    with pytest.raises(DatasetError, match=expected):
        prince.responses("sub-EN057")


@pytest.mark.filterwarnings("ignore:the headers of 1 of 9 recordings")  # the last one's says 1 s
def test_wrong_counts_and_damaged_files(fake):
    fake.participant("sub-CN001")
    first, second = (fake.preprocessed("sub-CN001", number) for number in fake.runs["CN"][:2])
    whole = first.read_bytes()
    fake.write(first, 1000, 39)
    with pytest.raises(DatasetError, match=r"run-04.*has 39 scans, section 1 has 40.*2\.0\.5"):
        LittlePrince(fake.root).runs("sub-CN001")
    first.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="run-04.*damaged, get it again"):
        LittlePrince(fake.root).responses("sub-CN001")
    first.write_bytes(b"")
    with pytest.raises(DatasetError, match="run-04.*damaged, get it again"):
        LittlePrince(fake.root).runs("sub-CN001")
    first.write_bytes(whole)
    fake.write(second, 0, fake.scans["CN"][1])
    nib.save(nib.Nifti1Image(np.zeros((10, 12, 10, fake.scans["CN"][1]), np.float32), nib.load(first).affine), second)
    with pytest.raises(DatasetError, match="run-05.*20484 of 20484 vertices.*no signal"):
        LittlePrince(fake.root).responses("sub-CN001")


def test_names_that_fmriprep_gives(fake):
    """They are named, with the pattern that is wanted, wherever they lie: nothing is read under a wrong name."""
    fake.participant("sub-EN057")
    folder = fake.root / "derivatives" / "sub-EN057" / "func"
    for number in fake.runs["EN"]:
        path = fake.preprocessed("sub-EN057", number)
        path.rename(path.with_name(path.name.replace("MNIColin27", "MNI152NLin2009cAsym_res-2")))
    seen = "sub-EN057_task-lppEN_run-06_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz"
    wanted = r".* and 7 more, but only names such as .*run-06_space-MNIColin27_desc-preproc_bold\.nii\.gz are read"
    with pytest.raises(DatasetError, match=rf"There are derivatives/sub-EN057/func/{seen}{wanted}"):
        LittlePrince(fake.root)
    below = fake.root / "derivatives" / "fmriprep" / "sub-EN057"
    below.mkdir(parents=True)
    folder.rename(below / "func")
    with pytest.raises(DatasetError, match=rf"There are derivatives/fmriprep/sub-EN057/func/{seen}{wanted}"):
        LittlePrince(fake.root)
    fake.participant("sub-EN058")
    with pytest.raises(DatasetError, match=rf"no preprocessed recordings of sub-EN057.*{seen}{wanted}.*sub-EN058"):
        LittlePrince(fake.root).runs("sub-EN057")
    path = fake.preprocessed("sub-EN058", 23)
    path.rename(path.with_name(path.name.replace("MNIColin27", "T1w")))
    with pytest.raises(DatasetError, match="8 preprocessed runs.*There are .*run-23_space-T1w"):
        LittlePrince(fake.root).runs("sub-EN058")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("EN,3,44.0,26,many", "line 4, column scans_preprocessed: 'many' is no whole number"),
        ("EN,3,44.0,26,22.5", "line 4, column scans_preprocessed: '22.5' is no whole number"),
        ("EN,3,,26,22", "line 4, column audio_seconds: '' is no number"),
        ("EN,3,44.0,20,22", "EN, section 3: 44 s of audio, 20 raw and 22 preprocessed scans cannot be"),
        ("EN,3,-4,26,22", "EN, section 3: -4 s of audio"),
        ("EN,3,44.0,26", "line 4: 4 cells under 5 columns"),
    ],
)
def test_a_table_of_scans_that_cannot_be(fake, row, message):
    fake.participant("sub-EN057")
    path = fake.root / "truth" / "scans.csv"
    lines = path.read_text().splitlines()
    assert lines[3] == "EN,3,44.0,26,22"
    path.write_text("\n".join([*lines[:3], row, *lines[4:]]))
    with pytest.raises(DatasetError, match=message):
        LittlePrince(fake.root).scans("EN")


def test_a_table_of_participants_that_cannot_be(fake):
    fake.participant("sub-EN057")
    path = fake.root / "participants.tsv"
    path.write_text("participant_id\tage\nsub-EN057\t20\nsub-EN058\t30\nsub-EN057\t21\n")
    with pytest.raises(DatasetError, match="participants.tsv has more than one row for sub-EN057"):
        _ = LittlePrince(fake.root).participants_table
    path.write_bytes(b"participant_id\tname\nsub-EN057\tRen\xe9\n")
    with pytest.raises(DatasetError, match="participants.tsv, line 2: not text in UTF-8"):
        _ = LittlePrince(fake.root).participants_table
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match="has no column participant_id"):
        _ = LittlePrince(fake.root).participants_table


def test_a_table_that_lacks_a_section(fake):
    fake.participant("sub-EN057")
    path = fake.root / "truth" / "scans.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("EN,3")))
    with pytest.raises(DatasetError, match=r"has the sections \[1, 2, 4"):
        LittlePrince(fake.root).scans("EN")


def test_responses_by_region(prince, fake_trio, tmp_path):
    found = prince.responses("sub-EN059", cache=tmp_path)
    assert found.values.shape == (sum(fake_trio.scans["EN"]), 148)
    assert found.values.dtype == np.float32
    assert list(found.names.columns) == ["region", "hemisphere"]
    np.testing.assert_array_equal(found.run_of_scan, np.repeat(np.arange(1, 10), list(fake_trio.scans["EN"])))
    third = found.values[found.run_of_scan == 3]
    np.testing.assert_allclose(third.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(third.std(axis=0, ddof=1), 1, rtol=1e-4)
    vertices = clean(to_surface(prince.bold("sub-EN059", 3)))
    np.testing.assert_allclose(third, zscore(destrieux().average(vertices)[0]), atol=1e-4)
    again = prince.responses("sub-EN059", cache=tmp_path)
    np.testing.assert_array_equal(again.values, found.values)
    assert len(list((tmp_path / "responses").glob("sub-EN059-regions-*.npy"))) == 1
    assert found.source in ("nilearn", "embedded (approximate)")


def test_responses_by_vertex(prince, fake_trio):
    found = prince.responses("sub-FR025", targets="vertices")
    assert found.values.shape == (sum(fake_trio.scans["FR"]), 20_484)
    assert len(found.names) == 20_484
    first = found.values[found.run_of_scan == 1]
    np.testing.assert_allclose(first, clean(to_surface(prince.bold("sub-FR025", 1))), atol=1e-5)
    with pytest.raises(ConfigurationError, match="'voxels'; it is one of regions, vertices"):
        prince.responses("sub-FR025", targets="voxels")


def test_a_changed_recording_is_read_again(fake, tmp_path):
    fake.participant("sub-EN057")
    first = LittlePrince(fake.root).responses("sub-EN057", cache=tmp_path)
    fake.write(fake.preprocessed("sub-EN057", 6), 1000, 20)
    second = LittlePrince(fake.root).responses("sub-EN057", cache=tmp_path)
    own = first.run_of_scan == 1
    assert not np.allclose(first.values[own], second.values[own])
    np.testing.assert_array_equal(first.values[~own], second.values[~own])
