"""From features and responses to scores: participant by participant, by group of regions, beside chance."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainbook.chapters.features import TRIM, Features
from brainbook.datasets import LittlePrince, functional_groups
from brainbook.encoding import cross_validate, fisher_mean, fold_weights, leave_one_run_out, permutation_scores
from brainbook.errors import ConfigurationError
from brainbook.phantom import Truth
from brainbook.stats import noise_ceiling
from brainbook.stats.hemispheres import mean_interval
from brainbook.stats.intervals import Interval, compare_runs
from brainbook.store import cached_array, fingerprint


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


def select_participants(
    prince: LittlePrince, languages: list[str], participants: int, participant: str = ""
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Whose scores a chapter computes, and whose recordings it reads.

    Parameters
    ----------
    participants : how many of each language.
    participant : one name, such as "sub-EN057": only this one is scored, and the first `participants` others who heard
        the same language are read beside it, for its ceiling. "" for the first `participants` of each language.

    Returns
    -------
    scored, read : {language: names}; those who are scored come first among those who are read.

    Raises ConfigurationError when nobody of these languages has that name.
    """
    known = {language: prince.participants(language) for language in languages}
    if not participant:
        chosen = {language: names[:participants] for language, names in known.items()}
        return chosen, chosen
    for language, names in known.items():
        if participant in names:
            others = [name for name in names if name != participant]
            return {language: [participant]}, {language: [participant, *others[:participants]]}
    raise ConfigurationError(
        f"participant {participant!r} is not among those of {', '.join(languages)} in {prince.root}: "
        + ", ".join(name for names in known.values() for name in names)
    )


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
    trim: int = TRIM,
    **options,
) -> ParticipantScores:
    """Encode all participants who heard the same story with the same features, at once.

    Parameters
    ----------
    features : values [layers, scans, units].
    responses : array [participants, scans, targets].
    cache : folder where scores are kept, for chapters that ask the same; None computes them again.
    trim : scans at each edge of every section that neither train nor test.
    options : for `brainbook.encoding.cross_validate` (delays, alphas, ...).
    """
    n_participants, n_scans, n_targets = responses.shape
    side_by_side = np.moveaxis(responses, 0, 1).reshape(n_scans, -1)

    def compute(layers) -> np.ndarray:
        found = cross_validate(layers, side_by_side, features.run_of_scan, trim=trim, device=device, **options)
        return np.stack([found.fold_scores, found.inner_scores])

    if cache is None:
        both = compute(features.values)
    else:  # layer by layer: chapters that look at other layers of the same model share those they have in common
        inputs = {"responses": fingerprint(side_by_side), "runs": features.run_of_scan, "trim": trim, **options}
        both = np.concatenate(
            [
                cached_array(
                    f"{cache}/scores", "layer", {"layer": layer, **inputs}, lambda layer=layer: compute([layer])
                )
                for layer in features.values
            ],
            axis=1,
        )
    fold_scores, inner_scores = both  # layers, runs, participants x targets
    layer = np.where(np.isfinite(inner_scores), inner_scores, -np.inf).argmax(axis=0)
    chosen = np.take_along_axis(fold_scores, layer[None], axis=0)[0]
    weights = fold_weights(leave_one_run_out(features.run_of_scan, trim))
    return ParticipantScores(
        fold_scores=np.moveaxis(chosen.reshape(-1, n_participants, n_targets), 0, 1),
        layer_scores=fisher_mean(fold_scores, axis=1, weights=weights).reshape(-1, n_participants, n_targets),
        chosen_layers=np.moveaxis(layer.reshape(-1, n_participants, n_targets), 0, 1),
        participants=participants,
        columns=columns,
    )


