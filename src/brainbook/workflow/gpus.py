"""GPUs that no two runs share unless the study file says so.

A run that takes a GPU holds a lock on a file that all runs on the machine look at. The operating system drops the lock
when the process ends, however it ends, so that nothing has to be cleaned up after a crash.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from brainbook.errors import ConfigurationError
from brainbook.store import file_lock

POLLING_S = 0.5


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; [] on a machine without.

    CUDA_VISIBLE_DEVICES is obeyed where it is set (Slurm sets it); else the driver's tool is asked.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True
    )
    return listed.stdout.split() if listed.returncode == 0 else []


def lock_folder() -> Path:
    """Return where the lock files lie: BRAINBOOK_GPU_LOCKS, else a folder of this machine that every user may write to.

    Raises ConfigurationError when something else stands in its place, such as another user's link.
    """
    folder = Path(os.environ.get("BRAINBOOK_GPU_LOCKS") or Path(tempfile.gettempdir()) / "brainbook-gpus")
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)  # every user may add files, and remove only their own
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise ConfigurationError(f"{folder} should be a folder: set BRAINBOOK_GPU_LOCKS to another") from None
    return folder


@contextmanager
def reserved(count: int, share: bool = False) -> Iterator[list[str]]:
    """Hold `count` of the visible GPUs while the block runs; yields their names.

    Waits until enough are free. With `share` the first `count` are taken without a lock, even if others use them.
    On a machine without GPUs nothing is reserved and nothing is waited for.

    Raises ConfigurationError when more are wanted than there are.
    """
    gpus = visible_gpus()
    if count > len(gpus) > 0:
        raise ConfigurationError(f"{count} GPUs wanted, this machine shows {len(gpus)}: lower `gpus` in the study file")
    with ExitStack() as locks:
        selected = gpus[:count] if share else []
        while gpus and count and not selected:
            selected = _lock_free_gpus(gpus, count, locks)
            time.sleep(0 if selected else POLLING_S)
        yield selected


def _lock_free_gpus(gpus: list[str], count: int, locks: ExitStack) -> list[str]:
    """Lock `count` of `gpus`, or none: two runs that each held a part of what they need would wait for ever."""
    selected = []
    with ExitStack() as attempt:
        for gpu in gpus:
            path = lock_folder() / f"gpu-{gpu.replace('/', '-')}.lock"
            try:
                with suppress(Timeout):
                    attempt.enter_context(file_lock(path, timeout=0, mode=0o666))  # other users lock it, too
                    selected.append(gpu)
            except OSError as error:
                raise ConfigurationError(
                    f"{path} cannot be locked ({error.strerror}): remove it, or set BRAINBOOK_GPU_LOCKS "
                    "to a folder of this machine"
                ) from None
            if len(selected) == count:
                locks.enter_context(attempt.pop_all())
                return selected
    return []
