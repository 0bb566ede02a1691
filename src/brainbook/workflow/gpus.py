"""GPUs as something that two runs never share unless told to.

A run that takes a GPU holds a lock on a file that all runs on the machine look at. The operating system drops the lock
when the process ends, however it ends, so that nothing has to be cleaned up after a crash.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from brainbook.errors import ConfigurationError

WAIT_S = 0.5


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; [] on a machine without.

    CUDA_VISIBLE_DEVICES is obeyed where it is set (Slurm sets it); else the driver's tool is asked.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    asked = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    return asked.stdout.split() if asked.returncode == 0 else []


def lock_folder() -> Path:
    """Where the lock files lie: BRAINBOOK_GPU_LOCKS, else a folder of this machine that every user may write to."""
    folder = Path(os.environ.get("BRAINBOOK_GPU_LOCKS") or Path(tempfile.gettempdir()) / "brainbook-gpus")
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # another user made it, and opened it then
        folder.chmod(0o1777)
    return folder


@contextmanager
def reserved(count: int, share: bool = False, timeout_s: float | None = None) -> Iterator[list[str]]:
    """Hold `count` of the visible GPUs while the block runs, and let this process and its children see only those.

    Waits until enough are free. With `share` they are chosen, not locked: the first `count`, whoever else uses them.
    With `count` 0 no GPU is seen. On a machine without GPUs nothing is reserved and nothing is waited for.

    Raises ConfigurationError when more are wanted than there are, or none came free in `timeout_s` seconds.
    """
    gpus = visible_gpus()
    if count > len(gpus) > 0:
        raise ConfigurationError(f"{count} GPUs wanted, this machine shows {len(gpus)}: lower `gpus` in the study file")
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as held:
        if not gpus or count == 0:
            mine = []
        elif share:
            mine = gpus[:count]
        else:
            mine = _wait_for(gpus, count, timeout_s, held)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
        try:
            yield mine
        finally:
            if before is None:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _wait_for(gpus: list[str], count: int, timeout_s: float | None, held: ExitStack) -> list[str]:
    """Lock `count` of `gpus`, all or none: holding some while waiting for others could block two runs for ever."""
    began = time.monotonic()
    while True:
        mine: dict[str, IO] = {}
        for gpu in gpus:
            stream = _locked(lock_folder() / f"gpu-{gpu.replace('/', '-')}.lock")
            if stream is not None:
                mine[gpu] = stream
            if len(mine) == count:
                for stream in mine.values():
                    held.enter_context(stream)
                return list(mine)
        for stream in mine.values():
            stream.close()
        if timeout_s is not None and time.monotonic() - began > timeout_s:
            raise ConfigurationError(f"no {count} of the GPUs {', '.join(gpus)} came free in {timeout_s:g} s")
        time.sleep(WAIT_S)


def _locked(path: Path) -> IO | None:
    """The opened lock file, or None while another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    stream = os.fdopen(descriptor, "r+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    with suppress(PermissionError):
        path.chmod(0o666)
    stream.truncate(0)
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    return stream
