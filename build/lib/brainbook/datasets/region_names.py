"""Regions as anatomists call them: 'left superior temporal sulcus' for S_temporal_sup in lh."""

from functools import lru_cache
from pathlib import Path

import pandas as pd

_SIDES = {"lh": "left", "rh": "right"}


def region_name(region: str, hemisphere: str = "") -> str:
    """Return the anatomical name of a region of the Destrieux atlas, with its side if `hemisphere` is 'lh' or 'rh'.

    A region that the atlas does not have keeps its own name. Source: Destrieux et al. (2010), table 1.

    Examples
    --------
    >>> region_name("S_temporal_sup", "lh")
    'left superior temporal sulcus'
    >>> region_name("Pole_occipital")
    'occipital pole'
    """
    return f"{_SIDES.get(hemisphere, hemisphere)} {_names().get(region, region)}".strip()


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    table = pd.read_csv(Path(__file__).with_name("destrieux_names.csv"))
    return dict(zip(table["region"], table["name"], strict=True))
