"""One contract for every class that opens recordings: what chapters ask of `Dataset` holds for all of them."""

import numpy as np
import pytest

from brainbook.datasets import Alice, DescribedDataset, LittlePrince, check, open_dataset
from brainbook.datasets.base import lacking_of_protocol
from brainbook.errors import DatasetError

from .made_up_study import write_study

READER = '''
import numpy as np
import pandas as pd
from brainbook.datasets import Responses, Run


class TwoVoxels:
    """A class of one's own: two voxels, one story of 30 scans."""

    tr, stories, languages, targets, is_phantom = 1.0, ("story",), ("EN",), ("voxels",), False

    def __init__(self, root, level=0.0):
        self.root, self.level = root, level

    def participants(self, language):
        return ["me"]

    def runs(self, participant):
        if participant != "me":
            raise ValueError(participant)
        return [Run("me", "EN", 1, 1, self.root / "reader.yaml", 30, story="story")]

    def words(self, language):
        onset = np.arange(0, 25, 0.4)
        return pd.DataFrame({"word": "so", "onset": onset, "offset": onset + 0.3, "section": 1})

    def scans(self, language):
        return {1: 30}

    def starts(self, language):
        return {1: 0.5}

    def responses(self, participant, targets="voxels", cache=None):
        values = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
        values = (values - values.mean(0)) / values.std(0, ddof=1)
        names = pd.DataFrame({"region": ["a", "b"], "hemisphere": "lh"})
        return Responses(values, np.ones(30, int), names, "made up", "voxels")

    def nuisance(self, participant):
        return None

    def repeats(self, participant, targets="voxels", cache=None):
        return {}
'''


def check_contract(dataset, n_participants: int = 1) -> None:
    """Assert what `brainbook.datasets.Dataset` promises."""
    assert not lacking_of_protocol(dataset)
    assert dataset.tr > 0 and dataset.root.is_dir() and isinstance(dataset.is_phantom, bool)
    for language in dataset.languages:
        words, scans, starts = dataset.words(language), dataset.scans(language), dataset.starts(language)
        assert list(words.columns) == ["word", "onset", "offset", "section"]
        assert list(scans) == list(starts) == list(range(1, len(scans) + 1)) == sorted(set(words.section))
        for section, heard in words.groupby("section"):
            assert heard.onset.is_monotonic_increasing
            scan = np.floor((heard.onset + starts[section]) / dataset.tr)
            assert scan.between(0, scans[section] - 1).mean() > 0.5  # a recording may be trimmed
        names = dataset.participants(language)
        assert names and len(set(names)) == len(names)
        for name in names[:n_participants]:
            check_participant(dataset, name, language, scans)
    with pytest.raises(ValueError):
        dataset.runs("nobody")


def check_participant(dataset, name, language, scans) -> None:
    runs = dataset.runs(name)
    assert [(run.section, run.n_scans) for run in runs] == list(scans.items())
    assert {(run.participant, run.language, run.repetition) for run in runs} == {(name, language, 1)}
    assert {run.story for run in runs} <= set(dataset.stories)
    run_of_scan = np.repeat(list(scans), list(scans.values()))
    for targets in dataset.targets:
        responses = dataset.responses(name, targets=targets)
        assert responses.values.dtype == np.float32 and {"region", "hemisphere"} <= set(responses.names)
        np.testing.assert_array_equal(responses.run_of_scan, run_of_scan)
        for section in scans:
            part = responses.values[run_of_scan == section]
            part = part[:, np.isfinite(part).all(0)]
            assert part.size and abs(part.mean(0)).max() < 1e-3 and abs(part.std(0, ddof=1) - 1).max() < 1e-3
    nuisance = dataset.nuisance(name)
    assert nuisance is None or (len(nuisance) == len(run_of_scan) and np.isfinite(nuisance).all())
    for section, repeated in dataset.repeats(name).items():
        assert repeated.ndim == 3 and len(repeated) > 1 and repeated.shape[1] == scans[section]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    return {
        layout: open_dataset(write_study(tmp_path_factory.mktemp(layout) / "study", layout, ("sub-01",), repetitions))
        for layout, repetitions in {"volume": 2, "surface": 1}.items()
    }


@pytest.mark.parametrize("layout", ["volume", "surface"])
def test_a_described_study(described, layout):
    assert isinstance(described[layout], DescribedDataset)
    check_contract(described[layout])


@pytest.mark.integration
def test_little_prince(fake_trio):
    prince = open_dataset(fake_trio.root)
    assert isinstance(prince, LittlePrince)
    check_contract(prince)


def test_alice(alice_folder):
    alice = open_dataset(alice_folder)
    assert isinstance(alice, Alice)
    check_contract(alice, n_participants=2)
    assert alice.nuisance("s18").shape == (362, 6)
    np.testing.assert_allclose(alice.nuisance("s18").mean(0), 0, atol=1e-9)


def test_a_class_of_ones_own(tmp_path):
    (tmp_path / "my_format.py").write_text(READER)
    path = tmp_path / "reader.yaml"
    path.write_text("reader: my_format.TwoVoxels\noptions: {level: 2}")
    dataset = open_dataset(path)
    assert dataset.level == 2 and dataset.root == tmp_path
    check_contract(dataset)
    assert check(path).ok and "too short to tell" in str(check(path))


@pytest.mark.parametrize(
    "change, keys, message",
    [
        (("def starts", "def begins"), "", "TwoVoxels lacks starts\\(\\), which every dataset offers"),
        (("class TwoVoxels", "class Other"), "", "my_format.py has no class TwoVoxels"),
        (("import numpy", "import nonumpy"), "", "my_format.py cannot be imported .*nonumpy"),
        (("", ""), "options: {colour: red}", "TwoVoxels\\(root, colour\\) cannot be called"),
        (("", ""), "tr: 2", "with a reader of your own, tr has no meaning"),
        (("", ""), "reader: there.TwoVoxels", "write my_format.MyDataset for a class in my_format.py"),
    ],
)
def test_what_ones_own_class_lacks_is_named(tmp_path, change, keys, message):
    (tmp_path / "my_format.py").write_text(READER.replace(*change) if change[0] else READER)
    path = tmp_path / "study.yaml"
    path.write_text(keys if keys.startswith("reader") else f"reader: my_format.TwoVoxels\n{keys}")
    with pytest.raises(DatasetError, match=message):
        open_dataset(path)


def test_check_names_what_breaks_the_contract(tmp_path):
    (tmp_path / "my_format.py").write_text(READER.replace("return {1: 30}", "return {1: 25}"))
    path = tmp_path / "study.yaml"
    path.write_text("reader: my_format.TwoVoxels")
    report = check(path)
    assert "me: runs() has the sections and scans [(1, 30)], scans() says [(1, 25)]" in report.problems
