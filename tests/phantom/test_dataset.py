import gzip
import hashlib
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import brainbook.phantom.study as study
from brainbook.datasets import LittlePrince, clean, destrieux
from brainbook.encoding import correlation, delay
from brainbook.errors import ConfigurationError, DatasetError
from brainbook.phantom import make_phantom, read_truth
from brainbook.phantom.__main__ import main

TINY = {"participants": 1, "scans": 30, "voxel_size": 15.0, "languages": ("FR",)}


# What the files held that commit 386bf61 wrote, but for the vectors of words, which are now computed when read, and for
# two tables of what was measured in the recordings, whose sixth digit depends on the processor (OpenBLAS has a product
# of matrices for each kind): of these the means.
CHECKSUM = "8b8b4ee96ca9826ef7557e462ba2dd15f856fe03d22f4b870fe19de4ac2f3195"
MEANS = {
    "ceilings": {"share": 0.024767096, "ceiling": 0.165763659},
    "regions": {"ceiling_FR": 0.165763659, "strength": 0.027964355, "share_FR": 0.024767096, "hrf_peak": 4.969256757},
}


def checksum(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.stem not in MEANS):
        digest.update(str(path.relative_to(root)).encode())
        content = path.read_bytes()
        digest.update(gzip.decompress(content) if path.suffix == ".gz" else content)
    return digest.hexdigest()


