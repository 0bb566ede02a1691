"""The Destrieux parcellation of fsaverage5 and the three functional groups of regions.

Vertices are always counted over both hemispheres: 0..10,241 are the left ones, 10,242..20,483 the right ones.
Destrieux et al. (2010), NeuroImage 53, 1-15, distinguish 74 cortical regions per hemisphere. `Medial_wall` and
`Unknown` are labels too, but they are not cortex, so they are left out of `Regions.cortical` and of `Regions.average`:
this makes 148 regions, where a count of 75 per hemisphere (150) has taken the medial wall for a region.
"""

import logging
import socket
import threading
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.spatial import cKDTree

from brainbook.datasets.region_names import region_name
from brainbook.errors import DatasetError

HEMISPHERES = ("lh", "rh")
HEARING = ("G_temp_sup-G_T_transv", "S_temporal_transverse")  # where hearing begins in the cortex
VERTICES_PER_HEMISPHERE = 10_242
N_VERTICES = 2 * VERTICES_PER_HEMISPHERE
NOT_CORTEX = ("Unknown", "Medial_wall")
_HOST = ("www.nitrc.org", 443)  # where nilearn fetches the atlas from
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Regions:
    """A parcellation of fsaverage5.

    Attributes
    ----------
    labels : {"lh": int array [10242], "rh": int array [10242]}; a label is an index into `names`.
    names : name of every label, the same for both hemispheres; two of them are not cortex.
    source : 'nilearn' or 'embedded (approximate)'; figures that use the parcellation say which.

    Examples
    --------
    >>> regions = destrieux(fetch=False)
    >>> means, columns = regions.average(np.ones(20484))
    >>> regions.spread(means).shape
    (20484,)
    """

    labels: dict[str, np.ndarray]
    names: list[str]
    source: str

    @property
    def cortical(self) -> list[str]:
        """Names of the 74 regions of one hemisphere, in the order of their labels."""
        return [name for name in self.names if name not in NOT_CORTEX]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per vertex [20484]: vertex, hemisphere ('lh', 'rh'), region (also 'Medial_wall', 'Unknown')."""
        names = np.asarray(self.names)
        return pd.DataFrame(
            {
                "vertex": np.arange(N_VERTICES),
                "hemisphere": np.repeat(HEMISPHERES, VERTICES_PER_HEMISPHERE),
                "region": np.concatenate([names[self.labels[side]] for side in HEMISPHERES]),
            }
        )

    @cached_property
    def columns(self) -> pd.DataFrame:
        """The 148 regions in the order of `average`: region, hemisphere; first lh in the order of labels, then rh."""
        rows = [(name, side) for side in HEMISPHERES for name in self.cortical]
        return pd.DataFrame(rows, columns=["region", "hemisphere"])

    @cached_property
    def readable(self) -> list[str]:
        """Names of the 148 regions without their side, as anatomists call them (see `region_name`)."""
        return [region_name(name) for name in self.columns["region"]]

    @cached_property
    def region_index(self) -> np.ndarray:
        """Row of `columns` that every vertex belongs to, int array [20484]; -1 outside the cortex."""
        position = np.full(len(self.names), -1)
        for index, name in enumerate(self.cortical):
            position[self.names.index(name)] = index
        left, right = (position[self.labels[side]] for side in HEMISPHERES)
        return np.concatenate([left, np.where(right >= 0, right + len(self.cortical), -1)])

    @property
    def cortex(self) -> np.ndarray:
        """True where a vertex is cortex, bool array [20484]."""
        return self.region_index >= 0

    def average(self, values: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
        """Return the mean over the vertices of each region, NaN vertices left out.

        Parameters
        ----------
        values : array [..., 20484].

        Returns
        -------
        means : array [..., 148] of the same floating type; NaN where a region holds nothing but NaN.
        columns : DataFrame of 148 rows, region and hemisphere, the order of the last axis.
        """
        values = np.asarray(values)
        if values.shape[-1] != N_VERTICES:
            raise DatasetError(
                f"values have {values.shape[-1]} vertices in their last axis, fsaverage5 has {N_VERTICES}"
            )
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(float)
        flat = values.reshape(-1, N_VERTICES)
        valid = ~np.isnan(flat)
        sums = np.asarray(np.where(valid, flat, 0) @ self._membership.astype(flat.dtype))
        if valid.all():
            counts = np.asarray(self._membership.sum(axis=0)).reshape(1, -1)
        else:
            counts = np.asarray(valid.astype(np.float32) @ self._membership)
        means = (sums / np.where(counts > 0, counts, np.nan)).astype(flat.dtype)
        return means.reshape(*values.shape[:-1], means.shape[-1]), self.columns.copy()

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give every vertex its region's value: [..., 148] -> [..., 20484], NaN outside the cortex (for maps)."""
        values = np.asarray(values, dtype=float)
        if values.shape[-1] != len(self.columns):
            raise DatasetError(f"values have {values.shape[-1]} regions in their last axis, not {len(self.columns)}")
        padded = np.concatenate([values, np.full((*values.shape[:-1], 1), np.nan)], axis=-1)
        return padded[..., self.region_index]

    @cached_property
    def _membership(self) -> sparse.csr_matrix:
        rows = np.flatnonzero(self.cortex)
        ones = np.ones(len(rows), dtype=np.float32)
        return sparse.csr_matrix((ones, (rows, self.region_index[rows])), shape=(N_VERTICES, len(self.columns)))


