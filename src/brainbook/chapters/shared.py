"""What several chapters share: features on the clock of the scans, responses side by side, scores by group.

What brings torch along is imported where it is used: a chapter's first cell should not wait for it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets import Dataset, functional_groups
from brainbook.errors import ConfigurationError
from brainbook.phantom import Truth
from brainbook.stats import fisher_mean
from brainbook.store import cached_array, fingerprint
from brainbook.workflow import archived_table

ALIGNMENTS = ("FLA", "VLA")  # those of the seed paper
DOWN_SAMPLINGS = (*ALIGNMENTS, "interval", "Lanczos")
EDGE = 16.0  # s at each edge of a run that neither train nor test: speech begins and ends there (chapter `alignment`)
TRIM = 8  # scans of 2 s: `EDGE` of the recordings of Le Petit Prince
# one penalty for all regions, on the scale of z-scored features, so that nothing is chosen on what is tested
ALPHA = 1e3
_KEY = ["region", "hemisphere"]


@dataclass(frozen=True)
class Features:
    """Features on the clock of the scans.

    Attributes
    ----------
    values : float32 array [layers, scans, units], all sections one after the other; a list of [scans, units] when
        the layers differ in width.
    run_of_scan : int array [scans], the section of every scan.
    tr : seconds from one scan to the next.
    """

    values: np.ndarray | list[np.ndarray]
    run_of_scan: np.ndarray
    tr: float = 2.0

    @property
    def delays(self) -> tuple[int, ...]:
        """The scans nearest to delays of 2, 4, 6 and 8 seconds."""
        from brainbook.encoding import delays_in_scans

        return delays_in_scans(self.tr)

    @property
    def trim(self) -> int:
        """The scans nearest to `EDGE` seconds."""
        return round(EDGE / self.tr)


def story_states(
    dataset: Dataset,
    language: str,
    model: str,
    context: int = 64,
    cache: str | None = "cache",
    device: str = "auto",
    stride: int | None = None,
) -> np.ndarray:
    """Compute every layer's state of every word of a language's story, each section by itself.

    Parameters
    ----------
    dataset : the recordings, whose annotation holds the words.
    language : "EN", "FR" or "CN".
    model : a name that `load_language_model` knows.
    context : how many words before a word the model sees (none from another section).
    cache : folder of computed states and of tiny models; None computes the states again (a tiny model is still cached,
        in "cache").
    stride : read a causal model in windows of so many words, so that each word has between `context` and
        `context + stride - 1` words before it. A model that reads both ways would see words that come later, and is
        read word by word whatever this says.

    Returns
    -------
    float32 array [layers + 1, words, units], words in the order of `dataset.words(language)`.
    """
    from brainbook.language_models import load_language_model, word_states

    words = dataset.words(language)
    loaded = load_language_model(model, cache=cache or "cache", device=device)
    stride = stride if loaded.causal else None

    def compute() -> np.ndarray:
        sections = [part.word.tolist() for _, part in words.groupby("section")]
        return np.concatenate([word_states(loaded, part, context=context, stride=stride) for part in sections], axis=1)

    inputs = {
        "words": fingerprint(words[["word", "section"]]),
        "model": loaded.fingerprint,
        "context": context,
        "stride": stride,
    }
    return cached_array(f"{cache}/states" if cache else None, f"{model.replace('/', '-')}-{language}", inputs, compute)


def align(
    dataset: Dataset,
    language: str,
    states: np.ndarray,
    alignment: str = "VLA",
    aggregate: str = "mean",
    words_per_scan: int = 5,
    silence: str = "mean",
) -> Features:
    """Put states of words on the clock of the scans, section by section.

    Parameters
    ----------
    states : array [layers, words, units], words in the order of `dataset.words(language)`.
    alignment : "VLA" (words by their onsets) or "FLA" (`words_per_scan` words per scan, whatever the clock says);
        "interval" (words by how long each was heard in a scan) or "Lanczos" (low-passed; a sum, as `lanczos` says).
    aggregate : "mean" of a scan's words or their "sum", which keeps the word rate.
    silence : with the "mean" of words, what scans without words get: the "mean" of the same section's scans with words,
        so that silence is nothing out of the ordinary, or "zeros" as published. A sum over no words is zero.
    """
    from brainbook.encoding import fixed_length, interval_weighted, lanczos, variable_length

    silence = silence if aggregate == "mean" else "zeros"
    if alignment not in DOWN_SAMPLINGS:
        raise ConfigurationError(f"alignment is one of {', '.join(DOWN_SAMPLINGS)}, not {alignment!r}")
    words = dataset.words(language)
    if states.shape[-2] != len(words):
        raise ConfigurationError(f"{language} has {len(words)} words, the states have {states.shape[-2]}")
    scans, starts, parts = dataset.scans(language), dataset.starts(language), []
    for section, n_scans in scans.items():
        in_section = np.flatnonzero(words.section == section)
        heard = states[:, in_section]
        onsets = words.onset.to_numpy()[in_section]
        clock: dict[str, Any] = {"tr": dataset.tr, "start": starts[section]}
        options: dict[str, Any] = {"aggregate": aggregate, "silence": silence}
        if alignment == "VLA":
            parts.append(variable_length(heard, onsets, n_scans, **clock, **options))
        elif alignment == "FLA":
            parts.append(fixed_length(heard, n_scans, words_per_scan, **options))
        elif alignment == "interval":
            offsets = words.offset.to_numpy()[in_section]
            parts.append(interval_weighted(heard, onsets, offsets, n_scans, **clock, **options))
        else:
            middles = (onsets + words.offset.to_numpy()[in_section]) / 2
            parts.append(lanczos(heard, middles, n_scans, **clock))
    runs = np.repeat(list(scans), list(scans.values()))
    return Features(np.concatenate(parts, axis=-2).astype(np.float32), runs, dataset.tr)


def true_drivers(truth: Truth, language: str) -> Features:
    """Return the true drivers of a phantom, each as a layer: a region takes the one that its training runs choose.

    No model can beat them by more than luck.
    """
    drivers = truth.drivers(language)
    layers, runs = zip(*drivers.values(), strict=True)
    return Features([values.astype(np.float32) for values in layers], runs[0], truth.tr)


def word_count(dataset: Dataset, language: str, alignment: str = "VLA") -> Features:
    """Count the words of each scan: features [1, scans, 1], the baseline that any model must beat.

    Under FLA every scan holds the same number of words until they run out, so this says almost nothing there.
    """
    ones = np.ones((1, len(dataset.words(language)), 1), np.float32)
    return align(dataset, language, ones, alignment, aggregate="sum")


def speech_or_silence(dataset: Dataset, language: str, alignment: str = "VLA") -> Features:
    """Return whether any word falls in a scan: features [1, scans, 1] of 0 and 1, the least one can know of speech.

    What a model scores beyond this one bit, it scores by what is said.
    """
    count = word_count(dataset, language, alignment)
    return Features((np.asarray(count.values) > 0).astype(np.float32), count.run_of_scan, count.tr)


@dataclass(frozen=True)
class ParticipantScores:
    """How well features predict each participant, run by run, the layer chosen inside the training runs.

    Attributes
    ----------
    fold_scores : array [participants, runs, targets], Pearson r of each left-out run, of the layer that its training
        runs choose for the target.
    layer_scores : array [layers, participants, targets], mean r over runs of every layer.
    chosen_layers : int array [participants, runs, targets].
    participants : list of str.
    columns : DataFrame with one row per target: region, hemisphere.
    """

    fold_scores: np.ndarray
    layer_scores: np.ndarray
    chosen_layers: np.ndarray
    participants: list[str]
    columns: pd.DataFrame

    @property
    def mean_scores(self) -> np.ndarray:
        """Mean r [participants, targets] over the runs that have a score; a run that is too short has none."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)  # a target without any: NaN
            return np.nanmean(self.fold_scores, axis=1)

    def table(self, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Return mean r over sets of targets: participant, run (1..), group, value. `masks` as in `average_by`."""
        table = average_by(self.fold_scores, masks)
        table["participant"] = np.asarray(self.participants)[table.pop("axis_0")]
        table["run"] = table.pop("axis_1") + 1
        return table[["participant", "run", "group", "value"]]


def stack_responses(
    dataset: Dataset, participants: list[str], targets: str = "regions", cache: str | None = "cache"
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Read the cleaned responses of several participants of one language.

    Returns
    -------
    responses : float32 array [participants, scans, targets], z-scored within each run.
    run_of_scan : int array [scans].
    columns : DataFrame with one row per target: region, hemisphere.
    """
    parts = [dataset.responses(participant, targets=targets, cache=cache) for participant in participants]
    return np.stack([part.values for part in parts]), parts[0].run_of_scan, parts[0].names


def score_participants(
    features: Features,
    responses: np.ndarray,
    participants: list[str],
    columns: pd.DataFrame,
    device: str = "auto",
    cache: str | None = None,
    trim: int | None = None,
    dataset: Dataset | None = None,
    **options: Any,
) -> ParticipantScores:
    """Encode all participants who heard the same story with the same features, at once.

    Targets that nothing predicts take any penalty, also one at the end of the grid: nothing warns of that. Features
    that never change in a run's training scans score NaN.

    Parameters
    ----------
    features : values [layers, scans, units].
    responses : array [participants, scans, targets].
    cache : folder of computed scores, for chapters that ask the same; None computes them again.
    trim : scans at each edge of every section that neither train nor test; None for `EDGE` seconds.
    dataset : whose nuisance signals are taken out of each participant's responses and of the features, fitted on the
        training scans; None takes nothing out.
    options : for `brainbook.encoding.cross_validate` (alphas, ...); delays are those of the features unless given.
    """
    from brainbook.encoding import BorderWarning, ConstantFeatures, cross_validate, fold_weights, leave_one_run_out

    n_participants, n_scans, n_targets = responses.shape
    runs = features.run_of_scan
    nuisance = [None if dataset is None else dataset.nuisance(name) for name in participants]
    parts: list[tuple[np.ndarray, np.ndarray | None]] = [(np.moveaxis(responses, 0, 1).reshape(n_scans, -1), None)]
    if any(signals is not None for signals in nuisance):
        parts = list(zip(responses, nuisance, strict=True))
    trim = features.trim if trim is None else trim
    options = {"delays": features.delays, **options}

    def compute(layers: Any) -> np.ndarray:
        with warnings.catch_warnings():
            for category in (BorderWarning, ConstantFeatures):
                warnings.simplefilter("ignore", category)
            scores = [
                cross_validate(layers, values, runs, trim=trim, device=device, nuisance=signals, **options)
                for values, signals in parts
            ]
        return np.concatenate([np.stack([part.fold_scores, part.inner_scores]) for part in scores], axis=-1)

    def cached_scores(layer: np.ndarray) -> np.ndarray:
        return cached_array(f"{cache}/scores", "layer", {"layer": layer, **inputs}, lambda: compute([layer]))

    if cache is None:
        fold_scores, inner_scores = compute(features.values)  # layers, runs, participants x targets
    else:  # layer by layer: chapters that look at other layers of the same model share those they have in common
        inputs = {"responses": [fingerprint(*part) for part in parts], "runs": runs, "trim": trim, **options}
        fold_scores, inner_scores = np.concatenate([cached_scores(layer) for layer in features.values], axis=1)
    best_layers = np.where(np.isfinite(inner_scores), inner_scores, -np.inf).argmax(axis=0)
    best_scores = np.take_along_axis(fold_scores, best_layers[None], axis=0)[0]
    mean = fisher_mean(fold_scores, axis=1, weights=fold_weights(leave_one_run_out(runs, trim)))
    return ParticipantScores(
        fold_scores=np.moveaxis(best_scores.reshape(-1, n_participants, n_targets), 0, 1),
        layer_scores=mean.reshape(-1, n_participants, n_targets),
        chosen_layers=np.moveaxis(best_layers.reshape(-1, n_participants, n_targets), 0, 1),
        participants=participants,
        columns=columns,
    )


def group_masks(columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the whole cortex and the three functional groups of the paper's appendix, as boolean arrays [targets].

    Groups overlap, as they do in the paper.
    """
    masks = {"cortex": np.ones(len(columns), bool)}
    for group, rows in functional_groups().groupby("group", sort=False):
        masks[group] = columns.region.isin(rows.region).to_numpy()
    return masks


def driver_masks(truth: Truth, columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return regions of a phantom by their driver, as boolean arrays [targets]: sound, word, meaning, topic, none."""
    driver = columns[_KEY].merge(truth.regions[[*_KEY, "driver"]], on=_KEY, how="left", validate="many_to_one").driver
    return {name: (driver == name).to_numpy() for name in ("sound", "word", "meaning", "topic", "none")}


def true_ceilings(
    truth: Truth, columns: pd.DataFrame, masks: Mapping[str, np.ndarray], languages: list[str]
) -> pd.DataFrame:
    """Return what a perfect model of a phantom's story would score in one participant's response, by sets of targets.

    Returns a DataFrame: language, group, value.
    """
    known = columns[_KEY].merge(truth.regions, on=_KEY, how="left", validate="many_to_one")
    rows = [
        (language, group, known.loc[mask, f"ceiling_{language}"].mean())
        for language in languages
        for group, mask in masks.items()
    ]
    return pd.DataFrame(rows, columns=["language", "group", "value"])


def average_by(scores: np.ndarray, masks: Mapping[Any, np.ndarray]) -> pd.DataFrame:
    """Average scores over sets of targets; NaN targets are left out. `masks` : name -> boolean array [targets].

    Returns a DataFrame: axis_0, axis_1, ... (the leading axes of `scores`), group, value.
    """
    scores = np.asarray(scores)
    rows = []
    for index in np.ndindex(*scores.shape[:-1]):
        axes = {f"axis_{axis}": step for axis, step in enumerate(index)}
        means = {group: float(np.nanmean(scores[index][mask])) for group, mask in masks.items() if mask.any()}
        rows += [{**axes, "group": group, "value": value} for group, value in means.items()]
    return pd.DataFrame(rows)


def rows_with(table: pd.DataFrame, condition: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows that have all values of `condition`, {column: value}."""
    return table[np.logical_and.reduce([table[key] == value for key, value in condition.items()])]


def archived_calibration(table: str) -> pd.DataFrame | None:
    """Read an archived table of calibration, and print when it was made and how.

    None, after printing how to make it, when it is not there: `benchmarks/bench_calibration.py` makes them, and a
    benchmark of its own those whose names begin with "laterality", "alpha_groups" or "phantom".
    """
    try:
        archived = archived_table("calibration", table)
    except ConfigurationError:
        own = ("laterality", "alpha_groups", "phantom")
        maker = next((name for name in own if table.startswith(name)), "calibration")
        print(f"Not archived yet: python benchmarks/bench_{maker}.py --keep makes the table {table!r}")
        return None
    print(f"Archived result of {archived.date[:10]}: {archived.command}")
    return archived.rows
