"""The published values that ours stand beside, each with its source.

Sources
-------
- Luo & Kobayashi, "BrainLM を用いた多言語学習での転移学習性能の検証" (NLP 2025): tables of alignment, transfer and
  regions, each of ONE participant of a language.
- Bonnasse-Gahot & Pallier (NeurIPS 2024): maps of between-group reliability, averaged over Destrieux regions.
- Noda, Soda & Yamashita (JSAI; Frontiers in Neuroscience 18:1330512, 2024): number sense.
"""

from importlib.resources import files
from typing import Any

import pandas as pd

from brainbook.datasets.little_prince import reliability_by_region
from brainbook.datasets.little_prince_runs import PARTICIPANTS

__all__ = [
    "PARTICIPANTS",
    "alignment",
    "claims",
    "hemisphere_means",
    "reliability_by_region",
    "top_regions",
    "transfer",
]


def _read(name: str, **options: Any) -> pd.DataFrame:
    with (files("brainbook.chapters") / "published_tables" / f"{name}.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, **options)


def alignment() -> pd.DataFrame:
    """Return Pearson r times 100 by model and alignment (Luo & Kobayashi, table of FLA against VLA).

    Columns: model, alignment, cerebral_cortex, visual, auditory, linguistic.
    """
    return _read("alignment")


def top_regions() -> pd.DataFrame:
    """Return the three best regions of a language, one participant each (Luo & Kobayashi).

    Columns: language (EN, FR, CN), rank, region (Destrieux, as nilearn spells it), hemisphere, pearson_r.
    """
    table = _read("top_regions").replace({"language": {"ZH": "CN"}})
    return table.assign(region=table["region"].str.replace("&", "_and_"))


def transfer() -> pd.DataFrame:
    """Return accuracy of pair matching and gains in encoding after transfer. Columns: quantity, value, unit, note."""
    return _read("transfer")


def hemisphere_means() -> pd.DataFrame:
    """Return mean Pearson r by language, hemisphere and functional group, as the authors' public figure script prints.

    Columns: language, hemisphere, group, pearson_r.
    """
    return _read("hemisphere_means")


def claims() -> pd.DataFrame:
    """Return the claims of Luo & Kobayashi, and for each which rows of which results are its tests and its controls.

    Columns, all text: claim, label, test (in words), role ("test", "control"; "none" where it cannot be tested), data,
    study (empty: the one that is read), chapter, run (its name in the study), table, rows (a pandas query), case
    (columns that name one), value (column of the estimate), reference (what lies above it agrees with the claim).
    """
    return _read("claims", dtype=str, keep_default_na=False)