@lru_cache(maxsize=4)
def destrieux(fetch: bool = True) -> Regions:
    """Return the Destrieux parcellation of fsaverage5: nilearn's if it can be had, else an embedded approximation.

    First nilearn's cache is looked at (the folder of NILEARN_DATA among others). If it is not there and `fetch` is
    true, and the server answers within three seconds, nilearn downloads it (1 MB). Without a network the embedded
    approximation is used: every vertex takes the label of the nearest of 825 labelled points on the sphere, which
    agrees with the real atlas on 91.5% of the vertices. `Regions.source` says which one it is.

    Examples
    --------
    >>> destrieux(fetch=False).columns.head(2)
                      region hemisphere
    0   G_and_S_frontomargin         lh
    1  G_and_S_occipital_inf         lh
    """
    folder = _cached_folder()
    if folder is None and fetch and _answers(*_HOST, seconds=3):
        folder = _fetch()
    return embedded_destrieux() if folder is None else _read_annotations(folder)


def embedded_destrieux() -> Regions:
    """Return the approximation of the Destrieux atlas that comes with this package; needs no file and no network.

    Examples
    --------
    >>> embedded_destrieux().source
    'embedded (approximate)'
    """
    from nilearn.datasets import load_fsaverage

    points = _read_table("destrieux_points.csv")
    names = ["Unknown", *pd.unique(points.region)]
    sphere = load_fsaverage("fsaverage5")["sphere"].parts
    labels = {}
    for side, part in zip(HEMISPHERES, ("left", "right"), strict=True):
        own = points[points.hemisphere == side]
        vertices = np.asarray(sphere[part].coordinates)
        vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
        nearest = cKDTree(own[["x", "y", "z"]].to_numpy()).query(vertices)[1]
        labels[side] = own.region.map(names.index).to_numpy()[nearest]
    return Regions(labels, names, "embedded (approximate)")


def _cached_folder() -> Path | None:
    from nilearn.datasets import get_data_dirs

    for folder in map(Path, get_data_dirs()):
        folder = folder / "destrieux_surface"
        if all((folder / f"{side}.aparc.a2009s.annot").is_file() for side in ("left", "right")):
            return folder
    return None


def _answers(host: str, port: int, seconds: float) -> bool:
    """Return whether a server takes a connection in time; looking up its name may hang, so it runs in a thread."""
    reached = threading.Event()

    def call() -> None:
        try:
            socket.create_connection((host, port), timeout=seconds).close()
            reached.set()
        except OSError:
            pass

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return reached.is_set()


def _fetch() -> Path | None:
    from nilearn.datasets import fetch_atlas_surf_destrieux

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fetch_atlas_surf_destrieux(verbose=0)
    except Exception as error:  # whatever goes wrong on the way, the embedded approximation is there
        _log.warning("the Destrieux atlas could not be fetched (%s): the embedded approximation is used", error)
    return _cached_folder()


def _read_annotations(folder: Path) -> Regions:
    from nibabel.freesurfer import read_annot

    labels, names = {}, None
    for side, file in zip(HEMISPHERES, ("left", "right"), strict=True):
        path = folder / f"{file}.aparc.a2009s.annot"
        try:
            label, _, own = read_annot(path)
            own = [name.decode() for name in own]
        except Exception as error:  # nibabel's own are bare Exceptions
            raise DatasetError(f"{path} cannot be read as labels of vertices ({error}): delete it") from error
        if len(label) != VERTICES_PER_HEMISPHERE:
            raise DatasetError(
                f"{path} labels {len(label)} vertices, fsaverage5 has {VERTICES_PER_HEMISPHERE}: delete it"
            )
        missing = {*NOT_CORTEX, "G_cuneus"} - set(own)
        if missing or label.max() >= len(own):
            raise DatasetError(
                f"{path} is not the Destrieux atlas (no label {', '.join(missing) or 'name'}): delete it"
            )
        if names is not None and own != names:
            raise DatasetError(f"{path} names other regions than the left hemisphere's file: delete both")
        labels[side], names = np.where(label < 0, 0, label), own  # vertices without any label are unknown
    return Regions(labels, names or [], "nilearn")


def functional_groups() -> pd.DataFrame:
    """Return the three groups of Luo & Kobayashi (NLP 2025) in Destrieux labels, one row for each region of a group.

    Columns: group ('visual', 'auditory', 'linguistic'), desikan (the name in the paper's appendix), region (Destrieux).
    The groups overlap, as the appendix has them: the superior temporal and supramarginal gyri stand in all three, so
    means of groups are not independent of each other. No region stands twice in a group.

    The appendix names Desikan-Killiany's gyri. Each is given the Destrieux gyrus of that name, and the sulci that lie
    on it or bound it on the side named. Destrieux has no entorhinal cortex of its own (it is the front of the
    parahippocampal gyrus), and the middle temporal visual area lies in the anterior occipital sulcus. Destrieux's
    angular gyrus is Desikan's inferior parietal lobule, and Desikan, too, separates the supramarginal gyrus from it.

    Examples
    --------
    >>> functional_groups().groupby("group").size().to_dict()
    {'auditory': 10, 'linguistic': 10, 'visual': 22}
    """
    return _read_table("functional_groups.csv")


def _read_table(name: str) -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name(name))
