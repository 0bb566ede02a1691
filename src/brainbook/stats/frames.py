"""Results as tables: one row per target (and fold, layer, ...), with the names of the targets."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

TargetNames: TypeAlias = "pd.DataFrame | Mapping[str, Any] | Sequence | np.ndarray | None"


def name_targets(targets: TargetNames, n_targets: int) -> pd.DataFrame:
    """Return columns that name each target.

    Parameters
    ----------
    targets : a DataFrame or {column: values} with one row per target (such as `Responses.names`); or their names, which
        become the column `target`; None counts them from 0.

    Raises
    ------
    ValueError : there are more or fewer names than targets.
    """
    if targets is None:
        targets = range(n_targets)
    columns = pd.DataFrame(targets if isinstance(targets, pd.DataFrame | Mapping) else {"target": list(targets)})
    if len(columns) != n_targets:
        raise ValueError(f"{len(columns)} names for {n_targets} targets: give one for each")
    return columns.reset_index(drop=True)


def target_frame(targets: TargetNames, axes: Mapping[str, Any], **values: np.ndarray) -> pd.DataFrame:
    """Return one row per element of arrays [..., targets], the last axis running fastest.

    Parameters
    ----------
    targets : see `name_targets`.
    axes : {column: labels} of the axes before that of the targets, in order.
    values : arrays of one shape.

    Examples
    --------
    >>> target_frame(["left", "right"], {"fold": range(2)}, score=np.array([[0.1, 0.2], [0.3, 0.4]]))
      target  fold  score
    0   left     0    0.1
    1  right     0    0.2
    2   left     1    0.3
    3  right     1    0.4
    """
    shape = next(iter(values.values())).shape
    *before, last = np.indices(shape).reshape(len(shape), -1)
    frame = name_targets(targets, shape[-1]).iloc[last].reset_index(drop=True)
    labels = {name: pd.Index(labels)[place] for (name, labels), place in zip(axes.items(), before, strict=True)}
    return frame.assign(**labels, **{name: array.ravel() for name, array in values.items()})
