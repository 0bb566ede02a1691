"""Fixtures that all rooms share: where the real data lies, and one generator per test."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
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
