"""A small project of its own, with trivial notebooks, in which studies are run as a user runs them."""

import contextlib
import ctypes
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from brainbook.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
HEAD = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A chapter
"""
COUNT = """
```{code-cell} ipython3
:tags: [parameters]
results = "results/x"
cache = "cache"
seed = 0
number = 1
seconds = 0.0
```
```{code-cell} ipython3
import os, time
from pathlib import Path
journal = os.open("journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_ = os.write(journal, f"begin {results} {os.getpid()}\\n".encode())
time.sleep(seconds)
```
```{code-cell} ipython3
import numpy as np, pandas as pd
from brainbook.store import atomic_write
table = pd.DataFrame({"number": number, "value": np.random.default_rng(seed).normal(size=5) * number})
with atomic_write(Path(results, "scores.parquet")) as temporary:
    table.to_parquet(temporary)
assert number != 13, "thirteen is not counted"
_ = os.write(journal, f"end {results} {os.getpid()}\\n".encode())
```
"""


def die_with_parent() -> None:
    """Let Linux stop what a test started, kernels included, when this process dies, however it dies.

    And let it hear every signal, also where the tests were begun in the background (no SIGINT) or by nohup (no SIGHUP).
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Project:
    """A folder with a Snakefile, profiles, notebooks and studies, and the commands that a user types there."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("notebooks", "studies", "logs"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "Snakefile", folder)
        shutil.copytree(ROOT / "profiles", folder / "profiles")
        self.write("notebooks/count.md", HEAD + COUNT)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, *words: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "brainbook", *words],
            cwd=self.folder,
            env=os.environ
            | {"OMP_NUM_THREADS": "1", "JUPYTER_RUNTIME_DIR": str(self.folder / "jupyter")}
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def do(self, *words: str, **environment: str) -> tuple[int, str]:
        """Exit status and what was said; what only looks is done in this process, which has imported everything."""
        if words[0] in ("check", "status") and not environment:
            return self.here(*words)
        process = self.start(*words, **environment)
        try:
            said, _ = process.communicate(timeout=400)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, said

    def here(self, *words: str) -> tuple[int, str]:
        """Do a command in this process."""
        said, handlers = io.StringIO(), {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                return main(list(words)), said.getvalue()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def journal(self) -> list[str]:
        path = self.folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def begun(self) -> list[str]:
        """Which runs were computed, in order, since the journal was last emptied."""
        return [line.split()[1].split("/", 2)[2] for line in self.journal() if line.startswith("begin")]

    def forget(self) -> None:
        (self.folder / "journal").unlink(missing_ok=True)
