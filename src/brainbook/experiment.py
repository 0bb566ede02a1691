"""What the chapters of the first study share: from a model's name to features on scans, region by region scores.

Only this module and the notebooks bring rooms together. Everything that takes long is kept on disk under a key made of
what it depends on, so that no step is done twice, by whichever chapter.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainbook.encoding import cross_validate, fisher_mean, fixed_length, permutation_scores, variable_length
from brainbook.errors import ConfigurationError
from brainbook.language_models import load_language_model, word_states
from brainbook.phantom import Truth
from brainbook.recordings import LittlePrince, functional_groups
from brainbook.store import fingerprint, keep_array

ALIGNMENTS = ("FLA", "VLA")
TR = 2.0  # seconds


@dataclass(frozen=True)
class Features:
    """Features on the clock of the scans.

    Attributes
    ----------
    values : float32 array [layers, scans, units], all sections one after the other; a list of [scans, units] when
        the layers differ in width.
    run_of_scan : int array [scans], the section of every scan.
    """

    values: np.ndarray | list[np.ndarray]
    run_of_scan: np.ndarray


def story_states(
    prince: LittlePrince,
    language: str,
    model: str,
    context: int = 64,
    cache: str | None = "cache",
    device: str = "auto",
) -> np.ndarray:
    """Every layer's state of every word of a language's story, each section by itself.

    Parameters
    ----------
    prince : the recordings, whose annotation holds the words.
    language : "EN", "FR" or "CN".
    model : a name that `load_language_model` knows.
    context : how many words before a word the model sees (none from another section).
    cache : folder where states are kept; None computes them again.

    Returns
    -------
    float32 array [layers + 1, words, units], words in the order of `prince.words(language)`.
    """
    words = prince.words(language)
    loaded = load_language_model(model, cache=cache, device=device)

    def compute() -> np.ndarray:
        parts = [
            word_states(loaded, words.word[words.section == section].tolist(), context=context)
            for section in sorted(words.section.unique())
        ]
        return np.concatenate(parts, axis=1)

    inputs = {
        "words": fingerprint(words[["word", "section"]]),
        "model": loaded.fingerprint,
        "context": context,
    }
    return keep_array(f"{cache}/states" if cache else None, f"{model.replace('/', '-')}-{language}", inputs, compute)


def align(
    prince: LittlePrince,
    language: str,
    states: np.ndarray,
    alignment: str = "VLA",
    aggregate: str = "mean",
    words_per_scan: int = 5,
) -> Features:
    """Put states of words on the clock of the scans, section by section.

    Parameters
    ----------
    states : array [layers, words, units], words in the order of `prince.words(language)`.
    alignment : "VLA" (words by their onsets) or "FLA" (`words_per_scan` words a scan, whatever the clock says).
    aggregate : "mean" of a scan's words or their "sum", which keeps the word rate.
    """
    if alignment not in ALIGNMENTS:
        raise ConfigurationError(f"alignment is one of {', '.join(ALIGNMENTS)}, not {alignment!r}")
    words = prince.words(language)
    if states.shape[-2] != len(words):
        raise ConfigurationError(f"{language} has {len(words)} words, the states have {states.shape[-2]}")
    parts, runs = [], []
    for section, n_scans in prince.scans(language).items():
        chosen = np.flatnonzero(words.section == section)
        heard = states[:, chosen]
        if alignment == "VLA":
            onsets = words.onset.to_numpy()[chosen]
            parts.append(variable_length(heard, onsets, n_scans, tr=TR, aggregate=aggregate))
        else:
            parts.append(fixed_length(heard, n_scans, words_per_scan=words_per_scan, aggregate=aggregate))
        runs.append(np.full(n_scans, section))
    return Features(np.concatenate(parts, axis=-2).astype(np.float32), np.concatenate(runs))


def oracle(truth: Truth, language: str) -> Features:
    """The true drivers of a phantom, each as a layer of its own: a region takes the one that its training runs choose.

    No model can beat it by more than luck.
    """
    drivers = truth.drivers(language)
    return Features([values.astype(np.float32) for values, _ in drivers.values()], next(iter(drivers.values()))[1])


def word_count(prince: LittlePrince, language: str, alignment: str = "VLA") -> Features:
    """How many words each scan holds: features [1, scans, 1]. The baseline that any model must beat.

    Under FLA every scan holds the same number of words until they run out, so this says almost nothing there.
    """
    ones = np.ones((1, len(prince.words(language)), 1), np.float32)
    return align(prince, language, ones, alignment, aggregate="sum")


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
    columns : DataFrame with a row a target: region, hemisphere.
    """

    fold_scores: np.ndarray
    layer_scores: np.ndarray
    chosen_layers: np.ndarray
    participants: list[str]
    columns: pd.DataFrame

    def table(self, members: dict[str, np.ndarray]) -> pd.DataFrame:
        """Mean r over sets of targets: participant, run (1..), group, value. `members` as in `average_by`."""
        table = average_by(self.fold_scores, members)
        table["participant"] = np.asarray(self.participants)[table.pop("axis_0")]
        table["run"] = table.pop("axis_1") + 1
        return table[["participant", "run", "group", "value"]]


