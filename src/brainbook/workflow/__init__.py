"""Run studies: one chapter, many runs on a laptop or a cluster, their results, what they cost, getting the data."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.workflow.archive import ARCHIVE, ArchivedTable, archive_table, archived_table, commit
    from brainbook.workflow.pages import end_here, format_interval, glue, or_skip_the_rest, show
    from brainbook.workflow.run import ROOT, start_run
    from brainbook.workflow.tables import latest_table, results

__all__ = [
    "ARCHIVE",
    "ROOT",
    "ArchivedTable",
    "archive_table",
    "archived_table",
    "commit",
    "end_here",
    "format_interval",
    "glue",
    "latest_table",
    "or_skip_the_rest",
    "results",
    "show",
    "start_run",
]
__getattr__, __dir__ = lazy_names(__name__, __file__)