def bytes_of(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_loader_of_the_real_data_opens_it(phantom):
    prince = LittlePrince(phantom)
    assert prince.languages == ("EN", "FR", "CN")
    assert prince.participants("EN") == ["sub-EN057"]
    assert prince.is_phantom
    table = pd.read_csv(phantom / "annotation" / "scans.csv")
    for language, extra in {"EN": 4, "FR": 2, "CN": 0}.items():
        (name,) = prince.participants(language)
        runs = prince.runs(name)
        assert [run.section for run in runs] == list(range(1, 10))
        numbers = [run.number for run in runs]
        assert numbers == sorted(numbers)
        if language == "FR":
            assert numbers == list(range(1, 10))
        else:
            assert np.diff(numbers).max() > 1  # gaps
            assert numbers[0] >= {"EN": 6, "CN": 4}[language]
        rows = table[table["language"] == language].sort_values("section")
        np.testing.assert_array_equal(rows["scans_preprocessed"], np.ceil(rows["audio_seconds"] / 2) + extra)
        assert [run.n_scans for run in runs] == rows["scans_preprocessed"].tolist()
        assert prince.bold(name, 3).shape[3] == runs[2].n_scans
        assert prince.bold(name, 3).header.get_zooms()[3] == 2.0


def test_layout_to_the_letter(phantom):
    assert (phantom / "participants.tsv").read_bytes().startswith(b"\xef\xbb\xbf")
    prince = LittlePrince(phantom)
    assert prince.participants_table["participant_id"].tolist() == ["sub-EN057", "sub-FR001", "sub-CN001"]
    for language in prince.languages:
        (name,) = prince.participants(language)
        number = prince.runs(name)[4].number
        stem = f"{name}_task-lpp{language}_run-{number:02d}"
        preprocessed = phantom / "derivatives" / name / "func" / f"{stem}_space-MNIColin27_desc-preproc_bold.nii.gz"
        assert preprocessed.is_file()
        assert (phantom / name / "anat" / f"{name}_T1w.nii.gz").is_file()
        sidecar = json.loads((phantom / name / "func" / f"{stem}_echo-2_bold.json").read_text())
        assert sidecar["RepetitionTime"] == 2.0
        assert sidecar["EchoTime"] == {"EN": 0.0275, "CN": 0.0275, "FR": 0.02446}[language]
        folder = phantom / "annotation" / language
        header = (folder / f"lpp{language}_word_information.csv").read_text("utf-8").split("\n")[0]
        assert header == ",word,lemma,onset,offset,pos,section"
        assert len(list(folder.glob(f"lpp{language}_section*.TextGrid"))) == 9
        assert list(pd.read_csv(folder / f"lpp{language}_prosody.csv")) == ["section", "time", "intensity", "f0"]
    for name, n_raw in {"sub-CN001": 10, "sub-FR001": 9}.items():  # one of CN's was broken off: no derivative
        assert len(list((phantom / name / "func").glob("*echo-1_bold.nii.gz"))) == n_raw


def test_echoes_share_the_scan_but_not_the_heat(phantom):
    prince = LittlePrince(phantom)
    image = prince.bold("sub-EN057", 2)
    inside = np.asarray(image.dataobj)[..., 0] > 0
    echoes = [np.asarray(prince.bold("sub-EN057", 2, echo=e).dataobj)[inside].astype(float) for e in (1, 2, 3)]
    raw = (
        pd.read_csv(phantom / "annotation" / "scans.csv").query("language == 'EN' and section == 2")["scans_raw"].item()
    )
    path = prince.runs("sub-EN057")[1].echoes[1]
    assert nib.load(path).shape[3] == raw == image.shape[3] + 4
    cleaned = [clean(e.T) for e in echoes]
    between = np.mean([(cleaned[a] * cleaned[b]).mean() for a, b in [(0, 1), (0, 2), (1, 2)]])
    assert 0.5 < between < 0.8  # about 35% of an echo's variance is its own
    averaged = clean(np.mean(cleaned, axis=0))
    assert (averaged * clean(np.asarray(image.dataobj)[inside].astype(float).T)).mean() > 0.95


def test_truth_is_aligned_with_what_the_loader_reads(phantom):
    prince, truth = LittlePrince(phantom), read_truth(phantom)
    for language in prince.languages:
        heard, known = prince.words(language), truth.words(language)
        assert heard["word"].tolist() == known["word"].tolist()
        np.testing.assert_allclose(heard["onset"], known["onset"], atol=1e-6)
        assert heard["section"].tolist() == known["section"].tolist()
        senses = truth.senses(language)
        assert senses.shape == (len(heard), 16)
        np.testing.assert_array_equal(senses.any(axis=1), known["meant"] >= 0)
        for features, run_of_scan in truth.drivers(language).values():
            assert len(features) == len(run_of_scan) == sum(prince.scans(language).values())
        assert len(truth.story(language)) == 9
    assert truth.regions[["region", "hemisphere"]].equals(
        prince.responses("sub-EN057").names[["region", "hemisphere"]].reset_index(drop=True)
    )


def oracle(root: Path) -> pd.DataFrame:
    """Each region's correlation with an ordinary ridge on the true drivers, leaving one section out."""
    prince, truth = LittlePrince(root), read_truth(root)
    (participant,) = prince.participants("EN")
    observed = prince.responses(participant)
    scores = truth.regions[["region", "hemisphere", "driver", "laterality", "ceiling_EN", "share_EN"]].copy()
    runs = observed.run_of_scan
    for name, (features, run_of_scan) in truth.drivers("EN").items():
        cleaned = np.concatenate([clean(features[run_of_scan == r]) for r in np.unique(runs)])
        design = delay(cleaned, range(6), runs)
        predicted = np.zeros_like(observed.values)
        for run in np.unique(runs):
            x, y = design[runs != run], observed.values[runs != run]
            weights = np.linalg.solve(x.T @ x + 500 * np.eye(x.shape[1]), x.T @ y)
            predicted[runs == run] = design[runs == run] @ weights
        scores[name] = correlation(predicted, observed.values)
    return scores


def test_an_oracle_finds_each_driver_where_it_is_and_stays_below_the_ceiling(phantom):
    scores = oracle(phantom)
    by_driver = scores.groupby("driver")[["sound", "word", "meaning", "topic"]].mean()
    for driver in ("sound", "word", "meaning", "topic"):
        own = by_driver.loc[driver, driver]
        assert own > 0.1
        assert own > by_driver.loc["none", driver] + 0.08
        assert by_driver.loc[driver].idxmax() == driver
    best = np.array([row[row["driver"]] for _, row in scores[scores["driver"] != "none"].iterrows()], float)
    ceiling = scores.loc[scores["driver"] != "none", "ceiling_EN"].to_numpy()
    assert (best - ceiling).mean() < -0.02
    assert np.mean(best > ceiling + 0.1) < 0.05  # the ceiling is an expectation; a short study strays around it
    assert np.corrcoef(best, ceiling)[0, 1] > 0.4


def test_ceilings_by_hand(phantom, null_phantom):
    """What is signal in a region is what the phantom has and its null twin has not: the same noise, seed for seed."""
    prince, null = LittlePrince(phantom), LittlePrince(null_phantom)
    inside = np.asarray(prince.bold("sub-EN057", 1).dataobj)[..., 0] > 0
    with_signal, without = (np.asarray(p.bold("sub-EN057", 1).dataobj)[inside].astype(float).T for p in (prince, null))
    difference = with_signal - without
    assert difference.std() > 10
    noise = study.without_slow(without)
    signal = study.without_slow(difference)
    overlap = (noise * signal).sum() / np.sqrt((noise**2).sum() * (signal**2).sum())
    assert abs(overlap) < 0.1
    truth = read_truth(phantom).regions
    assert truth.loc[truth["driver"] == "sound", "ceiling_EN"].mean() > 0.5
    assert truth.loc[truth["driver"] == "none", "ceiling_EN"].median() < 0.1
    expected = truth["share_EN"] / (truth["share_EN"] + (1 - truth["share_EN"]) / 0.5)
    np.testing.assert_allclose(truth["reliability_EN"], expected, atol=1e-4)


def test_the_null_phantom_has_no_signal_and_says_so(null_phantom):
    truth = read_truth(null_phantom)
    assert truth.parameters["null"] is True
    assert set(truth.regions["driver"]) == {"none"}
    assert (truth.regions["ceiling"] == 0).all()
    scores = oracle(null_phantom)[["sound", "word", "meaning", "topic"]]
    assert scores.mean().abs().max() < 0.15  # regions share noise, so even their mean strays in a short study
    assert scores.to_numpy().mean() < 0.05


@pytest.mark.integration
def test_equal_seeds_write_equal_bytes_and_languages_do_not_depend_on_each_other(tmp_path, phantom):
    first = bytes_of(make_phantom(tmp_path / "a", seed=5, **TINY))
    if destrieux().source == "embedded (approximate)":
        assert checksum(tmp_path / "a") == CHECKSUM
        for name, means in MEANS.items():
            assert dict(pd.read_csv(tmp_path / f"a/truth/{name}.csv")[[*means]].mean()) == pytest.approx(
                means, rel=1e-6
            )
    assert bytes_of(make_phantom(tmp_path / "b", seed=5, **TINY)) == first
    other = bytes_of(make_phantom(tmp_path / "b", seed=6, **TINY))  # replaces a phantom
    changed = [name for name in first if first[name] != other.get(name)]
    assert any(name.startswith("derivatives") for name in changed)
    more = bytes_of(make_phantom(tmp_path / "b", seed=5, **(TINY | {"languages": ("EN", "FR")})))
    same = [name for name in first if "FR" in name and not name.endswith(".json")]
    assert len(same) >= 50
    assert all(more[name] == first[name] for name in same)


def test_nothing_but_a_phantom_is_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ConfigurationError, match="not a phantom"):
        make_phantom(tmp_path / "thesis", **TINY)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis"]


