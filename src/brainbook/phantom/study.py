"""What is drawn for a phantom, whatever its layout: the story, the brains, and the recordings of each run."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from brainbook.datasets.little_prince_runs import LANGUAGES
from brainbook.phantom.brain import (
    COMMON_WEIGHT,
    DRIFT,
    GLOBAL,
    OWN_SHARE,
    THERMAL,
    Cortex,
    DrivenResponses,
    autoregressive,
    cortical_noise,
    gains,
)
from brainbook.phantom.drivers import slow_basis, without_slow
from brainbook.phantom.places import Places

BASELINE, UNIT = 10_000, 150  # grey value of a place at rest, and what a standard deviation of 1 adds to it


def sound_seconds(end: float) -> float:
    """Return how long the sound of a section is whose last word ends at `end` seconds."""
    return round(end + 0.4, 1)


@dataclass(frozen=True)
class Section:
    """How one section of a story is recorded.

    Attributes
    ----------
    story : name of the story. number : of the section within its story, from 1 on.
    start : seconds from the first recorded scan to zero of the clock of the section's words.
    n_recorded : scans of the run. cut : how many of them lie before the first analysed one. n_scans : those analysed.
    """

    story: str
    number: int
    start: float
    n_recorded: int
    cut: int
    n_scans: int

    @property
    def analysed(self) -> slice:
        """The analysed scans among those recorded."""
        return slice(self.cut, self.cut + self.n_scans)


@dataclass
class Study:
    """What is drawn once for a phantom.

    Attributes
    ----------
    words : {language: table of `tell_story`}. audio : {language: {section: seconds}}.
    sections : {language: {section: how it is recorded}}.
    n_echoes : readings of each scan.
    responses : {language: what drives its participants}, filled in by `make_phantom`.
    measured : ceilings of the participants written so far.
    """

    seed: int
    null: bool
    tr: float
    places: Places
    cortex: Cortex
    plan: pd.DataFrame
    words: dict[str, pd.DataFrame]
    audio: dict[str, dict[int, float]]
    sections: dict[str, dict[int, Section]]
    real_story: bool = False
    n_echoes: int = 3
    responses: dict[str, DrivenResponses] = field(default_factory=dict)
    measured: list[pd.DataFrame] = field(default_factory=list)

    def at_vertices(self, of_regions: np.ndarray) -> np.ndarray:
        """Return values of regions [148] by vertex, float32 [20484], zero outside the cortex."""
        return np.append(of_regions, 0.0).astype(np.float32)[self.cortex.regions.region_index]


@dataclass
class Recording:
    """One run as it is recorded.

    Attributes
    ----------
    series : float32 array [recorded scans, places], response, noise and nuisance, in standard deviations.
    thermal : float32 array [echoes, scans, places], thermal noise; the mean over echoes belongs to the combination.
    drift : float32 array [scans, places].
    rng : for what else is drawn for the run.
    """

    series: np.ndarray
    thermal: np.ndarray
    drift: np.ndarray
    rng: np.random.Generator

    @property
    def combined(self) -> np.ndarray:
        """What the echoes give together, float32 [scans, places]."""
        return self.series + self.drift + self.thermal.mean(axis=0)


class Participant:
    """One brain: how strongly it follows what, and its runs.

    Attributes
    ----------
    language, number, name : what was heard, the place among those who heard it (from 0), and what files call it.
    rng : for what a layout draws once for a participant.
    """

    def __init__(self, study: Study, language: str, number: int, name: str) -> None:
        code = LANGUAGES.index(language)
        self.study, self.language, self.number, self.name = study, language, number, name
        self.rng = np.random.default_rng([study.seed, 30, code, number])
        responses, plan = study.responses[language], study.plan
        self.shared = responses.weights([40, code], COMMON_WEIGHT)
        self.own = responses.weights([41, code, number], COMMON_WEIGHT)
        gain = gains(plan, study.seed, [42, code, number])
        share = plan[f"vertex_share_{language}"].to_numpy() * gain**2
        self.share = np.minimum(share, 0.6 / (1 + OWN_SHARE))
        self.tally, self.uncorrected = Tally(study), Tally(study)

    def record(self, section: int, repetition: int = 1, nuisance: np.ndarray | None = None) -> Recording:
        """Draw one run: repetitions of a section have the same response and other noise.

        nuisance : array [recorded scans, places] that is added, in standard deviations: motion, say.
        """
        study, stream = self.study, [self.study.seed, 50, LANGUAGES.index(self.language), self.number, section]
        rng = np.random.default_rng([*stream, *([repetition] if repetition > 1 else [])])
        how = study.sections[self.language][section]
        responses, mixture = study.responses[self.language], study.places.mixture
        at_rest, thermal = _noise(study, how.n_recorded, self.share, rng)
        amplitude = study.at_vertices(np.sqrt(self.share))
        signal = responses.response(self.shared, section), responses.response(self.own, section)
        parts = [(mixture @ (values * amplitude).T).T for values in signal]
        parts[1] *= np.float32(np.sqrt(OWN_SHARE))
        series = at_rest if study.null else at_rest + parts[0] + parts[1]
        analysed = [values[how.analysed] for values in (*parts, series + thermal.mean(axis=0))]
        self.tally.add(analysed[:2], analysed[2])
        if nuisance is not None:
            self.uncorrected.add(analysed[:2], analysed[2] + nuisance[how.analysed])
            series = series + nuisance
        return Recording(series, thermal, _drift(study, len(series), rng), rng)

    def finish(self) -> None:
        """Note the participant's ceilings in the study, once all runs are recorded."""
        table = self.tally.table(self.language, self.name)
        if self.uncorrected.sums.any():
            table["ceiling_uncorrected"] = self.uncorrected.table(self.language, self.name)["ceiling"]
        self.study.measured.append(table)


