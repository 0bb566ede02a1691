"""Fixtures of the workflow's tests: a project to run studies in, and models where the hub's cache would be."""

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
