"""GPUs as something that two runs never share unless told to.

A run that takes a GPU holds a lock on a file that all runs on the machine look at. The operating system drops the lock
when the process ends, however it ends, so that nothing has to be cleaned up after a crash.
"""

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    """Where the lock files lie: BRAINBOOK_GPU_LOCKS, else a folder of this machine that every user may write to.

    ConfigurationError when something else stands in its place, a link that another user laid there, say.
    """
    folder = Path(os.environ.get("BRAINBOOK_GPU_LOCKS") or Path(tempfile.gettempdir()) / "brainbook-gpus")
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)  # ours, as we made it: for all, but nobody removes what is another's
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise ConfigurationError(f"{folder} should be a folder: set BRAINBOOK_GPU_LOCKS to another") from None
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
    """The opened lock file, or None while another process holds it.

    A file that another user made is only read: a lock needs no more. Links are refused, and nothing is ever written.
    """
    import fcntl

    try:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        stream = os.fdopen(descriptor)
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError as error:
        raise ConfigurationError(f"{path} is no lock file of ours ({error.strerror}): remove it") from None
    if not regular:
        stream.close()
        raise ConfigurationError(f"{path} is no lock file of ours: remove it")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    except OSError as error:
        stream.close()
        raise ConfigurationError(
            f"the file system of {path} has no locks ({error.strerror}): set BRAINBOOK_GPU_LOCKS to a local folder"
        ) from None
    return stream
