"""The published values that ours stand beside, each with its source.

Sources
-------
- Luo & Kobayashi, "BrainLM を用いた多言語学習での転移学習性能の検証" (NLP 2025): tables of alignment, transfer and
  regions, each of ONE participant of a language.
- Bonnasse-Gahot & Pallier (NeurIPS 2024): maps of between-group reliability, averaged over Destrieux regions.
- Noda, Soda & Yamashita (JSAI; Frontiers in Neuroscience 18:1330512, 2024): number sense.
"""

from importlib.resources import files

import pandas as pd

from brainbook.datasets.little_prince import PARTICIPANTS, reliability_by_region

__all__ = ["PARTICIPANTS", "alignment", "hemisphere_means", "reliability_by_region", "top_regions", "transfer"]
_TABLES = files("brainbook.chapters") / "published_tables"


def _read(name: str) -> pd.DataFrame:
    with (_TABLES / f"{name}.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def alignment() -> pd.DataFrame:
    """Pearson r times 100 by model and alignment (Luo & Kobayashi, table of FLA against VLA).

    Columns: model, alignment, cerebral_cortex, visual, auditory, linguistic.
    """
    return _read("alignment")


def top_regions() -> pd.DataFrame:
    """The three best regions of a language, one participant each (Luo & Kobayashi).

    Columns: language (EN, FR, CN), rank, region (Destrieux, as nilearn spells it), hemisphere, pearson_r.
    """
    table = _read("top_regions").replace({"language": {"ZH": "CN"}})
    return table.assign(region=table["region"].str.replace("&", "_and_"))


def transfer() -> pd.DataFrame:
    """Accuracy of pair matching and gains in encoding after transfer. Columns: quantity, value, unit, note."""
    return _read("transfer")


def hemisphere_means() -> pd.DataFrame:
    """Mean Pearson r by language, hemisphere and functional group, as the authors' public figure script prints them."""
    values = {
        ("EN", "lh"): (0.127, 0.102, 0.111),
        ("FR", "lh"): (0.188, 0.175, 0.177),
        ("CN", "lh"): (0.253, 0.174, 0.210),
        ("EN", "rh"): (0.113, 0.103, 0.104),
        ("FR", "rh"): (0.206, 0.187, 0.201),
        ("CN", "rh"): (0.221, 0.166, 0.190),
    }
    rows = [
        {"language": language, "hemisphere": hemisphere, "group": group, "pearson_r": r}
        for (language, hemisphere), row in values.items()
        for group, r in zip(("visual", "linguistic", "auditory"), row, strict=True)
    ]
    return pd.DataFrame(rows)
