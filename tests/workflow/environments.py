"""Run a small study for other users, without a home, in odd folders, other locales and time zones, and count failures.

    python tests/workflow/environments.py [--number 24] [--minutes 60] [--seed 0] [--keep]

There are 72 combinations of a folder, a locale with a time zone, a home and a user; `--number` of them are drawn, each
folder, locale, home and user about as often as the others. Each runs a study of one run, whose table has to be what it
is anywhere else, to the bit. Needs root (which becomes the other user) and `setpriv`, of util-linux. With --keep the
counts go to book/archive/promises. Some seven seconds of one core for each.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from toy import Project, die_with_parent

from brainbook.workflow import archive_table

STUDY = "data: nowhere\nruns: [{chapter: count}]"
NOBODY = 54321  # a number without a name, as in containers
# Another user may read what root may, such as a Python in root's home, and write only where the modes allow it.
BECOME = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
BECOME += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
FOLDERS = {
    "plain": ["project"],
    "space": ["my project"],
    "signs": ["it's “an” odd #1 földer; $HOME & 'more'"],
    "3,000 letters": ["y" * 200] * 15,
}
LOCALES = {"C": {"LC_ALL": "C", "TZ": "UTC"}, "Turkish": {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
           "Japanese": {"LC_ALL": "ja_JP.eucJP", "TZ": "Pacific/Apia"}}  # fmt: skip
HOMES = {"home": {}, "no home": {"HOME": None}, "no such home": {"HOME": "/nowhere/at/all"}}
USERS = {"this user": None, "another user": NOBODY}
AXES = {"folder": FOLDERS, "locale": LOCALES, "home": HOMES, "user": USERS}
ODD = ("signs", "Turkish", "no home", "another user")  # all that is odd at once: tried with every change
TESTED = ("tests/workflow/environments.py", "tests/workflow/toy.py", "src/brainbook/workflow/session.py")


def lacking() -> str:
    """Return why no process can become another user here; "" if one can."""
    return "only root can become another user, by setpriv" if os.geteuid() or not shutil.which("setpriv") else ""


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def fault(place: Path, case: tuple[str, str, str, str]) -> str:
    """Run the study in one combination; return what is wrong, "" if nothing is."""
    folder, user = place.joinpath(*FOLDERS[case[0]]), USERS[case[3]]
    folder.mkdir(parents=True)
    Project(folder).write("studies/mine.yaml", STUDY)
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
    if done.returncode or b"1 of 1 done" not in done.stderr:
        return f"status {done.returncode}: {done.stderr.decode(errors='replace')}"
    table = pd.read_parquet(folder / "results/mine/count/scores.parquet")
    if not (table["value"].to_numpy() == np.random.default_rng(0).normal(size=5)).all():
        return f"other numbers: {table}"
    left = [path.name for name in ("results", "cache") for path in (folder / name).rglob(".writing-*")]
    return f"left behind: {left}" if left else ""


def draw(number: int, seed: int) -> list[tuple[str, str, str, str]]:
    """Return so many combinations, `ODD` first, in which every value of an axis is about as frequent as the others."""
    cases, chosen = list(product(*AXES.values())), [ODD]
    random.Random(seed).shuffle(cases)
    cases.remove(ODD)
    while cases and len(chosen) < number:
        seen = [value for case in chosen for value in case]
        chosen.append(min(cases, key=lambda case: sum(seen.count(value) / len(seen) for value in case)))
        cases.remove(chosen[-1])
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=24)
    parser.add_argument("--minutes", type=float, default=60, help="nothing is begun after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the counts with the book")
    given = parser.parse_args()
    if reason := lacking():
        parser.exit(2, f"{reason}\n")
    rows, until = [], time.monotonic() + 60 * given.minutes
    for case in draw(given.number, given.seed):
        if time.monotonic() > until:
            break
        with open_folder() as place:
            wrong = fault(place, case)
        print(f"{', '.join(case)}: {wrong or 'as anywhere'}", flush=True)
        rows.append({**dict(zip(AXES, case, strict=True)), "failed": bool(wrong)})
    tried = pd.DataFrame(rows)
    counts = [{"what": "all together", "tried": len(tried), "failed": int(tried["failed"].sum())}]
    for axis, values in AXES.items():
        for value in values:
            failed = tried.loc[tried[axis] == value, "failed"]
            counts.append({"what": f"{axis}: {value}", "tried": len(failed), "failed": int(failed.sum())})
    table = pd.DataFrame(counts)
    print(table.to_string(index=False))
    if given.keep:
        command = f"python tests/workflow/environments.py {' '.join(sys.argv[1:])}"
        print(archive_table("promises", "environments", table, command, rests_on=TESTED))
    sys.exit(bool(tried["failed"].any()))


if __name__ == "__main__":
    main()
