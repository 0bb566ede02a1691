"""A class that runs one chapter at the same time, on one server: minutes and memory, measured.

    python teaching/measure_class.py first_model --students 3 --cores 1

Each student has a kernel of one thread and results of their own; recordings and cache are shared, as in a class. Memory
is the proportional set size (Linux): what several processes share counts once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil


def memory_of(processes: list[subprocess.Popen]) -> float:
    """GB that these processes and their children take now."""
    total = 0
    for process in processes:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            total += sum(each.memory_full_info().pss for each in family)
        except psutil.NoSuchProcess:  # it ended while we looked
            continue
    return total / 1e9


def measure(chapter: str, students: int, cores: int, options: list[str]) -> dict[str, float]:
    """Run `chapter` for so many students on so many cores. Raises RuntimeError when a run fails."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # children inherit it
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder) / "chapter.ipynb"
        asked = [sys.executable, "-m", "brainbook", "notebook", chapter]
        notebook.write_bytes(subprocess.run(asked, check=True, capture_output=True).stdout)
        began, most, runs = time.monotonic(), 0.0, []
        for student in range(students):
            command = [sys.executable, "-m", "papermill", str(notebook), f"{folder}/{student}.ipynb", *options]
            command += ["--no-progress-bar", "-p", "results", f"{folder}/results/{student}"]
            runs.append(subprocess.Popen(command, env=os.environ | threads, stderr=subprocess.DEVNULL))
        while any(run.poll() is None for run in runs):
            most = max(most, memory_of(runs))
            time.sleep(0.5)
        if any(run.returncode for run in runs):
            raise RuntimeError(f"{sum(bool(run.returncode) for run in runs)} of {students} runs of {chapter} failed")
    seconds = time.monotonic() - began
    return {"chapter": chapter, "students": students, "cores": cores, "seconds": seconds, "GB": most}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="+")
    parser.add_argument("--students", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("-p", nargs=2, action="append", default=[], help="a parameter of the chapters, as of papermill")
    given = parser.parse_args()
    parameters = [part for pair in given.p for part in ("-p", *pair)]
    rows = [measure(chapter, given.students, given.cores, parameters) for chapter in given.chapters]
    table = pd.DataFrame(rows)
    table["seconds of a core, each"] = table.seconds * table.cores / table.students
    print(table.round(1).to_string(index=False))
