"""What a release consists of says the same everywhere: versions, licence, keywords, workflows, lists of packages."""

import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from brainbook import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CODEMETA = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
ZENODO = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
STEPS = [
    (path.name, job, step)
    for path in WORKFLOWS
    for job, content in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items()
    for step in content.get("steps", [])
]


def test_the_version_has_one_source_and_its_copies_agree():
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    assert {CITATION["version"], CODEMETA["version"], ZENODO["version"]} == {__version__}


def test_who_made_it_and_under_what_licence():
    (author,) = PROJECT["authors"]
    assert [person["name"] for person in CITATION["authors"]] == [author["name"]]
    assert [person["name"] for person in CODEMETA["author"]] == [author["name"]]
    assert [person["name"] for person in ZENODO["creators"]] == [author["name"]]
    assert CITATION["license"] == PROJECT["license"] and CODEMETA["license"].endswith(f"/{PROJECT['license']}")
    assert ZENODO["license"] == PROJECT["license"].lower()


def test_what_it_is():
    assert CITATION["abstract"] == CODEMETA["description"] == ZENODO["description"] == PROJECT["description"]
    assert CITATION["keywords"] == CODEMETA["keywords"] == ZENODO["keywords"] == PROJECT["keywords"]
    assert CITATION["title"] == ZENODO["title"]
    assert CODEMETA["runtimePlatform"] == f"Python {PROJECT['requires-python']}"
    papers = {reference["doi"] for reference in CITATION["references"]}
    assert {paper.removeprefix("https://doi.org/") for paper in CODEMETA["referencePublication"]} == papers
    assert {paper["identifier"] for paper in ZENODO["related_identifiers"]} == papers


def test_the_pythons_that_are_named_are_those_that_are_tested():
    named = {item.rpartition(" ")[2] for item in PROJECT["classifiers"] if ":: 3." in item}
    matrix = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == named


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_what_the_forge_asks_for(path):
    """Offline: it parses, every job has a machine, a limit and steps, every job that it waits for is there."""
    workflow = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # so that `on` stays a word
    assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
    for name, job in workflow["jobs"].items():
        assert job["runs-on"] == "ubuntu-24.04" and job["timeout-minutes"].isdigit(), name
        needs = job.get("needs", [])
        assert {needs} if isinstance(needs, str) else set(needs) <= workflow["jobs"].keys(), name
        assert all(("uses" in step) != ("run" in step) for step in job["steps"]), name


def test_every_action_is_pinned_to_a_version():
    actions = [step["uses"] for _, _, step in STEPS if "uses" in step]
    assert actions and not [action for action in actions if not re.fullmatch(r"[\w-]+/[\w./-]+@v\d+(\.\d+)*", action)]
    assert len({action.split("@")[0] for action in actions}) == len(set(actions)), "one action in two versions"


def test_every_file_that_a_workflow_names_is_there():
    named = re.compile(r"(?<![\w/.-])((?:\.ci|tests|benchmarks|studies)/[\w./-]+|[\w-]+\.(?:txt|toml|cff))")
    for workflow, job, step in STEPS:
        missing = [name for name in named.findall(step.get("run", "")) if not (ROOT / name.rstrip("/")).exists()]
        assert not missing, (workflow, job, missing)


@pytest.fixture(scope="module")
def release_notes():
    spec = importlib.util.spec_from_file_location("release_notes", ROOT / ".ci/release_notes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_tag_makes_a_release_only_of_its_own_version(release_notes, tmp_path):
    for place in (*release_notes.PLACES, "CHANGELOG.md"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    with pytest.raises(SystemExit, match=r"CITATION.cff: .*CHANGELOG.md: no heading '## 9.9.9'"):
        release_notes.release_notes("v9.9.9", tmp_path)
    changes = "# Changes\n\n## Unreleased\n\n- later\n\n## {v}, 2027-01-15\n\n- new\n\n## 0.0.1\n\n- old\n"
    (tmp_path / "CHANGELOG.md").write_text(changes.format(v=__version__))
    assert release_notes.release_notes(f"v{__version__}", tmp_path) == "- new"
