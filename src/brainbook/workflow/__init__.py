"""Run studies: one chapter, many runs on a laptop or a cluster, their results, what they cost, getting the data."""

from typing import TYPE_CHECKING

from brainbook.lazy_imports import lazy_names

if TYPE_CHECKING:
    from brainbook.workflow.archive import (
        ARCHIVE as ARCHIVE,
        ArchivedTable as ArchivedTable,
        archive_table as archive_table,
        archived_table as archived_table,
        commit as commit,
    )
    from brainbook.workflow.pages import (
        end_here as end_here,
        format_interval as format_interval,
        glue as glue,
        or_skip_the_rest as or_skip_the_rest,
        show as show,
    )
    from brainbook.workflow.run import ROOT as ROOT, start_run as start_run
    from brainbook.workflow.tables import latest_table as latest_table, results as results

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