def ceilings(responses: np.ndarray, scored: int, runs: np.ndarray | None = None, trim: int = TRIM) -> np.ndarray:
    """Inter-subject correlation of the first `scored` participants: of each with the mean of the others, averaged.

    It is no bound on what a model can score: the mean of few others is noisy, and that of many still holds what they
    share beyond the story's words.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    runs : array [scans]; given, scans are trimmed and the correlation is taken in every run, as scores are.

    Returns
    -------
    array [targets]; NaN where nobody else was recorded.
    """
    if len(responses) < 2:
        return np.full(responses.shape[-1], np.nan)
    if runs is not None:
        inner = np.sort(np.concatenate([test for _, test in leave_one_run_out(runs, trim)]))
        responses, runs = responses[:, inner], np.asarray(runs)[inner]
    return fisher_mean(noise_ceiling(responses, runs, keep="each")[:scored])


def gain_of_alignment(table: pd.DataFrame, first: str = "VLA", second: str = "FLA") -> tuple[Interval, str]:
    """How much better the scores of one alignment are, and what its interval is over.

    Parameters
    ----------
    table : scores of one model in one set of regions: participant, run, alignment, value.

    Returns
    -------
    Interval of `first` minus `second`: over participants (Student's t) where there are several, else over the runs of
    the one, with their variance corrected (`compare_runs`); and the words that say so.
    """
    by_run = table.pivot_table(index=["participant", "run"], columns="alignment", values="value")
    if table.participant.nunique() > 1:
        means = by_run.groupby("participant").mean()
        return mean_interval((means[first] - means[second]).to_numpy()), "over participants (Student's t)"
    it = compare_runs(by_run[[first]].to_numpy(), by_run[[second]].to_numpy(), fisher=False)
    found = Interval(*(float(part[0]) for part in (it.estimate, it.lower, it.upper, it.p)))
    return found, "over the runs of one participant (corrected variance)"


def group_masks(columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """The whole cortex and the three functional groups of the paper's appendix, as boolean arrays [targets].

    Groups overlap, as they do in the paper.
    """
    mapping = functional_groups()
    members = {"cortex": np.ones(len(columns), bool)}
    for group, rows in mapping.groupby("group", sort=False):
        members[group] = columns.region.isin(rows.region).to_numpy()
    return members


def driver_masks(truth: Truth, columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """Regions of a phantom by what drives them, as boolean arrays [targets]: sound, word, meaning, topic, none."""
    key = ["region", "hemisphere"]
    driver = columns[key].merge(truth.regions[[*key, "driver"]], on=key, how="left", validate="many_to_one").driver
    return {name: (driver == name).to_numpy() for name in ("sound", "word", "meaning", "topic", "none")}


def true_ceilings(
    truth: Truth, columns: pd.DataFrame, members: dict[str, np.ndarray], languages: list[str]
) -> pd.DataFrame:
    """What a perfect model of a phantom's story would score in the response of one participant, by sets of targets.

    Returns a DataFrame: language, group, value.
    """
    key = ["region", "hemisphere"]
    known = columns[key].merge(truth.regions, on=key, how="left", validate="many_to_one")
    rows = [
        (language, group, known.loc[chosen, f"ceiling_{language}"].mean())
        for language in languages
        for group, chosen in members.items()
    ]
    return pd.DataFrame(rows, columns=["language", "group", "value"])


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


def chance_by_group(
    features: Features,
    layer: int,
    responses: np.ndarray,
    members: dict[str, np.ndarray],
    alpha: float = 1e3,
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
    trim: int = TRIM,
) -> pd.DataFrame:
    """What groups of regions would score if the recordings had been made at another time of the story.

    The participants' mean response is shifted in a circle within each run by a random time and everything is fitted
    anew, with one fixed penalty and one fixed layer, so that nothing is chosen on what is tested.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    members : boolean array [targets] a group.
    trim : scans at each edge of every section that are left out, of the null as of the score.

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
        trim=trim,
        device=device,
    )
    rows = []
    for group, chosen in members.items():
        value, null = np.nanmean(found.score[chosen]), np.nanmean(found.null[:, chosen], axis=1)
        lower, upper = np.quantile(null, (0.025, 0.975))
        p = (1 + np.sum(null >= value)) / (1 + n_permutations)
        rows.append({"group": group, "value": value, "p": p, "lower": lower, "upper": upper})
    return pd.DataFrame(rows)