def test_a_run_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    left = tmp_path / ".study.unfinished-999999999"  # of a process that was killed
    left.mkdir()
    monkeypatch.setattr(study, "_drift", broken)
    with pytest.raises(KeyboardInterrupt):
        make_phantom(tmp_path / "study", **TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"participants": 0},
        {"participants": {"EN": 3}},
        {"scans": 3},
        {"voxel_size": 1.0},
        {"languages": ("DE",)},
        {"seed": -1},
    ],
)
def test_impossible_parameters_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigurationError):
        make_phantom(tmp_path / "study", **(TINY | wrong))
    assert not list(tmp_path.iterdir())


def test_command_line(tmp_path, capsys):
    arguments = [str(tmp_path / "p"), "--participants", "1", "--scans", "30", "--voxel-size", "15", "--null"]
    assert main([*arguments, "--languages", "FR", "--echoes", "0"]) == 0
    assert read_truth(tmp_path / "p").parameters["null"] is True
    assert main([str(tmp_path / "p"), "--participants", "900"]) == 2
    assert "participants" in capsys.readouterr().err


def test_truth_of_a_real_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="not a phantom"):
        read_truth(tmp_path)


def test_truth_names_a_language_that_was_not_told(null_phantom):
    with pytest.raises(DatasetError, match="'FR'"):
        read_truth(null_phantom).words("FR")


