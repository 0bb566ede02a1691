"""Fixtures of the workflow's tests: a project to run studies in, and models where the hub's cache would be."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from stand_ins import write_hub
from toy import COUNT, HEAD, ROOT, Project  # noqa: F401  (tests take them from here)

from brainbook.phantom.story import sentences


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> Path:
    """A folder like HF_HOME with small random models under all published names."""
    texts = sentences(60, 0, ("EN", "FR", "CN"))
    words = {code: sorted(set(" ".join(texts[code]).split())) for code in ("EN", "FR", "CN")}
    return write_hub(tmp_path_factory.mktemp("home"), words)


@pytest.fixture
def project(tmp_path, request):
    # Odd names, as people have them; but Slurm's plugin for Snakemake does not quote the folder for the shell.
    folder = tmp_path / ("project" if "slurm" in request.fixturenames else "it's an odd #1 földer; $HOME")
    folder.mkdir()
    return Project(folder)


STAND_IN = Path(__file__).with_name("without_kernel")


@pytest.fixture
def without_kernel(monkeypatch) -> None:
    """Execute chapters in this process, by the stand-in for papermill."""
    importlib.import_module("brainbook.workflow.engine")  # with the real papermill, for the tests that follow
    spec = importlib.util.spec_from_file_location("papermill", STAND_IN / "papermill/__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "papermill", module)


class QuickProject(Project):
    """A project whose chapters need no kernel: half of a run's seconds, for tests of what runs and not of how."""

    def start(self, *words: str, **environment: str):
        path = os.pathsep.join([str(STAND_IN), *filter(None, [os.environ.get("PYTHONPATH")])])
        return super().start(*words, **{"PYTHONPATH": path} | environment)


@pytest.fixture
def quick_project(project) -> Project:
    project.__class__ = QuickProject
    return project
