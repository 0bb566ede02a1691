"""The published table of four models under two alignments, and ours beside it."""

import pandas as pd

from brainbook.chapters import published
from brainbook.datasets import functional_groups
from brainbook.errors import ConfigurationError

# a model's name in the published table; the tiny models stand in for the models after which they are named
PUBLISHED_ROWS = {
    "albert-xlarge-v1": "albert-xlarge-v1",
    "albert-xlarge-v2": "albert-xlarge-v2",
    "brainlm-1": "BrainLM1.0",
    "brainlm-2": "BrainLM2.0",
    "tiny-albert-v1": "albert-xlarge-v1",
    "tiny-albert-v2": "albert-xlarge-v2",
    "tiny-brainlm-1": "BrainLM1.0",
    "tiny-brainlm-2": "BrainLM2.0",
}
REGIONS = 74  # of a hemisphere
GROUPS = {"cerebral_cortex": "cortex", "visual": "visual", "auditory": "auditory", "linguistic": "linguistic"}


def compare_with_published(scores: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """Our means and the published ones, both as Pearson r times 100.

    The published ones are of one participant who heard English: where our scores hold such participants, the first of
    them stands in a column of his own.

    Parameters
    ----------
    scores : columns language, participant, model, alignment, group, value (r), a row for each run.
    models : those that the rows are of; each must have a row in the published table.

    Returns
    -------
    DataFrame, a row a model, alignment and group: model, alignment, group, ours (mean of all participants), ours_one
    (that of the first who heard English; left out where nobody did), published.

    Raises
    ------
    ConfigurationError : a model that the published table does not have.
    """
    unknown = [model for model in models if model not in PUBLISHED_ROWS]
    if unknown:
        raise ConfigurationError(f"{', '.join(unknown)}: not in the published table, which has {_names()}")
    scores, key = scores[scores.model.isin(models)], ["model", "alignment", "group"]
    english = scores[scores.language == "EN"]
    parts = {"ours": scores, "ours_one": english[english.participant == english.participant.min()]}
    means = {name: 100 * part.groupby(key, sort=False).value.mean() for name, part in parts.items() if len(part)}
    ours = pd.DataFrame(means).reset_index()
    theirs = published.alignment().rename(columns=GROUPS)
    theirs = theirs.melt(["model", "alignment"], list(GROUPS.values()), "group", "published")
    row = ours.model.map(PUBLISHED_ROWS)
    found = ours.assign(row=row).merge(
        theirs.rename(columns={"model": "row"}), on=["row", "alignment", "group"], how="left", validate="one_to_one"
    )
    return found[[*key, *means, "published"]]


def describe_published(table: pd.DataFrame | None = None) -> str:
    """What the published table says, and where it contradicts itself or the text around it, in words.

    table : as `published.alignment()`, which it is by default.
    """
    table = (published.alignment() if table is None else table).rename(columns=GROUPS)
    spread = table.pivot(index="model", columns="alignment", values="cortex")
    gain = spread["VLA"] - spread["FLA"]
    below = [f"{model} ({spread.VLA[model]:.2f} against {spread.FLA[model]:.2f})" for model in gain.index[gain <= 0]]
    claim = f"in their own table it is not: {', '.join(below)}" if below else "so it is in their table, for every model"
    text = f"The authors conclude that VLA is above FLA throughout; over the cortex {claim}. "
    regions = functional_groups().region.nunique() / REGIONS
    least = regions * table[["visual", "auditory", "linguistic"]].min(axis=1)
    odd = table[table.cortex < least]
    for row, bound in zip(odd.itertuples(), least[odd.index], strict=True):
        text += (
            f"The entry {row.cortex:.2f} ({row.model}, {row.alignment}) is not consistent with its parts: the three "
            f"groups hold {regions:.0%} of the regions and score {row.visual:.2f}, {row.auditory:.2f} and "
            f"{row.linguistic:.2f}, so the cortex would have at least {bound:.1f} if all other regions scored nothing "
            "(negative scores were set to zero). "
        )
    rest = gain.drop(odd.model.unique())
    text += f"VLA's mean gain over the cortex is {gain.mean():+.1f}"
    return text + (f"; without {', '.join(odd.model.unique())} it is {rest.mean():+.1f}." if len(odd) else ".")


def describe_sources(scores: pd.DataFrame) -> str:
    """Whose scores stand on either side of the table, in words; `scores` as for `compare_with_published`."""
    languages = scores.groupby("language").participant.nunique()
    who = ", ".join(f"{n} {language}" for language, n in languages.items())
    number = f"{languages.sum()} participant{'s' if languages.sum() > 1 else ''}"
    return (
        "Published: **one** English-speaking participant, mean over 250,000 to 300,000 points of the cortical surface. "
        f"Ours: mean over {number} ({who}) and the mean responses of 148 regions, so that much of the noise is "
        "averaged away before anything is scored."
        + (" `ours_one` is the first of ours who heard English." if "EN" in languages else "")
    )


def _names() -> str:
    return ", ".join(PUBLISHED_ROWS)