def stack_responses(
    prince: LittlePrince, participants: list[str], targets: str = "regions", cache: str | None = "cache"
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Cleaned responses of several participants of one language.

    Returns
    -------
    responses : float32 array [participants, scans, targets], z-scored within each run.
    run_of_scan : int array [scans].
    columns : DataFrame with a row a target: region, hemisphere.
    """
    parts = [prince.responses(participant, targets=targets, cache=cache) for participant in participants]
    return np.stack([part.values for part in parts]), parts[0].run_of_scan, parts[0].names


def score_participants(
    features: Features,
    responses: np.ndarray,
    participants: list[str],
    columns: pd.DataFrame,
    device: str = "auto",
    cache: str | None = None,
    **options,
) -> ParticipantScores:
    """Encode all participants who heard the same story with the same features, at once.

    Parameters
    ----------
    features : values [layers, scans, units].
    responses : array [participants, scans, targets].
    cache : folder where scores are kept, for chapters that ask the same; None computes them again.
    options : for `brainbook.encoding.cross_validate` (delays, alphas, ...).
    """
    n_participants, n_scans, n_targets = responses.shape
    side_by_side = np.moveaxis(responses, 0, 1).reshape(n_scans, -1)

    def compute(layers) -> np.ndarray:
        found = cross_validate(layers, side_by_side, features.run_of_scan, device=device, **options)
        return np.stack([found.fold_scores, found.inner_scores])

    if cache is None:
        both = compute(features.values)
    else:  # layer by layer: chapters that look at other layers of the same model share those they have in common
        inputs = {"responses": fingerprint(side_by_side), "runs": features.run_of_scan, **options}
        both = np.concatenate(
            [
                keep_array(f"{cache}/scores", "layer", {"layer": layer, **inputs}, lambda layer=layer: compute([layer]))
                for layer in features.values
            ],
            axis=1,
        )
    fold_scores, inner_scores = both  # layers, runs, participants x targets
    layer = np.where(np.isfinite(inner_scores), inner_scores, -np.inf).argmax(axis=0)
    chosen = np.take_along_axis(fold_scores, layer[None], axis=0)[0]
    return ParticipantScores(
        fold_scores=np.moveaxis(chosen.reshape(-1, n_participants, n_targets), 0, 1),
        layer_scores=fisher_mean(fold_scores, axis=1).reshape(-1, n_participants, n_targets),
        chosen_layers=np.moveaxis(layer.reshape(-1, n_participants, n_targets), 0, 1),
        participants=participants,
        columns=columns,
    )


def group_members(columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """The whole cortex and the three functional groups of the paper's appendix, as boolean arrays [targets].

    Groups overlap, as they do in the paper.
    """
    mapping = functional_groups()
    members = {"cortex": np.ones(len(columns), bool)}
    for group, rows in mapping.groupby("group", sort=False):
        members[group] = columns.region.isin(rows.region).to_numpy()
    return members


def driver_members(truth: Truth, columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """Regions of a phantom by what drives them, as boolean arrays [targets]: sound, word, meaning, topic, none."""
    key = ["region", "hemisphere"]
    driver = columns[key].merge(truth.regions[[*key, "driver"]], on=key, how="left", validate="many_to_one").driver
    return {name: (driver == name).to_numpy() for name in ("sound", "word", "meaning", "topic", "none")}


def average_by(scores: np.ndarray, members: dict[str, np.ndarray]) -> pd.DataFrame:
    """Mean score over sets of targets; NaN targets are left out. `members` names a boolean array [targets] a set.

    Returns a DataFrame: axis_0, axis_1, ... (the leading axes of `scores`), group, value.
    """
    scores = np.asarray(scores)
    rows = []
    for index in np.ndindex(*scores.shape[:-1]):
        place = {f"axis_{axis}": step for axis, step in enumerate(index)}
        rows += [
            {**place, "group": group, "value": float(np.nanmean(scores[index][chosen]))}
            for group, chosen in members.items()
            if chosen.any()
        ]
    return pd.DataFrame(rows)


def alignment_errors(prince: LittlePrince, language: str, words_per_scan: int = 5) -> list[np.ndarray]:
    """How far fixed-length alignment places each word from the moment it was heard.

    Returns a list over sections of arrays [words, 2]: onset (s), and the middle of the scan that FLA gives the word to
    minus the middle of the scan during which it began (s). Words that FLA cuts off at the end are left out.
    """
    words = prince.words(language)
    errors = []
    for section, n_scans in prince.scans(language).items():
        onsets = words.onset[words.section == section].to_numpy()
        given = np.arange(len(onsets)) // words_per_scan
        kept = given < n_scans
        errors.append(np.column_stack([onsets, (given - onsets // TR) * TR])[kept])
    return errors


def chance_by_group(
    features: Features,
    layer: int,
    responses: np.ndarray,
    members: dict[str, np.ndarray],
    alpha: float = 1e3,
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
) -> pd.DataFrame:
    """What groups of regions would score if the recordings had been made at another time of the story.

    The participants' mean response is shifted in a circle within each run by a random time and everything is fitted
    anew, with one fixed penalty and one fixed layer, so that nothing is chosen on what is tested.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    members : boolean array [targets] a group.

    Returns
    -------
    DataFrame: group, value (r of the group average), p (one-sided), lower, upper (2.5 and 97.5 per cent of the null).
    """
    found = permutation_scores(
        features.values[layer],
        responses.mean(axis=0),
        features.run_of_scan,
        alpha,
        n_permutations=n_permutations,
        seed=seed,
        delays=(1, 2, 3, 4),
        device=device,
    )
    rows = []
    for group, chosen in members.items():
        value, null = np.nanmean(found.score[chosen]), np.nanmean(found.null[:, chosen], axis=1)
        lower, upper = np.quantile(null, (0.025, 0.975))
        p = (1 + np.sum(null >= value)) / (1 + n_permutations)
        rows.append({"group": group, "value": value, "p": p, "lower": lower, "upper": upper})
    return pd.DataFrame(rows)
