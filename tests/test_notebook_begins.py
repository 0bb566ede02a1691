"""The first cell of a downloaded notebook, as a script: it finds the book or gets it, and simulates recordings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[1]
BEGIN = (ROOT / ".binder/begin.py").read_text(encoding="utf-8")
SMALL = "phantom: {participants: 1, scans: 40, voxel_size: 8, languages: [EN]}\n"


def run(source: str, folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", f"{source}\nprint(Path.cwd())"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_notebook_outside_of_the_book_gets_it_and_its_recordings(tmp_path):
    origin = tmp_path / "origin"
    (origin / "src/brainbook").mkdir(parents=True)
    (origin / "src/brainbook/__init__.py").touch()  # `brainbook` itself is on the path: nothing is installed
    (origin / "studies").mkdir()
    (origin / "studies/demo.yaml").write_text(SMALL)
    git = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@localhost"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "A book"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "elsewhere").mkdir()
    done = run(BEGIN.replace('REPOSITORY = ""', f'REPOSITORY = "file://{origin}"'), tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    book = tmp_path / "elsewhere/brainbook"
    assert done.stdout.strip() == str(book) and (book / "data/phantom/truth").is_dir()
    shutil.rmtree(origin)
    (book / "notebooks").mkdir()
    again = run(BEGIN, book / "notebooks")  # inside of the book nothing is fetched or made
    assert again.stdout.strip() == str(book), again.stderr


def test_a_notebook_that_cannot_find_the_book_says_what_to_do(tmp_path):
    done = run(BEGIN, tmp_path)
    assert done.returncode == 1 and "move it there, or name the address in REPOSITORY" in done.stderr
    assert not list(tmp_path.iterdir())
