"""A phantom's cortex: what each Destrieux region follows, how strongly, how late, and the noise it drowns in.

The strength of a region's response comes from the published agreement of two halves of a language's participants
(`brainbook.datasets.little_prince.reliability_by_region`): with s the share of one participant's variance that all
participants have in common, two averages of n participants correlate at s / (s + (1 - s) / n)
(`reliability_of_halves`). Solved for s, the published values say how weak the response of a single participant must be.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.signal import lfilter

from brainbook.datasets.atlas import N_VERTICES, Regions
from brainbook.datasets.little_prince import reliability_by_region
from brainbook.datasets.little_prince_runs import LANGUAGES, PARTICIPANTS
from brainbook.phantom.drivers import DRIVERS, TR, convolve, without_slow

LATERALITY = 0.25  # (left - right) / (left + right) of the correlations that a perfect model reaches
OWN_SHARE = 0.5  # variance of a participant's own response to the story, relative to the shared one
GAIN_SPREAD = 0.12, 0.33  # log-normal: of a participant, and of a region in a participant; .35 together
COMMON_WEIGHT = 0.6  # share of the variance of a vertex's weights that its region has in common
PEAK_SECONDS, PEAK_SPREAD = 5.0, 0.7  # of the haemodynamic response, by region
AUTOCORRELATION = 0.4
# Shares of the variance that is not signal, in the combination of three echoes; thermal noise is each echo's own.
GLOBAL, REGIONAL, LOCAL, THERMAL = 0.15, 0.25, 0.448, 0.152
DRIFT = 0.6  # standard deviation of the slow drift, where everything else together has 1


def reliability_of_halves(share: np.ndarray, n: float) -> np.ndarray:
    """Return the correlation of averages over two groups of `n`, given the share of variance common to all."""
    share = np.asarray(share, float)
    return share / (share + (1 - share) / n)


def share_from_reliability(reliability: np.ndarray, n: float) -> np.ndarray:
    """Return the inverse of `reliability_of_halves`, zero where the reliability is not positive."""
    reliability = np.clip(np.asarray(reliability, float), 0, 0.99)
    return reliability / (reliability + n * (1 - reliability))


def plan_regions(regions: Regions, seed: int, signal: float = 1.0) -> pd.DataFrame:
    """Return what drives each region: one row for each of `regions.columns` (148).

    Columns: region, hemisphere, driver, side ('left', 'right', 'none': where the response is stronger), laterality (of
    the correlations), hrf_peak (s), vertex_share_EN, _FR, _CN (share of one participant's variance, at a vertex, that
    participants of a language have in common), strength (their mean).
    """
    table = regions.columns.copy()
    driven = pd.read_csv(Path(__file__).with_name("regions.csv")).set_index("region")
    table = table.join(driven, on="region").fillna({"driver": "none", "side": "none"})
    table["laterality"] = table["side"].map({"left": LATERALITY, "right": -LATERALITY, "none": 0.0})
    rng = np.random.default_rng([seed, 10])
    table["hrf_peak"] = np.round(np.clip(rng.normal(PEAK_SECONDS, PEAK_SPREAD, len(table)), 3.5, 6.5), 2)
    published = reliability_by_region().groupby("region")[list(LANGUAGES)].mean()
    sign = np.where(table["hemisphere"] == "lh", 1, -1)
    for language in LANGUAGES:
        both = share_from_reliability(published[language].reindex(table["region"]), PARTICIPANTS[language] / 2)
        share = np.clip(signal * both * (1 + sign * table["laterality"]) ** 2, 0, 0.4)
        table[f"vertex_share_{language}"] = np.where(table["driver"] == "none", 0.0, share)
    table["strength"] = table[[f"vertex_share_{language}" for language in LANGUAGES]].mean(axis=1)
    return table


def neighbours(faces: np.ndarray, n: int) -> sparse.csr_matrix:
    """Return the matrix [n, n] that replaces a value at a vertex by the mean over the vertex and its neighbours."""
    first = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
    second = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
    ones = np.ones(len(first), np.float32)
    touching = sparse.csr_matrix((ones, (first, second)), shape=(n, n))
    touching = ((touching + touching.T + sparse.identity(n, dtype=np.float32)) > 0).astype(np.float32)
    return sparse.diags(1 / np.asarray(touching.sum(axis=1)).ravel()).dot(touching).tocsr().astype(np.float32)


def autoregressive(
    shape: tuple[int, ...], rng: np.random.Generator, correlation: float = AUTOCORRELATION
) -> np.ndarray:
    """Return AR(1) noise of unit variance: float32 array [scans, ...], stationary from the first scan."""
    shocks = rng.standard_normal(shape, dtype=np.float32)
    shocks[1:] *= np.float32(np.sqrt(1 - correlation**2))
    return lfilter(np.float32([1.0]), np.float32([1.0, -correlation]), shocks, axis=0)  # type: ignore[arg-type]  # of a list


@dataclass
class Cortex:
    """Meshes and regions in which signal and noise live.

    smooth : csr matrix [20484, 20484], one step of smoothing. local : csr matrix, three steps, rows of unit norm.
    """

    regions: Regions
    smooth: sparse.csr_matrix
    local: sparse.csr_matrix

    @classmethod
    def make(cls, regions: Regions, faces: list[np.ndarray]) -> "Cortex":
        """Make a cortex from the triangles of the left and the right hemisphere."""
        smooth = sparse.block_diag([neighbours(f, N_VERTICES // 2) for f in faces], format="csr")
        local = (smooth @ smooth @ smooth).tocsr()
        norms = np.sqrt(np.asarray(local.multiply(local).sum(axis=1)).ravel())
        return cls(regions, smooth, sparse.diags(1 / norms).dot(local).tocsr().astype(np.float32))

    def field(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` smooth random maps of about unit variance: array [n, 20484]."""
        values = rng.standard_normal((N_VERTICES, n)).astype(np.float32)
        for _ in range(8):
            values = self.smooth @ values
        return (values / values.std(axis=0)).T


