import pytest
import yaml

from brainbook.errors import ConfigurationError
from brainbook.workflow.study_file import read_study

from .conftest import HEAD, ROOT

CHAPTER = (
    HEAD
    + """
```{code-cell} ipython3
:tags: [parameters]
data = "data/phantom"
results = "results/demo/one"
seed = 0
model = "mini"
```
"""
)


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/one.md").write_text(CHAPTER)

    def read(text, **options):
        (tmp_path / "studies/mine.yaml").write_text(text)
        return read_study("mine", studies=tmp_path / "studies", notebooks=tmp_path / "notebooks", **options)

    return read


def test_a_sweep_is_every_combination_with_all_parameters_filled_in(folders):
    study = folders("data: d\nseed: 7\nruns: [{chapter: one, sweep: {model: [a/b, c], seed: [1, 2]}}]")
    assert list(study.runs) == [
        "one/model=a-b/seed=1",
        "one/model=a-b/seed=2",
        "one/model=c/seed=1",
        "one/model=c/seed=2",
    ]
    first = study.runs["one/model=a-b/seed=1"].parameters
    assert first == {"data": "d", "results": "results/mine/one/model=a-b/seed=1", "seed": 1, "model": "a/b"}


def test_a_sweep_over_participants_asks_the_description(folders, tmp_path):
    """Any language, any names; those that take part, and nobody who is excluded."""
    for name in ("ana", "bo", "cy"):
        (tmp_path / f"{name}_task-tale_bold.nii").touch()
    (tmp_path / "tale.csv").write_text("word,onset,offset\nhei,1,2\n")
    description = tmp_path / "recordings.yaml"
    description.write_text(
        "recordings: '{participant}_task-{task}_bold.nii'\nlanguage: FI\nexclude: {bo: noise}\n"
        "stories: {tale: {words: tale.csv}}"
    )
    text = f"data: {description}\nruns: [{{chapter: one, sweep: {{model: participants FI}}}}]"
    assert list(folders(text).runs) == ["one/model=ana", "one/model=cy"]
    (tmp_path / "recordings.yaml").rename(tmp_path / "dataset.yaml")
    assert list(folders(text.replace(str(description), str(tmp_path))).runs) == ["one/model=ana", "one/model=cy"]
    with pytest.raises(ConfigurationError, match="a sweep over 'participants FI': the languages of d are EN, FR, CN"):
        folders("data: d\nruns: [{chapter: one, sweep: {model: participants FI}}]")


def test_an_entry_may_have_data_of_its_own_or_none(folders):
    study = folders(
        "data: d\nruns: [{chapter: one}, {chapter: one, name: two, data: e}, {chapter: one, name: three, data: ''}]"
    )
    assert [run.parameters["data"] for run in study.runs.values()] == ["d", "e", ""]


def test_everything_wrong_is_named_at_once(folders):
    with pytest.raises(ConfigurationError) as caught:
        folders(
            "data: d\nruns: [{chapter: two}, {chapter: one, parameters: {modle: x}, after: [three]}, {chapter: one}]"
        )
    message = str(caught.value)
    for part in ("no ", "two.md", "no parameter 'modle'; it has data, results, seed, model", "'three'", "same name"):
        assert part in message


@pytest.mark.parametrize("value", ["3", "[1, 2]", "{a: 1}", "words", "true", "null"])
def test_a_parameter_whose_default_says_no_kind_takes_any(folders, tmp_path, value):
    path = tmp_path / "notebooks/one.md"
    path.write_text(CHAPTER.replace('model = "mini"', "steps = None\ncount = len([1])"))
    study = folders(f"data: d\nruns: [{{chapter: one, parameters: {{steps: {value}, count: {value}}}}}]")
    assert study.runs["one"].parameters["steps"] == study.runs["one"].parameters["count"] == yaml.safe_load(value)


