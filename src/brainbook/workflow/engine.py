"""papermill's engine, that writes the notebook less often.

papermill writes the whole notebook, pictures and all, before and after each cell: a second or two of a run.
"""

import time
from collections.abc import Callable
from typing import Any

from papermill.engines import NBClientEngine, papermill_engines

ENGINE = "brainbook"
SHARE = 0.05  # of the time of a run, that may go into writing what was executed so far


class SparingEngine(NBClientEngine):
    """Executes as papermill does, which itself writes the notebook at its end and after a cell that failed."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        nb_man.save = spared(nb_man.save)
        super().execute_managed_notebook(nb_man, kernel_name, **options)


def spared(save: Callable[..., None], clock: Callable[[], float] = time.monotonic) -> Callable[..., None]:
    """Return a function that calls `save`, or does nothing where that would take more than `SHARE` of the time."""
    next_at = clock()

    def save_or_wait(**options: Any) -> None:
        nonlocal next_at
        began = clock()
        if began >= next_at:
            save(**options)
            next_at = clock() + (clock() - began) / SHARE

    return save_or_wait


papermill_engines.register(ENGINE, SparingEngine)