class DrivenResponses:
    """The responses of one language's participants to what drives their brains, without noise.

    Parameters
    ----------
    cortex, plan : see `Cortex` and `plan_regions`.
    drivers : {section: {driver: array [scans * CELLS, dimensions]}}, for each driver that the plan names.
    tr : seconds from one scan to the next.
    """

    def __init__(
        self,
        cortex: Cortex,
        plan: pd.DataFrame,
        drivers: dict[int, dict[str, np.ndarray]],
        seed: int,
        tr: float = TR,
    ) -> None:
        self.cortex, self.plan, self.seed, self.tr = cortex, plan, seed, tr
        self.sections = list(drivers)
        self.sizes = {name: values.shape[1] for name, values in drivers[self.sections[0]].items()}
        self.vertices = [np.flatnonzero(cortex.regions.region_index == row) for row in range(len(plan))]
        self.driven = [row for row, driver in enumerate(plan["driver"]) if driver != "none" and len(self.vertices[row])]
        self.courses = {  # [scans, dimensions] by (region, section), centred for the scale of its weights below
            (row, section): convolve(of_section[plan["driver"][row]], plan["hrf_peak"][row], tr)
            for row in self.driven
            for section, of_section in drivers.items()
        }
        self.scales = {row: self._covariance(row) for row in self.driven}

    def _covariance(self, row: int) -> np.ndarray:
        """Return the covariance of a region's driver, its slow part removed as in every analysis: [dims, dims]."""
        cleaned = [without_slow(self.courses[row, section], self.tr) for section in self.sections]
        stacked = np.concatenate(cleaned)
        return stacked.T @ stacked / len(stacked)

    def weights(self, stream: list[int], common: float) -> list[np.ndarray]:
        """Draw weights [dimensions, vertices] by driven region, such that each vertex's response has unit variance.

        A vertex mixes the dimensions of its driver partly as its whole region does (`common`, a share of variance) and
        partly as a smooth map over the cortex says. Louder and more is always more in auditory regions.
        """
        rng = np.random.default_rng([self.seed, *stream])
        maps = {driver: self.cortex.field(self.sizes[driver], rng) for driver in DRIVERS}
        of_region = {
            row: rng.standard_normal(self.sizes[driver])
            for row, driver in enumerate(self.plan["driver"])
            if driver != "none"
        }
        weights = []
        for row in self.driven:
            driver = self.plan["driver"][row]
            spread = np.sqrt(np.diag(self.scales[row])) + 1e-9
            region, local = of_region[row], maps[driver][:, self.vertices[row]]
            mixed = np.sqrt(common) * region[:, None] + np.sqrt(1 - common) * local
            if driver == "sound":
                mixed = 1.5 + 0.5 * mixed.clip(-2, 2)
            mixed = mixed / spread[:, None]
            variance = np.einsum("dv,de,ev->v", mixed, self.scales[row], mixed)
            weights.append((mixed / np.sqrt(variance)).astype(np.float32))
        return weights

    def response(self, weights: list[np.ndarray], section: int) -> np.ndarray:
        """Return float32 [scans, 20484], about unit variance over the story where something drives the vertex."""
        n_scans = len(self.courses[self.driven[0], section])
        values = np.zeros((n_scans, N_VERTICES), np.float32)
        for row, weight in zip(self.driven, weights, strict=True):
            course = self.courses[row, section].astype(np.float32)
            values[:, self.vertices[row]] = course @ weight
        return values


def gains(plan: pd.DataFrame, seed: int, stream: list[int]) -> np.ndarray:
    """Draw how strongly one participant responds in each region: array [148], mean square 1; both hemispheres alike."""
    rng = np.random.default_rng([seed, *stream])
    names = plan["region"].unique()
    by_region = dict(zip(names, rng.standard_normal(len(names)), strict=True))
    overall, regional = GAIN_SPREAD
    exponent = overall * rng.standard_normal() + regional * plan["region"].map(by_region).to_numpy()
    return np.exp(exponent - overall**2 - regional**2)


def cortical_noise(cortex: Cortex, n_scans: int, rng: np.random.Generator) -> np.ndarray:
    """Return regional and local noise at the vertices: float32 array [scans, 20484] of variance REGIONAL + LOCAL."""
    noise = np.sqrt(np.float32(LOCAL)) * autoregressive((n_scans, N_VERTICES), rng)
    noise = np.ascontiguousarray((cortex.local @ noise.T).T)
    of_region = np.sqrt(np.float32(REGIONAL)) * autoregressive((n_scans, len(cortex.regions.columns) + 1), rng)
    return noise + of_region[:, cortex.regions.region_index]  # -1, the last column: outside the cortex