def test_a_page_shows_the_run_of_its_name_else_the_first_of_its_chapter(folders, tmp_path):
    (tmp_path / "notebooks/two.md").write_text(CHAPTER)
    study = folders("data: d\nruns: [{chapter: two}, {chapter: one, name: a}, {chapter: one}]")
    assert study.page("one").name == "one" and study.page("two").name == "two" and study.page("three") is None
    study = folders("data: d\nruns: [{chapter: two}, {chapter: one, name: a}, {chapter: one, name: b}]")
    assert study.page("one").name == "a"


def test_unknown_keys_are_refused(folders):
    with pytest.raises(ConfigurationError, match="runs.0.chapters"):
        folders("data: d\nruns: [{chapter: one, chapters: two}]")
    with pytest.raises(ConfigurationError, match="dta"):
        folders("data: d\ndta: e\nruns: [{chapter: one}]")
    with pytest.raises(ConfigurationError, match="not YAML"):
        folders("data: [d")


def test_folders_are_filled_in_and_asked_for(folders, monkeypatch):
    text = "data: ${DATA}\nruns: [{chapter: one, data: '${BRAINBOOK_DATA}/alice'}]"
    with pytest.raises(ConfigurationError, match="needs DATA"):
        folders(text)
    monkeypatch.setenv("BRAINBOOK_DATA", "/real")
    assert folders(text, data="/prince").runs["one"].parameters["data"] == "/real/alice"


def test_the_studies_of_the_project_are_sound():
    names = [path.stem for path in (ROOT / "studies").glob("*.yaml")]
    assert names
    for name in names:
        study = read_study(name, data="/somewhere", studies=ROOT / "studies", notebooks=ROOT / "notebooks")
        assert study.runs, name


REFUSED = {
    "data: d\nruns: [{chapter: one, name: ..}]": "runs.0.name",
    "data: d\nruns: [{chapter: one, name: .hidden}]": "runs.0.name",
    "data: d\nruns: [{chapter: ../one}]": "runs.0.chapter",
    "data: d\nruns: [{chapter: /tmp/one}]": "runs.0.chapter",
    "data: x\ndata: y\nruns: [{chapter: one}]": "the key 'data' stands twice",
    "data: x\nruns: [{chapter: one, parameters: {seed: 1, seed: 2}}]": "the key 'seed' stands twice",
    "data: x\nphantom: {participants: '1; touch p', scans: 30}\nruns: [{chapter: one}]": "phantom.participants",
    "data: x\nphantom: {person: 1}\nruns: [{chapter: one}]": "phantom.person",
    "data: x\nmodels: ['mini; touch p']\nruns: [{chapter: one}]": "models.0",
    "data: costs $5\nruns: [{chapter: one}]": "write \\$\\$",
    "data: x\nruns: " + "[" * 5000: "not YAML",
    "seed: !!timestamp 2001\ndata: x\nruns: [{chapter: one}]": "not YAML",
    "[]": "keys and their values",
    "{[1]: 2}": "not YAML",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_could_do_harm_or_is_no_study_is_refused(folders, text):
    with pytest.raises(ConfigurationError, match=REFUSED[text]):
        folders(text)


def test_a_sweep_of_a_million_runs_is_refused_before_it_is_made(folders):
    many = list(range(1000))
    with pytest.raises(ConfigurationError, match="makes more than 20,000 runs"):
        folders(f"data: d\nruns: [{{chapter: one, sweep: {{seed: {many}, model: {many}}}}}]")


def test_a_file_that_is_no_text_is_refused(folders, tmp_path):
    folders("data: d\nruns: [{chapter: one}]")
    (tmp_path / "studies/mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not text in UTF-8"):
        read_study("mine", studies=tmp_path / "studies", notebooks=tmp_path / "notebooks")


def test_folders_with_signs_are_taken_as_they_are(folders):
    odd = "/d/a #b: 'c' \"d\" {e} $HOME \u00e9"
    assert folders("data: ${DATA}\nruns: [{chapter: one}]", data=odd).data == odd
    assert folders("data: a $$ b\nruns: [{chapter: one}]").data == "a $ b"
