"""A pycortex store and a parcellation that all map tests share."""

import os

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A store of this test run, fsaverage5 in it."""
    pytest.importorskip("cortex", reason="pycortex is not installed (pip install -e .[maps])")
    from brainbook.plots.pycortex_store import open_store

    # Beside the workers' own folders where tests run in parallel: the first builds it for all.
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "maps" / "pycortex"
    open_store(folder)
    return folder


@pytest.fixture(scope="session")
def regions():
    from brainbook.datasets.atlas import embedded_destrieux

    return embedded_destrieux()
