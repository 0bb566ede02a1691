"""What the scanner saw: recordings of the real datasets, cleaned, on the cortical surface, by region."""

from brainbook.recordings.regions import Regions, destrieux, embedded_destrieux, functional_groups

__all__ = ["Regions", "destrieux", "embedded_destrieux", "functional_groups"]
