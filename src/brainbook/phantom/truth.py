"""The truth of a phantom: what was heard, what drives each region, how well anything could predict it."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.datasets.files import read_table, read_text
from brainbook.datasets.little_prince import own_scans
from brainbook.datasets.little_prince_runs import LANGUAGES
from brainbook.errors import ConfigurationError, DatasetError
from brainbook.phantom.brain import reliability_of_halves
from brainbook.phantom.drivers import DRIVERS, TR, story_drivers
from brainbook.phantom.files import write_csv
from brainbook.phantom.study import Study
from brainbook.phantom.world import World, make_world
from brainbook.store import read_json, write_json

FORMAT = 1  # raised when what is written changes
MARKER = "truth/phantom.json"
_REGION = {"region": str, "hemisphere": str}
_TABLES = {  # what must stand in each; all other columns are numbers
    "regions": {**_REGION, "driver": str, "side": str, "strength": float, "laterality": float, "ceiling": float},
    "scans": {"language": str, "section": int, "audio_seconds": float, "scans_raw": int, "scans_preprocessed": int},
    "ceilings": {**_REGION, "language": str, "participant": str, "share": float, "ceiling": float},
}
_WORDS = {
    **dict.fromkeys(("word", "lemma", "pos"), str),
    **dict.fromkeys(("onset", "offset", "loudness"), float),
    **dict.fromkeys(("section", "sentence", "event", "concept", "meant", "scene"), int),
}


@dataclass
class Truth:
    """What is known of a phantom; see the methods for what is known of each language.

    Attributes
    ----------
    root : the phantom's folder. parameters : those of `make_phantom`, with "regions" (the source of the parcellation).
    regions : one row for each of the 148 regions, in the order of `destrieux().columns`: region, hemisphere, driver
        (sound, word, meaning, topic, none), strength (share of a vertex's variance that participants have in common,
        mean over languages), laterality (intended index of the correlations), side, hrf_peak (s), and what a perfect
        model of the story would reach in the region's mean response of ONE participant: ceiling (mean), ceiling_EN ...;
        share_EN ... (share of that response's variance which all participants have in common), and reliability_EN ...
        (correlation of the averages of two groups of as many participants as the phantom has: s / (s + (1 - s) / n)).
    scans : language, section, audio_seconds, scans_raw, scans_preprocessed; in layouts other than ds003643 also cut
        (recorded scans before the first analysed one) and start (s from that one to zero of the words' clock).
    ceilings : language, participant, region, hemisphere, share, ceiling: the same for each participant; where motion
        adds signal also ceiling_uncorrected, of a model that is compared with the recording as it is.

    Examples
    --------
    >>> truth = read_truth("data/phantom")
    >>> truth.senses("EN").shape[1]
    16
    """

    root: Path
    parameters: dict
    regions: pd.DataFrame
    scans: pd.DataFrame
    ceilings: pd.DataFrame

    @property
    def tr(self) -> float:
        """Seconds from one scan to the next."""
        return self.parameters.get("tr", TR)

    @property
    def world(self) -> World:
        """The world that the story is about."""
        return make_world(0)

    def words(self, language: str) -> pd.DataFrame:
        """Return the words row by row as `LittlePrince(root).words(language)` has them, with what is true of them.

        Columns: word, onset, offset, lemma, pos, section, sentence, event, concept (-1: function word), meant (a
        pronoun's referent, else the concept), scene (0..3), loudness.
        """
        self._check(language)
        return read_table(self.root / "truth" / f"words_{language}.csv", _WORDS)

    def senses(self, language: str) -> np.ndarray:
        """Return the vector of what each word means here: [words, 16], zeros for function words."""
        words = self.words(language)
        senses = self.world.senses[words.scene, words.meant]
        return np.where((words.meant >= 0).to_numpy()[:, None], senses, 0).astype("float32")

    def drivers(self, language: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the true drivers scan by scan, BEFORE the haemodynamic response: an oracle's features.

        Returns
        -------
        driver -> (features [scans, dimensions], section of each scan [scans]), over all sections in order. The brain
        followed the words' onsets exactly, these are rounded to scans; so even the oracle stays a little below a
        region's ceiling.
        """
        table = self.scans[self.scans["language"] == language].set_index("section")
        scans = table["scans_preprocessed"]
        run_of_scan = np.repeat(scans.index.to_numpy(), scans.to_numpy())
        if (stored := self.root / "truth" / f"drivers_{language}.npz").is_file():  # of a real story
            try:
                with np.load(stored, allow_pickle=False) as values:
                    features = {name: values[name] for name in DRIVERS}
            except (OSError, ValueError, LookupError, zipfile.BadZipFile, zlib.error) as error:
                raise DatasetError(f"{stored} is damaged ({error}). {_again(self.root)}") from None
            return {name: (features[name], run_of_scan) for name in DRIVERS}
        if "cut" not in table:  # ds003643
            table = table.assign(cut=0, scans_raw=scans, start=0.0)
        starts = table["start"] + table["cut"] * self.tr  # of the first recorded scan
        sections = story_drivers(
            self.words(language), self.world, table["scans_raw"].to_dict(), 1, self.tr, starts.to_dict()
        )
        cuts = {
            section: slice(int(cut), int(cut) + n)
            for section, cut, n in zip(scans.index, table["cut"], scans, strict=True)
        }
        return {
            name: (np.concatenate([sections[section][name][cuts[section]] for section in cuts]), run_of_scan)
            for name in DRIVERS
        }

    def story(self, language: str) -> list[str]:
        """Return the printed story, one text per section."""
        self._check(language)
        return read_text(self.root / "truth" / f"story_{language}.txt", advice=_again(self.root)).strip().split("\n\n")

    def _check(self, language: str) -> None:
        if language not in self.parameters["languages"]:
            languages = ", ".join(self.parameters["languages"])
            raise DatasetError(f"the phantom in {self.root} has its story in {languages}, not in {language!r}")


def read_truth(root: str | Path) -> Truth:
    """Read `root`/truth. Raises DatasetError if the folder is no phantom or was written by another version.

    Examples
    --------
    >>> truth = read_truth("data/phantom")
    >>> truth.regions["driver"].value_counts().to_dict()
    {'none': 48, 'topic': 36, 'meaning': 28, 'word': 22, 'sound': 14}
    """
    root = Path(root)
    marker = root / MARKER
    if not marker.is_file():
        raise DatasetError(f"{root} is not a phantom ({marker} is missing): only simulated recordings have a truth")
    try:
        parameters = read_json(marker)
    except ConfigurationError as error:
        raise DatasetError(f"{error}. {_again(root)}") from None
    missing = {"languages", "participants", "null", "regions"} - set(parameters)
    if parameters.get("format") != FORMAT:
        raise DatasetError(
            f"{marker} has format {parameters.get('format')}, this version reads {FORMAT}. {_again(root)}"
        )
    languages = parameters.get("languages")
    if missing or not isinstance(languages, list) or not all(language in LANGUAGES for language in languages):
        raise DatasetError(f"{marker} lacks {', '.join(missing) or 'languages that there are'}. {_again(root)}")
    places = {name: root / "truth" / f"{name}.csv" for name in _TABLES}
    places["scans"] = own_scans(root) or root / "annotation" / "scans.csv"
    tables = {name: read_table(places[name], columns, float) for name, columns in _TABLES.items()}
    return Truth(root=root, parameters=parameters, **tables)


def _again(root: Path) -> str:
    return f"Write the phantom again with `python -m brainbook.phantom {root}`"


def write_truth(
    root: Path,
    study: Study,
    parameters: dict,
    drivers: dict[str, dict[str, np.ndarray]],
    scans: pd.DataFrame | None = None,
) -> None:
    """Write `root`/truth: the tables that `read_truth` reads, and by language the `drivers` of a real story.

    scans : the table of scans, where the layout has no place of its own for it.
    """
    folder, plan, words = root / "truth", study.plan, study.words
    ceilings = pd.concat(study.measured, ignore_index=True)
    regions = plan.drop(columns=[c for c in plan if c.startswith("vertex_share_")])
    means = ceilings.groupby(["language", "region", "hemisphere"])[["share", "ceiling"]].mean()
    rows = pd.MultiIndex.from_frame(plan[["region", "hemisphere"]])
    for language in words:
        of_language = means.loc[language].reindex(rows)
        regions[f"vertex_share_{language}"] = plan[f"vertex_share_{language}"]
        regions[f"share_{language}"] = of_language["share"].to_numpy()
        regions[f"ceiling_{language}"] = of_language["ceiling"].to_numpy()
        n = max(parameters["participants"][language] / 2, 0.5)
        regions[f"reliability_{language}"] = reliability_of_halves(of_language["share"].to_numpy(), n)
    regions.insert(6, "ceiling", regions[[f"ceiling_{language}" for language in words]].mean(axis=1))
    if parameters["null"]:
        regions = regions.assign(driver="none", strength=0.0, laterality=0.0, side="none")
        regions[[f"vertex_share_{language}" for language in words]] = 0.0
    write_csv(folder / "regions.csv", regions)
    write_csv(folder / "ceilings.csv", ceilings)
    for language, table in words.items():
        write_csv(folder / f"words_{language}.csv", table)
    for language, values in drivers.items():
        np.savez_compressed(folder / f"drivers_{language}.npz", **values)  # type: ignore[arg-type]  # names of arrays
    if scans is not None:
        write_csv(folder / "scans.csv", scans)
    write_json(root / MARKER, {"format": FORMAT, "tr": study.tr, **parameters})
