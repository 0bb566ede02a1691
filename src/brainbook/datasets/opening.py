"""Open recordings by where they are: every layout that the package knows, behind one protocol."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from brainbook.datasets.alice import Alice
from brainbook.datasets.base import Dataset, lacking_of_protocol
from brainbook.datasets.bids import DescribedDataset
from brainbook.datasets.description import SHIPPED, read_description, read_keys
from brainbook.datasets.lebel import LeBel
from brainbook.datasets.little_prince import HOW_TO_GET, LittlePrince
from brainbook.errors import DatasetError

DESCRIPTION = "dataset.yaml"  # the name under which a folder may hold its own description
_READER_KEYS = {"name", "license", "root", "reader", "options"}


def open_dataset(path: str | Path) -> Dataset:
    """Return the recordings of a folder or of a description, as the class for its layout opens them.

    Parameters
    ----------
    path : a description (`my_study.yaml`, see `brainbook.datasets.description`); or a folder: one that holds a
        description called dataset.yaml, ds003643 as published or as fMRIPrep processed it anew, Narratives (ds002345),
        LeBel et al. (ds003020), the Alice recordings, or a phantom of any layout.

    Raises
    ------
    DatasetError : nothing is there, it has no known layout, or the description or its own class is not sound.

    Examples
    --------
    >>> type(open_dataset("data/phantom")).__name__
    'LittlePrince'
    >>> type(open_dataset("data/described")).__name__
    'DescribedDataset'
    """
    path, layout = Path(path), layout_of(path)
    if layout == "described":
        return _open_description(path if path.suffix in (".yaml", ".yml") or path.is_file() else path / DESCRIPTION)
    if not path.is_dir():
        raise DatasetError(f"there is no folder {path.absolute()}. {HOW_TO_GET}")
    classes = {"alice": Alice, "lebel": LeBel, "little_prince": LittlePrince}
    if layout in classes:
        return classes[layout](path)
    return DescribedDataset(read_description(SHIPPED / f"{layout}.yaml", root=path.absolute()))


def layout_of(path: str | Path) -> str:
    """Return the layout of recordings by the files that are there; what is no other is 'little_prince', as published.

    The others are 'described' (a description, or a folder that holds one), 'alice', 'lebel', 'narratives' and
    'little_prince_fmriprep'.
    """
    path = Path(path)
    if path.is_file() or path.suffix in (".yaml", ".yml") or (path / DESCRIPTION).is_file():
        return "described"
    if (path / "alice_data_shared").is_dir():
        return "alice"
    if (path / "derivative" / "preprocessed_data").is_dir():
        return "lebel"
    if any((path / "derivatives").glob("afni-*/sub-*")) and (path / "stimuli" / "gentle").is_dir():
        return "narratives"
    fmriprep = (path / "derivatives" / "fmriprep").glob("sub-*/func/*_task-lpp*_desc-preproc_bold.nii*")
    return "little_prince_fmriprep" if next(fmriprep, None) else "little_prince"


def _open_description(path: Path) -> Dataset:
    keys = read_keys(path)
    if "reader" not in keys:
        return DescribedDataset(read_description(path))
    if unknown := sorted(set(keys) - _READER_KEYS):
        raise DatasetError(
            f"{path}: with a reader of your own, {', '.join(unknown)} has no meaning: give it to the class as options"
        )
    make = _load_class(path, keys["reader"])
    options = keys.get("options") or {}
    if not isinstance(options, dict):
        raise DatasetError(f"{path}: options should hold names and values, not {options!r:.60}")
    try:
        dataset = make(keys["root"], **options)
    except TypeError as error:
        raise DatasetError(f"{path}: {keys['reader']}(root, {', '.join(options)}) cannot be called: {error}") from error
    if lacking := lacking_of_protocol(dataset):
        raise DatasetError(
            f"{path}: {keys['reader']} lacks {', '.join(lacking)}, which every dataset offers: see "
            "`brainbook.datasets.Dataset`"
        )
    return dataset


def _load_class(path: Path, name: object) -> type:
    """Return the class that `module.Class` names in the folder of a description."""
    module_name, _, class_name = str(name).rpartition(".")
    source = path.parent / f"{module_name}.py"
    if not module_name.isidentifier() or not source.is_file():
        raise DatasetError(f"{path}: reader is {name!r}; write my_format.MyDataset for a class in my_format.py there")
    spec: Any = importlib.util.spec_from_file_location(f"brainbook_reader_{module_name}", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DatasetError(f"{source} cannot be imported ({type(error).__name__}: {error}): correct it") from error
    if not hasattr(module, class_name):
        raise DatasetError(f"{source} has no class {class_name}, which {path.name} names as reader")
    return getattr(module, class_name)
