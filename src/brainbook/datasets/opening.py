"""Open recordings by where they are: every layout that the package knows, behind one protocol."""

from pathlib import Path

from brainbook.datasets.alice import Alice
from brainbook.datasets.base import Dataset
from brainbook.datasets.lebel import LeBel
from brainbook.datasets.little_prince import HOW_TO_GET, LittlePrince
from brainbook.errors import DatasetError


def open_dataset(path: str | Path) -> Dataset:
    """Return the recordings of a folder, as the class for its layout opens them.

    Parameters
    ----------
    path : the folder of ds003643 or of a phantom in its layout, or of the Alice recordings, LeBel et al. (ds003020).

    Raises
    ------
    DatasetError : nothing is there, or it has no known layout.
    """
    path = Path(path)
    if not path.is_dir():
        raise DatasetError(f"there is no folder {path.absolute()}. {HOW_TO_GET}")
    if (path / "alice_data_shared").is_dir():
        return Alice(path)
    if (path / "derivative" / "preprocessed_data").is_dir():
        return LeBel(path)
    return LittlePrince(path)
