"""Signals of no interest, as fMRIPrep tabulates them: head motion, principal components of white matter, ..."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brainbook.datasets.files import read_table, read_text
from brainbook.errors import DatasetError


def read_confounds(path: str | Path, wanted: Sequence[str], n_scans: int) -> pd.DataFrame:
    """Read columns of a table of confounds (`..._desc-confounds_timeseries.tsv`), one row for each scan.

    Parameters
    ----------
    wanted : names of columns, or patterns with *, such as 'rot_*'; a pattern may find no column, a name has to be one.
    n_scans : the scans of the recording.

    Returns
    -------
    DataFrame [scans, signals]. The n/a of derivatives in the first scan is 0.

    Raises
    ------
    DatasetError : a column is missing, n/a stands elsewhere, or there are not as many rows as scans.
    """
    header = read_text(path).partition("\n")[0].strip().split("\t")
    names: dict[str, None] = {}
    for pattern in wanted:
        matching = fnmatch.filter(header, pattern)
        if not matching and "*" not in pattern:
            near = [name for name in header if name[:4] == pattern[:4]] or header
            raise DatasetError(f"{path} has no column {pattern}; its columns are {', '.join(near[:8])}, ...")
        names |= dict.fromkeys(matching)
    table = read_table(path, dict.fromkeys(names, float), sep="\t", blank=tuple(names))[[*names]]
    if len(table) != n_scans:
        raise DatasetError(
            f"{path} has {len(table)} rows, and its recording {n_scans} scans: one of them is of another run or cut off"
        )
    table.iloc[0] = table.iloc[0].fillna(0.0)
    if (missing := table.isna()).any(axis=None):
        row, column = missing.to_numpy().nonzero()
        raise DatasetError(
            f"{path}, line {row[0] + 2}, column {table.columns[column[0]]}: n/a where a number should be. "
            "Leave that column out"
        )
    return table
