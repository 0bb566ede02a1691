"""Each common mistake gets a message of its own that says what is wrong."""

import re

import pytest

from brainbook.datasets import check, open_dataset
from brainbook.datasets.mistakes import MISTAKES, planted_mistakes
from brainbook.errors import ConfigurationError

from .made_up_study import write_study

MESSAGES = {
    "a key is misspelt": "recordings is missing: pattern of the files.*recording is no key of a description",
    "the pattern names another folder": "no file in .* is called elsewhere/.*; there are 6 other recordings, such as",
    "the recordings are in each participant's own space": "is in the space T1w, a volume has to be in MNI space",
    "a participant who is listed has no recordings": "no recordings of sub-99; there are some of sub-01, sub-02",
    "no file of words has that name": "stimuli/none.csv does not exist",
    "the words are in milliseconds": "half of the 230 words are longer than 180 s, so these are no seconds",
    "the words are in minutes": r"fox: \d+ words a minute, where speech has 40 to 400",
    "every word stands there twice": "the row stands there twice",
    "the words are of another language": "% of its 230 words are frequent words or characters of FR",
    "the event that a story begins with is misspelt": "0 events whose trial_type is 'stroy'.*are music, story",
    "where names a part that the pattern lacks": "fox: {session} stands in no pattern of the recordings",
    "header or sidecar and description disagree": "scans are 1.5 s by the description, 3 s by sub-01_.*json",
    "a run was broken off": "sub-01_task-fox_.*: fox needs 100 scans of 1.5 s from its beginning, and 56 are there",
    "a recording is not downloaded": "sub-01: 1 of 2 recordings are not downloaded",
    "a recording is damaged": "sub-01_task-fox_.* cannot be read to its end",
    "a confound is misspelt": "has no column trans_xyz; its columns are trans_x, trans_y",
    "confounds are of another run": "confounds_timeseries.tsv has 115 rows, and its recording 120 scans",
    "a story begins 6 s earlier than described": r"responses come 6.0 s earlier.*start has to be 6.0 s less",
    "the words are of another story": "no better than by chance. Are these the words of this story",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("mistakes") / "study")


def test_the_sound_study_is_ready(study):
    report = check(study)
    assert report.ok and "Words and recordings are ready." in str(report), str(report)


def test_nothing_is_spoilt_but_copies(study, tmp_path):
    """Recordings that lie elsewhere would not be copied, so nothing is planted in them."""
    path = tmp_path / "other.yaml"
    path.write_text(f"root: {study.parent}\n{study.read_text()}")
    with pytest.raises(ConfigurationError, match="only what lies beside it is copied"):
        planted_mistakes(path)


def test_every_mistake_has_its_test():
    assert set(MESSAGES) == set(MISTAKES)


@pytest.mark.integration
@pytest.mark.parametrize("mistake", MESSAGES)
def test_a_mistake_is_named(study, mistake):
    message = planted_mistakes(study, [mistake]).message.item()
    assert re.search(MESSAGES[mistake], message), message


@pytest.mark.parametrize("late, ready", [(0.2, True), (0.5, False)])
def test_a_few_words_outside_the_scans_are_noted_and_many_are_a_problem(study, monkeypatch, late, ready):
    dataset = open_dataset(study)
    words, scans = dataset.words("EN"), dataset.scans("EN")
    heard = {section: words.loc[words["section"] == section, "onset"] for section in scans}
    starts = {section: n * dataset.tr - heard[section].quantile(1 - late) for section, n in scans.items()}
    monkeypatch.setattr(type(dataset), "starts", lambda self, language: starts)
    report = check(dataset, n_participants=0)
    outside = [line for line in report.problems + report.warnings if "words lie outside its" in line]
    assert len(outside) == len(scans) and all((line in report.warnings) == ready for line in outside)
