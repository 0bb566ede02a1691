"""What a chapter's cells call to make its page: tables, numbers inside sentences, and an early end.

`glue(share=0.962)` in a code cell puts a value where a Markdown cell says {glue:text}`share:.0%`: the sentences of a
page stand in its Markdown. `notebooks.insert_glued` puts the values in when the chapter is executed.
"""

import os
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from IPython import get_ipython
from IPython.display import Markdown, display
from markupsafe import escape

from brainbook.errors import BrainbookError, ConfigurationError
from brainbook.workflow.notebooks import ENDED, without_tags
from brainbook.workflow.run import MAY_LACK_DATA, RESULTS_OF_A_STUDY, ChapterRun
from brainbook.workflow.tables import latest_table

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

Loaded = TypeVar("Loaded")


ROWS = 12  # of a table that a page shows; the others fold out


class LongTable:
    """A table whose first rows are shown, whose others fold out, and which a reader can take along as a CSV file."""

    def __init__(self, table: pd.DataFrame, first: "Styler", rest: "Styler"):
        self.table, self.first, self.rest = table, first, rest

    def to_html(self) -> str:
        text = self.table.to_csv(index=not isinstance(self.table.index, pd.RangeIndex))
        link = f"data:text/csv;base64,{b64encode(text.encode()).decode()}"
        folded = len(self.table) - ROWS
        rows = "row" if folded == 1 else "rows"
        return (
            f"{self.first.to_html()}<details><summary>{folded} more {rows}</summary>{self.rest.to_html()}"
            f'</details><a download="table.csv" href="{link}">All {len(self.table)} rows as a CSV file</a>'
        )

    _repr_html_ = to_html

    def __repr__(self) -> str:
        return repr(self.table)


def show(table: pd.DataFrame, digits: int = 3) -> "Styler | LongTable":
    """Return `table` as a page shows it: numbers with `digits` decimals, names without underscores, no row numbers.

    A p-value (a column called p, or p and more words) below the last decimal is shown as smaller than it. Regions of
    the Destrieux atlas and hemispheres are written out. Of more than a dozen rows the others fold out. Text is
    escaped, as it may come from a file; what is HTML on purpose comes as `markupsafe.Markup`.
    """
    readable = _readable(table)
    if len(table) <= ROWS:
        return _styled(readable, digits)
    return LongTable(table, *(_styled(part, digits) for part in (readable.iloc[:ROWS], readable.iloc[ROWS:])))


CODED = {"region", "hemisphere", "side", "group"}  # columns and levels of an index that hold codes of the atlas


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Write names in place of codes of the atlas."""
    table, names = table.copy(), table.index.names
    for place, column in enumerate(table.columns):
        label = column[-1] if isinstance(column, tuple) else column
        if label in CODED:
            table.isetitem(place, [_name(label, value) for value in table.iloc[:, place]])
    if CODED & set(names):
        levels = [[_name(name, it) for it in table.index.get_level_values(level)] for level, name in enumerate(names)]
        several = len(names) > 1
        table.index = pd.MultiIndex.from_arrays(levels, names=names) if several else pd.Index(levels[0], name=names[0])
    return table


def _name(label: str, value: object) -> object:
    from brainbook.datasets import region_name  # few tables need it, and it imports much

    if label not in CODED or not isinstance(value, str):
        return value
    return region_name(value) if label == "region" else region_name("", value)


def _styled(table: pd.DataFrame, digits: int) -> "Styler":
    def text_of(value: Any, digits: int = digits) -> str:
        if isinstance(value, bool) or not isinstance(value, Real):
            return escape(value)
        if isinstance(value, Integral):
            return f"{value:,}"
        rounded: Any = round(value, digits)
        return f"{rounded + 0:,.{digits}f}"  # + 0: no minus before a zero

    def text_of_p(p: float) -> str:
        return f"< {10**-digits:g}" if p < 10**-digits else text_of(p)

    def escaped(name: object) -> object:
        return escape(name) if isinstance(name, str) else name

    readable = table.rename(columns=lambda name: escape(str(name).replace("_", " ")), index=escaped)
    styled = readable.rename_axis(index=escaped, columns=escaped).style
    formats = {}
    for name in styled.columns:
        label = str(name[-1] if isinstance(name, tuple) else name)
        column = pd.to_numeric(styled.data[name], errors="coerce").dropna()
        counts = len(column) and (column % 1 == 0).all()  # also counts that a missing one made floats
        formats[name] = text_of_p if label.split(" ")[0] == "p" else partial(text_of, digits=0 if counts else digits)
    styled = styled.format(formats, na_rep="–")
    styled = styled.set_table_attributes('class="dataframe"')  # whose look the book's pages define
    return styled.hide(axis="index") if isinstance(table.index, pd.RangeIndex) else styled


def glue(**values: str | float) -> None:
    """Store numbers or words for the sentences of this page, under the names that {glue:text} calls them by."""
    from myst_nb import glue as store

    for name, value in values.items():
        if isinstance(value, Real):
            value = int(value) if isinstance(value, Integral) else float(value)
        store(name, value if isinstance(value, int | float) else str(value), display=False)


def format_interval(interval: Any, spec: str = "+.3f") -> str:
    """Return an Interval, or a row with value, lower and upper, as text for `glue`: '+0.024 (+0.008 to +0.040)'."""
    value = interval.value if hasattr(interval, "value") else interval.estimate
    value, lower, upper = (format(float(it), spec) for it in (value, interval.lower, interval.upper))
    return f"{value} ({lower} to {upper})"


def saved_or_archived(run: ChapterRun, table: str) -> pd.DataFrame:
    """Read a table that this run saved or, without the data to make it, that of the study of the chapter's name.

    That study's results on this machine go before those archived with the book. Raises ConfigurationError where
    neither has the table.
    """
    if table in run.tables:
        return pd.read_parquet(run.results / f"{table}.parquet")
    latest = latest_table(run.chapter, table)
    if latest is None:
        raise ConfigurationError(f"no table {table!r} of the study {run.chapter!r}, neither here nor in the archive")
    return latest.rows


def or_skip_the_rest(run: ChapterRun, load: Callable[..., Loaded], *arguments: Any, **options: Any) -> Loaded | None:
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
        must_compute = os.environ.get(RESULTS_OF_A_STUDY) and not os.environ.get(MAY_LACK_DATA)
        if get_ipython() is None or must_compute:
            raise
        note = "The cells below were not run; the text around them describes what the page does."
        end_here(run, f"**Not computed on this machine.** {without_tags(str(error))}\n\n{note}")
        return None


def end_here(run: ChapterRun, reason: str) -> None:
    """End the page here, say why, and leave the cells below empty: for a sweep's runs, of which only tables are read.

    An empty reason goes on, and so does a run outside a notebook.
    """
    shell = get_ipython()
    if reason and shell is not None:
        display(Markdown(reason), metadata={ENDED: True})
        run.provenance()
        shell.input_transformers_cleanup.insert(0, lambda lines: [])
