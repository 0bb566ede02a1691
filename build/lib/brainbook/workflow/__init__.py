"""Run studies: one chapter, many runs on a laptop or a cluster, their results, what they cost, getting the data."""

from brainbook.workflow.archive import ARCHIVE, ArchivedTable, archive_table, archived_table, commit
from brainbook.workflow.pages import end_here, format_interval, glue, or_skip_the_rest, show
from brainbook.workflow.run import ROOT, start_run
from brainbook.workflow.tables import latest_table, results
