"""Kill a small study at random moments, cut its files, go on, and count what was lost. Nothing should be.

    python tests/workflow/kills.py [--kills 100] [--minutes 60] [--seed 0] [--jobs 2] [--slurm] [--keep]

A toy study of five runs (four that one waits for; each computes an array that is cached and a table) is begun as a user
begins it. At a random moment its session, Snakemake, a run, a kernel or all at once get SIGKILL, and the same command
goes on. After every third kill of everything the power "was cut": files below the results, the cache, the logs and
Snakemake's own folder are cut to random lengths. After every kill what counts as done has to be what an undisturbed
study has, bit for bit, and so has everything at the end; what was done at a kill must not be computed again, unless it
was cut. With --slurm all of it goes through a Slurm of one node (`cluster.py`), which has to be installed. With --keep
the counts go to book/archive/promises. Some ten seconds of a busy machine for a kill.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import chdir, nullcontext
from pathlib import Path

import cluster
import nbformat
import pandas as pd
import psutil
from toy import COUNT, HEAD, Project

from brainbook.workflow import archive_table
from brainbook.workflow.status import run_statuses
from brainbook.workflow.study_file import read_study

STUDY = """
data: nowhere
runs:
  - chapter: count
    parameters: {seconds: 0.2}
    sweep: {number: [1, 2], seed: [1, 2]}
    memory_mb: 300
  - chapter: other
    after: [count]
    memory_mb: 300
"""
HANGS = 900  # seconds
RUNS = 5
VICTIMS = ("session", "-m snakemake", "brainbook run", "ipykernel", "everything")
CUT = ("results", "cache", "logs", ".snakemake")
TEST_FILES = tuple(f"tests/workflow/{name}.py" for name in ("kills", "toy"))
TESTED = tuple(f"src/brainbook/{name}.py" for name in ("store", "workflow/execution", "workflow/content"))


def prepare(project: Project) -> Project:
    """Write the study and its chapters, which cache an array that several runs share."""
    drawn = "np.random.default_rng(seed).normal(size=5)"
    text = COUNT.replace("import atomic_write", "import atomic_write, cached_array").replace(
        drawn, f'cached_array(cache, "drawn", {{"seed": seed}}, lambda: {drawn})'
    )
    project.write("studies/mine.yaml", STUDY)
    project.write("notebooks/count.md", HEAD + text)
    project.write("notebooks/other.md", HEAD + text.replace("number = 1\n", "number = 5\n"))
    return project


def processes_of(project: Project) -> list[psutil.Process]:
    """Return everything that runs in the project's folder: sessions, Snakemake, runs, kernels."""
    running = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(project.folder) and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
        except psutil.Error:
            continue
    return running


def kill(project: Project, session: subprocess.Popen, victim: str) -> int:
    """Kill the session, all processes of the project, or those whose command holds `victim`; return how many."""
    if victim == "session":
        struck = [psutil.Process(session.pid)] if session.poll() is None else []
    else:
        struck = processes_of(project)
        if victim != "everything":
            struck = [process for process in struck if victim in command_of(process)]
    for process in struck:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return len(struck)


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def cut_files(project: Project, chance: random.Random, share: float = 0.3) -> list[Path]:
    """Cut files at random lengths, as a disk may leave them that lost its power; return which."""
    files = [path for name in CUT for path in sorted((project.folder / name).rglob("*")) if path.is_file()]
    cut = [path for path in files if path.stat().st_size and path.suffix != ".lock" and chance.random() < share]
    for path in cut:
        os.truncate(path, chance.randrange(path.stat().st_size))
    return cut


def tables(project: Project) -> dict[str, bytes]:
    """Return the content of every table of the study's runs, by its run."""
    folder = project.folder / "results/mine"
    return {str(path.parent.relative_to(folder)): path.read_bytes() for path in folder.rglob("scores.parquet")}


def done(project: Project) -> set[str]:
    """Return which runs count as done and current."""
    with chdir(project.folder):
        return {row.run for row in run_statuses(read_study("mine")) if row.state == "done"}


def never_twice_at_once(journal: list[str]) -> bool:
    """Return whether every run that ended was alone between its begin and its end."""
    for place, line in enumerate(journal):
        if line.startswith("end"):
            begun = journal.index(line.replace("end", "begin"))
            run = line.split()[1]
            if any(run == other.split()[1] for other in journal[begun + 1 : place]):
                return False
    return True


def leftovers(project: Project) -> list[str]:
    """Return files that are half-written: none may be there once a study is done."""
    names = [path for name in ("results", "cache") for path in (project.folder / name).rglob("*")]
    return [path.name for path in names if path.name.startswith(".writing-") or "part" in path.name]


def no_process_left(project: Project, seconds: float = 30) -> bool:
    """Return whether all that was begun has ended within some seconds; else end it."""
    began = time.monotonic()
    while processes_of(project) and time.monotonic() - began < seconds:
        time.sleep(0.2)
    return not [process.kill() for process in processes_of(project)]


