"""A study runs for any user, without a home, in odd folders, and in other locales and time zones, to the same bits."""

import os
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kills import leftovers, tables
from toy import Project, die_with_parent

STUDY = "data: nowhere\nruns: [{chapter: count, sweep: {number: [1, 2]}}]"
NOBODY = 54321  # a number without a name, as in containers
# Another user may read what root may, such as a Python in root's home, and write only where the modes allow it.
BECOME = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
BECOME += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
FOLDERS = {
    "plain": ["project"],
    "space": ["my project"],
    "signs": ["it's “an” odd #1 földer; $HOME & 'more'"],
    "long": ["y" * 200] * 15,  # 3,000 letters
}
LOCALES = {"C": {"LC_ALL": "C", "TZ": "UTC"}, "Turkish": {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
           "Japanese": {"LC_ALL": "ja_JP.eucJP", "TZ": "Pacific/Apia"}}  # fmt: skip
HOMES = {"home": {}, "no home": {"HOME": None}, "no such home": {"HOME": "/nowhere/at/all"}}
USERS = {"this user": None, "nobody": NOBODY}
# the quick one has all that is odd at once
FEW = [("signs", "Turkish", "no home", "nobody")]
ALL = [case for case in product(FOLDERS, LOCALES, HOMES, USERS) if case not in FEW]


@pytest.fixture
def place():
    """A folder that every user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    "case", [*FEW, *(pytest.param(case, marks=pytest.mark.slow) for case in ALL)], ids=lambda case: ", ".join(case)
)
def test_a_study_runs(place, case):
    folder, user = place.joinpath(*FOLDERS[case[0]]), USERS[case[3]]
    if user and (os.geteuid() or shutil.which("setpriv") is None):
        pytest.skip("only root can become another user, by setpriv")
    folder.mkdir(parents=True)
    project = Project(folder)
    project.write("studies/mine.yaml", STUDY)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user or -1, -1)
    given = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **LOCALES[case[1]], **HOMES[case[2]]}
    done = subprocess.run(
        [*(BECOME if user else []), sys.executable, "-m", "brainbook", "study", "mine"],
        cwd=folder,
        env={name: value for name, value in given.items() if value is not None},
        preexec_fn=die_with_parent,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"2 of 2 done" in done.stderr
    values = np.random.default_rng(0).normal(size=5)
    assert len(tables(project)) == 2 and not leftovers(project)
    for number in (1, 2):
        table = pd.read_parquet(folder / f"results/mine/count/number={number}/scores.parquet")
        np.testing.assert_array_equal(table["value"], values * number)
