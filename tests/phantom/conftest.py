"""One small phantom with strong responses, and its null twin, written once for all tests of the room."""

import pytest

from brainbook.phantom import make_phantom

SMALL = {"participants": 1, "scans": 55, "seed": 3, "voxel_size": 10.0}


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom") / "study", signal=4.0, **SMALL)


@pytest.fixture(scope="session")
def null_phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("null") / "study"
    return make_phantom(root, signal=4.0, null=True, languages=("EN",), echoes=0, **SMALL)
