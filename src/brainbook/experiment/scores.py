"""From features and responses to scores: participant by participant, by group of regions, beside chance."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainbook.encoding import cross_validate, fisher_mean, permutation_scores
from brainbook.experiment.features import Features
from brainbook.phantom import Truth
from brainbook.recordings import LittlePrince, functional_groups
from brainbook.store import fingerprint, keep_array


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
