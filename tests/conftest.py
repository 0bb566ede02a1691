"""Fixtures that all rooms share: where the real data lies, one generator per test; no network; searches; random order.

Property-based tests try 25 examples, always the same ones; `HYPOTHESIS_PROFILE=long` tries 400 new ones of each.
`--random-order-seed N` runs the tests in another order. No test reaches another machine.
"""

import gzip
import ipaddress
import os
import random
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

settings.register_profile("short", max_examples=25, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=400, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "short")

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("BRAINBOOK_DATA") or ROOT.parent / "shared" / "data")


def pytest_addoption(parser):
    parser.addoption(
        "--random-order-seed", type=int, default=None, help="run files, and tests in them, in random order"
    )


def pytest_collection_modifyitems(config, items):
    """Shuffle files, and tests within each: those of one file stay together, as they share fixtures."""
    if (seed := config.getoption("--random-order-seed")) is not None:
        order = random.Random(seed)
        ranks = {path: order.random() for path in sorted({item.path for item in items})}
        items.sort(key=lambda item: (ranks[item.path], order.random()))


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """Let no socket of this process reach another machine: what needs one fails as it does without a network."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
            raise OSError(101, f"Network is unreachable: tests connect to this machine only, not to {address[0]}")
        return connect(self, address)

    def look_up_here(host, *arguments, **options):
        if not is_here(host):
            raise socket.gaierror(-3, f"Temporary failure in name resolution: tests look up no {host}")
        return look_up(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        patch.setattr(socket, "getaddrinfo", look_up_here)
        yield


def is_here(host: str | bytes | None) -> bool:
    """Whether a host is this machine."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:  # a name
        return False


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


@pytest.fixture(scope="session")
def made_up_annotation(tmp_path_factory) -> Path:
    """A tiny annotation in the layout of the real one, with words that nobody wrote: 400 in each section.

    EN and CN are one table, FR is nine; there are log frequencies and surprisal (EN, CN) and amplitude (EN).
    """
    root, n = tmp_path_factory.mktemp("made_up_story"), 400
    gaps = 0.2 + np.random.default_rng(0).exponential(1, n)
    onsets = np.round(500 * np.cumsum(gaps) / gaps.sum(), 2)
    for code, words in {"EN": ["one", "two"], "CN": ["一", "二"], "FR": ["un", "deux"]}.items():
        folder = root / code
        folder.mkdir(parents=True)
        parts = []
        for section in range(1, 10):
            labels = [words[i % 2] for i in range(n)]
            part = pd.DataFrame({"word": labels, "onset": onsets, "offset": onsets + 0.15, "section": section})
            parts.append(part)
            if code == "FR":
                silence = pd.DataFrame({"word": ["#"], "onset": [0.0], "offset": [0.1]})
                table = pd.concat([silence, part], ignore_index=True)[["word", "onset", "offset"]]
                table.rename(columns={"word": "text"}).to_csv(folder / f"lppFR_section{section}.TextGrid.csv")
            if code == "EN":
                time = np.round(np.arange(0.01, 510, 0.01), 2)
                loud = pd.DataFrame({"onset": time, "amplitude": np.where((time % 20 < 10) & (time < 500), 0.2, 0.0)})
                with gzip.open(folder / f"section{section}_rms.csv.gz", "wt") as stream:
                    loud.to_csv(stream, index=False)
        if code != "FR":
            table = pd.concat(parts, ignore_index=True)
            table["logfreq"] = np.where(table.word == words[0], 9.0, 5.0)
            table.loc[7, "logfreq"] = -np.inf  # a word that was never counted
            table.to_csv(folder / f"lpp{code}_word_information.csv")
            table["surprisal"] = np.arange(len(table)) % 7
            table.iloc[::-1].to_csv(folder / "gpt2_surprisal.csv", index=False)  # order does not count, onsets do
    return root
