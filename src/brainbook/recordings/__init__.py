"""What the scanner saw: recordings of the real datasets, cleaned, on the cortical surface, by region."""

from brainbook.recordings.alice import Alice
from brainbook.recordings.cleaning import clean, zscore
from brainbook.recordings.layout import LANGUAGES, Run
from brainbook.recordings.little_prince import LittlePrince
from brainbook.recordings.regions import Regions, destrieux, embedded_destrieux, functional_groups
from brainbook.recordings.responses import Responses
from brainbook.recordings.surface import surface_matrix, to_surface

__all__ = [
    "LANGUAGES",
    "Alice",
    "LittlePrince",
    "Regions",
    "Responses",
    "Run",
    "clean",
    "destrieux",
    "embedded_destrieux",
    "functional_groups",
    "surface_matrix",
    "to_surface",
    "zscore",
]