class Ordeal:
    """A study that is killed and goes on, again and again, and the count of what happened."""

    def __init__(self, project: Project, seed: int, words: list[str], environment: dict[str, str], longest: float):
        self.project, self.chance = prepare(project), random.Random(seed)
        self.words, self.environment, self.longest = words, environment, longest
        self.wanted: dict[str, bytes] = {}
        self.whole: set[str] = set()  # runs that were done after the last kill, when the journal had so many lines
        self.lines = 0
        self.until = 0.0  # on the monotonic clock: nothing is killed after it
        self.counts: Counter[str] = Counter()
        self.victims: Counter[str] = Counter()
        self.victims_left: list[str] = []  # of one round: each kind once, in random order

    def undisturbed(self) -> float:
        """Run the study to its end once; return the seconds that this took."""
        began = time.monotonic()
        code, said = self.project.do("study", "mine", *self.words, **self.environment)
        if code or len(tables(self.project)) != RUNS:
            raise RuntimeError(f"the undisturbed study failed:\n{said}")
        self.wanted = tables(self.project)
        return time.monotonic() - began

    def begin_anew(self) -> None:
        """Remove all results and what is cached."""
        for name in ("results", "cache", "logs"):
            shutil.rmtree(self.project.folder / name, ignore_errors=True)
        self.project.forget()
        self.whole, self.lines = set(), 0

    def session(self, kills: int, cut_every: int) -> bool:
        """Begin the study, or go on with it, and kill again and again; return whether it came to its end unharmed."""
        session = self.project.start("study", "mine", *self.words, **self.environment)
        whole, struck, began = set(), False, time.monotonic()
        while session.poll() is None:
            if time.monotonic() - began > HANGS:
                raise RuntimeError(f"the session does not end: {self.counts}")
            self.victims_left = self.victims_left or self.chance.sample(VICTIMS, len(VICTIMS))
            try:
                session.wait(self.chance.uniform(0.3, self.longest))
            except subprocess.TimeoutExpired:
                whole |= done(self.project)
                victim = self.victims_left[-1]
                if self.going_on(kills) and kill(self.project, session, victim):
                    self.victims[self.victims_left.pop()] += 1
                    struck = True
                    if victim == "everything" and self.victims[victim] % cut_every == 0:
                        session.wait(60)
                        self.counts["files cut"] += len(cut_files(self.project, self.chance))
                        self.counts["power cuts"] += 1
                        whole = set()
        session.communicate()
        self.check(whole)
        return not struck

    def check(self, whole: set[str]) -> None:
        """Count what is wrong after a kill: `whole` are the runs that were done before it."""
        again = {line.split()[1].removeprefix("results/mine/") for line in self.project.journal()[self.lines :]}
        self.counts["done and computed again"] += len(again & self.whole)
        self.lines, self.whole, present = len(self.project.journal()), done(self.project), tables(self.project)
        self.counts["half-written taken for whole"] += sum(present.get(run) != self.wanted[run] for run in self.whole)
        self.counts["done and lost"] += len(whole - self.whole)

    def finish(self) -> None:
        """Go on until the study is done, and count what is wrong then."""
        code, said = self.project.do("study", "mine", *self.words, **self.environment)
        if code:
            self.counts["not resumed by the same command"] += 1
            print(said)
        self.counts["left processes"] += not no_process_left(self.project)
        self.counts["studies brought to their end"] += code == 0
        self.check(self.whole)
        present = tables(self.project)
        self.counts["tables that differ"] += sum(present.get(run) != table for run, table in self.wanted.items())
        for path in (self.project.folder / "results/mine").rglob("notebook.ipynb"):
            nbformat.validate(nbformat.read(path, as_version=4))
        self.counts["half-written files left"] += len(leftovers(self.project))
        self.counts["runs twice at once"] += not never_twice_at_once(self.project.journal())

    def going_on(self, kills: int) -> bool:
        """Return whether there is something left to kill."""
        return sum(self.victims.values()) < kills and time.monotonic() < self.until

    def run(self, kills: int, cut_every: int = 3, minutes: float = 60) -> None:
        """Kill `kills` times, or for so many minutes, and bring each study to its end before the next.

        After every `cut_every`-th kill of everything files are cut.
        """
        self.until = time.monotonic() + 60 * minutes
        while self.going_on(kills):
            self.begin_anew()
            while not self.session(kills, cut_every):
                pass
            self.finish()
            print(sum(self.victims.values()), {name: n for name, n in self.counts.items() if n}, flush=True)


WRONG = ("half-written taken for whole", "done and lost", "done and computed again", "tables that differ")
WRONG += ("not resumed by the same command", "half-written files left", "left processes", "runs twice at once")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60, help="nothing is killed after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep the counts with the book")
    given = parser.parse_args()
    words = ["--jobs", str(given.jobs)]
    if given.slurm:
        words += ["--profile", "slurm"]
        if reason := cluster.lacking():
            parser.exit(2, f"{reason}\n")
    with tempfile.TemporaryDirectory() as folder, cluster.slurm() if given.slurm else nullcontext({}) as environment:
        ordeal = Ordeal(Project(Path(folder)), given.seed, words, environment, longest=1.0)
        took = ordeal.undisturbed()
        ordeal.longest = min(max(took / 5, 2), 15)  # several kills strike each session
        print(f"undisturbed: {took:.1f} s", flush=True)
        ordeal.run(given.kills, minutes=given.minutes)
    counts = ordeal.counts
    struck = {"kills": sum(ordeal.victims.values()), **{f"of {name}": ordeal.victims[name] for name in VICTIMS}}
    others = {name: counts[name] for name in ("power cuts", "files cut", "studies brought to their end", *WRONG)}
    table = pd.DataFrame({"what": [*struck, *others], "count": [*struck.values(), *others.values()]})
    print(table.to_string(index=False))
    if given.keep:
        command = f"python tests/workflow/kills.py {' '.join(sys.argv[1:])}"
        name = "kills_slurm" if given.slurm else "kills"
        print(archive_table("promises", name, table, command, rests_on=(*TEST_FILES, *TESTED)))
    sys.exit(any(counts[name] for name in WRONG))


if __name__ == "__main__":
    main()
