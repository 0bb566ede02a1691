"""What a chapter's cells call to make its page: tables, numbers inside sentences, and an early end.

`glue(share=0.962)` in a code cell puts a value where a Markdown cell says {glue:text}`share:.0%`: the sentences of a
page stand in its Markdown. `insert_glued` puts the values in when the chapter is executed.
"""

import ast
import math
import os
import re
from collections.abc import Callable
from numbers import Integral, Real
from typing import TypeVar

import nbformat
import pandas as pd

from brainbook.errors import BrainbookError, ConfigurationError
from brainbook.workflow.run import MAY_LACK_DATA, RESULTS_OF_A_STUDY, ChapterRun

Found = TypeVar("Found")
_ENDED = "brainbook_ended"
_ROLE = re.compile(r"\{glue:text\}`(\w+)(?::([^`]*))?`")


def show(table: pd.DataFrame, digits: int = 3):
    """Return `table` as a page shows it: numbers with `digits` decimals, names without underscores, no row numbers."""
    styled = table.rename(columns=lambda name: str(name).replace("_", " ")).style
    styled = styled.format(precision=digits, thousands=",", na_rep="–")
    return styled.hide(axis="index") if isinstance(table.index, pd.RangeIndex) else styled


def glue(**values: str | float) -> None:
    """Store numbers or words for the sentences of this page, under the names that {glue:text} calls them by."""
    from myst_nb import glue as store

    for name, value in values.items():
        if isinstance(value, Real):
            value = int(value) if isinstance(value, Integral) else float(value)
        store(name, value if isinstance(value, int | float) else str(value), display=False)


def insert_glued(notebook: nbformat.NotebookNode) -> None:
    """Put glued values into the Markdown of an executed notebook, in place; a number that is not finite becomes a dash.

    Raises ConfigurationError for a name that no cell glued, unless the page ended early (`end_here`).
    """
    values, ended = {}, False
    for cell in notebook.cells:
        ended |= cell.cell_type == "code" and any(
            _ENDED in output.get("metadata", {}) for output in cell.get("outputs", [])
        )
        for output in list(cell.get("outputs", [])):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                text = output["data"]["application/papermill.record/text/plain"]
                values[name] = float(text) if text in ("nan", "inf", "-inf") else ast.literal_eval(text)
                cell.outputs.remove(output)

    def value_of(match: re.Match) -> str:
        name, spec = match[1], match[2] or ""
        if name not in values and not ended:
            raise ConfigurationError(f"no cell glued {name!r}, which a sentence of the page needs")
        value = values.get(name, math.nan)
        if isinstance(value, str):
            return value
        return format(value, spec) if math.isfinite(value) else "–"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _ROLE.sub(value_of, cell.source)


def or_skip_the_rest(run: ChapterRun, load: Callable[..., Found], *arguments, **options) -> Found | None:
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


def end_here(run: ChapterRun, reason: str) -> None:
    """End the page here, say why, and leave the cells below empty: for a sweep's runs, of which only tables are read.

    An empty reason goes on.
    """
    if reason and (shell := _notebook()) is not None:
        _end(run, shell, reason)


def _end(run: ChapterRun, shell, text: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text), metadata={_ENDED: True})
    run.provenance()
    shell.input_transformers_cleanup.insert(0, lambda lines: [])


def _notebook():
    """The running notebook's shell, or None."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