class Tally:
    """Sums up how much of each region's variance, as the loader will see it, is shared signal and own signal."""

    def __init__(self, study: Study) -> None:
        self.averaging, self.columns = study.places.averaging, study.plan[["region", "hemisphere"]]
        self.tr, self.null = study.tr, study.null
        self.sums = np.zeros((4, len(self.columns)))

    def add(self, parts: list[np.ndarray], series: np.ndarray) -> None:
        """Add the shared and the own signal of a run, and all of it: arrays [scans, places]."""
        shared, both, everything = (
            without_slow((self.averaging @ values.T).T, self.tr) for values in (parts[0], parts[0] + parts[1], series)
        )
        scale = (everything**2).sum(axis=0) / len(everything) + 1e-20  # each run is z-scored by itself
        for row, values in enumerate((shared, both, everything)):
            self.sums[row] += (values**2).sum(axis=0) / scale
        self.sums[3] += len(series)

    def table(self, language: str, name: str) -> pd.DataFrame:
        """Return region, hemisphere, language, participant, share, ceiling."""
        share, total = (self.sums[:2] / np.maximum(self.sums[2], 1e-20)) * (0.0 if self.null else 1.0)
        ceiling = np.sqrt(total).clip(0, 1)
        return self.columns.assign(language=language, participant=name, share=share, ceiling=ceiling)


def _noise(study: Study, n_scans: int, share: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return noise of brain and head [scans, places], and thermal noise [echoes, scans, places]."""
    left = np.sqrt(1 - (1 + OWN_SHARE) * share)  # a null phantom has the same noise, not more
    cortex = cortical_noise(study.cortex, n_scans, rng) * np.where(
        study.cortex.regions.cortex, study.at_vertices(left), np.float32(1)
    )
    noise = (study.places.mixture @ cortex.T).T
    empty = np.flatnonzero(np.diff(study.places.mixture.indptr) == 0)  # brain, but no cortex
    noise[:, empty] += np.float32(0.7) * autoregressive((n_scans, len(empty)), rng)
    noise += np.sqrt(np.float32(GLOBAL)) * autoregressive((n_scans, 1), rng)
    thermal = rng.standard_normal((study.n_echoes, *noise.shape), dtype=np.float32)
    thermal = np.sqrt(np.float32(study.n_echoes * THERMAL)) * thermal
    return noise, thermal


def _drift(study: Study, n_scans: int, rng: np.random.Generator) -> np.ndarray:
    """Return slow drift [scans, places], partly the same everywhere."""
    basis = slow_basis(n_scans, study.tr)[:, 1:] * np.sqrt(n_scans)
    n_places = study.places.mixture.shape[0]
    weights = rng.standard_normal((basis.shape[1], 1)) + rng.standard_normal((basis.shape[1], n_places))
    return (DRIFT / np.sqrt(2 * basis.shape[1]) * basis @ weights).astype(np.float32)
