"""The published table of four models under two alignments, and ours beside it."""

import pandas as pd

from brainbook import published
from brainbook.errors import ConfigurationError

# a model's name in the published table; the minis stand in for the models after which they are named
PUBLISHED_ROWS = {
    "albert-xlarge-v1": "albert-xlarge-v1",
    "albert-xlarge-v2": "albert-xlarge-v2",
    "brainlm-1": "BrainLM1.0",
    "brainlm-2": "BrainLM2.0",
    "mini-albert-v1": "albert-xlarge-v1",
    "mini-albert-v2": "albert-xlarge-v2",
    "mini-brainlm-1": "BrainLM1.0",
    "mini-brainlm-2": "BrainLM2.0",
}
GROUPS = {"cerebral_cortex": "cortex", "visual": "visual", "auditory": "auditory", "linguistic": "linguistic"}


def beside_published(scores: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """Our means and the published ones, both as Pearson r times 100.

    Parameters
    ----------
    scores : columns model, alignment, group, value (r), as many rows of each as there are participants and runs.
    models : those that the rows are of; each must have a row in the published table.

    Returns
    -------
    DataFrame, a row a model, alignment and group: model, alignment, group, ours, published.

    Raises
    ------
    ConfigurationError : a model that the published table does not have.
    """
    unknown = [model for model in models if model not in PUBLISHED_ROWS]
    if unknown:
        raise ConfigurationError(f"{', '.join(unknown)}: not in the published table, which has {_names()}")
    ours = scores[scores.model.isin(models)].groupby(["model", "alignment", "group"], as_index=False, sort=False)
    ours = ours.value.mean().assign(ours=lambda table: 100 * table.pop("value"))
    theirs = published.alignment().rename(columns=GROUPS)
    theirs = theirs.melt(["model", "alignment"], list(GROUPS.values()), "group", "published")
    row = ours.model.map(PUBLISHED_ROWS)
    found = ours.assign(row=row).merge(
        theirs.rename(columns={"model": "row"}), on=["row", "alignment", "group"], how="left", validate="one_to_one"
    )
    return found[["model", "alignment", "group", "ours", "published"]]


def _names() -> str:
    return ", ".join(PUBLISHED_ROWS)
