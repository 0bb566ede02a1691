"""Fixtures that all rooms share: where the real data lies, and one generator per test."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("BRAINBOOK_DATA") or ROOT.parent / "shared" / "data")


def real_folder(name: str) -> Path:
    """The folder `name` of the real data, or a skip that says where it was looked for."""
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"real data not here: {folder} (set BRAINBOOK_DATA to the folder that holds {name}/)")
    return folder


@pytest.fixture(scope="session")
def real_alice() -> Path:
    return real_folder("alice")


@pytest.fixture(scope="session")
def real_annotation() -> Path:
    """The real word tables and TextGrids of Le Petit Prince: EN/, FR/, CN/."""
    return real_folder("little_prince")


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    return real_folder("mnist")


@pytest.fixture(scope="session")
def real_xnli() -> Path:
    return real_folder("xnli")


@pytest.fixture(scope="session")
def real_atlas() -> Path:
    """A folder that NILEARN_DATA can be set to: it holds destrieux_surface/."""
    return real_folder("nilearn")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