@pytest.mark.integration
def test_without_its_truth_a_phantom_is_read_as_real_recordings_are(phantom, tmp_path):
    options = {"scans": 55, "seed": 3, "voxel_size": 10.0, "signal": 4.0, "echoes": 0}
    root = make_phantom(tmp_path / "study", participants=1, languages=("EN",), truth=False, **options)
    bare, known = LittlePrince(root), LittlePrince(phantom)
    assert not bare.is_phantom and not (root / "truth").exists() and known.is_phantom
    assert bare.scans("EN") == known.scans("EN") and bare.audio_seconds("EN") == known.audio_seconds("EN")
    run = bare.run("sub-EN057", 1)
    assert run.path.read_bytes() == known.run("sub-EN057", 1).path.read_bytes()
    with pytest.raises(DatasetError, match="is not a phantom"):
        read_truth(root)
    make_phantom(root, participants=1, languages=("EN",), truth=False, **options)  # it says that it may be replaced
    (root / "dataset_description.json").write_text('{"Authors": ["somebody"]}')
    with pytest.raises(ConfigurationError, match="exists and is not a phantom"):
        make_phantom(root, participants=1, languages=("EN",), truth=False, **options)


@pytest.fixture
def truth_folder(null_phantom, tmp_path):
    shutil.copytree(null_phantom / "truth", tmp_path / "truth")
    shutil.copytree(null_phantom / "annotation", tmp_path / "annotation")
    return tmp_path


NO_LANGUAGES = b'{"format": 1, "languages": [[]], "participants": 1, "null": 0, "regions": 1}'


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"\xff", b"[" * 100_000, b'{"format": 1}', NO_LANGUAGES])
def test_a_damaged_description_of_a_phantom(truth_folder, content):
    (truth_folder / "truth" / "phantom.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"phantom\.json.*Write the phantom again with"):
        read_truth(truth_folder)


@pytest.mark.parametrize("name", ["regions.csv", "../annotation/scans.csv", "ceilings.csv", "words_EN.csv",
                                  "story_EN.txt"])  # fmt: skip
def test_a_damaged_truth_is_named(truth_folder, name, rng):
    def all_of_it():
        truth = read_truth(truth_folder)
        if "_EN" in name:
            getattr(truth, name.split("_")[0])("EN")

    all_of_it()
    path = (truth_folder / "truth" / name).resolve()
    name = path.name
    whole = path.read_bytes()
    bad = (
        [b"\xff", whole[: len(whole) // 2 + 1] + b"\xff"] if name.endswith("txt") else [b"", b"\n", whole[:35], b"\xb4"]
    )
    for damage in bad:
        path.write_bytes(damage)
        with pytest.raises(DatasetError, match=name):
            all_of_it()
    for _ in range(12):  # other bytes in the first lines, or in an array's header
        place = rng.integers(0, 120)
        path.write_bytes(whole[:place] + bytes([rng.integers(256)]) + whole[place + 1 :])
        try:
            all_of_it()
        except DatasetError as error:
            assert name in str(error)
    path.unlink()
    with pytest.raises(DatasetError, match=f"{name} does not exist"):
        all_of_it()
