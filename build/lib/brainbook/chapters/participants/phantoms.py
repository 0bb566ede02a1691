"""Effects on phantoms of several sizes and seeds, as `benchmarks/bench_phantom.py` measures them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brainbook.workflow import format_interval


def sizes_that_show(effects: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Return the sizes of a phantom at which all of `groups` have an interval above zero, the smallest first.

    `effects` : scans, signal, group, lower: the rows of one effect. Columns: scans, signal.
    """
    lowest = effects[effects.group.isin(groups)].groupby(["scans", "signal"]).lower.min()
    return lowest[lowest > 0].reset_index()[["scans", "signal"]]


def compare_seeds(effects: pd.DataFrame) -> pd.DataFrame:
    """Compare what intervals say of the same effects on phantoms of several seeds.

    Parameters
    ----------
    effects : seed, effect, language, group, value, lower, upper.

    Returns
    -------
    DataFrame, one row per effect: effect, language, group, a column for each seed (the value with its interval), and
    says: "above zero" or "below zero" where all intervals lie there, "unclear" where all include zero, else "differ".
    """
    says = np.select([effects.lower > 0, effects.upper < 0], ["above zero", "below zero"], "unclear")
    table = effects.assign(says=says, text=[format_interval(row) for row in effects.itertuples()])
    key = ["effect", "language", "group"]
    wide = table.pivot_table("text", key, "seed", aggfunc="first", sort=False).rename(columns="seed {}".format)
    said = table.groupby(key, sort=False).says.agg(lambda each: each.iloc[0] if each.nunique() == 1 else "differ")
    return wide.join(said).reset_index()
