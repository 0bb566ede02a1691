"""The tables of one study of number sense, for the page of its controls."""

from typing import Any

import pandas as pd

from brainbook.chapters.number_sense import TABLES
from brainbook.errors import ConfigurationError
from brainbook.workflow import latest_table


def read_study(study: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a study, its results on this machine or else what is archived: those named in `TABLES`.

    Raises ConfigurationError, which says what makes them, where one of them is in neither place.
    """
    tables: dict[str, Any] = {name: latest_table(study, name) for name in TABLES}
    if absent := [name for name, table in tables.items() if table is None]:
        raise ConfigurationError(
            f"the study {study!r} has no table {', '.join(absent)}, neither here nor in the archive: "
            f"`python -m brainbook.chapters.number_sense {study}` makes them"
        )
    return {name: table.rows for name, table in tables.items()}
