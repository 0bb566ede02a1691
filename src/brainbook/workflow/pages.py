"""A chapter whose data or model is not on this machine: the page says how to get it, and ends there."""

import os
from collections.abc import Callable
from typing import TypeVar

from brainbook.errors import BrainbookError
from brainbook.workflow.results import MAY_LACK_DATA, RESULTS_OF_A_STUDY, Run

Found = TypeVar("Found")


def or_skip_the_rest(run: Run, load: Callable[..., Found], *arguments, **options) -> Found | None:
    """Call `load`; if it raises a BrainbookError (data or a model that cannot be had), end the page gracefully.

    The error, which says what to do, is shown on the page, the run's provenance is written, and the cells below run
    empty, so that the rest of the book is built all the same. Outside a notebook the error is raised, and so it is in a
    study's run whose entry does not say `may_lack_data`: a page that was not computed must not count as done.

    Parameters
    ----------
    run : what `start_run` returned.
    load : say, `Alice` or `load_language_model`, called with `arguments` and `options`.

    Returns
    -------
    what `load` returns, or None when the rest is skipped.
    """
    try:
        return load(*arguments, **options)
    except BrainbookError as error:
        shell = _notebook()
        if shell is None or (os.environ.get(RESULTS_OF_A_STUDY) and not os.environ.get(MAY_LACK_DATA)):
            raise
        _end(run, shell, f"**Not computed on this machine.** {error}\n\nThe cells below were not run; the text around "
                         "them tells what the page does.")  # fmt: skip
        return None


def end_here(run: Run, reason: str) -> None:
    """End the page here, say why, and leave the cells below empty: for a sweep's runs, of which only tables are read.

    An empty reason goes on.
    """
    if reason and (shell := _notebook()) is not None:
        _end(run, shell, reason)


def _end(run: Run, shell, text: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text))
    run.provenance()
    shell.input_transformers_cleanup.insert(0, lambda lines: [])


def _notebook():
    """The running notebook's shell, or None."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
