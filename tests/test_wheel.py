"""The wheel, used from an empty folder without the repository: data files, tiny models and phantom are in it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import numpy as np
from brainbook.chapters import align, story_states
from brainbook.datasets import open_dataset
from brainbook.encoding import cross_validate
from brainbook.phantom import make_phantom

root = make_phantom("phantom", participants=1, scans=30, languages=("EN",), seed=0)
dataset = open_dataset(root)
(name,) = dataset.participants("EN")
responses = dataset.responses(name)
states = story_states(dataset, "EN", "tiny-causal", context=8, cache=None, device="cpu", stride=8)
features = align(dataset, "EN", states[5:])
scores = cross_validate(features.values[0], responses.values, responses.run_of_scan, trim=2, device="cpu")
print(responses.values.shape, np.isfinite(scores.scores).all())
"""


@pytest.mark.slow
def test_the_wheel_works_from_an_empty_folder(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # setuptools builds beside them
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "empty").mkdir()
    environment = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        cwd=tmp_path / "empty",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("True")
    assert (
        "brainbook = brainbook.__main__:main" in next((tmp_path / "installed").glob("*/entry_points.txt")).read_text()
    )
    assert (tmp_path / "installed/brainbook/py.typed").is_file()


ALONE = """
import sys

for name in {others!r}:
    sys.modules[name] = None  # as if it were not installed
import numpy as np
from brainbook import encoding, stats

rooms = [getattr(room, name) for room in (encoding, stats) for name in room.__all__]
x, runs = np.random.default_rng(0).standard_normal((90, 4)), np.repeat([1, 2, 3], 30)
print(encoding.cross_validate(x, x, runs, delays=(0,), device="cpu").scores.shape)
"""


@pytest.mark.slow
def test_encoding_needs_none_of_the_extras():
    others = ["transformers", "tokenizers", "accelerate", "safetensors", "nilearn", "nibabel", "h5py", "pydantic"]
    others += ["yaml", "matplotlib", "statsmodels", "pyarrow", "filelock", "jupytext", "IPython", "papermill"]
    code, environment = ALONE.format(others=others), {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "(4,)", done.stderr
